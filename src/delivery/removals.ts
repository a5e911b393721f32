/**
 * Removals: takes the subscriptions of ended streams and consumers out of the table, a part of them per turn of the event
 * loop: either can have a hundred thousand.
 */

import type { Block } from './block.js';
import { type Consumer, IS_BLOCK } from './consumer.js';
import type { Stream } from './stream.js';
import { NONE, type SubscriptionTable } from './subscription-table.js';

/** Subscriptions taken out in one go. */
const ROWS_PER_STEP = 256;

interface EndedStream {
  readonly stream: Stream;
  readonly onSubscriber: (consumer: Consumer) => void;
}

/** Writer and reader: the accept thread. */
export class Removals {
  readonly #table: SubscriptionTable;
  readonly #consumersBySlot: readonly (Consumer | null)[];
  readonly #removeRow: (consumer: Consumer, row: number) => void;
  readonly #dissolve: (block: Block, cohort: number) => void;
  readonly #onEmpty: (consumer: Consumer) => void;
  readonly #consumers: Consumer[] = [];
  #streams: EndedStream[] = [];

  /** @param onEmpty an ended consumer has no subscriptions any more */
  constructor(
    table: SubscriptionTable,
    consumersBySlot: readonly (Consumer | null)[],
    removeRow: (consumer: Consumer, row: number) => void,
    dissolve: (block: Block, cohort: number) => void,
    onEmpty: (consumer: Consumer) => void,
  ) {
    this.#table = table;
    this.#consumersBySlot = consumersBySlot;
    this.#removeRow = removeRow;
    this.#dissolve = dissolve;
    this.#onEmpty = onEmpty;
  }

  /** Whether there is something to do now. What is pending for an ended stream's subscriber waits for its flush. */
  get hasWork(): boolean {
    return this.#consumers.length > 0 || this.#streams.some(({ stream }) => stream.idleHead !== NONE);
  }

  addConsumer(consumer: Consumer): void {
    this.#consumers.push(consumer);
    this.#stepConsumers();
  }

  /** @param onSubscriber called for each subscriber once its subscription is gone */
  addStream(stream: Stream, onSubscriber: (consumer: Consumer) => void): void {
    this.#streams.push({ stream, onSubscriber });
    this.#stepStreams();
  }

  step(): void {
    if (this.#consumers.length > 0) this.#stepConsumers();
    if (this.#streams.length > 0) this.#stepStreams();
  }

  /** Takes out what this consumer has of ended streams. */
  settle(consumer: Consumer): void {
    for (const { stream, onSubscriber } of this.#streams) {
      // Without subscriptions its slot may be another stream's by now.
      const row = stream.subscriberCount === 0 ? NONE : this.#table.find(consumer.slot, stream.slot);
      if (row === NONE) continue;
      this.#removeRow(consumer, row);
      onSubscriber(consumer);
    }
  }

  #stepConsumers(): void {
    let left = ROWS_PER_STEP;
    for (let consumer = this.#consumers.at(-1); consumer !== undefined; consumer = this.#consumers.at(-1)) {
      for (; consumer.subscriptionHead !== NONE; left--) {
        if (left === 0) return;
        this.#removeRow(consumer, consumer.subscriptionHead);
      }
      this.#consumers.pop();
      this.#onEmpty(consumer);
    }
  }

  #stepStreams(): void {
    const { connection } = this.#table;
    let left = ROWS_PER_STEP;
    for (const { stream, onSubscriber } of this.#streams) {
      for (; stream.idleHead !== NONE && left > 0; left--) {
        const row = stream.idleHead;
        const consumer = this.#consumersBySlot[connection[row]] as Consumer;
        if ((consumer.flags & IS_BLOCK) !== 0) {
          this.#dissolve(consumer as Block, row);
          continue;
        }
        this.#removeRow(consumer, row);
        if (!consumer.isClosed) onSubscriber(consumer);
      }
    }
    this.#streams = this.#streams.filter(({ stream }) => stream.subscriberCount > 0);
  }
}
