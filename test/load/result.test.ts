// Histograms and accounts of several processes, merged, are those of one process that saw everything.
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '#src/load/latency-histogram.js';
import { type LoadResult, mergeResults } from '#src/load/result.js';
import { seededRandom } from '../support/seeded.js';

const NOTHING = {
  complete: true,
  expected: 0,
  delivered: 0,
  lost: 0,
  doubled: 0,
  reordered: 0,
  corrupt: 0,
  gapMessages: 0,
};

/** From microseconds to a minute, as latencies under load are. */
function latencies(seed: number, count: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => 10 ** (random() * 7.8 - 3));
}

function histogramOf(values: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

function resultOf(values: readonly number[], verification: Partial<LoadResult['verification']> = {}): LoadResult {
  return {
    ...{ connections: 10, connectionsWanted: 12, subscriptions: 20, connectionsLost: 1, seconds: 5 },
    ...{ scheduled: 100, published: 90, timed: values.length, health: [], problems: ['p'] },
    verification: { ...NOTHING, ...verification },
    measured: { published: 80, delivered: 70, messages: 60, readBytes: 50 },
    latencyHdr: histogramOf(values).encode(),
    publishLateHdr: histogramOf(values.slice(0, 5)).encode(),
  };
}

describe('merging', () => {
  it('of encoded histograms equals one histogram of all values, at every quantile', () => {
    const parts = [latencies(1, 5000), latencies(2, 1), latencies(3, 20_000), []];
    const whole = LatencyHistogram.decode(histogramOf(parts.flat()).encode());
    const merged = LatencyHistogram.decode(mergeResults(parts.map((part) => resultOf(part))).latencyHdr);
    for (let percent = 0; percent <= 100; percent++) {
      expect(merged.quantileMicros(percent / 100)).toBe(whole.quantileMicros(percent / 100));
    }
    expect(merged.total).toBe(25_001);
    expect(merged.encode()).toBe(whole.encode());
  });

  it('keeps values to three digits', () => {
    const values = latencies(4, 1000).sort((left, right) => left - right);
    const histogram = LatencyHistogram.decode(histogramOf(values).encode());
    for (const share of [0.5, 0.9, 0.99, 1]) {
      const exact = values[Math.ceil(share * values.length) - 1] * 1000;
      expect(Math.abs(histogram.quantileMicros(share) - exact)).toBeLessThanOrEqual(1 + exact / 1000);
    }
  });

  it('adds accounts, and is complete only if all are', () => {
    const merged = mergeResults([
      resultOf([1], { expected: 5, delivered: 4, lost: 1, complete: false, gapMessages: 2 }),
      resultOf([2], { expected: 7, delivered: 7, doubled: 1, reordered: 2, corrupt: 3 }),
    ]);
    expect(merged).toMatchObject({
      ...{ connections: 20, connectionsWanted: 24, subscriptions: 40, connectionsLost: 2, seconds: 5 },
      ...{ scheduled: 200, published: 180, timed: 2, problems: ['p', 'p'] },
      measured: { published: 160, delivered: 140, messages: 120, readBytes: 100 },
      verification: {
        ...{ complete: false, expected: 12, delivered: 11, lost: 1, doubled: 1 },
        ...{ reordered: 2, corrupt: 3, gapMessages: 2 },
      },
    });
    expect(mergeResults([resultOf([1]), resultOf([2])]).verification.complete).toBe(true);
  });
});
