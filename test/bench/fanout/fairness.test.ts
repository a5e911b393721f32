// The statistics of who gets a message first and who last.
import { describe, expect, it } from 'vitest';
import { fairnessOf, ordersOf, rankCorrelation } from '../../../bench/fanout/fairness.js';
import { seededRandom } from '../../../bench/support/shared.js';

const SUBSCRIBERS = 200;
const MESSAGES = 400;

const identity = (): number[] => Array.from({ length: SUBSCRIBERS }, (_, subscriber) => subscriber);

function shuffled(random: () => number): number[] {
  const order = identity();
  for (let index = order.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [order[index], order[other]] = [order[other], order[index]];
  }
  return order;
}

describe('fairness', () => {
  it('sees that all messages come in one order', () => {
    const found = fairnessOf(Array.from({ length: MESSAGES }, identity));
    expect(found.concordance).toBeCloseTo(1, 10);
    expect(found.meanCorrelation).toBeCloseTo(1, 10);
    expect(found.successiveCorrelation).toBeCloseTo(1, 10);
    expect(found.sameLastShare).toBe(1);
    expect(found.sameLastTenthShare).toBe(1);
    expect([found.meanPlaces[0], found.meanPlaces[SUBSCRIBERS - 1]]).toEqual([0, 1]);
  });

  it('sees that orders have nothing to do with each other', () => {
    const random = seededRandom(7);
    const found = fairnessOf(Array.from({ length: MESSAGES }, () => shuffled(random)));
    expect(Math.abs(found.meanCorrelation)).toBeLessThan(0.002);
    expect(Math.abs(found.successiveCorrelation)).toBeLessThan(0.02);
    expect(found.concordance).toBeCloseTo(1 / MESSAGES, 3);
    expect(found.sameLastShare).toBeLessThan(0.03);
    expect(found.sameLastTenthShare).toBeLessThan(0.2);
    for (const place of found.meanPlaces) expect(Math.abs(place - 0.5)).toBeLessThan(0.07);
  });

  it('tells turns about from fairness: each order is the one before reversed', () => {
    const found = fairnessOf(
      Array.from({ length: MESSAGES }, (_, message) => (message % 2 === 0 ? identity() : identity().reverse())),
    );
    expect(found.successiveCorrelation).toBeCloseTo(-1, 10);
    expect(found.concordance).toBeCloseTo(0, 10);
    expect(found.sameLastShare).toBe(0.5);
    for (const place of found.meanPlaces) expect(place).toBeCloseTo(0.5, 10);
  });

  it('finds one subscriber that is always last among others that take turns', () => {
    const random = seededRandom(11);
    const orders = Array.from({ length: MESSAGES }, () => {
      const order = shuffled(random).filter((subscriber) => subscriber !== 42);
      return [...order, 42];
    });
    const found = fairnessOf(orders);
    expect(found.sameLastShare).toBe(1);
    expect(found.meanPlaces[42]).toBe(1);
    expect(found.meanCorrelation).toBeLessThan(0.05);
  });

  it('agrees with the textbook: Spearman of (1 2 3 4 5) and (2 1 4 3 5) is 0.8; W of three judges', () => {
    expect(rankCorrelation([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])).toBeCloseTo(0.8, 10);
    // Rank sums 2, 4, 6 of 3 subscribers in 3 messages, mean 3: W = 12 × 14 ÷ (9 × 24), of ranks from 0.
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
    ];
    const rankSums = [1, 3, 5];
    const deviation = rankSums.reduce((sum, rankSum) => sum + (rankSum - 3) ** 2, 0);
    expect(fairnessOf(orders).concordance).toBeCloseTo((12 * deviation) / (9 * (27 - 3)), 10);
    const pairs = [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const;
    const ranksOf = (order: number[]): number[] => order.map((_, subscriber) => order.indexOf(subscriber));
    const mean = pairs.reduce((sum, [a, b]) => sum + rankCorrelation(ranksOf(orders[a]), ranksOf(orders[b])), 0) / 3;
    expect(fairnessOf(orders).meanCorrelation).toBeCloseTo(mean, 10);
  });

  it('refuses orders in which somebody is missing or twice', () => {
    expect(() =>
      fairnessOf([
        [0, 1, 1],
        [0, 1, 2],
      ]),
    ).toThrow('not complete');
    expect(() =>
      fairnessOf([
        [0, 1, 2],
        [0, 1],
      ]),
    ).toThrow('not complete');
    expect(() => fairnessOf([[0, 1, 2]])).toThrow('two messages');
  });

  it('reads orders and spreads from deliveries, and leaves out messages that did not come to all', () => {
    const arrivals = {
      count: 8,
      connections: [0, 2, 1, 1, 2, 0, 1, 0],
      sentMs: [10, 10, 10, 20, 20, 30, 20, 20].map((ms, index) => (index === 6 ? 30 : ms)),
      arrivedMs: [11, 12, 15, 21, 22, 31, 32, 25],
    };
    const { orders, spreadsMs } = ordersOf(arrivals, 3);
    expect(orders.map((order) => [...order])).toEqual([
      [0, 2, 1],
      [1, 2, 0],
    ]);
    expect(spreadsMs).toEqual([4, 4]);
  });
});
