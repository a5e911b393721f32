/** Rows: subscriptions begin, go on with another stream, and end. */

import type { Acking } from './acking.js';
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
  /** Of a durable one. */
  readonly acking?: Acking | undefined;
  /** It is a part of a subscription to a pattern (default: false). */
  readonly isPart?: boolean;
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
    if (options.acking !== undefined) this.#meter(consumer, stream, row, options.acking);
    // A snapshot is for each by itself.
    if (stream.options.successor === undefined) this.#cohorts.subscribed(consumer, row);
    if (stream.subscriberCount++ === 0) this.usedStreams++;
    if (stream.options.successor !== undefined) stream.options.successor.expectedCount++;
    if (options.isPart === true) this.setPart(row, stream, true);
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
    const acking = table.isMetered(row) ? consumer.ackings?.get(to.options.alias) : undefined;
    const kept = { policy: table.policy(row), delayMs: table.delayMs[row], acking, isPart: table.isPart(row) };
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

  #meter(consumer: Consumer, stream: Stream, row: number, acking: Acking): void {
    acking.consumer = consumer;
    acking.row = row;
    consumer.ackings ??= new Map();
    consumer.ackings.set(stream.options.alias, acking);
    this.#table.setMetered(row);
  }

  #unmeter({ ackings }: Consumer, { options }: Stream, row: number): void {
    const acking = ackings?.get(options.alias);
    // Else it goes on as another row's.
    if (acking?.row !== row) return;
    ackings?.delete(options.alias);
    acking.end();
  }

  /**
   * The subscriber has processed a durable subscription to the topic with this alias up to `seq`.
   * @returns the last message that it has been sent: an ACK beyond it counts for nothing. Undefined: it has no such subscription
   */
  ack(consumer: Consumer, alias: number, seq: number, nowMs: number): number | undefined {
    const acking = consumer.ackings?.get(alias);
    if (acking === undefined) return undefined;
    const { row } = acking;
    const table = this.#table;
    const stream = this.#streams[table.stream[row]] as Stream;
    const isSnapshot = stream.options.successor !== undefined;
    const sentSeq = isSnapshot ? Math.max(stream.successorCursor - 1, acking.sentSeq) : table.cursor[row] - 1;
    if (seq <= sentSeq && acking.ack(seq) && table.isResting(row)) this.#wake(consumer, stream, row, nowMs);
    return sentSeq;
  }

  /** The row, which rests, may be sent something again. */
  #wake(consumer: Consumer, stream: Stream, row: number, nowMs: number): void {
    const table = this.#table;
    // Time has passed, perhaps without a message that would have moved the floor.
    stream.updateFloor(nowMs);
    stream.resting?.delete(row);
    linkPending(table, consumer, stream.isHot, row);
    this.#ready.makeReady(consumer, stream.isHot);
  }

  /** Nothing of the stream, which has ended, is to be sent any more: rows that rest have nothing to wait for. */
  wakeEnded(stream: Stream): void {
    for (const row of stream.resting ?? []) linkIdle(this.#table, stream, row);
    stream.resting = null;
  }

  /** Whether the subscription is a part of one to a pattern. */
  setPart(row: number, stream: Stream, isPart: boolean): void {
    const table = this.#table;
    if (table.isPart(row) === isPart) return;
    table.setPart(row, isPart);
    const change = isPart ? 1 : -1;
    stream.partCount += change;
    const { successor } = stream.options;
    if (successor !== undefined) successor.partCount += change;
  }

  remove(consumer: Consumer, row: number): void {
    const table = this.#table;
    const stream = this.#streams[table.stream[row]] as Stream;
    this.setPart(row, stream, false);
    if (table.isMember(row)) this.#cohorts.part(consumer, row);
    else if (table.isPending(row)) unlinkPending(table, consumer, row);
    else if (table.isResting(row)) stream.resting?.delete(row);
    else unlinkIdle(table, stream, row);
    unlinkFromConnection(table, consumer, row);
    if (table.isMetered(row)) this.#unmeter(consumer, stream, row);
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
