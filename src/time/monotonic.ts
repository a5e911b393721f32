/** Monotonic time that reads the same in every thread of the process. */

import { performance } from 'node:perf_hooks';

/** The thread may be interrupted between two reads; of so many tries one is not. */
const TRIES = 8;

/**
 * A clock in ms. `performance.now()` begins anew in each thread, and `timeOrigin` is the wall clock of that moment, right or
 * wrong: neither can be compared between threads. The system's monotonic clock can, and costs more per read.
 */
export function createMonotonicClock(): () => number {
  let originMs = Number.NEGATIVE_INFINITY;
  for (let tries = 0; tries < TRIES; tries++) {
    const [seconds, nanoseconds] = process.hrtime();
    // Read a little later, so that it is a little too low.
    originMs = Math.max(originMs, seconds * 1e3 + nanoseconds / 1e6 - performance.now());
  }
  return () => originMs + performance.now();
}
