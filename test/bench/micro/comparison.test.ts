// Verdicts on synthetic results whose truth is known: noise is called noise, changes are found, moods are not changes.
import picocolors from 'picocolors';
import { describe, expect, it } from 'vitest';
import { type Comparison, compare } from '../../../bench/micro/comparison.js';
import type { Results } from '../../../bench/micro/results.js';
import { comparisonText, resultsText } from '../../../bench/micro/table.js';
import { benches, MACHINE, type Session, seededRandom, session } from './synthetic.js';

const BENCHES = 40;
const DISTURBED: Session = { hasOutliers: true, rounds: 30 };
const COLOURS = picocolors.createColors(false);

const verdictsOf = ({ changes }: Comparison): string[] => changes.map(({ verdict }) => verdict);
const isChange = (verdict: string): boolean => verdict !== 'noise';

/** Comparisons of the same truth with itself, in which any bench was said to have changed. */
function falseAlarms(trials: number, seed: number, noise: number, before: Session, after: Session): number {
  const random = seededRandom(seed);
  let alarms = 0;
  for (let trial = 0; trial < trials; trial++) {
    const truths = benches(BENCHES, noise);
    const comparison = compare(session(truths, random, before), session(truths, random, after));
    if (verdictsOf(comparison).some(isChange)) alarms++;
  }
  return alarms;
}

describe('noise is called noise', () => {
  it.each([
    ['rounds that differ by 2 %', 0.02, {}, {}],
    ['rounds that differ by 10 %', 0.1, {}, {}],
    ['rounds with outliers', 0.02, { hasOutliers: true }, { hasOutliers: true }],
    ['more rounds on one side', 0.02, { rounds: 10 }, { rounds: 20 }],
    ['a machine that is 8 % slower during the second command', 0.02, {}, { mood: 1.08 }],
    ['a machine that gets 20 % slower during the first command', 0.02, { lastMood: 1.2 }, { mood: 1.1 }],
  ])('%s: in at least 95 % of all comparisons no bench of 40 has changed', (_what, noise, before, after) => {
    expect(falseAlarms(60, 11, noise, before, after)).toBeLessThanOrEqual(3);
  });
});

describe('a real change is found', () => {
  const TRIALS = 25;
  /** Verdicts on one bench among 40 that takes `factor` times as long afterwards. */
  function verdicts(trials: number, factor: number, before: Session, after: Session): string[] {
    const random = seededRandom(23);
    return Array.from({ length: trials }, () => {
      const truths = benches(BENCHES, 0.02);
      const changed = truths.map((truth, index) => (index === 17 ? { ...truth, ns: truth.ns * factor } : truth));
      return verdictsOf(compare(session(truths, random, before), session(changed, random, after)))[17];
    });
  }
  const share = (all: readonly string[], wanted: string): number =>
    all.filter((verdict) => verdict === wanted).length / all.length;

  it.each([
    ['10 % slower', 1.1, 'slower', {}, {}],
    ['10 % faster', 1 / 1.1, 'faster', {}, {}],
    ['10 % slower, with outliers and 30 rounds', 1.1, 'slower', DISTURBED, DISTURBED],
    ['25 % slower on a machine in another mood', 1.25, 'slower', {}, { mood: 1.04 }],
  ])('%s', (_what, factor, verdict, before, after) => {
    expect(share(verdicts(TRIALS, factor, before, after), verdict)).toBeGreaterThan(0.95);
  });

  it('1 % among 2 % of noise is not claimed', () => {
    expect(share(verdicts(TRIALS, 1.01, {}, {}), 'noise')).toBeGreaterThan(0.95);
  });
});

describe('comparison', () => {
  const random = seededRandom(5);
  const truths = benches(3, 0.01);
  const before = session(truths, random);
  const after = session(truths, random);
  const withMachine = (results: Results, changes: Partial<typeof MACHINE>): Results => {
    return { ...results, machine: { ...MACHINE, ...changes } };
  };

  it('has every bench that both have, and the machine’s own changes apart', () => {
    const more = session([...truths, { id: 'topic/new', ns: 5, noise: 0.01 }], random);
    const { changes, machine, warnings } = compare(before, more);
    expect(changes.map(({ id }) => id)).toEqual(truths.map(({ id }) => id));
    expect(machine.map(({ id }) => id)).toEqual(['reference/integers', 'reference/memory', 'reference/objects']);
    expect(warnings).toEqual([]);
  });

  it('says smaller and larger of memory, whatever the mood of the machine', () => {
    const memory = { id: 'subscriptions/memory', ns: 60, noise: 0.0001, unit: 'bytes' } as const;
    const old = session([memory], random);
    const now = session([{ ...memory, ns: 50 }], random, { mood: 1.5 });
    expect(verdictsOf(compare(old, now))).toEqual(['smaller']);
    expect(verdictsOf(compare(now, old))).toEqual(['larger']);
    expect(verdictsOf(compare(old, old))).toEqual(['noise']);
  });

  it('warns of another machine, another Node.js, and a machine in another mood', () => {
    expect(compare(before, withMachine(after, { cpu: 'Other CPU', cores: 8 })).warnings).toEqual([
      'another machine (cpu Test CPU → Other CPU, cores 2 → 8): the ratios may mean nothing',
    ]);
    expect(compare(before, withMachine(after, { node: 'v22.0.0' })).warnings[0]).toMatch(
      /another Node.js \(v20.0.0 → v22/,
    );
    expect(compare(before, session(truths, random, { mood: 1.2 })).warnings[0]).toMatch(
      /code that never changes took:/,
    );
  });

  it('warns of partial results, smoke runs and rounds of another length', () => {
    expect(compare({ ...before, partial: true }, after).warnings[0]).toMatch(/^the old results are partial/);
    const smoke = { ...after, options: { ...after.options, smoke: true } };
    expect(compare(before, smoke).warnings[0]).toMatch(/their figures mean nothing/);
    const longer = { ...after, options: { ...after.options, seconds: 7 } };
    expect(compare(before, longer).warnings[0]).toMatch(/rounds of another length/);
  });

  it('says how many rounds it takes instead of guessing', () => {
    const few = session(truths, random, { rounds: 3 });
    const { changes, warnings } = compare(few, few);
    expect(changes.map(({ verdict }) => verdict)).toEqual(Array(3).fill('too few rounds'));
    expect(warnings).toEqual(['too few rounds to tell 3 changes from noise: --rounds 5 at least, on both sides']);
  });

  it('leaves out what failed, what was not measured, and what measures something else by now', () => {
    const [first, second, third, ...rest] = after.benches;
    const changed = {
      ...after,
      benches: [{ ...first!, failed: 'x' }, { ...second!, rounds: [] }, { ...third!, items: 9 }, ...rest],
    };
    const { changes, warnings } = compare(before, changed);
    expect(changes).toEqual([]);
    expect(warnings).toEqual([
      'not compared, they measure something else by now: ring/bench-2',
      'the two results have no bench in common',
    ]);
  });

  it('is shown as a table: figures, interval, floor, verdict', () => {
    const changed = session([{ ...truths[0], ns: 200 }, truths[1], truths[2]], random);
    const lines = comparisonText(compare(before, changed), COLOURS).split('\n');
    expect(lines[0]).toMatch(/^ +before +after +change +95 % interval, all at once +noise floor$/);
    expect(lines[1]).toMatch(/^ring\/bench-0 +\S+ ns +\S+ ns +\+\S+ % +\+\S+ % … \+\S+ % +\S+ % +slower$/);
    expect(lines[2]).toMatch(/^ring\/bench-1 .* noise$/);
    expect(lines.at(-2)).toMatch(/^the machine itself \(reference\): integers \S+ %, memory/);
    expect(lines.at(-1)).toBe('changes: 1 slower, 2 noise');
  });
});

describe('table of results', () => {
  const random = seededRandom(6);

  it('shows time per operation and item, spread, rate and samples', () => {
    const results = session([{ id: 'ring/push', ns: 1000, noise: 0.01 }], random);
    const [bench, ...rest] = results.benches;
    const text = resultsText([{ ...bench!, items: 10, item: 'record' }, ...rest], COLOURS);
    expect(text).toMatch(/push +\S+ +±\S+ % +\S+ \/record +\S+ +10 × 100$/m);
  });

  it('puts the spread of too few rounds in brackets', () => {
    const { benches: few } = session([{ id: 'ring/push', ns: 1000, noise: 0.01 }], random, { rounds: 3 });
    expect(resultsText(few, COLOURS)).toMatch(/^push +\S+ +\(±\S+ %\)/m);
  });

  it('says what failed, and what was not measured', () => {
    const { benches: all } = session(benches(2, 0.01), random);
    const [first, second] = all;
    const text = resultsText(
      [
        { ...first!, failed: 'wrong result: 1 instead of 2' },
        { ...second!, rounds: [] },
      ],
      COLOURS,
    );
    expect(text).toMatch(/^bench-0 +FAILED .*wrong result: 1 instead of 2$/m);
    expect(text).toMatch(/^bench-1 +– .*not measured$/m);
  });

  it('says how a bench compares with the usual way', () => {
    const { benches: all } = session(
      [
        { id: 'protocol/read/envelope', ns: 100, noise: 0.0001 },
        { id: 'protocol/read/whole', ns: 400, noise: 0.0001 },
      ],
      random,
    );
    const [first, ...rest] = all;
    expect(resultsText([{ ...first!, against: 'protocol/read/whole' }, ...rest], COLOURS)).toMatch(
      /4 × as fast as whole$/m,
    );
  });
});
