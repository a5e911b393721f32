/** Block flusher: publishes to the cohorts of a block what they have not got, and finds who does not take it. */

import { SLICE_MAX_BYTES, TEXT_FRAMES_MAX, UNSWEPT_MAX_BYTES } from '../limits.js';
import { EVICTED, type FrameLog } from '../log/frame-log.js';
import { GAP_MARK } from '../log/layout.js';
import type { GapReason } from '../protocol/messages.js';
import type { Loop } from '../time/loop.js';
import type { Block } from './block.js';
import type { Cohorts } from './cohorts.js';
import { BLOCKED, CLOSED, type Consumer } from './consumer.js';
import { type FlushCounters, isLarge } from './flusher.js';
import type { LatestSlice } from './latest.js';
import { linkIdle, unlinkPending } from './row-lists.js';
import type { GroupSink } from './sink.js';
import type { SliceCache } from './slice-cache.js';
import type { Stream } from './stream.js';
import { NONE, type SubscriptionTable } from './subscription-table.js';

/** Who has not taken what it was sent is found when the first of it is so old, if not before: see UNSWEPT_MAX_BYTES. */
const UNSWEPT_MAX_MS = 50;
/** A publish to a cohort takes some microseconds. */
const COHORTS_PER_CLOCK_READ = 16;
/** A turn that a timer has begun comes before what was published in the one before it has reached the sockets. */
const TURNS_TO_SOCKETS = 2;

/** Writer and reader: the accept thread. */
export class BlockFlusher {
  readonly #table: SubscriptionTable;
  readonly #streams: readonly (Stream | null)[];
  readonly #cohorts: Cohorts;
  readonly #counters: FlushCounters;
  readonly #inPlace: SliceCache[];
  readonly #onBlocked: (consumer: Consumer) => void;
  readonly #loop: Loop;
  /** The frame that is published as a message of its own. */
  readonly #frame = new Uint8Array(SLICE_MAX_BYTES);
  /** Names a turn of the event loop. */
  #turn = 1;

  /** @param inPlace takes slices that are looked at where they lie, until the end of the turn */
  constructor(
    table: SubscriptionTable,
    streams: readonly (Stream | null)[],
    cohorts: Cohorts,
    counters: FlushCounters,
    inPlace: SliceCache[],
    onBlocked: (consumer: Consumer) => void,
    loop: Loop,
  ) {
    this.#table = table;
    this.#streams = streams;
    this.#cohorts = cohorts;
    this.#counters = counters;
    this.#inPlace = inPlace;
    this.#onBlocked = onBlocked;
    this.#loop = loop;
  }

  /** Another turn of the event loop has begun. */
  beginTurn(): void {
    this.#turn++;
  }

  /** Hot path: per block and flush. Returns whether there is more to publish, in a later turn. */
  flush(block: Block, deadlineMs: number): boolean {
    const nowMs = this.#loop.nowMs();
    block.reached = 0;
    if (!this.#sweepIfDue(block, nowMs)) return true;
    this.#counters.flushes++;
    for (let cohorts = 1; block.isPending; cohorts++) {
      const cohort = block.coldHead !== NONE ? block.coldHead : block.hotHead;
      if (!this.catchUp(block, cohort, nowMs)) return true;
      if (cohorts % COHORTS_PER_CLOCK_READ === 0 && this.#loop.nowMs() >= deadlineMs) return block.isPending;
    }
    return false;
  }

  /** Publishes what a cohort has not got. False: it has still not got all, as the block has had enough for now. */
  catchUp(block: Block, cohort: number, nowMs: number): boolean {
    const table = this.#table;
    const stream = this.#streams[table.stream[cohort]] as Stream;
    for (;;) {
      const { log } = stream;
      const cursor = table.cursor[cohort];
      if (cursor > log.headSeq) {
        // An idle one may be asked for too, before its stream's news has been looked at.
        if (table.isPending(cohort)) {
          unlinkPending(table, block, cohort);
          linkIdle(table, stream, cohort);
        }
        return true;
      }
      if (block.unsweptBytes >= UNSWEPT_MAX_BYTES) return false;
      if (cursor < stream.floorSeq || cursor < log.tailSeq) {
        // Each of them meets its own policy.
        this.#cohorts.dissolve(block, cohort);
        return true;
      }
      const isPublished =
        stream.codec === 'json' && !stream.isThinned
          ? this.#publishTexts(block, stream, cohort, nowMs)
          : this.#publishSlice(block, stream, cohort, nowMs);
      if (isPublished) continue;
      // The writer was faster, and the tail says so now; or it is a frame that travels alone, to each by itself: in parts, with
      // pings between them.
      log.refresh();
      if (isLarge(log, table.cursor[cohort])) {
        this.#cohorts.dissolve(block, cohort);
        return true;
      }
    }
  }

  #publishSlice(block: Block, stream: Stream, cohort: number, nowMs: number): boolean {
    const { slice } = stream;
    const cursor = this.#table.cursor[cohort];
    if (!stream.loadSlice(cursor, this.#inPlace, this.#loop)) return false;
    const { view, until, frames, latest } = slice;
    if (stream.codec === 'json') {
      let start = 0;
      for (const end of (latest as LatestSlice).ends) {
        block.transport.publish(cohort, view.subarray(start, end), true);
        start = end;
      }
    } else block.transport.publish(cohort, view, false);
    if (stream.isThinned && latest !== null) {
      const { leftOut, gaps } = latest;
      if (leftOut.merged > 0) this.#countGaps(stream, cohort, 'merged', gaps.merged, leftOut.merged);
      if (leftOut.expired > 0) this.#countGaps(stream, cohort, 'expired', gaps.expired, leftOut.expired);
    }
    this.#published(block, stream, cohort, until, frames, view.length, nowMs);
    return true;
  }

  #publishTexts(block: Block, stream: Stream, cohort: number, nowMs: number): boolean {
    const { log } = stream;
    let index = log.indexOf(this.#table.cursor[cohort]);
    const until = Math.min(log.head + 1, index + TEXT_FRAMES_MAX);
    for (; index < until && block.unsweptBytes < UNSWEPT_MAX_BYTES; index++) {
      // Read before the copy, which tells whether the writer has overwritten any of it meanwhile.
      const next = log.firstSeqAt(index + 1);
      const isLeftOut = log.ingressPositionAt(index) === GAP_MARK;
      const frame = this.#copyOf(log, index);
      if (frame === null) return false;
      block.transport.publish(cohort, frame, true);
      this.#published(block, stream, cohort, next, isLeftOut ? 0 : 1, frame.length, nowMs);
      if (isLeftOut) this.#countGaps(stream, cohort, 'too_large', 1, 1);
    }
    return true;
  }

  /** What each of its members is told. */
  #countGaps(stream: Stream, cohort: number, reason: GapReason, count: number, messages: number): void {
    const members = this.#table.askedUntil[cohort];
    this.#counters.countGaps(reason, count * members, messages * members);
    stream.counters.countGaps(reason, count * members, messages * members);
  }

  /** Null: the writer has overwritten it, or it is larger than a slice. */
  #copyOf(log: FrameLog, index: number): Uint8Array | null {
    const bytes = log.sliceBytes(index, index + 1);
    if (!(bytes > 0 && bytes <= SLICE_MAX_BYTES)) return null;
    const frame = this.#frame.subarray(0, bytes);
    return log.copy(index, index + 1, frame, 0) === EVICTED ? null : frame;
  }

  #published(
    block: Block,
    stream: Stream,
    cohort: number,
    until: number,
    frames: number,
    bytes: number,
    nowMs: number,
  ): void {
    const table = this.#table;
    const members = table.askedUntil[cohort];
    table.cursor[cohort] = until;
    stream.counters.deliveries += frames * members;
    stream.counters.deliveredBytes += bytes * members;
    this.#counters.deliveries += frames * members;
    this.#counters.deliveredBytes += bytes * members;
    if (block.unsweptBytes === 0) block.unsweptSinceMs = nowMs;
    block.unsweptBytes += bytes;
    block.publishedInTurn = this.#turn;
    block.reached = Math.min(block.connections.length, block.reached + members);
  }

  // ---- who does not take it ----------------------------------------------------------------------------------------

  /** False: it is due, but what was published has not reached the sockets yet. */
  #sweepIfDue(block: Block, nowMs: number): boolean {
    const { unsweptBytes } = block;
    if (unsweptBytes === 0) return true;
    const isDue = unsweptBytes >= UNSWEPT_MAX_BYTES || nowMs - block.unsweptSinceMs >= UNSWEPT_MAX_MS;
    if (!isDue) return true;
    if (this.#turn - block.publishedInTurn < TURNS_TO_SOCKETS) return false;
    block.unsweptBytes = 0;
    for (const consumer of block.connections) {
      if ((consumer.flags & (BLOCKED | CLOSED)) !== 0) continue;
      if ((consumer.sink as GroupSink).groupBacklogBytes(unsweptBytes) > 0) this.#onBlocked(consumer);
    }
    return true;
  }
}
