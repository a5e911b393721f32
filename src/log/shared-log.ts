/**
 * Shared log: a frame log in shared memory, of a fixed size. One object per side over the same memory.
 *
 * The writer may evict at any time, also while a reader copies. So it publishes the new tail BEFORE it overwrites a byte,
 * and a reader copies first and re-reads the tail after: what was evicted meanwhile is not used.
 */

import { FrameLog, type LogSizes } from './frame-log.js';
import {
  DATA_CAPACITY_INDEX,
  ENTRY_BYTES,
  ENTRY_FIELDS,
  FRAMES_CAPACITY_INDEX,
  HEAD_WORD,
  HEADER_BYTES,
  TAIL_WORD,
} from './layout.js';

export class SharedLog extends FrameLog {
  readonly #words: Int32Array<SharedArrayBuffer>;

  /**
   * One side of a shared log, new or in use: a reader, the writer, or the successor of a writer that is gone for good
   * (layout.ts says why it can go on). Exactly one of the objects over the same memory may write.
   * @param nearIndex any index less than 2^31 from the head and the tail
   */
  constructor(memory: SharedArrayBuffer, nearIndex = 1) {
    const fixed = new Float64Array(memory, 0, HEADER_BYTES / Float64Array.BYTES_PER_ELEMENT);
    const frames = fixed[FRAMES_CAPACITY_INDEX];
    const dataBytes = fixed[DATA_CAPACITY_INDEX];
    const index = new Float64Array(memory, HEADER_BYTES, frames * ENTRY_FIELDS);
    const bytes = new Uint8Array(memory, HEADER_BYTES + frames * ENTRY_BYTES, dataBytes);
    const place = { index, bytes, entryBase: 0, dataBase: 0, frameMask: frames - 1, dataMask: dataBytes - 1 };
    super(place, 1);
    this.#words = new Int32Array(memory, 0, HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.head = nearIndex;
    this.tail = nearIndex;
    this.refresh();
  }

  /** With which it can be opened elsewhere. */
  get memory(): SharedArrayBuffer {
    return this.#words.buffer;
  }

  get frameMaxBytes(): number {
    return this.dataMask + 1;
  }

  canHold(frameBytes: number): boolean {
    return frameBytes <= this.dataMask + 1;
  }

  refresh(): void {
    const words = this.#words;
    for (;;) {
      // The tail first: the head moves with it or before the next move, so a head read later is not behind it.
      // Pairs with the exchange in `evict` and the store in `publishHead`: what lies between is complete.
      const tail = Atomics.load(words, TAIL_WORD);
      const head = Atomics.load(words, HEAD_WORD);
      // Only the low halves are shared; each side follows the other by less than 2^31 frames, so the difference is exact.
      this.head += (head - this.head) | 0;
      this.tail += (tail - this.tail) | 0;
      this.headSeq = this.firstSeqAt(this.head + 1) - 1;
      this.tailSeq = this.firstSeqAt(this.tail);
      // Both entries are overwritten only after the tail has passed them. Keeps the reads before it, see `isStillRetained`.
      if (Atomics.add(words, TAIL_WORD, 0) === tail) return;
    }
  }

  isStillRetained(index: number): boolean {
    // A read-modify-write that changes nothing: unlike a plain load it keeps the copy's reads before it on every CPU
    // (H.-J. Boehm, "Can seqlocks get along with programming language memory models?"). Pairs with `evict`.
    const tail = Atomics.add(this.#words, TAIL_WORD, 0);
    if (((tail - index) | 0) <= 0) return true;
    this.refresh();
    return false;
  }

  viewInPlace(): null {
    return null;
  }

  /** The memory is its owner's. */
  dispose(): void {}

  protected makeRoom(frameBytes: number): void {
    this.makeRoomByEvicting(frameBytes);
  }

  protected evict(tail: number): void {
    this.tail = tail;
    this.tailSeq = this.firstSeqAt(tail);
    // Says that everything below `tail` may be overwritten from now on, before it is: an exchange and not a store, so
    // that no later write to data or index can become visible before it. Pairs with `isStillRetained` and `refresh`.
    Atomics.exchange(this.#words, TAIL_WORD, tail | 0);
  }

  protected publishHead(): void {
    // Publishes the frame's bytes and index entries. Pairs with the load in `refresh`.
    Atomics.store(this.#words, HEAD_WORD, this.head | 0);
  }

  protected canBecome({ dataBytes, frames }: LogSizes): boolean {
    return dataBytes === this.dataMask + 1 && frames === this.frameMask + 1;
  }

  protected resize(sizes: LogSizes): void {
    if (!this.canBecome(sizes)) throw new RangeError('a shared log has the size that it was made with');
  }
}
