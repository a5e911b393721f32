/**
 * Frame log: the bounded, contiguous byte log of a stream's recent frames, addressed by `seq`.
 *
 * A frame is *retained* from its commit until the tail passes it. A cursor (the seq wanted next) is *lapped* when it is
 * below `tailSeq`. Frames lie one behind the other, so everything from a cursor to the head is one slice of bytes.
 *
 * Shared logs: the writer may evict at any time, also while a reader copies. So it publishes the new tail BEFORE it
 * overwrites a byte, and a reader copies first and re-reads the tail after: what was evicted meanwhile is not used.
 */

import { copyBytes } from './copy.js';
import {
  ATTEMPTS_MAX,
  DATA_CAPACITY_INDEX,
  DATA_MIN_BYTES,
  ENTRY_BYTES,
  ENTRY_FIELDS,
  FIRST_SEQ_INDEX,
  FRAMES_CAPACITY_INDEX,
  FRAMES_MIN,
  HEAD_WORD,
  HEADER_BYTES,
  INGRESS_FIELD,
  isPowerOfTwo,
  ORIGIN_FIELD,
  POSITION_FIELD,
  TAIL_WORD,
  TIME_FIELD,
} from './layout.js';
import { isKept, type PlainLogLimits } from './log-limits.js';
import { copyFrames, type LogMemory, plainMemory } from './log-memory.js';
import { halfOf, memoryOf, SMALLEST, sizeFor, sizesFor } from './log-sizes.js';
import type { LogSlab } from './log-slabs.js';

/** Result of `copy` when the writer evicted a part of the slice during the copy. */
export const EVICTED = -1;

export interface LogSizes {
  /** Bytes of frames; a power of two. */
  readonly dataBytes: number;
  /** Index slots; a power of two; one more than the frames retained. */
  readonly frames: number;
}

/**
 * Writer: the topic's home (one thread). Readers: the accept thread.
 * A shared log has one object per side over the same memory; a plain log is one object for both.
 */
export class FrameLog {
  /** Newest retained frame; `tailSeq - 1` while the log is empty. A reader's view is as old as its last `refresh`. */
  headSeq: number;
  /** Oldest retained frame. */
  tailSeq: number;

  #words: Int32Array<SharedArrayBuffer> | null = null;
  #limits: PlainLogLimits | null = null;
  // The fields of its `LogMemory`, here for one look-up less on the hot path.
  #bytes!: Uint8Array;
  #index!: Float64Array;
  #dataBase = 0;
  #entryBase = 0;
  #dataMask = 0;
  #frameMask = 0;
  #slab: LogSlab | null = null;
  #slot = 0;
  /** Writer: where the next byte goes; equals the head's end outside `begin … commit`. */
  #writePosition = 0;

  private constructor(memory: LogMemory, firstSeq: number) {
    this.#moveTo(memory);
    this.tailSeq = firstSeq;
    this.headSeq = firstSeq - 1;
  }

  /** A log in this thread's memory that starts small and grows up to `limits`. */
  static plain(limits: PlainLogLimits, firstSeq = 1): FrameLog {
    if (!isPowerOfTwo(limits.dataBytes) || !isPowerOfTwo(limits.frames) || limits.frames < FRAMES_MIN) {
      throw new RangeError(`log sizes must be powers of two: ${limits.dataBytes} bytes, ${limits.frames} frames`);
    }
    const sizes = { dataBytes: Math.min(DATA_MIN_BYTES, limits.dataBytes), frames: FRAMES_MIN };
    const log = new FrameLog(plainMemory(sizes.dataBytes, sizes.frames, limits.slabs), firstSeq);
    log.#limits = limits;
    limits.budget?.opened(log);
    return log;
  }

  /**
   * One side of a shared log, new or in use: a reader, the writer, or the successor of a writer that is gone for good
   * (layout.ts says why it can go on). Exactly one of the objects over the same memory may write.
   * @param nearSeq any seq less than 2^31 from the head and the tail; by default the first one that the log was made for
   */
  static shared(memory: SharedArrayBuffer, nearSeq?: number): FrameLog {
    const fixed = new Float64Array(memory, 0, HEADER_BYTES / Float64Array.BYTES_PER_ELEMENT);
    const frames = fixed[FRAMES_CAPACITY_INDEX];
    const dataBytes = fixed[DATA_CAPACITY_INDEX];
    const index = new Float64Array(memory, HEADER_BYTES, frames * ENTRY_FIELDS);
    const bytes = new Uint8Array(memory, HEADER_BYTES + frames * ENTRY_BYTES, dataBytes);
    const place = { index, bytes, entryBase: 0, dataBase: 0, frameMask: frames - 1, dataMask: dataBytes - 1 };
    const log = new FrameLog({ ...place, slab: null, slot: 0 }, nearSeq ?? fixed[FIRST_SEQ_INDEX]);
    log.#words = new Int32Array(memory, 0, HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT);
    log.refresh();
    log.#writePosition = log.positionOf(log.headSeq + 1);
    return log;
  }

  get isShared(): boolean {
    return this.#words !== null;
  }

  /** A shared log's memory, with which it can be opened elsewhere. */
  get memory(): SharedArrayBuffer | null {
    return this.#words?.buffer ?? null;
  }

  get dataCapacityBytes(): number {
    return this.#dataMask + 1;
  }

  /** Index and data. */
  get memoryBytes(): number {
    return (this.#frameMask + 1) * ENTRY_BYTES + this.#dataMask + 1;
  }

  /** Largest frame that this log can ever hold. */
  get frameMaxBytes(): number {
    return this.#limits === null ? this.#dataMask + 1 : this.#limits.dataBytes;
  }

  /** Whether a frame of this size can be appended: the log may become as large, though others give room for it. */
  canHold(frameBytes: number): boolean {
    const capacity = this.#dataMask + 1;
    if (frameBytes <= capacity) return true;
    const limits = this.#limits;
    if (limits === null || frameBytes > limits.dataBytes) return false;
    const dataBytes = sizeFor(frameBytes, capacity);
    return limits.budget?.canHold(memoryOf({ dataBytes, frames: FRAMES_MIN })) ?? true;
  }

  get retainedFrames(): number {
    return this.headSeq - this.tailSeq + 1;
  }

  // ---- writer ------------------------------------------------------------------------------------------------------

  /**
   * Hot path: per message. Makes room for the next frame, `frameBytes` long, by growing (plain) or evicting.
   * @param timeMs when the message was accepted, on the monotonic clock. @param ingressPosition the ring position of its record, 0 when there is none.
   * @param origin connection number that must not get the frame (noEcho), 0 for none.
   */
  begin(frameBytes: number, timeMs: number, ingressPosition: number, origin: number): void {
    if (!this.canHold(frameBytes)) throw new RangeError(`frame of ${frameBytes} bytes: ask canHold() first`);
    const seq = this.headSeq + 1;
    const position = this.#writePosition;
    if (this.#needsRoom(position + frameBytes, seq)) this.#makeRoom(frameBytes, seq, timeMs);
    const entry = this.#entryOf(seq);
    const index = this.#index;
    index[entry + POSITION_FIELD] = position;
    index[entry + TIME_FIELD] = timeMs;
    index[entry + INGRESS_FIELD] = ingressPosition;
    index[entry + ORIGIN_FIELD] = origin;
  }

  /** Hot path: appends bytes of the frame that `begin` announced. */
  write(source: Uint8Array, start: number, end: number): void {
    const bytes = this.#bytes;
    const mask = this.#dataMask;
    const length = end - start;
    const base = this.#dataBase;
    const at = this.#writePosition & mask;
    this.#writePosition += length;
    if (at + length > mask + 1) {
      const first = mask + 1 - at;
      copyBytes(source, start, start + first, bytes, base + at);
      copyBytes(source, start + first, end, bytes, base);
    } else {
      copyBytes(source, start, end, bytes, base + at);
    }
  }

  /** Hot path: the frame is complete; publishes it. Returns its seq. */
  commit(): number {
    const seq = this.headSeq + 1;
    this.#index[this.#entryOf(seq + 1) + POSITION_FIELD] = this.#writePosition;
    this.headSeq = seq;
    // Publishes the frame's bytes and index entries. Pairs with the load in `refresh`.
    if (this.#words !== null) Atomics.store(this.#words, HEAD_WORD, seq | 0);
    return seq;
  }

  /** Goes on with a later seq than the next one. What the log retained is evicted: its readers are lapped. */
  skipTo(firstSeq: number): void {
    if (firstSeq <= this.headSeq) throw new RangeError(`skipTo ${firstSeq} in a log that ends with ${this.headSeq}`);
    // First all frames: the entry behind the gap may lie in the slot of one of them.
    this.#evict(this.headSeq + 1);
    this.#index[this.#entryOf(firstSeq) + POSITION_FIELD] = this.#writePosition;
    this.headSeq = firstSeq - 1;
    this.#evict(firstSeq);
    // Pairs with the load in `refresh`, like the store in `commit`.
    if (this.#words !== null) Atomics.store(this.#words, HEAD_WORD, this.headSeq | 0);
  }

  /**
   * Says that the next frame is about to be made. Returns how often that was said before: by writers that died of it.
   * Kept in the entry behind the head, where no reader looks, until `begin`.
   */
  noteAttempt(): number {
    const seq = this.headSeq + 1;
    const at = this.#entryOf(seq) + INGRESS_FIELD;
    const radix = ATTEMPTS_MAX + 1;
    const noted = -this.#index[at] - seq * radix;
    const before = noted > 0 && noted <= ATTEMPTS_MAX ? noted : 0;
    this.#index[at] = -(seq * radix + Math.min(before + 1, ATTEMPTS_MAX));
    return before;
  }

  /**
   * Gives this empty log, made for any seq up to `from`'s next one, the frames that `from` retains: as many of the newest
   * as its sizes can hold. A plain log grows for them as far as its limits and its budget allow, whether history and age
   * keep them or not; the next `trim` asks that. Nobody writes to `from` any more.
   */
  takeOver(from: FrameLog): void {
    from.refresh();
    const untilSeq = from.headSeq + 1;
    if (this.retainedFrames !== 0 || this.tailSeq > untilSeq) {
      throw new RangeError(`takeOver of frames up to ${from.headSeq} by a log of ${this.tailSeq} … ${this.headSeq}`);
    }
    let tail = from.tailSeq;
    let high = untilSeq;
    while (tail < high) {
      const middle = tail + Math.floor((high - tail) / 2);
      if (this.#canBecome(sizesFor(from, middle, this.#sizes()), from.timeOf(from.headSeq))) high = middle;
      else tail = middle + 1;
    }
    this.#resize(sizesFor(from, tail, this.#sizes()));
    copyFrames(from.#place(), this.#place(), tail, untilSeq);
    // Positions in another home's ring mean nothing here. Marks are no positions.
    for (let seq = tail; seq < untilSeq; seq++) {
      const at = this.#entryOf(seq) + INGRESS_FIELD;
      if (this.#index[at] > 0) this.#index[at] = 0;
    }
    this.#writePosition = from.positionOf(untilSeq);
    this.headSeq = untilSeq - 1;
    this.#evict(tail);
    // Publishes all of it at once. Pairs with the load in `refresh`, like the store in `commit`.
    if (this.#words !== null) Atomics.store(this.#words, HEAD_WORD, this.headSeq | 0);
  }

  /** Gives memory back (plain logs): forgets what neither history nor `retainMs` keeps, then halves while mostly empty. */
  trim(nowMs: number): void {
    const limits = this.#limits;
    if (limits === null) return;
    while (this.tailSeq <= this.headSeq && !isKept(this, this.tailSeq, nowMs, limits)) this.tailSeq++;
    const usedBytes = this.#writePosition - this.positionOf(this.tailSeq);
    const usedFrames = this.retainedFrames + 1;
    let { dataBytes, frames } = this.#sizes();
    while (dataBytes > DATA_MIN_BYTES && usedBytes * 4 <= dataBytes) dataBytes /= 2;
    while (frames > FRAMES_MIN && usedFrames * 4 <= frames) frames /= 2;
    this.#resize({ dataBytes, frames });
  }

  /** Gives half of its memory to others (plain logs), or more when what is left needs less: the newest frames stay. */
  giveHalf(): void {
    const half = halfOf(this.#sizes());
    this.#resize(sizesFor(this, this.#tailWithin(half), SMALLEST));
  }

  /** Whether nothing has come for as long as frames are kept for readers that lag. */
  isIdle(nowMs: number): boolean {
    return this.#limits === null || this.timeOf(this.headSeq) <= nowMs - this.#limits.retainMs;
  }

  /** The log will not be used any more: its memory no longer counts. */
  dispose(): void {
    this.#limits?.budget?.closed(this);
    if (this.#slab !== null) this.#limits?.slabs?.give(this.#slab, this.#slot);
    this.#slab = null;
    this.#limits = null;
  }

  /** Whether `trim` may find something to give back. */
  get isInflated(): boolean {
    return this.#limits !== null && (this.#dataMask + 1 > DATA_MIN_BYTES || this.#frameMask + 1 > FRAMES_MIN);
  }

  // ---- reader ------------------------------------------------------------------------------------------------------

  /** Takes over what the writer has published since. Plain logs are always up to date. */
  refresh(): void {
    const words = this.#words;
    if (words === null) return;
    // The tail first: the head moves with it or before the next move, so a head read later is not behind it.
    // Pairs with the exchange in `#evict` and the store in `commit`: what lies between is complete.
    const tail = Atomics.load(words, TAIL_WORD);
    const head = Atomics.load(words, HEAD_WORD);
    // Only the low halves are shared; each side follows the other by less than 2^31 frames, so the difference is exact.
    this.headSeq += (head - this.headSeq) | 0;
    this.tailSeq += (tail - this.tailSeq) | 0;
    // `skipTo` publishes the tail first. Whoever sees that, or finds it left so by a writer that died, sees an empty log.
    if (this.headSeq < this.tailSeq - 1) this.headSeq = this.tailSeq - 1;
  }

  /** Absolute byte position at which frame `seq` starts; for `headSeq + 1` the end of the log. */
  positionOf(seq: number): number {
    return this.#index[this.#entryOf(seq) + POSITION_FIELD];
  }

  /** When frame `seq` was accepted, on the monotonic clock (ms): what it says to others stands in the frame. */
  timeOf(seq: number): number {
    return this.#index[this.#entryOf(seq) + TIME_FIELD];
  }

  ingressPositionOf(seq: number): number {
    return this.#index[this.#entryOf(seq) + INGRESS_FIELD];
  }

  /** Connection number that must not get frame `seq`; 0: everyone gets it. */
  originOf(seq: number): number {
    return this.#index[this.#entryOf(seq) + ORIGIN_FIELD];
  }

  /** Bytes of the frames `fromSeq … untilSeq − 1`. */
  sliceBytes(fromSeq: number, untilSeq: number): number {
    return this.positionOf(untilSeq) - this.positionOf(fromSeq);
  }

  /** The largest `until` for which the slice from `fromSeq` is at most `maxBytes`, and at least one frame. */
  fit(fromSeq: number, maxBytes: number): number {
    const limit = this.positionOf(fromSeq) + maxBytes;
    let low = fromSeq + 1;
    let high = this.headSeq + 1;
    while (low < high) {
      const middle = low + Math.ceil((high - low) / 2);
      if (this.positionOf(middle) <= limit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /**
   * The frames `fromSeq … untilSeq − 1` where they lie, or null when that is not possible: the writer of a shared log could
   * overwrite them, or they lie on both sides of the buffer's end. Good until the frame at `fromSeq` is evicted.
   */
  viewInPlace(fromSeq: number, untilSeq: number): Uint8Array | null {
    if (this.#words !== null) return null;
    const position = this.positionOf(fromSeq);
    const length = this.positionOf(untilSeq) - position;
    const start = position & this.#dataMask;
    if (start + length > this.#dataMask + 1) return null;
    return this.#bytes.subarray(this.#dataBase + start, this.#dataBase + start + length);
  }

  /**
   * Copies the frames `fromSeq … untilSeq − 1` to `target`. Returns the bytes copied, or EVICTED when a shared log's
   * writer overtook the copy: then nothing in `target` may be used.
   */
  copy(fromSeq: number, untilSeq: number, target: Uint8Array, at: number): number {
    const from = this.positionOf(fromSeq);
    const length = this.positionOf(untilSeq) - from;
    // An index entry that was overwritten meanwhile can say anything; the check below would find it, but not in time.
    if (!(length >= 0 && length <= target.length - at)) {
      // Learns the tail all the same: who asks again with the old view would be refused for ever.
      this.isStillRetained(fromSeq);
      return EVICTED;
    }
    const bytes = this.#bytes;
    const base = this.#dataBase;
    const start = from & this.#dataMask;
    const first = Math.min(length, this.#dataMask + 1 - start);
    copyBytes(bytes, base + start, base + start + first, target, at);
    if (first < length) copyBytes(bytes, base, base + length - first, target, at + first);
    return this.isStillRetained(fromSeq) ? length : EVICTED;
  }

  /** Whether frame `seq` is retained now: asked after reading it or its index entry. */
  isStillRetained(seq: number): boolean {
    const words = this.#words;
    if (words === null) return seq >= this.tailSeq;
    // A read-modify-write that changes nothing: unlike a plain load it keeps the copy's reads before it on every CPU
    // (H.-J. Boehm, "Can seqlocks get along with programming language memory models?"). Pairs with `#evict`.
    const tail = Atomics.add(words, TAIL_WORD, 0);
    this.tailSeq += (tail - this.tailSeq) | 0;
    return seq >= this.tailSeq;
  }

  // ---- room --------------------------------------------------------------------------------------------------------

  #needsRoom(endPosition: number, seq: number): boolean {
    const tail = this.tailSeq;
    // Slots tail … seq + 1 are in use once `seq` is committed.
    if (seq + 1 - tail > this.#frameMask) return true;
    return endPosition - this.positionOf(tail) > this.#dataMask + 1;
  }

  #makeRoom(frameBytes: number, seq: number, timeMs: number): void {
    if (this.#limits !== null) this.#grow(this.#limits, frameBytes, seq, timeMs);
    const lowest = this.#writePosition + frameBytes - (this.#dataMask + 1);
    let tail = this.tailSeq;
    while (tail < seq && (this.positionOf(tail) < lowest || seq + 1 - tail > this.#frameMask)) tail++;
    if (tail !== this.tailSeq) this.#evict(tail);
  }

  #evict(tail: number): void {
    this.tailSeq = tail;
    // Says that everything below `tail` may be overwritten from now on, before it is: an exchange and not a store, so
    // that no later write to data or index can become visible before it. Pairs with `isStillRetained` and `refresh`.
    if (this.#words !== null) Atomics.exchange(this.#words, TAIL_WORD, tail | 0);
  }

  #grow(limits: PlainLogLimits, frameBytes: number, seq: number, timeMs: number): void {
    let { dataBytes, frames } = this.#sizes();
    dataBytes = sizeFor(frameBytes, dataBytes);
    const needed = { dataBytes, frames };
    // What is not kept goes now, all of it: looked at once, and not again for each of the next thousand frames.
    let tail = this.tailSeq;
    while (tail < seq && !isKept(this, tail, timeMs, limits)) tail++;
    this.tailSeq = tail;
    if (tail < seq) {
      const neededBytes = this.#writePosition + frameBytes - this.positionOf(tail);
      while (dataBytes < neededBytes && dataBytes < limits.dataBytes) dataBytes *= 2;
      while (seq + 1 - tail > frames - 1 && frames < limits.frames) frames *= 2;
    }
    if (this.#canBecome({ dataBytes, frames }, timeMs)) {
      this.#resize({ dataBytes, frames });
    } else {
      // The frame alone; that much can be had, `canHold` has said, if with the fewest index slots.
      if (limits.budget?.canHold(memoryOf(needed)) === false) needed.frames = FRAMES_MIN;
      limits.budget?.require(this, memoryOf(needed), timeMs);
      this.#resize(needed);
    }
  }

  #sizes(): LogSizes {
    return { dataBytes: this.#dataMask + 1, frames: this.#frameMask + 1 };
  }

  /** Whether the log may become as large as that to keep more. If so, the budget has the room now. */
  #canBecome(sizes: LogSizes, nowMs: number): boolean {
    const bytes = memoryOf(sizes);
    if (bytes === this.memoryBytes) return true;
    const limits = this.#limits;
    if (limits === null || sizes.dataBytes > limits.dataBytes || sizes.frames > limits.frames) return false;
    return limits.budget?.request(this, bytes, nowMs) ?? true;
  }

  /** Oldest of the retained frames that fit into these sizes together with all newer ones. */
  #tailWithin({ dataBytes, frames }: LogSizes): number {
    const untilSeq = this.headSeq + 1;
    const lowest = this.#writePosition - dataBytes;
    let tail = this.tailSeq;
    while (tail < untilSeq && (this.positionOf(tail) < lowest || untilSeq - tail > frames - 1)) tail++;
    return tail;
  }

  /** Moves the newest retained frames that fit to memory of other sizes. Plain logs only, unless the sizes are the same. */
  #resize(sizes: LogSizes): void {
    const { dataBytes, frames } = sizes;
    if (dataBytes === this.#dataMask + 1 && frames === this.#frameMask + 1) return;
    const old = this.#place();
    const tail = this.#tailWithin(sizes);
    const memory = plainMemory(dataBytes, frames, this.#limits?.slabs);
    copyFrames(old, memory, tail, this.headSeq + 1);
    const oldBytes = this.memoryBytes;
    if (old.slab !== null) this.#limits?.slabs?.give(old.slab, old.slot);
    this.tailSeq = tail;
    this.#moveTo(memory);
    this.#limits?.budget?.resized(this, oldBytes);
  }

  #moveTo(memory: LogMemory): void {
    this.#index = memory.index;
    this.#bytes = memory.bytes;
    this.#entryBase = memory.entryBase;
    this.#dataBase = memory.dataBase;
    this.#frameMask = memory.frameMask;
    this.#dataMask = memory.dataMask;
    this.#slab = memory.slab;
    this.#slot = memory.slot;
  }

  #place(): LogMemory {
    return {
      index: this.#index,
      bytes: this.#bytes,
      entryBase: this.#entryBase,
      dataBase: this.#dataBase,
      frameMask: this.#frameMask,
      dataMask: this.#dataMask,
      slab: this.#slab,
      slot: this.#slot,
    };
  }

  /** Hot path. Index field at which the entry of `seq` begins. */
  #entryOf(seq: number): number {
    return this.#entryBase + (seq & this.#frameMask) * ENTRY_FIELDS;
  }
}
