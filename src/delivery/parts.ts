/** Parts: the subscriptions that a consumer has of a pattern's topics. Rows like all others, but for a bit that says so. */

import { CLOSED, type Consumer } from './consumer.js';
import type { Rows, SubscriptionOptions } from './rows.js';
import type { Stream } from './stream.js';
import { NONE, type SubscriptionTable } from './subscription-table.js';

/** Writer and reader: the accept thread. */
export class Parts {
  readonly #table: SubscriptionTable;
  readonly #streams: readonly (Stream | null)[];
  readonly #rows: Rows;

  /** @param streams by slot: delivery's own */
  constructor(table: SubscriptionTable, streams: readonly (Stream | null)[], rows: Rows) {
    this.#table = table;
    this.#streams = streams;
    this.#rows = rows;
  }

  has(consumer: Consumer, stream: Stream): boolean {
    const row = this.#rowOf(consumer, stream);
    return row !== NONE && this.#table.isPart(row);
  }

  /** The subscription is a part from here on, or none any more. */
  set(consumer: Consumer, stream: Stream, isPart: boolean): void {
    const row = this.#rowOf(consumer, stream);
    if (row === NONE) return;
    this.#rows.setPart(row, stream, isPart);
    // A name was that of a subscription by itself.
    if (isPart) this.#rows.endAcking(consumer, row, stream);
  }

  /** A part ends, and a subscription to a stream of the same topic, which may be the same one, takes its place. */
  replace(consumer: Consumer, part: Stream, by: Stream, options: SubscriptionOptions): void {
    const row = this.#rowOf(consumer, part);
    if (row === NONE) return;
    // Neither the stream nor its topic must end in between.
    const kept = by.options.successor ?? by;
    kept.expectedCount++;
    this.#rows.remove(consumer, row);
    this.#rows.add(consumer, by, options);
    kept.expectedCount--;
  }

  /** The streams of all of them. */
  streamsOf(consumer: Consumer): Stream[] {
    const table = this.#table;
    const streams: Stream[] = [];
    if ((consumer.flags & CLOSED) !== 0) return streams;
    for (let row = consumer.subscriptionHead; row !== NONE; row = table.nextOfConnection[row]) {
      if (table.isPart(row)) streams.push(this.#streams[table.stream[row]] as Stream);
    }
    return streams;
  }

  #rowOf(consumer: Consumer, stream: Stream): number {
    return (consumer.flags & CLOSED) !== 0 ? NONE : this.#table.find(consumer.slot, stream.slot);
  }
}
