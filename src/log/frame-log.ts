/**
 * Frame log: the bounded, contiguous byte log of a stream's recent frames.
 *
 * Frames are numbered by *index*: 1, 2, 3 … within this log, without holes. Each has a *seq*, its message's number on the
 * wire, which increases from frame to frame, maybe by more than one: a stream need not have every message, and a topic
 * that is numbered elsewhere has holes. Readers keep seqs: a *cursor* is the seq wanted next, and answered by the first
 * frame whose seq is not smaller. So a cursor means the same in another log of the stream, and what was lost can be said
 * although the log no longer has it.
 *
 * A frame is *retained* from its commit until the tail passes it. A cursor is *lapped* when it is below `tailSeq`: a frame
 * that it would have got is gone. Frames lie one behind the other, so everything from an index to the head is one slice.
 */

import { copyBytes } from './copy.js';
import {
  ATTEMPTS_MAX,
  ENTRY_BYTES,
  ENTRY_FIELDS,
  FIRST_SEQ_FIELD,
  INGRESS_FIELD,
  ORIGIN_FIELD,
  POSITION_FIELD,
  SUPERSEDED,
  TIME_FIELD,
  ttlOf,
} from './layout.js';
import { copyFrames, type LogMemory } from './log-memory.js';
import { sizesFor } from './log-sizes.js';

const ATTEMPTS_RADIX = ATTEMPTS_MAX + 1;

/** Where the next byte of the frame goes that this thread is making: one at a time, from `begin` to `commit`. */
let writePosition = 0;

/** Result of `copy` when the writer evicted a part of the slice during the copy. */
export const EVICTED = -1;

export interface LogSizes {
  /** Bytes of frames; a power of two. */
  readonly dataBytes: number;
  /** Index slots; a power of two; one more than the frames retained. */
  readonly frames: number;
}

/** Writer: the topic's home (one thread). Readers: the accept thread. */
export abstract class FrameLog {
  /** Newest retained frame; `tail - 1` while the log is empty. A reader's view is as old as its last `refresh`. */
  head = 0;
  /** Oldest retained frame. */
  tail = 1;
  /** Seq of the newest frame that there ever was. */
  headSeq: number;
  /** The smallest cursor that nothing is lost to. */
  tailSeq: number;

  // The fields of its `LogMemory`, here for one look-up less on the hot path.
  protected bytes: Uint8Array;
  protected index: Float64Array;
  protected dataBase: number;
  protected entryBase: number;
  protected dataMask: number;
  protected frameMask: number;

  protected constructor(memory: LogMemory, firstSeq: number) {
    this.bytes = memory.bytes;
    this.index = memory.index;
    this.dataBase = memory.dataBase;
    this.entryBase = memory.entryBase;
    this.dataMask = memory.dataMask;
    this.frameMask = memory.frameMask;
    this.headSeq = firstSeq - 1;
    this.tailSeq = firstSeq;
  }

  get dataCapacityBytes(): number {
    return this.dataMask + 1;
  }

  /** Index and data. */
  get memoryBytes(): number {
    return (this.frameMask + 1) * ENTRY_BYTES + this.dataMask + 1;
  }

  get retainedFrames(): number {
    return this.head - this.tail + 1;
  }

  /** Largest frame that this log can ever hold. */
  abstract get frameMaxBytes(): number;

  /** Whether a frame of this size can be appended. */
  abstract canHold(frameBytes: number): boolean;

  /** Takes over what the writer has published since. */
  abstract refresh(): void;

  /** Whether frame `index` is retained now: asked after reading it or its index entry. */
  abstract isStillRetained(index: number): boolean;

  /**
   * The frames `from … until − 1` where they lie, or null when that is not possible: the writer of a shared log could
   * overwrite them, or they lie on both sides of the buffer's end. Good until the frame at `from` is evicted.
   */
  abstract viewInPlace(from: number, until: number): Uint8Array | null;

  /** The log will not be used any more. */
  abstract dispose(): void;

  /** Makes room for the frame that comes next, by growing or evicting. */
  protected abstract makeRoom(frameBytes: number, timeMs: number): void;

  /** Everything below `tail` may be overwritten from now on. */
  protected abstract evict(tail: number): void;

  /** Shows readers the head, and the entry behind it. */
  protected abstract publishHead(): void;

  /** Whether the log may have these sizes. If so, the room for them is there now. */
  protected abstract canBecome(sizes: LogSizes, nowMs: number): boolean;

  /** Moves the newest retained frames that fit to memory of other sizes. */
  protected abstract resize(sizes: LogSizes): void;

  // ---- writer ------------------------------------------------------------------------------------------------------

  /**
   * Hot path: per message. Makes room for the next frame, `frameBytes` long.
   * @param timeMs when the message was accepted, on the monotonic clock. @param ingressPosition the ring position of its record, 0 when there is none.
   * @param origin connection number that must not get the frame (noEcho), 0 for none; `withTtl` if its message does not count for ever.
   */
  begin(frameBytes: number, timeMs: number, ingressPosition: number, origin: number): void {
    if (!this.canHold(frameBytes)) throw new RangeError(`frame of ${frameBytes} bytes: ask canHold() first`);
    let entry = this.entryOf(this.head + 1);
    writePosition = this.index[entry + POSITION_FIELD];
    if (this.#needsRoom(writePosition + frameBytes)) {
      this.makeRoom(frameBytes, timeMs);
      entry = this.entryOf(this.head + 1);
    }
    const index = this.index;
    index[entry + TIME_FIELD] = timeMs;
    index[entry + INGRESS_FIELD] = ingressPosition;
    index[entry + ORIGIN_FIELD] = origin;
  }

  /** Hot path: appends bytes of the frame that `begin` announced. */
  write(source: Uint8Array, start: number, end: number): void {
    const bytes = this.bytes;
    const mask = this.dataMask;
    const length = end - start;
    const base = this.dataBase;
    const at = writePosition & mask;
    writePosition += length;
    if (at + length > mask + 1) {
      const first = mask + 1 - at;
      copyBytes(source, start, start + first, bytes, base + at);
      copyBytes(source, start + first, end, bytes, base);
    } else {
      copyBytes(source, start, end, bytes, base + at);
    }
  }

  /** Hot path: the frame is complete; publishes it. @param seq its message's, larger than `headSeq` */
  commit(seq: number): void {
    this.#endFrame(writePosition, seq + 1, this.head + 2);
    this.head++;
    this.headSeq = seq;
    this.publishHead();
  }

  /** The log cannot have the messages below `firstSeq`. What it retained is evicted: whoever wants less is lapped. */
  skipTo(firstSeq: number): void {
    if (firstSeq <= this.headSeq) throw new RangeError(`skipTo ${firstSeq} in a log that ends with ${this.headSeq}`);
    this.evict(this.head + 1);
    this.#endFrame(this.endPosition, firstSeq, this.head + 1);
    this.headSeq = firstSeq - 1;
    this.tailSeq = firstSeq;
    this.publishHead();
  }

  /** Nobody needs the frames before `index` any more. */
  forgetBefore(index: number): void {
    this.evict(index);
  }

  /** Message `seq` is not the newest of its key any more. Readers may see the mark late. */
  markSuperseded(seq: number): void {
    if (seq < this.tailSeq) return;
    const index = this.indexOf(seq);
    if (this.seqAt(index) === seq) this.markSupersededAt(index);
  }

  /** The same of a retained frame. */
  markSupersededAt(index: number): void {
    if (!this.isSupersededAt(index)) this.index[this.entryOf(index) + ORIGIN_FIELD] += SUPERSEDED;
  }

  /** Where frame `next` will start, in bytes and in seqs. */
  #endFrame(position: number, firstSeq: number, next: number): void {
    const entry = this.entryOf(next);
    this.index[entry + POSITION_FIELD] = position;
    this.index[entry + FIRST_SEQ_FIELD] = firstSeq;
  }

  /**
   * Says that the frame of message `seq` is about to be made. Returns how often that was said before: by writers that died
   * of it. Kept in the entry behind the head, where no reader looks, until `begin`.
   */
  noteAttempt(seq: number): number {
    const noted = this.#attempt;
    const before = Math.floor(noted / ATTEMPTS_RADIX) === seq ? noted % ATTEMPTS_RADIX : 0;
    this.#note(seq * ATTEMPTS_RADIX + Math.min(before + 1, ATTEMPTS_MAX));
    return before;
  }

  /** Says that message `seq` gets no frame: whoever goes on with the log goes on behind it. */
  notePassed(seq: number): void {
    this.#note((seq + 1) * ATTEMPTS_RADIX);
  }

  /** The first message that may have a frame to come. */
  get attemptSeq(): number {
    return Math.max(this.headSeq + 1, Math.floor(this.#attempt / ATTEMPTS_RADIX));
  }

  #note(attempt: number): void {
    this.index[this.entryOf(this.head + 1) + INGRESS_FIELD] = -attempt;
  }

  get #attempt(): number {
    return -this.index[this.entryOf(this.head + 1) + INGRESS_FIELD];
  }

  /**
   * Gives this empty log the frames that `from` retains, under the same indexes: as many of the newest as its sizes can
   * hold. A plain log grows for them as far as its limits and its budget allow, whether history and age keep them or not;
   * the next `trim` asks that. Nobody writes to `from` any more.
   */
  takeOver(from: FrameLog): void {
    from.refresh();
    if (this.retainedFrames !== 0) throw new RangeError(`takeOver by a log of ${this.retainedFrames} frames`);
    const until = from.head + 1;
    let tail = from.tail;
    let high = until;
    while (tail < high) {
      const middle = tail + Math.floor((high - tail) / 2);
      if (this.canBecome(sizesFor(from, middle, this.sizes()), from.timeAt(from.head))) high = middle;
      else tail = middle + 1;
    }
    this.resize(sizesFor(from, tail, this.sizes()));
    copyFrames(from.place(), this.place(), tail, until);
    // Positions in another home's ring mean nothing here. Marks are no positions.
    for (let index = tail; index < until; index++) {
      const at = this.entryOf(index) + INGRESS_FIELD;
      if (this.index[at] > 0) this.index[at] = 0;
    }
    this.head = from.head;
    this.headSeq = from.headSeq;
    this.evict(tail);
    // Publishes all of it at once.
    this.publishHead();
  }

  // ---- reader ------------------------------------------------------------------------------------------------------

  /**
   * The frame that a cursor gets next; behind the head when there is none. The cursor must not be lapped.
   *
   * A shared log's writer may overwrite entries meanwhile. What they say then is larger than what any retained one says, so
   * that the result is right or below the new tail, which `copy` and `isStillRetained` find: then ask again.
   */
  indexOf(cursor: number): number {
    if (cursor > this.headSeq) return this.head + 1;
    let high = this.head;
    // Without holes behind it this is it; with some, a later one.
    const guess = high - (this.headSeq - cursor);
    let low = Math.max(this.tail, guess);
    if (guess === low && this.firstSeqAt(guess) <= cursor && cursor < this.firstSeqAt(guess + 1)) return guess;
    while (low < high) {
      const middle = low + Math.ceil((high - low) / 2);
      if (this.firstSeqAt(middle) <= cursor) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Frames that a cursor is still to get. Of those that are gone, as many as there are numbers. */
  framesFrom(cursor: number): number {
    if (cursor > this.headSeq) return 0;
    if (cursor < this.tailSeq) return this.tailSeq - cursor + this.retainedFrames;
    return this.head + 1 - this.indexOf(cursor);
  }

  /** The cursor that gets the newest frame next; what comes next if that is not retained. */
  newestCursor(): number {
    for (;;) {
      if (this.retainedFrames === 0) return this.tailSeq;
      const cursor = this.firstSeqAt(this.head);
      if (this.isStillRetained(this.head)) return cursor;
    }
  }

  /** The smallest cursor that gets frame `index` next; behind the head, the one that gets what comes next. */
  firstSeqAt(index: number): number {
    const seq = this.index[this.entryOf(index) + FIRST_SEQ_FIELD];
    // Small integers as such: V8 would box what comes out of a Float64Array in every field that it is kept in.
    const small = seq | 0;
    return small === seq ? small : seq;
  }

  /** Seq of frame `index`. */
  seqAt(index: number): number {
    return this.firstSeqAt(index + 1) - 1;
  }

  /** Absolute byte position at which frame `index` starts; behind the head the end of the log. */
  positionAt(index: number): number {
    return this.index[this.entryOf(index) + POSITION_FIELD];
  }

  /** Where the next frame will start. */
  protected get endPosition(): number {
    return this.positionAt(this.head + 1);
  }

  /** When frame `index` was accepted, on the monotonic clock (ms): what it says to others stands in the frame. */
  timeAt(index: number): number {
    return this.index[this.entryOf(index) + TIME_FIELD];
  }

  ingressPositionAt(index: number): number {
    return this.index[this.entryOf(index) + INGRESS_FIELD];
  }

  /** Connection number that must not get frame `index`; 0: everyone gets it. */
  originAt(index: number): number {
    return this.index[this.entryOf(index) + ORIGIN_FIELD] % SUPERSEDED;
  }

  /** Whether a later message has the key of frame `index`. */
  isSupersededAt(index: number): boolean {
    return Math.floor(this.index[this.entryOf(index) + ORIGIN_FIELD] / SUPERSEDED) % 2 === 1;
  }

  /** Its origin, as `begin` takes it for another frame of the same message. */
  originWithTtlAt(index: number): number {
    const origin = this.index[this.entryOf(index) + ORIGIN_FIELD];
    return this.isSupersededAt(index) ? origin - SUPERSEDED : origin;
  }

  /** How long the message of frame `index` counts (ms); 0: for ever. */
  ttlMsAt(index: number): number {
    return ttlOf(this.index[this.entryOf(index) + ORIGIN_FIELD]);
  }

  /** From when on the message of frame `index` does not count any more, on the monotonic clock (ms); Infinity: never. */
  expiryMsAt(index: number): number {
    const ttlMs = this.ttlMsAt(index);
    return ttlMs === 0 ? Number.POSITIVE_INFINITY : this.timeAt(index) + ttlMs;
  }

  /** Bytes of the frames `from … until − 1`. */
  sliceBytes(from: number, until: number): number {
    return this.positionAt(until) - this.positionAt(from);
  }

  /** The largest `until` for which the slice from `from` is at most `maxBytes`, and at least one frame. */
  fit(from: number, maxBytes: number): number {
    const limit = this.positionAt(from) + maxBytes;
    let low = from + 1;
    let high = this.head + 1;
    while (low < high) {
      const middle = low + Math.ceil((high - low) / 2);
      if (this.positionAt(middle) <= limit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /**
   * Copies the frames `from … until − 1` to `target`. Returns the bytes copied, or EVICTED when a shared log's writer
   * overtook the copy: then nothing in `target` may be used.
   */
  copy(from: number, until: number, target: Uint8Array, at: number): number {
    const position = this.positionAt(from);
    const length = this.positionAt(until) - position;
    // An index entry that was overwritten meanwhile can say anything; the check below would find it, but not in time.
    if (!(length >= 0 && length <= target.length - at)) {
      // Learns the tail all the same: who asks again with the old view would be refused for ever.
      this.isStillRetained(from);
      return EVICTED;
    }
    const bytes = this.bytes;
    const base = this.dataBase;
    const start = position & this.dataMask;
    const first = Math.min(length, this.dataMask + 1 - start);
    copyBytes(bytes, base + start, base + start + first, target, at);
    if (first < length) copyBytes(bytes, base, base + length - first, target, at + first);
    return this.isStillRetained(from) ? length : EVICTED;
  }

  // ---- room --------------------------------------------------------------------------------------------------------

  #needsRoom(endPosition: number): boolean {
    const tail = this.tail;
    // Slots tail … head + 2 are in use once the next frame is committed.
    if (this.head + 2 - tail > this.frameMask) return true;
    return endPosition - this.positionAt(tail) > this.dataMask + 1;
  }

  /** Evicts until a frame of this size has room. */
  protected makeRoomByEvicting(frameBytes: number): void {
    const next = this.head + 1;
    const lowest = this.endPosition + frameBytes - (this.dataMask + 1);
    let tail = this.tail;
    while (tail < next && (this.positionAt(tail) < lowest || next + 1 - tail > this.frameMask)) tail++;
    if (tail !== this.tail) this.evict(tail);
  }

  protected sizes(): LogSizes {
    return { dataBytes: this.dataMask + 1, frames: this.frameMask + 1 };
  }

  protected place(): LogMemory {
    const { index, bytes, entryBase, dataBase, frameMask, dataMask } = this;
    return { index, bytes, entryBase, dataBase, frameMask, dataMask };
  }

  /** Hot path. Index field at which the entry of frame `index` begins. */
  protected entryOf(index: number): number {
    return this.entryBase + (index & this.frameMask) * ENTRY_FIELDS;
  }
}
