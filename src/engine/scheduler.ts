/** Scheduler: time and the event loop of this thread, as delivery and links need them. */

import { performance } from 'node:perf_hooks';
import type { Scheduler } from '../delivery/delivery.js';

export function createScheduler(): Scheduler {
  const { timeOrigin } = performance;
  return {
    nowMs: () => performance.now(),
    epochMs: () => timeOrigin + performance.now(),
    busyMs: () => performance.eventLoopUtilization().active,
    soon: (callback) => {
      setImmediate(callback);
    },
    after: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };
}
