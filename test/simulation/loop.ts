// The accept thread's event loop and the clock of all threads, in the hand of the simulation: nothing happens by itself.

import type { Clock } from '#src/time/loop.js';
import { ManualLoop } from '../support/manual-loop.js';

/** Each look at the clock takes time: so budgets run out. */
const LOOK_MS = 0.002;

export class Loop extends ManualLoop {
  /** Part of the time that the accept thread claims to be busy. */
  readonly #busyShare: number;

  constructor(busyShare: number) {
    super();
    this.#busyShare = busyShare;
  }

  nowMs(): number {
    this.now += LOOK_MS;
    return this.now;
  }

  /** The same time for lanes, to whom a look takes `lookMs`: so they have been busy. */
  laneClock(lookMs: number): Clock {
    const nowMs = (): number => {
      this.now += lookMs;
      return this.now;
    };
    return { nowMs };
  }

  busyMs(): number {
    return this.now * this.#busyShare;
  }

  /** Lets time pass; timers run when they are due. What they ask for waits for the next turn. */
  pass(ms: number): void {
    this.passTime(ms, () => {});
  }
}
