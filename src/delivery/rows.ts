/** Rows: subscriptions begin, go on with another stream, and end. */

import type { Loop } from '../time/loop.js';
import type { Acking } from './acking.js';
import type { Cohorts } from './cohorts.js';
import type { Consumer } from './consumer.js';
import { Meter } from './meter.js';
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
  /** Bytes per second; 0: any number. */
  readonly maxBandwidth?: number | undefined;
  /** What has measured it so far. */
  readonly meter?: Meter | undefined;
}

/** Timers take no longer; then a row is looked at, and waits on. */
const WAIT_MAX_MS = 3_600_000;
const NOT_METERED = { acking: null, row: NONE } as const;

/** What of a row may change while it lasts. */
export type RowChanges = Pick<SubscriptionOptions, 'policy' | 'delayMs' | 'maxBandwidth'>;

/** Writer and reader: the accept thread. */
export class Rows {
  /** Streams with subscribers. */
  usedStreams = 0;
  readonly #table: SubscriptionTable;
  readonly #streams: readonly (Stream | null)[];
  readonly #cohorts: Cohorts;
  readonly #ready: ReadyConsumers;
  readonly #onUnused: (stream: Stream) => void;
  readonly #loop: Pick<Loop, 'nowMs' | 'after'>;
  /** Those whose rows are woken by and by. */
  readonly #waiting = new Set<Meter>();

  /** @param onUnused a stream has lost its last subscription */
  constructor(
    table: SubscriptionTable,
    streams: readonly (Stream | null)[],
    cohorts: Cohorts,
    ready: ReadyConsumers,
    loop: Pick<Loop, 'nowMs' | 'after'>,
    onUnused: (stream: Stream) => void,
  ) {
    this.#table = table;
    this.#streams = streams;
    this.#cohorts = cohorts;
    this.#ready = ready;
    this.#onUnused = onUnused;
    this.#loop = loop;
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
    if (stream.isLatest) consumer.sink.boundUnread?.();
    this.#meter(consumer, stream, row, options);
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
    const meter = this.meterOf(consumer, to, row);
    const kept = { policy: table.policy(row), delayMs: table.delayMs[row], meter, isPart: table.isPart(row) };
    const askedUntil = Math.max(table.isMember(row) ? 0 : table.askedUntil[row], to.log.headSeq);
    // First the new one: the stream must not be without subscribers in between.
    this.add(consumer, to, { ...kept, askedUntil, cursor, ...changes });
    this.remove(consumer, row);
  }

  change(consumer: Consumer, row: number, stream: Stream, { policy, delayMs, maxBandwidth }: RowChanges): void {
    const table = this.#table;
    if (table.isMember(row)) this.#cohorts.leave(consumer, row);
    if (table.delayMs[row] !== DELAY_OF_STREAM) stream.ownDelays--;
    if (delayMs !== DELAY_OF_STREAM) stream.ownDelays++;
    table.delayMs[row] = delayMs;
    table.setPolicy(row, policy);
    table.setJoins(row, false);
    this.#meter(consumer, stream, row, { meter: this.meterOf(consumer, stream, row), maxBandwidth });
    if (table.isResting(row)) this.#wake(consumer, stream, row);
    if (stream.options.successor === undefined) this.#cohorts.subscribed(consumer, row);
  }

  /** What measures the row; undefined: nothing does. */
  meterOf(consumer: Consumer, stream: Stream, row: number): Meter | undefined {
    return this.#table.isMetered(row) ? consumer.meters?.get(stream.options.alias) : undefined;
  }

  /** The row is measured as is asked for, by its meter where it has one. */
  #meter(
    consumer: Consumer,
    stream: Stream,
    row: number,
    { meter: known, acking, maxBandwidth = known?.bytesPerSecond ?? 0 }: Partial<SubscriptionOptions>,
  ): void {
    if (known === undefined && acking === undefined && maxBandwidth === 0) return;
    const meter = known ?? new Meter(consumer);
    if (maxBandwidth !== meter.bytesPerSecond) meter.setRate(maxBandwidth, this.#loop.nowMs());
    if (acking !== undefined) {
      meter.acking = acking;
      acking.meter = meter;
    }
    this.#table.setMetered(row, !meter.isOff);
    consumer.meters ??= new Map();
    if (meter.isOff) {
      consumer.meters.delete(stream.options.alias);
      meter.end();
    } else {
      consumer.meters.set(stream.options.alias, meter);
      meter.row = row;
    }
  }

  /** The row, which is pending, gets nothing before that. @param waitMs 0: before it is woken by an ACK */
  rest(consumer: Consumer, row: number, stream: Stream, waitMs: number): void {
    const meter = this.meterOf(consumer, stream, row) as Meter;
    unlinkPending(this.#table, consumer, row);
    this.#table.setResting(row);
    stream.resting ??= new Set();
    stream.resting.add(row);
    meter.cancelWake?.();
    if (waitMs === 0) return;
    const cancel = this.#loop.after(Math.min(WAIT_MAX_MS, waitMs), () => this.#wakeMeter(meter));
    this.#waiting.add(meter);
    meter.cancelWake = () => {
      this.#waiting.delete(meter);
      meter.cancelWake = null;
      cancel();
    };
  }

  #wakeMeter(meter: Meter): void {
    meter.cancelWake?.();
    const { consumer, row } = meter;
    // It may have gone on as another row.
    if (!this.#table.isResting(row)) return;
    this.#wake(consumer, this.#streams[this.#table.stream[row]] as Stream, row);
  }

  /** The subscription is durable no more. */
  endAcking(consumer: Consumer, row: number, stream: Stream): void {
    const meter = this.meterOf(consumer, stream, row);
    if (meter === undefined || meter.acking === null) return;
    meter.acking.end();
    meter.acking = null;
    this.change(consumer, row, stream, { policy: this.#table.policy(row), delayMs: this.#table.delayMs[row] });
  }

  /**
   * The subscriber has processed a durable subscription to the topic with this alias up to `seq`.
   * @returns the last message that it has been sent: an ACK beyond it counts for nothing. Undefined: it has no such subscription
   */
  ack(consumer: Consumer, alias: number, seq: number): number | undefined {
    const { acking, row } = consumer.meters?.get(alias) ?? NOT_METERED;
    if (acking === null) return undefined;
    const table = this.#table;
    const stream = this.#streams[table.stream[row]] as Stream;
    const isSnapshot = stream.options.successor !== undefined;
    const sentSeq = isSnapshot ? Math.max(stream.successorCursor - 1, acking.sentSeq) : table.cursor[row] - 1;
    if (seq <= sentSeq && acking.ack(seq) && table.isResting(row)) this.#wake(consumer, stream, row);
    return sentSeq;
  }

  /** The row, which rests, may be sent something again. */
  #wake(consumer: Consumer, stream: Stream, row: number): void {
    // Time has passed, perhaps without a message that would have moved the floor.
    stream.updateFloor(this.#loop.nowMs());
    stream.resting?.delete(row);
    linkPending(this.#table, consumer, stream.isHot, row);
    this.#ready.makeReady(consumer, stream.isHot);
  }

  /** Calls off every timer. */
  close(): void {
    for (const meter of this.#waiting) meter.cancelWake?.();
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
    const meter = this.meterOf(consumer, stream, row);
    // Else it goes on as another row's.
    if (meter?.row === row) {
      consumer.meters?.delete(stream.options.alias);
      meter.end();
    }
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
