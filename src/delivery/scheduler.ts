/** Scheduler: time and the event loop, as the parts of the accept thread need them; tests and simulations bring their own. */

export interface Scheduler {
  /** Monotonic (ms): for everything that is measured, waited for, or kept for some time. */
  nowMs(): number;
  /**
   * The wall clock at a monotonic time of about now, by default now (ms since the epoch): for what others are told. It may
   * be set, so that it jumps: two of its times have no difference that means anything.
   */
  epochMs(nowMs?: number): number;
  /** Time the event loop has been busy since it began (ms). */
  busyMs(): number;
  /** Runs the callback after the sockets that are ready have been read. */
  soon(callback: () => void): void;
  /** Runs the callback once after `delayMs`; returns a function that calls it off. */
  after(delayMs: number, callback: () => void): () => void;
}
