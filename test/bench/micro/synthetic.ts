// Results whose truth is known: rounds drawn from a seeded source.
import type { BenchResult, Results } from '../../../bench/micro/results.js';
import { FORMAT } from '../../../bench/micro/results.js';
import { seededRandom } from '../../support/seeded.js';

export { seededRandom };

/** Of the standard normal distribution (Box and Muller). */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export interface Truth {
  readonly id: string;
  readonly ns: number;
  /** Of a round, relative. */
  readonly noise: number;
  readonly unit?: 'ns' | 'bytes';
  readonly isThreaded?: boolean;
}

export interface Session {
  readonly rounds?: number;
  /** Every value is multiplied by it: the machine's mood during this command. */
  readonly mood?: number;
  /** The mood by the end, if it changes from round to round. */
  readonly lastMood?: number;
  /** Rounds that something else disturbed: one in ten takes half as long again. */
  readonly hasOutliers?: boolean;
}

function benchResult(
  { id, ns, noise, unit = 'ns', isThreaded = false }: Truth,
  session: Session,
  random: () => number,
): BenchResult {
  const { rounds = 10, mood = 1, lastMood = mood, hasOutliers = false } = session;
  const values = Array.from({ length: rounds }, (_, round) => {
    const now = mood + ((lastMood - mood) * round) / Math.max(1, rounds - 1);
    const outlier = hasOutliers && random() < 0.1 ? 1.5 : 1;
    return ns * (unit === 'ns' ? now : 1) * Math.exp(noise * normal(random)) * outlier;
  });
  return {
    ...{ id, group: id.split('/')[0], unit, item: 'item', items: 1, against: null, isThreaded, failed: null },
    rounds: values.map((value) => ({ value, gcNs: 0, samples: 100, times: 10 })),
  };
}

export const MACHINE = {
  ...{ cpu: 'Test CPU', cores: 2, memoryGiB: 8, system: 'Linux 6', node: 'v20.0.0' },
  ...{ commit: 'abc', command: 'npm run bench', date: '2026-01-01' },
};

const REFERENCES: readonly Truth[] = ['integers', 'memory', 'objects'].map((name) => {
  return { id: `reference/${name}`, ns: 1000, noise: 0.01 };
});

/** What a command would have measured, the reference group included. */
export function session(truths: readonly Truth[], random: () => number, options: Session = {}): Results {
  const { rounds = 10 } = options;
  return {
    ...{ format: FORMAT, machine: MACHINE, startedAt: '2026-01-01T00:00:00.000Z', partial: false },
    options: { patterns: [], seconds: 1, rounds, smoke: false },
    benches: [...truths, ...REFERENCES].map((truth) => benchResult(truth, options, random)),
  };
}

export function benches(count: number, noise: number): Truth[] {
  return Array.from({ length: count }, (_, index) => ({ id: `ring/bench-${index}`, ns: 100 * (index + 1), noise }));
}
