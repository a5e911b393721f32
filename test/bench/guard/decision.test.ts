// The decision rule: how often it is wrong, with the noise that has been measured.
import { describe, expect, it } from 'vitest';
import {
  chanceAt,
  chanceOfOver,
  decide,
  decideAtEnd,
  logSpread,
  OVER_TO_FAIL,
  ROUNDS_MAX,
} from '../../../bench/guard/decision.js';
import { type Limit, limitsOf, MEASURED } from '../../../bench/guard/limits.js';
import { seededRandom } from '../../../bench/support/shared.js';
import { LOSS, normal } from './synthetic.js';

const SEED = 20261121;
const TRIALS = 20_000;

/** Rounds are added until the rule decides. */
function decidedBy(limit: number, next: () => number): { decision: string; rounds: number } {
  const ratios: number[] = [];
  for (;;) {
    ratios.push(next());
    const decision = decide(ratios, limit);
    if (decision !== 'undecided') return { decision, rounds: ratios.length };
  }
}

function shareOver({ ratio, limit, spread }: Limit, growth: number): { share: number; roundsMost: number } {
  const random = seededRandom(SEED);
  let over = 0;
  let roundsMost = 0;
  for (let trial = 0; trial < TRIALS; trial++) {
    const { decision, rounds } = decidedBy(limit, () => ratio * growth * Math.exp(spread * normal(random)));
    if (decision === 'over') over++;
    roundsMost = Math.max(roundsMost, rounds);
  }
  return { share: over / TRIALS, roundsMost };
}

describe('decision', () => {
  it('passes after three rounds of which none is over, later with one of five, two of seven, four of nine', () => {
    expect(decide([1, 1], 1.1)).toBe('undecided');
    expect(decide([1, 1, 1], 1.1)).toBe('within');
    expect(decide([1, 2, 1], 1.1)).toBe('undecided');
    expect(decide([1, 2, 1, 1], 1.1)).toBe('undecided');
    expect(decide([1, 2, 1, 1, 1], 1.1)).toBe('within');
    expect(decide([2, 2, 1, 1, 1], 1.1)).toBe('undecided');
    expect(decide([2, 2, 1, 1, 1, 1, 1], 1.1)).toBe('within');
    expect(decide([2, 2, 2, 1, 1, 1, 1], 1.1)).toBe('undecided');
    expect(decide([2, 2, 2, 2, 1, 1, 1, 1, 1], 1.1)).toBe('within');
  });

  it('fails as soon as five rounds are over, and never before', () => {
    expect(decide([2, 2, 2, 2], 1.1)).toBe('undecided');
    expect(decide([2, 2, 2, 2, 2], 1.1)).toBe('over');
    expect(decide([2, 2, 1, 2, 1, 2], 1.1)).toBe('undecided');
    expect(decide([2, 2, 1, 2, 1, 2, 2], 1.1)).toBe('over');
  });

  it('counts a ratio that is at the limit as within', () => {
    expect(decide([1.1, 1.1, 1.1], 1.1)).toBe('within');
  });

  it('has decided after nine rounds, whatever they are', () => {
    for (let pattern = 0; pattern < 2 ** ROUNDS_MAX; pattern++) {
      const ratios = Array.from({ length: ROUNDS_MAX }, (_, round) => ((pattern >> round) & 1) + 1);
      const over = ratios.filter((ratio) => ratio === 2).length;
      expect(decide(ratios, 1.5)).toBe(over >= OVER_TO_FAIL ? 'over' : 'within');
    }
  });

  it('takes at the end what there is, but no fewer than three rounds, and no half', () => {
    expect(decideAtEnd([1, 1], 1.1)).toBe('undecided');
    expect(decideAtEnd([1, 1, 1, 2], 1.1)).toBe('within');
    expect(decideAtEnd([1, 1, 2, 2], 1.1)).toBe('undecided');
    expect(decideAtEnd([2, 2, 2, 2], 1.1)).toBe('undecided');
    expect(decideAtEnd([2, 2, 2, 2, 1, 2], 1.1)).toBe('over');
  });
});

describe('chances', () => {
  it('are exact: all sequences of nine rounds, each weighed', () => {
    for (const chance of [0, 0.02, 0.1, 0.5, 0.9, 1]) {
      let sum = 0;
      for (let pattern = 0; pattern < 2 ** ROUNDS_MAX; pattern++) {
        const ratios = Array.from({ length: ROUNDS_MAX }, (_, round) => ((pattern >> round) & 1) + 1);
        const over = ratios.filter((ratio) => ratio === 2).length;
        let round = 0;
        const { decision } = decidedBy(1.5, () => ratios[round++]);
        if (decision === 'over') sum += chance ** over * (1 - chance) ** (ROUNDS_MAX - over);
      }
      expect(chanceOfOver(chance)).toBeCloseTo(sum, 12);
    }
  });

  it('are those of a simulation', () => {
    const limit: Limit = {
      ...{ check: 'burst', bar: 1, tolerance: 0.12, ratio: 1, spread: 0.12, limit: 1.12, isBarMissed: false },
    };
    for (const growth of [1, 1.1, LOSS]) {
      expect(Math.abs(shareOver(limit, growth).share - chanceAt(growth, limit))).toBeLessThan(0.01);
    }
  });
});

describe('the limits, with the noise that they were measured with', () => {
  const limits = limitsOf(MEASURED);

  it('give false alarms in fewer than 1 % of the guard’s runs, all checks together', () => {
    const shares = limits.map((limit) => shareOver(limit, 1).share);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThan(0.01);
  });

  it.each(limits)('find a loss of 25 % in more than 99 % of runs: $check', (limit) => {
    const { share, roundsMost } = shareOver(limit, LOSS);
    expect(share).toBeGreaterThan(0.99);
    expect(roundsMost).toBeLessThanOrEqual(ROUNDS_MAX);
  });
});

describe('spread', () => {
  it('is the standard deviation of the logarithms, and does not mind an outlier', () => {
    const random = seededRandom(SEED);
    const ratios = Array.from({ length: 2000 }, () => 0.3 * Math.exp(0.05 * normal(random)));
    expect(logSpread(ratios)).toBeCloseTo(0.05, 2);
    expect(logSpread([...ratios, 1000, 1000])).toBeCloseTo(0.05, 2);
  });
});
