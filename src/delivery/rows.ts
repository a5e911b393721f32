/** Rows: subscriptions begin, go on with another stream, and end. */

import type { Cohorts } from './cohorts.js';
import type { Consumer } from './consumer.js';
import type { ReadyConsumers } from './ready-consumers.js';
import {
  linkIdle,
  linkPending,
  linkToConnection,
  unlinkFromConnection,
  unlinkIdle,
  unlinkPending,
} from './row-lists.js';
import type { Stream } from './stream.js';
import { DELAY_OF_STREAM, NONE, type SubscriptionTable } from './subscription-table.js';

export interface SubscriptionOptions {
  /** Seq of the first message wanted. */
  readonly cursor: number;
  readonly policy: number;
  /** DELAY_OF_STREAM or ms. */
  readonly delayMs: number;
  /** The newest message that there is, by default the newest that the stream knows: up to here nothing is lag. */
  readonly askedUntil?: number;
}

/** Writer and reader: the accept thread. */
export class Rows {
  /** Streams with subscribers. */
  usedStreams = 0;
  readonly #table: SubscriptionTable;
  readonly #streams: readonly (Stream | null)[];
  readonly #cohorts: Cohorts;
  readonly #ready: ReadyConsumers;
  readonly #onUnused: (stream: Stream) => void;

  /** @param onUnused a stream has lost its last subscription */
  constructor(
    table: SubscriptionTable,
    streams: readonly (Stream | null)[],
    cohorts: Cohorts,
    ready: ReadyConsumers,
    onUnused: (stream: Stream) => void,
  ) {
    this.#table = table;
    this.#streams = streams;
    this.#cohorts = cohorts;
    this.#ready = ready;
    this.#onUnused = onUnused;
  }

  /** False: the consumer has this subscription already. */
  add(consumer: Consumer, stream: Stream, options: SubscriptionOptions): boolean {
    const table = this.#table;
    const row = table.add(consumer.slot, stream.slot);
    if (row === NONE) return false;
    table.cursor[row] = options.cursor;
    table.askedUntil[row] = options.askedUntil ?? stream.log.headSeq;
    table.delayMs[row] = options.delayMs;
    table.setPolicy(row, options.policy);
    linkToConnection(table, consumer, row);
    // A snapshot is for each by itself.
    if (stream.options.successor === undefined) this.#cohorts.subscribed(consumer, row);
    if (stream.subscriberCount++ === 0) this.usedStreams++;
    if (stream.options.successor !== undefined) stream.options.successor.expectedCount++;
    if (options.delayMs !== DELAY_OF_STREAM) stream.ownDelays++;
    if (options.cursor > stream.log.headSeq) {
      linkIdle(table, stream, row);
      this.#cohorts.begin(consumer, stream, row);
    } else {
      linkPending(table, consumer, stream.isHot, row);
      this.#ready.makeReady(consumer, stream.isHot);
    }
    return true;
  }

  /** The subscription goes on with another stream of its topic, from there; what else it is stays, but for what is given. */
  transfer(
    consumer: Consumer,
    row: number,
    to: Stream,
    cursor: number,
    changes: Partial<SubscriptionOptions> = {},
  ): void {
    const table = this.#table;
    const kept = { policy: table.policy(row), delayMs: table.delayMs[row] };
    const askedUntil = Math.max(table.isMember(row) ? 0 : table.askedUntil[row], to.log.headSeq);
    // First the new one: the stream must not be without subscribers in between.
    this.add(consumer, to, { ...kept, askedUntil, cursor, ...changes });
    this.remove(consumer, row);
  }

  change(
    consumer: Consumer,
    row: number,
    stream: Stream,
    { policy, delayMs }: Pick<SubscriptionOptions, 'policy' | 'delayMs'>,
  ): void {
    const table = this.#table;
    if (table.isMember(row)) this.#cohorts.leave(consumer, row);
    if (table.delayMs[row] !== DELAY_OF_STREAM) stream.ownDelays--;
    if (delayMs !== DELAY_OF_STREAM) stream.ownDelays++;
    table.delayMs[row] = delayMs;
    table.setPolicy(row, policy);
    table.setJoins(row, false);
    if (stream.options.successor === undefined) this.#cohorts.subscribed(consumer, row);
  }

  remove(consumer: Consumer, row: number): void {
    const table = this.#table;
    const stream = this.#streams[table.stream[row]] as Stream;
    if (table.isMember(row)) this.#cohorts.part(consumer, row);
    else if (table.isPending(row)) unlinkPending(table, consumer, row);
    else unlinkIdle(table, stream, row);
    unlinkFromConnection(table, consumer, row);
    if (table.delayMs[row] !== DELAY_OF_STREAM) stream.ownDelays--;
    table.remove(row);
    stream.subscriberCount--;
    const { successor } = stream.options;
    if (successor !== undefined && --successor.expectedCount === 0 && successor.isIdle) this.#onUnused(successor);
    if (stream.subscriberCount > 0) return;
    this.usedStreams--;
    if (stream.isIdle) this.#onUnused(stream);
  }
}
