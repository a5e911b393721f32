/**
 * Flusher: gathers the slices of a consumer's pending subscriptions and sends them as one message, one write.
 *
 * Most of a fan-out are consumers with one pending subscription: they are sent their stream's slice as it is (see
 * `SliceCache`). Everything else is gathered into a buffer, cold subscriptions first.
 */

import { SLICE_MAX_BYTES, TEXT_FRAMES_MAX } from '../limits.js';
import { EVICTED, type FrameLog } from '../log/frame-log.js';
import { GAP_MARK } from '../log/layout.js';
import type { GapReason } from '../protocol/messages.js';
import type { Clock } from '../time/loop.js';
import { BLOCKED, CLOSED, type Consumer } from './consumer.js';
import { DeliveryCounters } from './delivery-counters.js';
import { LatestSlice } from './latest.js';
import type { Meter } from './meter.js';
import { linkIdle, unlinkPending } from './row-lists.js';
import { SEND_BLOCKED, SEND_REFUSED } from './sink.js';
import type { SliceCache } from './slice-cache.js';
import { judge } from './slow-consumer.js';
import type { Stream } from './stream.js';
import { NONE, type SubscriptionTable } from './subscription-table.js';

export class FlushCounters extends DeliveryCounters {
  flushes = 0;
  refusedSends = 0;
  slowDisconnects = 0;
}

/** Ends a consumer that is too slow for a stream's policy. */
export type OnSlow = (consumer: Consumer, stream: Stream, reason: GapReason) => void;

/** What becomes of consumers; afterwards they are closed and have no subscriptions. */
export interface FlushVerdicts {
  readonly onSlow: OnSlow;
  /** Its transport has not taken what was sent. */
  onRefused(consumer: Consumer): void;
  /** Of one of its rows only the newest message of each key counts, and some of those are not retained: they are to be had otherwise. */
  onCatchUp(consumer: Consumer, row: number, stream: Stream): void;
  /** One of its rows has had all of a snapshot: it goes on with that stream, there. */
  onPhaseOver(consumer: Consumer, row: number, successor: Stream, cursor: number): void;
  /** One of its rows, which is metered, is behind and may not be sent anything for so long; 0: until an ACK comes. */
  onRest(consumer: Consumer, row: number, stream: Stream, waitMs: number): void;
  /** One of its rows that may join a cohort is up to date. */
  mayJoin(consumer: Consumer, row: number): void;
  /** Its transport, or what is done here for it, threw. */
  onFault(consumer: Consumer, fault: unknown): void;
}

/** Writer and reader: the accept thread. */
export class Flusher {
  readonly counters = new FlushCounters();

  readonly #table: SubscriptionTable;
  readonly #streams: readonly (Stream | null)[];
  readonly #clock: Clock;
  readonly #verdicts: FlushVerdicts;
  readonly #mayJoin: (consumer: Consumer, row: number) => void;

  #buffer = new Uint8Array(SLICE_MAX_BYTES);
  #bufferBytes = 0;
  /** Of a consumer by itself. */
  #own: LatestSlice | null = null;
  /** Ends of the frames in the buffer, for consumers that get one message per frame. */
  readonly #ends: number[] = [];

  /** Slices that are looked at where they lie in their logs. */
  readonly inPlace: SliceCache[] = [];

  constructor(table: SubscriptionTable, streams: readonly (Stream | null)[], clock: Clock, verdicts: FlushVerdicts) {
    this.#table = table;
    this.#streams = streams;
    this.#clock = clock;
    this.#verdicts = verdicts;
    this.#mayJoin = verdicts.mayJoin;
  }

  /**
   * Hot path: per subscriber and flush. Sends one slice or one gathered message. Never throws.
   * @returns whether the consumer has more to send and can take it
   */
  flush(consumer: Consumer): boolean {
    try {
      return this.#flush(consumer);
    } catch (fault) {
      this.#verdicts.onFault(consumer, fault);
      return false;
    }
  }

  #flush(consumer: Consumer): boolean {
    if ((consumer.flags & (BLOCKED | CLOSED)) !== 0) return false;
    const row = consumer.coldHead !== NONE ? consumer.coldHead : consumer.hotHead;
    if (row === NONE) return false;
    this.counters.flushes++;
    const isOnly = this.#table.next[row] === NONE && (consumer.coldHead === NONE || consumer.hotHead === NONE);
    if (isOnly && !consumer.publishesNoEcho && !consumer.encoder.isText && consumer.meters === null) {
      const stream = this.#streams[this.#table.stream[row]] as Stream;
      const from = this.#table.cursor[row];
      const isDue = from >= stream.floorSeq && from <= stream.log.headSeq;
      if (isDue && stream.loadSlice(from, this.inPlace, this.#clock)) return this.#sendSlice(consumer, stream, row);
    }
    return this.#gatherAndSend(consumer);
  }

  /** The turn is over: until the next one, logs may give memory back. */
  forgetViews(): void {
    for (const slice of this.inPlace) slice.forget();
    this.inPlace.length = 0;
  }

  /** Hot path. */
  #sendSlice(consumer: Consumer, stream: Stream, row: number): boolean {
    const { view, until, frames, latest } = stream.slice;
    if (stream.isThinned && latest !== null) this.#countLeftOut(stream, latest);
    this.#advance(consumer, stream, row, until, frames, view.length);
    return this.#sent(consumer, consumer.sink.send(view));
  }

  #gatherAndSend(consumer: Consumer): boolean {
    this.#bufferBytes = 0;
    this.#ends.length = 0;
    if (this.#gatherList(consumer, false)) this.#gatherList(consumer, true);
    if ((consumer.flags & CLOSED) !== 0) return false;
    if (this.#bufferBytes === 0) return consumer.isPending;
    const isText = consumer.encoder.isText;
    const result = isText
      ? consumer.sink.sendEach(this.#buffer, this.#ends)
      : consumer.sink.send(this.#buffer.subarray(0, this.#bufferBytes));
    if (this.#buffer.length > SLICE_MAX_BYTES) this.#buffer = new Uint8Array(SLICE_MAX_BYTES);
    return this.#sent(consumer, result);
  }

  #sent(consumer: Consumer, result: number): boolean {
    // The transport may have ended the connection within the call.
    if ((consumer.flags & CLOSED) !== 0) return false;
    if (result === SEND_BLOCKED) {
      consumer.flags |= BLOCKED;
      return false;
    }
    if (result === SEND_REFUSED) {
      // The cursors have moved past what was refused: going on would hide a loss.
      this.counters.refusedSends++;
      this.#verdicts.onRefused(consumer);
      return false;
    }
    return consumer.isPending;
  }

  /** Appends the slices of one pending list to the buffer. False: the buffer is full or the connection has ended. */
  #gatherList(consumer: Consumer, isHot: boolean): boolean {
    const table = this.#table;
    for (let row = isHot ? consumer.hotHead : consumer.coldHead; row !== NONE; ) {
      const stream = this.#streams[table.stream[row]] as Stream;
      const cursor = table.cursor[row];
      const isBehind = cursor < stream.floorSeq || cursor < stream.log.tailSeq;
      if (isBehind && !this.#settleLag(consumer, stream, row)) return false;
      // It may have gone on with a snapshot, as another row.
      const isGone = isBehind && table.connection[row] === NONE;
      if (!isGone && !this.#gather(consumer, stream, row)) return false;
      row = isHot ? consumer.hotHead : consumer.coldHead;
    }
    return true;
  }

  /** Appends as much of the row's slice as fits. False: the row stays pending, there is more of it. */
  #gather(consumer: Consumer, stream: Stream, row: number): boolean {
    if (consumer.meters !== null && this.#table.isMetered(row)) return this.#gatherMetered(consumer, stream, row);
    if (stream.isThinned) return this.#gatherThinned(consumer, stream, row, null);
    if (consumer.publishesNoEcho) return this.#gatherFrames(consumer, stream, row, null);
    return consumer.encoder.isText
      ? this.#gatherTexts(consumer, stream, row)
      : this.#gatherSlice(consumer, stream, row);
  }

  /** As much as its meter lets be sent; when that is used up the row rests. */
  #gatherMetered(consumer: Consumer, stream: Stream, row: number): boolean {
    const start = this.#bufferBytes;
    const meter = consumer.meters?.get(stream.options.alias) as Meter;
    const nowMs = this.#clock.nowMs();
    if (this.#table.cursor[row] > stream.log.headSeq) return this.#gatherFrames(consumer, stream, row, null);
    if (hasRoom(meter, stream) && meter.waitMs(nowMs) === 0) {
      const isAll = stream.isThinned
        ? this.#gatherThinned(consumer, stream, row, meter)
        : this.#gatherFrames(consumer, stream, row, meter);
      meter.pay(this.#bufferBytes - start, nowMs);
      if (isAll || (hasRoom(meter, stream) && meter.waitMs(nowMs) === 0)) return isAll;
    }
    this.#verdicts.onRest(consumer, row, stream, hasRoom(meter, stream) ? meter.waitMs(nowMs) : 0);
    return true;
  }

  /** Those that count; a frame that is larger than a slice is sent like any other. */
  #gatherThinned(consumer: Consumer, stream: Stream, row: number, meter: Meter | null): boolean {
    const { log } = stream;
    const cursor = this.#table.cursor[row];
    if (cursor > log.headSeq) {
      this.#advance(consumer, stream, row, cursor, 0, 0);
      return true;
    }
    const latest = this.#loadLatest(consumer, stream, cursor, meter);
    if (latest === null) {
      log.refresh();
      if (cursor < log.tailSeq || !isLarge(log, cursor)) return false;
      return consumer.publishesNoEcho || meter !== null
        ? this.#gatherFrames(consumer, stream, row, meter)
        : consumer.encoder.isText
          ? this.#gatherTexts(consumer, stream, row)
          : this.#gatherSlice(consumer, stream, row);
    }
    const ends = this.#ends;
    const isFull = this.#bufferBytes > 0 && this.#bufferBytes + latest.length > SLICE_MAX_BYTES;
    if (isFull || (consumer.encoder.isText && ends.length > 0 && ends.length + latest.ends.length > TEXT_FRAMES_MAX))
      return false;
    this.#reserve(latest.length);
    this.#buffer.set(latest.view, this.#bufferBytes);
    for (const end of latest.ends) ends.push(this.#bufferBytes + end);
    this.#bufferBytes += latest.length;
    for (const seq of latest.seqs) meter?.acking?.sent(seq);
    this.#countLeftOut(stream, latest);
    this.#advance(consumer, stream, row, latest.until, latest.messages, latest.length);
    return latest.until > log.headSeq;
  }

  /** Null: the log's writer was faster, or the frame at the cursor is larger than a slice. */
  #loadLatest(consumer: Consumer, stream: Stream, cursor: number, meter: Meter | null): LatestSlice | null {
    if (!consumer.publishesNoEcho && meter === null) {
      return stream.loadSlice(cursor, this.inPlace, this.#clock) ? stream.slice.latest : null;
    }
    this.#own ??= new LatestSlice();
    const limits = { messages: meter?.acking?.room ?? 0, bytes: meter?.sliceMaxBytes ?? SLICE_MAX_BYTES };
    return cursor >= stream.log.tailSeq && this.#own.read(stream, cursor, this.#clock.nowMs(), consumer.number, limits)
      ? this.#own
      : null;
  }

  #countLeftOut(stream: Stream, { leftOut, gaps }: LatestSlice): void {
    if (leftOut.merged > 0) this.#countGaps(stream, 'merged', gaps.merged, leftOut.merged);
    if (leftOut.expired > 0) this.#countGaps(stream, 'expired', gaps.expired, leftOut.expired);
  }

  #gatherSlice(consumer: Consumer, stream: Stream, row: number): boolean {
    const { log, slice } = stream;
    const cursor = this.#table.cursor[row];
    if (cursor > log.headSeq) {
      this.#advance(consumer, stream, row, cursor, 0, 0);
      return true;
    }
    if (slice.load(log, cursor, this.inPlace) && this.#bufferBytes + slice.view.length <= SLICE_MAX_BYTES) {
      this.#buffer.set(slice.view, this.#bufferBytes);
      this.#bufferBytes += slice.view.length;
      this.#advance(consumer, stream, row, slice.until, slice.frames, slice.view.length);
      return slice.until > log.headSeq;
    }
    const from = log.indexOf(cursor);
    let until = log.head + 1;
    let bytes = log.sliceBytes(from, until);
    if (this.#bufferBytes + bytes > SLICE_MAX_BYTES) {
      until = this.#untilFull(log, from, until);
      if (until === from) return false;
      bytes = log.sliceBytes(from, until);
    }
    const next = log.firstSeqAt(until);
    if (!this.#append(stream, from, until, bytes)) return false;
    this.#advance(consumer, stream, row, next, until - from, bytes);
    return next > log.headSeq;
  }

  /** The same for one message per frame: still one copy, but noting where each message ends. */
  #gatherTexts(consumer: Consumer, stream: Stream, row: number): boolean {
    const log = stream.log;
    const ends = this.#ends;
    const cursor = this.#table.cursor[row];
    if (cursor > log.headSeq) {
      this.#advance(consumer, stream, row, cursor, 0, 0);
      return true;
    }
    const from = log.indexOf(cursor);
    let until = Math.min(log.head + 1, from + TEXT_FRAMES_MAX - ends.length);
    if (until <= from) return false;
    let bytes = log.sliceBytes(from, until);
    if (this.#bufferBytes + bytes > SLICE_MAX_BYTES) {
      until = this.#untilFull(log, from, until);
      if (until === from) return false;
      bytes = log.sliceBytes(from, until);
    }
    const knownEnds = ends.length;
    // Read before the copy, which tells whether the writer has overwritten any of it meanwhile.
    const shift = this.#bufferBytes - log.positionAt(from);
    const next = log.firstSeqAt(until);
    let leftOut = 0;
    for (let index = from; index < until; index++) {
      ends.push(log.positionAt(index + 1) + shift);
      if (log.ingressPositionAt(index) === GAP_MARK) leftOut++;
    }
    if (!this.#append(stream, from, until, bytes)) {
      ends.length = knownEnds;
      return false;
    }
    if (leftOut > 0) this.#countGaps(stream, 'too_large', leftOut, leftOut);
    this.#advance(consumer, stream, row, next, until - from - leftOut, bytes);
    return next > log.headSeq;
  }

  /** The slice up to `until` is too large: how far it fits into the buffer. One frame always does if that is empty. */
  #untilFull(log: FrameLog, from: number, until: number): number {
    const fitting = Math.min(until, log.fit(from, SLICE_MAX_BYTES - this.#bufferBytes));
    const isFull = this.#bufferBytes > 0 && this.#bufferBytes + log.sliceBytes(from, fitting) > SLICE_MAX_BYTES;
    return isFull ? from : fitting;
  }

  /** The same frame by frame, leaving out what must not be echoed, and noting where each message ends. */
  #gatherFrames(consumer: Consumer, stream: Stream, row: number, meter: Meter | null): boolean {
    const log = stream.log;
    const start = this.#bufferBytes;
    const acking = hasAcks(stream) ? (meter?.acking ?? null) : null;
    const fullBytes = Math.min(SLICE_MAX_BYTES, start + (meter?.sliceMaxBytes ?? SLICE_MAX_BYTES));
    let cursor = this.#table.cursor[row];
    let delivered = 0;
    for (let index = log.indexOf(cursor); index <= log.head && this.#ends.length < TEXT_FRAMES_MAX; index++) {
      // An overwritten index entry is another frame's: nothing of it counts before the frame is known to be retained.
      const next = log.firstSeqAt(index + 1);
      if (log.originAt(index) === consumer.number) {
        if (!log.isStillRetained(index)) break;
      } else {
        const bytes = log.sliceBytes(index, index + 1);
        const isLeftOut = log.ingressPositionAt(index) === GAP_MARK;
        const limitBytes = this.#bufferBytes > start ? fullBytes : SLICE_MAX_BYTES;
        if (this.#bufferBytes > 0 && this.#bufferBytes + bytes > limitBytes) break;
        if (!isLeftOut && acking?.room === 0) break;
        if (!this.#append(stream, index, index + 1, bytes)) break;
        this.#ends.push(this.#bufferBytes);
        if (isLeftOut) this.#countGaps(stream, 'too_large', 1, 1);
        else {
          delivered++;
          acking?.sent(next - 1);
        }
      }
      cursor = next;
    }
    this.#advance(consumer, stream, row, cursor, delivered, this.#bufferBytes - start);
    return cursor > log.headSeq;
  }

  #append(stream: Stream, from: number, until: number, bytes: number): boolean {
    if (!(bytes >= 0)) {
      // The writer has overwritten the index: the next try has to know the new tail.
      stream.log.refresh();
      return false;
    }
    this.#reserve(bytes);
    const copied = stream.log.copy(from, until, this.#buffer, this.#bufferBytes);
    if (copied === EVICTED) return false;
    this.#bufferBytes += copied;
    return true;
  }

  #reserve(bytes: number): void {
    const needed = this.#bufferBytes + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(needed);
    larger.set(this.#buffer.subarray(0, this.#bufferBytes));
    this.#buffer = larger;
  }

  /** Hot path. Moves the cursor to `until`; a row that has reached the head becomes idle. */
  #advance(consumer: Consumer, stream: Stream, row: number, until: number, messages: number, bytes: number): void {
    const table = this.#table;
    table.cursor[row] = until;
    stream.counters.deliveries += messages;
    stream.counters.deliveredBytes += bytes;
    this.counters.deliveries += messages;
    this.counters.deliveredBytes += bytes;
    if (until <= stream.log.headSeq) return;
    unlinkPending(table, consumer, row);
    linkIdle(table, stream, row);
    if (stream.options.successor !== undefined && !stream.isRemoved)
      this.#verdicts.onPhaseOver(consumer, row, stream.options.successor, stream.successorCursor);
    else if (table.joins(row)) this.#mayJoin(consumer, row);
  }

  /** Applies the verdict on a lapped or too late row. False: the connection has ended, or ends with the next flush. */
  #settleLag(consumer: Consumer, stream: Stream, row: number): boolean {
    const table = this.#table;
    stream.log.refresh();
    const cursor = table.cursor[row];
    const verdict = judge(stream, cursor, table.askedUntil[row], table.policy(row));
    if (verdict.kind === 'none') return true;
    if (verdict.kind === 'catch-up') {
      this.#verdicts.onCatchUp(consumer, row, stream);
      return true;
    }
    if (verdict.kind === 'disconnect') {
      // What was gathered before has been counted as delivered, and so it is: the next flush ends the connection.
      if (this.#bufferBytes > 0) return false;
      this.#verdicts.onSlow(consumer, stream, verdict.reason);
      return false;
    }
    if (verdict.nextCursor === cursor) return true;
    const lost = verdict.nextCursor - cursor;
    const frame = consumer.encoder.gap(stream.options, cursor, verdict.nextCursor - 1, verdict.reason);
    this.#reserve(frame.length);
    this.#buffer.set(frame, this.#bufferBytes);
    this.#bufferBytes += frame.length;
    this.#ends.push(this.#bufferBytes);
    table.cursor[row] = verdict.nextCursor;
    this.#countGaps(stream, verdict.reason, 1, lost);
    if (table.isMetered(row)) consumer.meters?.get(stream.options.alias)?.pay(frame.length, this.#clock.nowMs());
    return true;
  }

  #countGaps(stream: Stream, reason: GapReason, count: number, lost: number): void {
    this.counters.countGaps(reason, count, lost);
    stream.counters.countGaps(reason, count, lost);
  }
}

/** What a snapshot brings is no message, and not acknowledged. */
function hasAcks({ options }: Stream): boolean {
  return options.successor === undefined;
}

function hasRoom({ acking }: Meter, stream: Stream): boolean {
  return acking === null || acking.room > 0 || !hasAcks(stream);
}

/** Whether the frame at the cursor is larger than a slice. */
export function isLarge(log: FrameLog, cursor: number): boolean {
  if (cursor < log.tailSeq || cursor > log.headSeq) return false;
  const index = log.indexOf(cursor);
  return log.sliceBytes(index, index + 1) > SLICE_MAX_BYTES;
}
