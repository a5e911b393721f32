/** Ready consumers: who is flushed when: queues of consumers that are ready, cold class before hot class, and a wheel of those that wait. */

import type { Loop } from '../time/loop.js';
import { BLOCKED, CLOSED, type Consumer, READY_COLD, READY_HOT, WAITING } from './consumer.js';
import { DelayWheel } from './delay-wheel.js';
import { NONE } from './subscription-table.js';
import { WorkQueue } from './work-queue.js';

/** Consumers whose delay is over that are made ready in one turn. */
const DUE_PER_TURN = 4096;

/** Writer and reader: the accept thread. */
export class ReadyConsumers {
  readonly cold = new WorkQueue<Consumer>();
  readonly hot = new WorkQueue<Consumer>();
  readonly #loop: Loop;
  readonly #wheel: DelayWheel;
  readonly #onReady: () => void;
  readonly #onTimer: () => void;
  #cancelTimer: (() => void) | null = null;
  #timerDueMs = 0;
  readonly #onDue = (consumer: Consumer): void => this.makeReady(consumer, consumer.coldHead === NONE);

  /** @param onReady somebody is ready: a turn is needed. @param onTimer the time of somebody who waited has come */
  constructor(loop: Loop, onReady: () => void, onTimer: () => void) {
    this.#loop = loop;
    this.#wheel = new DelayWheel(loop.nowMs());
    this.#onReady = onReady;
    this.#onTimer = onTimer;
  }

  get readyCount(): number {
    return this.cold.length + this.hot.length;
  }

  get waitingCount(): number {
    return this.#wheel.count;
  }

  /** Hot path. */
  makeReady(consumer: Consumer, isHot: boolean): void {
    const readyFlag = isHot ? READY_HOT : READY_COLD;
    const flags = consumer.flags;
    if ((flags & (BLOCKED | CLOSED | readyFlag)) !== 0) return;
    if ((flags & WAITING) !== 0) this.#wheel.remove(consumer);
    consumer.flags |= readyFlag;
    (isHot ? this.hot : this.cold).push(consumer);
    this.#onReady();
  }

  /** Hot path. The consumer is flushed at `dueMs`, or earlier when something else makes it ready. */
  makeWait(consumer: Consumer, dueMs: number): void {
    const flags = consumer.flags;
    if ((flags & (BLOCKED | CLOSED | READY_COLD | READY_HOT)) !== 0) return;
    if ((flags & WAITING) !== 0) {
      if (consumer.dueMs <= dueMs) return;
      this.#wheel.remove(consumer);
    }
    this.#wheel.insert(consumer, dueMs);
  }

  /** It waits for nothing any more. What stands in a queue is passed over there. */
  remove(consumer: Consumer): void {
    if ((consumer.flags & WAITING) !== 0) this.#wheel.remove(consumer);
  }

  /** Makes those ready whose time has come. */
  expire(nowMs: number): void {
    this.#wheel.expire(nowMs, this.#onDue, DUE_PER_TURN);
  }

  /** One timer for all who wait, armed only while no turn is due anyway. */
  armTimer(): void {
    const nowMs = this.#loop.nowMs();
    const inMs = this.#wheel.nextDueInMs(nowMs);
    if (inMs < 0) return;
    const dueMs = nowMs + inMs;
    if (this.#cancelTimer !== null) {
      if (this.#timerDueMs <= dueMs) return;
      this.#cancelTimer();
    }
    this.#timerDueMs = dueMs;
    this.#cancelTimer = this.#loop.after(inMs, () => {
      this.#cancelTimer = null;
      this.#onTimer();
    });
  }

  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
