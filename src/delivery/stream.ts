/** Stream: delivery's side of what a group of subscribers receives byte for byte alike. */

import type { FrameLog } from '../log/frame-log.js';
import { PlainLog } from '../log/plain-log.js';
import type { ReadMode, StreamRef } from '../protocol/messages.js';
import type { Clock } from '../time/loop.js';
import { isBook, isChained, needsPast, type StreamSpec } from '../variant/stream-spec.js';
import { DeliveryCounters } from './delivery-counters.js';
import { SliceCache } from './slice-cache.js';
import { NONE } from './subscription-table.js';

/** Delay that means "as `AutoDelay` says". */
export const DELAY_AUTO = -1;

/** Who reads the newest of a book gets one difference when more messages of it than that are to come. */
const BOOK_BEHIND_MAX = 32;

/** Which messages of a log its readers get. */
export interface LogReading {
  readonly mode: ReadMode;
  /** Those that are younger (ms); 0: of any age. */
  readonly maxAgeMs: number;
}

export const READ_ALL: LogReading = { mode: 'every', maxAgeMs: 0 };

export interface StreamOptions {
  readonly alias: number;
  readonly topic: string;
  readonly spec: StreamSpec;
  /** Hot streams are flushed after cold ones in every turn. */
  readonly isHot: boolean;
  readonly log: FrameLog;
  /** How long a message may wait for others to share its write; DELAY_AUTO or ms. */
  readonly maxDelayMs: number;
  /** A subscriber may be so many messages behind; 0: as far as the log reaches. */
  readonly maxLagMessages: number;
  /** The oldest message that a subscriber still misses may be so old; 0: no limit. */
  readonly maxLagMs: number;
  /** Shared by all streams of a topic; by default its own. */
  readonly counters?: DeliveryCounters;
  /** Default: READ_ALL. */
  readonly reading?: LogReading;
  /** There are messages with a time to live. */
  readonly hasTtl?: boolean;
  /** Where messages are marked that are not the newest of their key; null: the topic is not keyed. */
  readonly marks?: FrameLog | null;
  /** Subscribers go on with that stream when they have had all of this one, which is one snapshot. */
  readonly successor?: Stream;
}

/** The log of what has ended: nobody is to get anything of it, whatever their cursor. It holds on to no memory. */
export const ENDED_LOG = new PlainLog({
  ...{ dataBytes: 256, frames: 4 },
  ...{ retainMs: 0, historyMessages: 0, historyBytes: 0 },
});

/** Writer and reader: the accept thread. */
export class Stream {
  readonly slot: number;
  readonly options: StreamOptions;
  /** May become another one, with the same seqs. */
  log: FrameLog;
  isHot: boolean;

  readonly counters: DeliveryCounters;
  readonly isLatest: boolean;
  readonly maxAgeMs: number;
  /** Not every message is for its subscribers. */
  isThinned: boolean;
  /** Who has missed something goes on with a snapshot: what follows is no use without what was before. */
  readonly catchesUp: boolean;
  /** Differences of a book, which only the book itself can make fewer of. */
  readonly isNewestBook: boolean;
  marks: FrameLog | null;
  /** With a successor: the cursor with which subscribers begin there; 0: that is not known yet. */
  successorCursor = 0;
  /** With a successor: what it brings is valid behind this message, or a later one. */
  leastSeq = 0;
  /** What its subscribers got last. */
  readonly slice = new SliceCache();
  /** First of the rows that are up to date. */
  idleHead = NONE;
  /** Rows that are behind and may not be sent anything now; null: there have been none. */
  resting: Set<number> | null = null;
  subscriberCount = 0;
  /** Of streams that lead to this one. */
  expectedCount = 0;
  /** Of both, those that are parts of a subscription to a pattern: they do not keep a topic. */
  partCount = 0;
  /** Subscriptions with a delay of their own. */
  ownDelays = 0;
  /** Waits in delivery's list of streams whose head moved. */
  isDirty = false;
  isRemoved = false;
  /** Cursors below this meet their policy. */
  floorSeq = 0;

  constructor(slot: number, options: StreamOptions) {
    this.slot = slot;
    this.options = options;
    this.log = options.log;
    this.isHot = options.isHot;
    this.counters = options.counters ?? new DeliveryCounters();
    const { mode, maxAgeMs } = this.reading;
    this.isLatest = mode === 'latest';
    this.marks = options.marks ?? null;
    this.maxAgeMs = maxAgeMs;
    this.isThinned = this.isLatest || this.maxAgeMs > 0;
    if (options.hasTtl === true) this.letExpire();
    this.isNewestBook = this.isLatest && isBook(options.spec);
    this.catchesUp = needsPast(options.spec) || (this.isLatest && this.marks !== null);
    this.floorSeq = options.log.tailSeq;
  }

  get topic(): StreamRef {
    return this.options;
  }

  get reading(): LogReading {
    return this.options.reading ?? READ_ALL;
  }

  get codec(): StreamSpec['codec'] {
    return this.options.spec.codec;
  }

  /** Hot path: per subscriber and flush. Makes `slice` hold what follows at `cursor`: see SliceCache. */
  loadSlice(cursor: number, inPlace: SliceCache[], clock: Clock): boolean {
    return this.isThinned
      ? this.slice.loadLatest(this, cursor, clock.nowMs())
      : this.slice.load(this.log, cursor, inPlace);
  }

  /** From here on there may be messages with a time to live. What depends on those before is sent all the same. */
  letExpire(): void {
    if (!isChained(this.options.spec)) this.isThinned = true;
  }

  /** Nobody reads it, or is about to. */
  get isIdle(): boolean {
    return this.subscriberCount + this.expectedCount === 0;
  }

  /** Its subscriptions get nothing any more, and are up to date with their next flush. */
  end(): void {
    this.isRemoved = true;
    this.log = ENDED_LOG;
    this.floorSeq = 0;
    this.slice.forget();
  }

  /** How long the oldest message that idle subscriptions have not got has waited already (ms). */
  waitedMs(cursor: number, nowMs: number): number {
    const { log } = this;
    if (cursor < log.tailSeq || cursor > log.headSeq) return 0;
    return Math.max(0, nowMs - log.timeAt(log.indexOf(cursor)));
  }

  /** Moves the floor up to what the log retains and the limits allow. Amortised constant per message. */
  updateFloor(nowMs: number): void {
    const { log, isNewestBook } = this;
    const { maxLagMs } = this.options;
    const maxLagMessages = isNewestBook ? BOOK_BEHIND_MAX : this.options.maxLagMessages;
    this.floorSeq = Math.max(this.floorSeq, log.tailSeq);
    if ((this.isLatest && !isNewestBook) || (maxLagMessages === 0 && maxLagMs === 0)) return;
    let index = log.indexOf(this.floorSeq);
    if (maxLagMessages > 0) index = Math.max(index, log.head - maxLagMessages + 1);
    if (maxLagMs > 0) {
      const oldestMs = nowMs - maxLagMs;
      while (index <= log.head && log.timeAt(index) < oldestMs) index++;
    }
    const floorSeq = index > log.head ? log.headSeq + 1 : log.firstSeqAt(index);
    // What a shared log's writer has overwritten meanwhile says nothing: the next message comes at once.
    if (index > log.head || log.isStillRetained(index)) this.floorSeq = Math.max(this.floorSeq, floorSeq);
  }
}
