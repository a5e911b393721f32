/**
 * Blocked consumers: those whose transport is full. They are not flushed, so whoever does not drain would never meet its
 * policy: a sweep looks at them, a part of them per turn of the event loop.
 */

import type { Loop } from '../time/loop.js';
import type { Consumer } from './consumer.js';
import type { OnSlow } from './flusher.js';
import { judge, POLICY_DISCONNECT } from './slow-consumer.js';
import type { Stream } from './stream.js';
import { NONE, type SubscriptionTable } from './subscription-table.js';

/** How often limits are enforced on consumers that neither drain nor get anything new. */
const SWEEP_MS = 250;
/** Subscriptions looked at in one turn; a consumer's are looked at together. */
const ROWS_PER_TURN = 4096;

/** Writer and reader: the accept thread. */
export class BlockedConsumers {
  readonly #table: SubscriptionTable;
  readonly #streams: readonly (Stream | null)[];
  readonly #loop: Loop;
  readonly #onSlow: OnSlow;
  readonly #consumers = new Set<Consumer>();
  #sweep: Iterator<Consumer> | null = null;
  #cancelTimer: (() => void) | null = null;
  #isClosed = false;

  /** @param onSlow is told of one that is too far behind with a subscription whose policy is to disconnect */
  constructor(table: SubscriptionTable, streams: readonly (Stream | null)[], loop: Loop, onSlow: OnSlow) {
    this.#table = table;
    this.#streams = streams;
    this.#loop = loop;
    this.#onSlow = onSlow;
  }

  get count(): number {
    return this.#consumers.size;
  }

  add(consumer: Consumer): void {
    this.#consumers.add(consumer);
    if (this.#sweep === null && this.#cancelTimer === null && !this.#isClosed) this.#arm();
  }

  remove(consumer: Consumer): void {
    this.#consumers.delete(consumer);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  /** Time passed while the consumer was blocked, perhaps without a new message that would have moved the floors. */
  updateFloors(consumer: Consumer): void {
    const { next, stream: streamOf } = this.#table;
    const nowMs = this.#loop.nowMs();
    for (const head of [consumer.coldHead, consumer.hotHead]) {
      for (let row = head; row !== NONE; row = next[row]) {
        const stream = this.#streams[streamOf[row]] as Stream;
        if (stream.options.maxLagMs > 0) stream.updateFloor(nowMs);
      }
    }
  }

  #arm(): void {
    this.#cancelTimer = this.#loop.after(SWEEP_MS, () => {
      this.#cancelTimer = null;
      this.#sweep = this.#consumers.values();
      this.#continue();
    });
  }

  #continue(): void {
    if (this.#isClosed || this.#sweep === null) return;
    const nowMs = this.#loop.nowMs();
    for (let rows = 0; rows < ROWS_PER_TURN; ) {
      const { value: consumer, done } = this.#sweep.next();
      if (done === true) {
        this.#sweep = null;
        if (this.#consumers.size > 0) this.#arm();
        return;
      }
      rows += 1 + consumer.subscriptionCount;
      this.#judge(consumer, nowMs);
    }
    this.#loop.soon(() => this.#continue());
  }

  #judge(consumer: Consumer, nowMs: number): void {
    const table = this.#table;
    for (const head of [consumer.coldHead, consumer.hotHead]) {
      for (let row = head; row !== NONE; row = table.next[row]) {
        if (table.policy(row) !== POLICY_DISCONNECT) continue;
        const stream = this.#streams[table.stream[row]] as Stream;
        stream.log.refresh();
        stream.updateFloor(nowMs);
        const verdict = judge(stream, table.cursor[row], table.askedUntil[row], POLICY_DISCONNECT);
        if (verdict.kind !== 'disconnect') continue;
        this.#onSlow(consumer, stream, verdict.reason);
        return;
      }
    }
  }
}
