// The accept thread's event loop and the clock of all threads, in the hand of the simulation: nothing happens by itself.

import type { Clock, Loop as EventLoop } from '#src/time/loop.js';

const EPOCH_MS = 1_700_000_000_000;
/** Each look at the clock takes time: so budgets run out. */
const LOOK_MS = 0.002;

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

export class Loop implements EventLoop {
  #now = 1000;
  /** Part of the time that the accept thread claims to be busy. */
  readonly #busyShare: number;
  #soon: (() => void)[] = [];
  readonly #timers = new Set<Timer>();

  constructor(busyShare: number) {
    this.#busyShare = busyShare;
  }

  nowMs(): number {
    this.#now += LOOK_MS;
    return this.#now;
  }

  /** The same time for lanes, to whom a look takes `lookMs`: so they have been busy. */
  laneClock(lookMs: number): Clock {
    const nowMs = (): number => {
      this.#now += lookMs;
      return this.#now;
    };
    return { nowMs };
  }

  /** The time, without a look at the clock. */
  get now(): number {
    return this.#now;
  }

  epochMs(): number {
    return EPOCH_MS + this.#now;
  }

  busyMs(): number {
    return this.#now * this.#busyShare;
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  get soonCount(): number {
    return this.#soon.length;
  }

  /** One turn: what was asked for before it. */
  turn(): void {
    const callbacks = this.#soon;
    this.#soon = [];
    for (const callback of callbacks) callback();
  }

  /** Lets time pass; timers run when they are due. What they ask for waits for the next turn. */
  pass(ms: number): void {
    const untilMs = this.#now + ms;
    for (let timer = this.#nextDue(untilMs); timer !== null; timer = this.#nextDue(untilMs)) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.dueMs);
      timer.callback();
    }
    this.#now = Math.max(this.#now, untilMs);
  }

  #nextDue(untilMs: number): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && (next === null || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }
}
