// The statistics of rounds: against published tables, and on synthetic rounds whose truth is known.
import { describe, expect, it } from 'vitest';
import {
  drift,
  mannWhitneyRank,
  median,
  medianInterval,
  roundsNeeded,
  shiftBetween,
} from '../../../bench/micro/statistics.js';
import { normal, seededRandom } from './synthetic.js';

describe('median', () => {
  it('is the middle value, or between the two middle values', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});

describe('confidence interval of the median', () => {
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

  // Le Boudec, "Performance evaluation of computer and communication systems", table A.1 (95 %).
  it.each([
    [6, 1, 6],
    [8, 1, 8],
    [9, 2, 8],
    [10, 2, 9],
    [12, 3, 10],
    [20, 6, 15],
    [50, 18, 33],
  ])('of %i values lies between the %i. and the %i.', (count, low, high) => {
    expect(medianInterval(upTo(count), 0.95)).toEqual({ low, high });
  });

  it('does not exist for 5 values', () => {
    expect(medianInterval(upTo(5), 0.95)).toBeNull();
  });

  it('holds the true median in 95 of 100 cases, of noise with outliers too', () => {
    const random = seededRandom(1);
    let hits = 0;
    for (let trial = 0; trial < 2000; trial++) {
      // Its median is 0: half of the values are below, whatever the others are multiplied with.
      const values = Array.from({ length: 10 }, () => {
        const value = normal(random);
        return value > 0 && random() < 0.2 ? value * 20 : value;
      });
      const { low, high } = medianInterval(values, 0.95)!;
      if (low <= 0 && high >= 0) hits++;
    }
    expect(hits / 2000).toBeGreaterThan(0.95);
  });
});

describe('Mann–Whitney', () => {
  // Critical values of U, two-sided, as every textbook has them: reject when U is at most so much.
  it.each([
    [5, 5, 0.05, 2],
    [6, 5, 0.05, 3],
    [8, 8, 0.05, 13],
    [10, 10, 0.05, 23],
    [12, 10, 0.05, 29],
    [20, 20, 0.05, 127],
    [5, 5, 0.01, 0],
    [10, 10, 0.01, 16],
    [20, 20, 0.01, 105],
  ])('%i and %i values at %f: U ≤ %i is significant', (sizeA, sizeB, significance, criticalU) => {
    expect(mannWhitneyRank(sizeA, sizeB, significance)).toBe(criticalU + 1);
    expect(mannWhitneyRank(sizeB, sizeA, significance)).toBe(criticalU + 1);
  });

  it('has no significant outcome when there are too few values', () => {
    expect(mannWhitneyRank(3, 3, 0.05)).toBe(0);
    expect(mannWhitneyRank(1, 100, 0.01)).toBe(0);
    expect(roundsNeeded(0.05)).toBe(4);
    expect(roundsNeeded(0.05 / 80)).toBe(7);
  });

  it('is exact for as many values as there can be rounds', () => {
    // The normal approximation: z = 1.96, mean 5000, deviation √(100 · 100 · 201 / 12).
    const approximate = 5000 - 1.96 * Math.sqrt((100 * 100 * 201) / 12);
    expect(Math.abs(mannWhitneyRank(100, 100, 0.05) - approximate)).toBeLessThan(3);
  });
});

describe('shift', () => {
  it('is the Hodges–Lehmann estimate of the textbook’s example', () => {
    // Hollander, Wolfe, Chicken: Hamilton depression scale; R: wilcox.test(x, y, conf.int = TRUE), 0.56.
    const y = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
    const x = [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3];
    const { estimate, low, high } = shiftBetween(y, x, 0.05);
    expect(estimate).toBeCloseTo(0.56, 2);
    expect(low).toBeLessThan(0);
    expect(high).toBeGreaterThan(estimate);
  });

  it('turns its sign when the sides are exchanged', () => {
    const [before, after] = [
      [1, 2, 3, 4, 5, 6],
      [11, 12.5, 13, 14, 15, 16.25],
    ];
    const there = shiftBetween(before, after, 0.05);
    const back = shiftBetween(after, before, 0.05);
    expect(back).toEqual({ estimate: -there.estimate, low: -there.high, high: -there.low });
  });

  it('has no bounds when there are too few values', () => {
    const shift = shiftBetween([1, 2, 3], [2, 3, 4], 0.05);
    expect(shift).toEqual({ estimate: 1, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY });
  });

  it('holds the truth in 95 of 100 cases, of noise with outliers too', () => {
    const random = seededRandom(2);
    let hits = 0;
    for (let trial = 0; trial < 2000; trial++) {
      const draw = (): number => normal(random) * (random() < 0.2 ? 10 : 1);
      const before = Array.from({ length: 10 }, draw);
      const after = Array.from({ length: 10 }, () => draw() + 1);
      const { low, high } = shiftBetween(before, after, 0.05);
      if (low <= 1 && high >= 1) hits++;
    }
    expect(hits / 2000).toBeGreaterThan(0.94);
    expect(hits / 2000).toBeLessThan(0.97);
  });
});

describe('drift', () => {
  it('is the distance between the halves, whichever way', () => {
    expect(drift([1, 1, 1, 3, 3, 3])).toBe(2);
    expect(drift([3, 3, 3, 99, 1, 1, 1])).toBe(2);
    expect(drift([5])).toBe(0);
  });
});
