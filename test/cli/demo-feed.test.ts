// The demo feed on invented time.
import { describe, expect, it } from 'vitest';
import { DemoFeed, type DemoPrice, seededRandom } from '#src/cli/demo-feed.js';

const SEED = 42;

function feedOf(seed: number) {
  const published: [topic: string, price: DemoPrice][] = [];
  const feed = new DemoFeed({
    publish: (topic, price) => published.push([topic, price]),
    random: seededRandom(seed),
    startMs: 1000,
  });
  return { feed, published };
}

describe(`the demo feed (seed ${SEED})`, () => {
  it('has 50 topics, prices:AAPL among them', () => {
    const { feed } = feedOf(SEED);
    expect(feed.topics).toHaveLength(50);
    expect(new Set(feed.topics).size).toBe(50);
    expect(feed.topics).toContain('prices:AAPL');
    expect(feed.topics.every((topic) => topic.startsWith('prices:'))).toBe(true);
  });

  it('publishes about ten messages a second and symbol, spread over the second', () => {
    const { feed, published } = feedOf(SEED);
    const perTick: number[] = [];
    for (let nowMs = 1020; nowMs <= 11_000; nowMs += 20) perTick.push(feed.advance(nowMs));
    expect(published.length).toBe(perTick.reduce((sum, count) => sum + count));
    expect(published.length / 10).toBeGreaterThan(475);
    expect(published.length / 10).toBeLessThan(525);
    expect(Math.max(...perTick)).toBeLessThan(30);
    for (const topic of feed.topics) {
      const count = published.filter(([name]) => name === topic).length;
      expect(count).toBeGreaterThan(80);
      expect(count).toBeLessThan(120);
    }
  });

  it('walks in small steps of whole cents, with bid below and ask above', () => {
    const { feed, published } = feedOf(SEED);
    for (let nowMs = 1020; nowMs <= 31_000; nowMs += 20) feed.advance(nowMs);
    const lastPrice = new Map<string, number>();
    const wrong = published.filter(([topic, { symbol, price, bid, ask, size }]) => {
      const before = lastPrice.get(symbol) ?? price;
      lastPrice.set(symbol, price);
      const isSmallStep = Math.abs(price - before) <= 0.01 + before * 0.0005;
      const isWhole = Math.round(price * 100) / 100 === price && Number.isInteger(size) && size > 0;
      return !(topic === `prices:${symbol}` && bid < price && price < ask && isSmallStep && isWhole);
    });
    expect(wrong).toEqual([]);
    expect(published.some(([, { change }]) => change !== 0)).toBe(true);
  });

  it('gives the same walk for the same seed and another one for another', () => {
    const runs = [SEED, SEED, SEED + 1].map((seed) => {
      const { feed, published } = feedOf(seed);
      feed.advance(2000);
      return JSON.stringify(published);
    });
    expect(runs[0]).toBe(runs[1]);
    expect(runs[0]).not.toBe(runs[2]);
  });

  it('does not make up for a long pause', () => {
    const { feed } = feedOf(SEED);
    feed.advance(2000);
    expect(feed.advance(3_600_000)).toBeLessThan(600);
    expect(feed.advance(3_600_000)).toBe(0);
    expect(feed.advance(3_601_000)).toBeGreaterThan(400);
  });
});
