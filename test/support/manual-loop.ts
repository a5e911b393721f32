// What all event loops of tests have in common: time passes and turns come when the test says so.

import type { Loop } from '#src/time/loop.js';

const EPOCH_MS = 1_700_000_000_000;

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

export abstract class ManualLoop implements Loop {
  /** The time, without a look at the clock. */
  now = 1000;
  #soon: (() => void)[] = [];
  readonly #timers = new Set<Timer>();

  abstract nowMs(): number;
  abstract busyMs(): number;

  epochMs(): number {
    return EPOCH_MS + this.now;
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

  /** Lets time pass; timers run when they are due. What they ask for waits for the next turn. */
  pass(ms: number): void {
    this.passTime(ms, () => {});
  }

  /** Lets time pass; timers run when they are due, each followed by `afterTimer`. */
  protected passTime(ms: number, afterTimer: () => void): void {
    const untilMs = this.now + ms;
    for (let timer = this.#nextDue(untilMs); timer !== null; timer = this.#nextDue(untilMs)) {
      this.#timers.delete(timer);
      this.now = Math.max(this.now, timer.dueMs);
      timer.callback();
      afterTimer();
    }
    this.now = Math.max(this.now, untilMs);
  }

  #nextDue(untilMs: number): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && (next === null || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }
}
