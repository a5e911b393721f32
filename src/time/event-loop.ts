/** Loop: time and the event loop of this thread, as delivery and links need them. */

import { performance } from 'node:perf_hooks';
import type { Loop } from './loop.js';
import { createMonotonicClock } from './monotonic.js';

/** How often the wall clock is looked at: for so long a message may have the time of a clock that has been corrected (ms). */
const WALL_CHECK_MS = 1000;

/**
 * @param onFault takes what a callback throws: the engine's own turns never end the process. It must not throw.
 * @param monotonicMs a clock that never jumps. @param wallMs one that may, in whole ms since the epoch
 */
export function createLoop(
  onFault: (fault: unknown) => void,
  monotonicMs: () => number = createMonotonicClock(),
  wallMs: () => number = () => Date.now(),
): Loop {
  const run = (callback: () => void): void => {
    try {
      callback();
    } catch (fault) {
      onFault(fault);
    }
  };
  // One immediate serves all who ask within a turn: each costs as much as what a quiet turn does.
  let asked: (() => void)[] = [];
  let spare: (() => void)[] = [];
  const runAsked = (): void => {
    const callbacks = asked;
    asked = spare;
    for (const callback of callbacks) run(callback);
    callbacks.length = 0;
    spare = callbacks;
  };
  return {
    nowMs: monotonicMs,
    epochMs: createWallClock(monotonicMs, wallMs),
    busyMs: () => performance.eventLoopUtilization().active,
    soon: (callback) => {
      if (asked.push(callback) === 1) setImmediate(runAsked);
    },
    after: (delayMs, callback) => {
      const timer = setTimeout(run, delayMs, callback);
      return () => clearTimeout(timer);
    },
  };
}

/**
 * The wall clock, to a part of a millisecond and for the price of a monotonic clock, which goes on from where the wall clock
 * was last seen. Where that has been set, or the machine has slept, it follows within WALL_CHECK_MS, backwards too.
 */
function createWallClock(monotonicMs: () => number, wallMs: () => number): (nowMs?: number) => number {
  let offsetMs = wallMs() - monotonicMs();
  let checkAtMs = Number.NEGATIVE_INFINITY;
  const check = (): void => {
    const beforeMs = monotonicMs();
    const readMs = wallMs();
    const afterMs = monotonicMs();
    // All that one reading of whole milliseconds says; a reading that was interrupted says less, and nothing wrong.
    offsetMs = Math.min(Math.max(offsetMs, readMs - afterMs), readMs + 1 - beforeMs);
    checkAtMs = afterMs + WALL_CHECK_MS;
  };
  return (nowMs = monotonicMs()) => {
    if (nowMs >= checkAtMs) check();
    return nowMs + offsetMs;
  };
}
