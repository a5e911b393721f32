// When does a server count as recovered?
import { describe, expect, it } from 'vitest';
import { quantile, recoveredAfterMs } from '../../../bench/fanout/recovery.js';
import { seededRandom } from '../../../bench/support/shared.js';

const RULE = { windowMs: 100, windows: 5, quantile: 0.99, limitMs: 10 };

/** A message every 2 ms from 0 on, with a latency by its time. */
function latencies(seconds: number, latencyMs: (ms: number) => number) {
  const sentMs = Array.from({ length: seconds * 500 }, (_, index) => index * 2);
  return { count: sentMs.length, sentMs, latencyMs: (index: number) => latencyMs(sentMs[index]) };
}

describe('recovery', () => {
  it('is the beginning of the first five windows in a row that are fine', () => {
    const random = seededRandom(3);
    const draining = latencies(6, (ms) => (ms < 2340 ? 2500 - ms : 3 + random()));
    expect(recoveredAfterMs(draining, 0, RULE)).toBe(2400);
    expect(recoveredAfterMs(draining, 1000, RULE)).toBe(1400);
  });

  it('is nothing after the overload when latencies were fine all along', () => {
    expect(
      recoveredAfterMs(
        latencies(3, () => 2),
        0,
        RULE,
      ),
    ).toBe(0);
  });

  it('begins anew after a relapse', () => {
    const relapsing = latencies(4, (ms) => (ms < 500 || (ms >= 800 && ms < 850) ? 40 : 2));
    expect(recoveredAfterMs(relapsing, 0, RULE)).toBe(900);
  });

  it('does not take one bad message in a hundred for a relapse, but two', () => {
    const rule = { ...RULE, windowMs: 200 };
    const outliers = (count: number) => latencies(4, (ms) => (ms % 200 < count * 2 ? 500 : 2));
    expect(recoveredAfterMs(outliers(1), 0, rule)).toBe(0);
    expect(recoveredAfterMs(outliers(2), 0, rule)).toBeNull();
  });

  it('is not there when latencies stay high, or when there are too few windows to tell', () => {
    expect(
      recoveredAfterMs(
        latencies(3, () => 11),
        0,
        RULE,
      ),
    ).toBeNull();
    expect(
      recoveredAfterMs(
        latencies(3, () => 2),
        2600,
        RULE,
      ),
    ).toBeNull();
    expect(
      recoveredAfterMs(
        latencies(3, () => 2),
        2500,
        RULE,
      ),
    ).toBe(0);
  });

  it('ignores messages that were sent before', () => {
    const before = latencies(3, (ms) => (ms < 1000 ? 1 : ms < 1500 ? 99 : 1));
    expect(recoveredAfterMs(before, 1000, RULE)).toBe(500);
  });

  it('takes the nearest rank as quantile', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0, 0.01, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 1, 50, 99, 100]);
    expect(quantile([], 0.5)).toBeNaN();
  });
});
