// Which time-outs uWebSockets.js judges, and that none is earlier than it was asked for.
import { describe, expect, it } from 'vitest';
import { pingEveryBytes, socketIdleTimeoutS } from '#src/gateway/idle-timer.js';

/** uWebSockets.js rounds up to steps of 4 s, and the first step may be over at once. */
const earliestMs = (timeoutS: number): number => (Math.ceil(timeoutS / 4) - 1) * 4000;
const latestMs = (timeoutS: number): number => Math.ceil(timeoutS / 4) * 4000;

describe('the timer of a socket', () => {
  it.each([100, 400, 4000, 4001, 8000, 59_999, 60_000, 60_001, 900_000, 956_000])(
    'of %i ms is never early, and at most 8 s late',
    (idleTimeoutMs) => {
      const timeoutS = socketIdleTimeoutS(idleTimeoutMs);
      expect(timeoutS).toBeGreaterThanOrEqual(8);
      expect(timeoutS).toBeLessThanOrEqual(960);
      expect(earliestMs(timeoutS)).toBeGreaterThanOrEqual(idleTimeoutMs);
      expect(latestMs(timeoutS)).toBeLessThanOrEqual(idleTimeoutMs + 8000);
    },
  );

  it.each([956_001, 960_000, 1_800_000, 3_600_000])('is off where it cannot wait as long as %i ms', (idleTimeoutMs) => {
    expect(socketIdleTimeoutS(idleTimeoutMs)).toBe(0);
  });
});

describe('pings among what is sent', () => {
  it.each([8000, 60_000, 3_600_000])('are answered in time by a link of 10 KB/s (%i ms)', (idleTimeoutMs) => {
    expect((pingEveryBytes(idleTimeoutMs) / 10_000) * 1000).toBeLessThanOrEqual(idleTimeoutMs / 2);
  });
});
