// Time and the event loop in the hand of the test: nothing happens before the test says so.

import { ManualLoop } from './manual-loop.js';

/** More turns without an end are a loop that never ends. */
const TURNS_MAX = 100_000;

export class FakeScheduler extends ManualLoop {
  busy = 0;

  nowMs(): number {
    return this.now;
  }

  busyMs(): number {
    return this.busy;
  }

  /** Turns until nothing is left to do at this time. Returns how many there were. */
  settle(): number {
    let turns = 0;
    while (this.turn()) if (++turns > TURNS_MAX) throw new Error('turns without an end');
    return turns;
  }

  /** Lets time pass; timers run when they are due, each followed by the turns it causes. */
  advance(ms: number): void {
    const untilMs = this.now + ms;
    this.settle();
    this.passTime(untilMs - this.now, () => this.settle());
  }
}
