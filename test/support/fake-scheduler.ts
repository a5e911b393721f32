// Time and the event loop in the hand of the test: nothing happens before the test says so.

import type { Loop } from '#src/time/loop.js';

const EPOCH_MS = 1_700_000_000_000;
/** More turns without an end are a loop that never ends. */
const TURNS_MAX = 100_000;

export class FakeScheduler implements Loop {
  now = 1000;
  busy = 0;
  #soon: (() => void)[] = [];
  readonly #timers = new Set<{ dueMs: number; callback: () => void }>();

  nowMs(): number {
    return this.now;
  }

  epochMs(): number {
    return EPOCH_MS + this.now;
  }

  busyMs(): number {
    return this.busy;
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  get soonCount(): number {
    return this.#soon.length;
  }

  /** One turn of the event loop: what was asked for before it. False: there was nothing. */
  turn(): boolean {
    const callbacks = this.#soon;
    this.#soon = [];
    for (const callback of callbacks) callback();
    return callbacks.length > 0;
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
    for (;;) {
      const next = [...this.#timers].reduce<{ dueMs: number; callback: () => void } | null>(
        (first, timer) => (timer.dueMs <= untilMs && (first === null || timer.dueMs < first.dueMs) ? timer : first),
        null,
      );
      if (next === null) break;
      this.#timers.delete(next);
      this.now = Math.max(this.now, next.dueMs);
      next.callback();
      this.settle();
    }
    this.now = Math.max(this.now, untilMs);
  }
}
