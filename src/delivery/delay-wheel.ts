/**
 * Delay wheel: consumers that wait for more messages to share a write, in one list per millisecond.
 *
 * Inserting, removing and expiring cost the same whatever the number of waiting consumers.
 */

import { type Consumer, WAITING } from './consumer.js';

/** Longest delay; the wheel has a slot for every millisecond up to it. */
export const DELAY_MAX_MS = 1000;
const SLOTS = 1024;
const MASK = SLOTS - 1;
if (DELAY_MAX_MS >= SLOTS) throw new RangeError('the delay wheel has too few slots');

/** Writer and reader: the accept thread. */
export class DelayWheel {
  readonly #slots: (Consumer | null)[] = new Array(SLOTS).fill(null);
  /** Every slot up to this millisecond has been expired. */
  #expiredMs: number;
  #count = 0;

  constructor(nowMs: number) {
    this.#expiredMs = Math.floor(nowMs);
  }

  get count(): number {
    return this.#count;
  }

  /** Hot path. The consumer becomes due in the millisecond of `dueMs`, but not before the next call of `expire`. */
  insert(consumer: Consumer, dueMs: number): void {
    const tick = Math.min(Math.max(Math.ceil(dueMs), this.#expiredMs + 1), this.#expiredMs + SLOTS - 1);
    const slot = tick & MASK;
    const first = this.#slots[slot];
    consumer.dueMs = tick;
    consumer.flags |= WAITING;
    consumer.wheelPrevious = null;
    consumer.wheelNext = first;
    if (first !== null) first.wheelPrevious = consumer;
    this.#slots[slot] = consumer;
    this.#count++;
  }

  /** Hot path. The consumer must be waiting. */
  remove(consumer: Consumer): void {
    const { wheelNext, wheelPrevious } = consumer;
    if (wheelPrevious === null) this.#slots[consumer.dueMs & MASK] = wheelNext;
    else wheelPrevious.wheelNext = wheelNext;
    if (wheelNext !== null) wheelNext.wheelPrevious = wheelPrevious;
    consumer.wheelNext = null;
    consumer.wheelPrevious = null;
    consumer.flags &= ~WAITING;
    this.#count--;
  }

  /** Hands out consumers whose time has come, `most` of them at most. */
  expire(nowMs: number, onDue: (consumer: Consumer) => void, most = Number.POSITIVE_INFINITY): void {
    const now = Math.floor(nowMs);
    // After a long pause one round over the wheel finds everyone.
    const last = Math.min(now, this.#expiredMs + SLOTS);
    let left = most;
    for (let tick = this.#expiredMs + 1; tick <= last && this.#count > 0; tick++) {
      for (let consumer = this.#slots[tick & MASK]; consumer !== null; consumer = this.#slots[tick & MASK]) {
        if (left-- === 0) return;
        this.remove(consumer);
        onDue(consumer);
      }
      this.#expiredMs = tick;
    }
    this.#expiredMs = Math.max(this.#expiredMs, now);
  }

  /** Milliseconds until the next consumer is due, 0 or more; -1 when nobody waits. */
  nextDueInMs(nowMs: number): number {
    if (this.#count === 0) return -1;
    let tick = this.#expiredMs + 1;
    while (this.#slots[tick & MASK] === null) tick++;
    return Math.max(0, tick - nowMs);
  }
}
