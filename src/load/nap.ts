/** A sleep that is far finer than a timer, for a thread that has nothing else to do. */

/** Shared with nobody: nothing is stored here, and nobody notifies. */
const never = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the thread for about `ms`; some 60 µs longer, where a timer would be a millisecond. */
export function nap(ms: number): void {
  Atomics.wait(never, 0, 0, ms);
}
