// The fit finds what a synthetic machine was built of.
import { describe, expect, it } from 'vitest';
import { median, nonNegativeLeastSquares } from '#src/sizing/least-squares.js';
import { seededRandom } from '#src/sizing/measure/random.js';

/** Rows of as many random features, and what they come to at these prices. */
function machine(prices: readonly number[], rowCount: number, noise: number, seed: number) {
  const random = seededRandom(seed);
  const rows = Array.from({ length: rowCount }, () => prices.map(() => random() * 10));
  const targets = rows.map((row) => {
    const exact = row.reduce((sum, value, index) => sum + value * prices[index], 0);
    return exact * (1 + noise * (random() - 0.5));
  });
  return { rows, targets };
}

describe('least squares without negative coefficients', () => {
  it('recovers the prices of data without noise', () => {
    const prices = [6, 0.5, 0, 40, 2];
    const { rows, targets } = machine(prices, 12, 0, 1);
    const { coefficients, residual } = nonNegativeLeastSquares(rows, targets);
    for (const [index, value] of coefficients.entries()) expect(value).toBeCloseTo(prices[index], 5);
    expect(residual).toBeLessThan(1e-5);
  });

  it.each([2, 3, 4, 5])('recovers them within three standard errors with 10 %% of noise, seed %i', (seed) => {
    const prices = [6, 3, 40];
    const { rows, targets } = machine(prices, 40, 0.1, seed);
    const { coefficients, standardErrors } = nonNegativeLeastSquares(rows, targets);
    coefficients.forEach((value, index) => {
      expect(Math.abs(value - prices[index])).toBeLessThan(3 * standardErrors[index] + 1e-9);
      expect(standardErrors[index]).toBeGreaterThan(0);
    });
  });

  it('says 0 where less than nothing would fit better', () => {
    // 2 x − 1 y: without a bound the second price would be −1.
    const rows = [
      [1, 0.1],
      [2, 1],
      [3, 1],
      [4, 3],
    ];
    const { coefficients } = nonNegativeLeastSquares(
      rows,
      rows.map(([x, y]) => 2 * x! - y!),
    );
    expect(coefficients[1]).toBe(0);
    expect(coefficients[0]).toBeGreaterThan(0);
  });

  it('gives 0 to what no row has', () => {
    const { coefficients } = nonNegativeLeastSquares(
      [
        [1, 0],
        [2, 0],
      ],
      [3, 6],
    );
    expect(coefficients).toEqual([3, 0]);
  });
});

it('median: of an odd and an even number, and of none', () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, 0]);
});
