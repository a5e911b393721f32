/**
 * Lag scan: how far subscribers are behind, found by looking at every row of the subscription table in small steps.
 *
 * Nothing is kept per message or flush for it. Only pending and resting rows are looked at: the others are up to date. A row's lag
 * is taken when the scan comes to it, against the head of that moment, so that a figure is never the difference of two
 * times. Rows and streams may come and go between two steps: results belong to objects, not to slots.
 */

import { Top } from '../counters/top.js';
import { type Consumer, IS_BLOCK } from './consumer.js';
import type { Stream } from './stream.js';
import { NONE, type SubscriptionTable } from './subscription-table.js';

/** Of rows that are up to date a step takes about 0.1 ms; pending ones cost more, most of it for what is not in a cache. */
const ROWS_PER_STEP = 8192;
const PENDING_PER_STEP = 512;

export interface Lag {
  /** Messages that are still to be sent, those included that the log no longer has. */
  readonly lagMessages: number;
  /** Age of the oldest of them that the log still has (ms). */
  readonly lagMs: number;
}

export interface LaggingSubscription extends Lag {
  readonly consumer: Consumer;
  readonly stream: Stream;
}

export const NO_LAG: Lag = { lagMessages: 0, lagMs: 0 };

/** Writer and reader: the accept thread. */
export class LagScan {
  readonly #table: SubscriptionTable;
  readonly #streams: readonly (Stream | null)[];
  readonly #consumers: readonly (Consumer | null)[];
  readonly #slowestMax: number;
  #row = 0;
  /** What this pass has found so far, and what the last whole one found. */
  #worst = new Map<Stream, Lag>();
  #top: Top<LaggingSubscription>;
  #lastWorst: ReadonlyMap<Stream, Lag> = new Map();
  #lastSlowest: readonly LaggingSubscription[] = [];

  /** @param streams by slot, as is `consumers`: delivery's own */
  constructor(
    table: SubscriptionTable,
    streams: readonly (Stream | null)[],
    consumers: readonly (Consumer | null)[],
    slowestMax: number,
  ) {
    this.#table = table;
    this.#streams = streams;
    this.#consumers = consumers;
    this.#slowestMax = slowestMax;
    this.#top = new Top(slowestMax);
  }

  /** Looks at some more rows. True: that was the end of a pass, whose results can be read; the next call begins another. */
  step(nowMs: number): boolean {
    const table = this.#table;
    const { connection } = table;
    const until = Math.min(connection.length, this.#row + ROWS_PER_STEP);
    let row = this.#row;
    for (let pending = 0; row < until && pending < PENDING_PER_STEP; row++) {
      if (connection[row] === NONE || !table.isBehind(row)) continue;
      pending++;
      this.#look(row, nowMs);
    }
    this.#row = row;
    if (row < connection.length) return false;
    this.#finish();
    return true;
  }

  /** The lag of the stream's slowest subscriber in the last whole pass. */
  lagOf(stream: Stream): Lag {
    return this.#lastWorst.get(stream) ?? NO_LAG;
  }

  /** Those furthest behind in the last whole pass, in messages, worst first. Some may have ended since. */
  get slowest(): readonly LaggingSubscription[] {
    return this.#lastSlowest;
  }

  #look(row: number, nowMs: number): void {
    const table = this.#table;
    const stream = this.#streams[table.stream[row]] as Stream;
    const { log } = stream;
    const cursor = table.cursor[row];
    const lagMessages = log.framesFrom(cursor);
    if (lagMessages === 0) return;
    const isWorst = lagMessages > (this.#worst.get(stream)?.lagMessages ?? 0);
    const isSlow = this.#top.takes(lagMessages);
    if (!isWorst && !isSlow) return;
    const oldest = log.indexOf(Math.max(cursor, log.tailSeq));
    const lagMs = oldest > log.head ? 0 : Math.max(0, nowMs - log.timeAt(oldest));
    if (isWorst) this.#worst.set(stream, { lagMessages, lagMs });
    const consumer = this.#consumers[table.connection[row]] as Consumer;
    // A cohort's lag is that of a turn or two: nobody in it is slow.
    if (!isSlow || (consumer.flags & IS_BLOCK) !== 0) return;
    this.#top.offer(lagMessages, { consumer, stream, lagMessages, lagMs });
  }

  #finish(): void {
    this.#row = 0;
    this.#lastWorst = this.#worst;
    this.#lastSlowest = this.#top.items;
    this.#worst = new Map();
    this.#top = new Top(this.#slowestMax);
  }
}
