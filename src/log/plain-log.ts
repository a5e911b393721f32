/** Plain log: a frame log in this thread's memory that starts small and grows up to its limits. One object for both sides. */

import { FrameLog, type LogSizes } from './frame-log.js';
import { DATA_MIN_BYTES, FIRST_SEQ_FIELD, FRAMES_MIN, isPowerOfTwo } from './layout.js';
import { isKept, type PlainLogLimits } from './log-limits.js';
import { copyFrames, type LogMemory, plainMemory } from './log-memory.js';
import { halfOf, memoryOf, SMALLEST, sizeFor, sizesFor } from './log-sizes.js';

export class PlainLog extends FrameLog {
  /** Null once it is disposed of. */
  #limits: PlainLogLimits | null;

  constructor(limits: PlainLogLimits, firstSeq = 1) {
    if (!isPowerOfTwo(limits.dataBytes) || !isPowerOfTwo(limits.frames) || limits.frames < FRAMES_MIN) {
      throw new RangeError(`log sizes must be powers of two: ${limits.dataBytes} bytes, ${limits.frames} frames`);
    }
    const memory = plainMemory(Math.min(DATA_MIN_BYTES, limits.dataBytes), FRAMES_MIN, limits.slabs);
    super(memory, firstSeq);
    this.#limits = limits;
    this.index[this.entryOf(1) + FIRST_SEQ_FIELD] = firstSeq;
    limits.budget?.opened(this);
  }

  get frameMaxBytes(): number {
    return this.#limits === null ? this.dataMask + 1 : this.#limits.dataBytes;
  }

  /** The log may become as large as that, though others give room for it. */
  canHold(frameBytes: number): boolean {
    const capacity = this.dataMask + 1;
    if (frameBytes <= capacity) return true;
    const limits = this.#limits;
    if (limits === null || frameBytes > limits.dataBytes) return false;
    const dataBytes = sizeFor(frameBytes, capacity);
    return limits.budget?.canHold(memoryOf({ dataBytes, frames: FRAMES_MIN })) ?? true;
  }

  /** It is always up to date. */
  refresh(): void {}

  isStillRetained(index: number): boolean {
    return index >= this.tail;
  }

  viewInPlace(from: number, until: number): Uint8Array | null {
    const position = this.positionAt(from);
    const length = this.positionAt(until) - position;
    const start = position & this.dataMask;
    if (start + length > this.dataMask + 1) return null;
    return this.bytes.subarray(this.dataBase + start, this.dataBase + start + length);
  }

  /** Forgets what neither history nor `retainMs` keeps, then halves while mostly empty: gives memory back. */
  trim(nowMs: number): void {
    const limits = this.#limits;
    if (limits === null) return;
    let { tail } = this;
    while (tail <= this.head && !isKept(this, tail, nowMs, limits)) tail++;
    this.evict(tail);
    const usedBytes = this.endPosition - this.positionAt(tail);
    const usedFrames = this.retainedFrames + 1;
    let { dataBytes, frames } = this.sizes();
    while (dataBytes > DATA_MIN_BYTES && usedBytes * 4 <= dataBytes) dataBytes /= 2;
    while (frames > FRAMES_MIN && usedFrames * 4 <= frames) frames /= 2;
    this.resize({ dataBytes, frames });
  }

  /** Gives half of its memory to others, or more when what is left needs less: the newest frames stay. */
  giveHalf(): void {
    const half = halfOf(this.sizes());
    this.resize(sizesFor(this, this.#tailWithin(half), SMALLEST));
  }

  /** Whether nothing has come for as long as frames are kept for readers that lag. */
  isIdle(nowMs: number): boolean {
    return this.#limits === null || this.timeAt(this.head) <= nowMs - this.#limits.retainMs;
  }

  /** Whether `trim` may find something to give back. */
  get isInflated(): boolean {
    return this.#limits !== null && (this.dataMask + 1 > DATA_MIN_BYTES || this.frameMask + 1 > FRAMES_MIN);
  }

  /** Its memory no longer counts. */
  dispose(): void {
    this.#limits?.budget?.closed(this);
    this.#limits?.slabs?.giveBack(this.index, this.entryBase);
    this.#limits = null;
  }

  // ---- room --------------------------------------------------------------------------------------------------------

  protected makeRoom(frameBytes: number, timeMs: number): void {
    if (this.#limits !== null) this.#grow(this.#limits, frameBytes, timeMs);
    this.makeRoomByEvicting(frameBytes);
  }

  protected evict(tail: number): void {
    this.tail = tail;
    this.tailSeq = this.firstSeqAt(tail);
  }

  protected publishHead(): void {}

  #grow(limits: PlainLogLimits, frameBytes: number, timeMs: number): void {
    let { dataBytes, frames } = this.sizes();
    dataBytes = sizeFor(frameBytes, dataBytes);
    const needed = { dataBytes, frames };
    const next = this.head + 1;
    // What is not kept goes now, all of it: looked at once, and not again for each of the next thousand frames.
    let { tail } = this;
    while (tail < next && !isKept(this, tail, timeMs, limits)) tail++;
    this.evict(tail);
    if (tail < next) {
      const neededBytes = this.endPosition + frameBytes - this.positionAt(tail);
      while (dataBytes < neededBytes && dataBytes < limits.dataBytes) dataBytes *= 2;
      while (next + 1 - tail > frames - 1 && frames < limits.frames) frames *= 2;
    }
    if (this.canBecome({ dataBytes, frames }, timeMs)) {
      this.resize({ dataBytes, frames });
    } else {
      // The frame alone; that much can be had, `canHold` has said, if with the fewest index slots.
      if (limits.budget?.canHold(memoryOf(needed)) === false) needed.frames = FRAMES_MIN;
      limits.budget?.require(this, memoryOf(needed), timeMs);
      this.resize(needed);
    }
  }

  protected canBecome(sizes: LogSizes, nowMs: number): boolean {
    const bytes = memoryOf(sizes);
    if (bytes === this.memoryBytes) return true;
    const limits = this.#limits;
    if (limits === null || sizes.dataBytes > limits.dataBytes || sizes.frames > limits.frames) return false;
    return limits.budget?.request(this, bytes, nowMs) ?? true;
  }

  protected resize(sizes: LogSizes): void {
    const { dataBytes, frames } = sizes;
    if (dataBytes === this.dataMask + 1 && frames === this.frameMask + 1) return;
    const tail = this.#tailWithin(sizes);
    const memory = plainMemory(dataBytes, frames, this.#limits?.slabs);
    copyFrames(this.place(), memory, tail, this.head + 1);
    const oldBytes = this.memoryBytes;
    this.#limits?.slabs?.giveBack(this.index, this.entryBase);
    this.#moveTo(memory);
    this.evict(tail);
    this.#limits?.budget?.resized(this, oldBytes);
  }

  /** Oldest of the retained frames that fit into these sizes together with all newer ones. */
  #tailWithin({ dataBytes, frames }: LogSizes): number {
    const until = this.head + 1;
    const lowest = this.endPosition - dataBytes;
    let { tail } = this;
    while (tail < until && (this.positionAt(tail) < lowest || until - tail > frames - 1)) tail++;
    return tail;
  }

  #moveTo(memory: LogMemory): void {
    this.index = memory.index;
    this.bytes = memory.bytes;
    this.entryBase = memory.entryBase;
    this.dataBase = memory.dataBase;
    this.frameMask = memory.frameMask;
    this.dataMask = memory.dataMask;
  }
}
