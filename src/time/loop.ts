/** Time and the event loop, as the parts of the engine need them; tests and simulations bring their own. */

export interface Clock {
  /** Monotonic (ms): for everything that is measured, waited for, or kept for some time. */
  nowMs(): number;
}

export interface Scheduler {
  /** Runs the callback after the sockets that are ready have been read. */
  soon(callback: () => void): void;
  /** Runs the callback once after `delayMs`; returns a function that calls it off. */
  after(delayMs: number, callback: () => void): () => void;
}

export interface Loop extends Clock, Scheduler {
  /**
   * The wall clock at a monotonic time of about now, by default now (ms since the epoch): for what others are told. It may
   * be set, so that it jumps: two of its times have no difference that means anything.
   */
  epochMs(nowMs?: number): number;
  /** Time the event loop has been busy since it began (ms). */
  busyMs(): number;
}
