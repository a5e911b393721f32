// A queue of records between two threads in shared memory: one writer, one reader, no locks, no copies, no allocation.
//
// The writer claims room, fills it in place, commits, and publishes what it committed at once. The reader moves from
// record to record and releases what it has dealt with. *Full* and *empty* are return values. Offsets: see layout.ts.
//
// A record belongs to the writer until publish(), to the reader until release(), then to the writer again. Plain writes
// are enough for its content: they are ordered by the two position words, which are the only words both threads touch.
//
// Inside, positions are their low 32 bits (names end in Low) and are only ever subtracted, modulo 2^32: V8 keeps an
// int32 field in place, but boxes a larger number at each change: 32 bytes of garbage per record beyond 2 GiB of
// traffic. The exact position is computed when somebody asks for it.

import {
  READER_POSITION_F64,
  READER_POSITION_I32,
  RECORD_ALIAS_I32,
  RECORD_ALIGNMENT_BYTES,
  RECORD_AUX_I32,
  RECORD_HEAD_BYTES,
  RECORD_LENGTH_I32,
  RECORD_ORIGIN_I32,
  RECORD_REQUEST_I32,
  RECORD_TIME_F64,
  RECORD_TYPE_AND_FLAGS_I32,
  RING_HEAD_BYTES,
  ringCapacityProblem,
  ringPayloadMaxBytes,
  unwrapPosition,
  WRITER_POSITION_F64,
  WRITER_POSITION_I32,
} from './layout.js';

/** What tryClaim() returns instead of an index when the reader has not released enough room yet. */
export const RING_FULL = -1;

const NO_CLAIM = -1;

/**
 * The memory of an empty ring. `capacityBytes` is a power of two.
 * `startPosition` (a multiple of 8) lets a ring begin late in its life, as if so many bytes had gone through it.
 */
export function allocateRing(capacityBytes: number, startPosition = 0): SharedArrayBuffer {
  const problem = ringCapacityProblem(capacityBytes);
  if (problem !== null) throw new RangeError(problem);
  if (!Number.isSafeInteger(startPosition) || startPosition < 0 || startPosition % RECORD_ALIGNMENT_BYTES !== 0) {
    throw new RangeError(
      `a ring's start position must be a multiple of ${RECORD_ALIGNMENT_BYTES}, not ${startPosition}`,
    );
  }
  const memory = new SharedArrayBuffer(RING_HEAD_BYTES + capacityBytes);
  const positionsLow = new Int32Array(memory, 0, RING_HEAD_BYTES / 4);
  const positions = new Float64Array(memory, 0, RING_HEAD_BYTES / 8);
  // Plain writes: no other thread has the memory yet, and handing it over orders them.
  positionsLow[WRITER_POSITION_I32] = startPosition | 0;
  positionsLow[READER_POSITION_I32] = startPosition | 0;
  positions[WRITER_POSITION_F64] = startPosition;
  positions[READER_POSITION_F64] = startPosition;
  return memory;
}

/**
 * Writer: the one thread that made it, or that took over from a writer that died (committed but unpublished records
 * died with it). Readers: none; the peer is a RingReader over the same memory.
 */
export class RingWriter {
  /** The data area. A claimed payload is written into it, at the index that tryClaim() returned. */
  readonly bytes: Uint8Array;
  /** A larger payload never fits: tryClaim() throws. */
  readonly payloadMaxBytes: number;

  readonly #capacityBytes: number;
  readonly #indexMask: number;
  readonly #positionsLow: Int32Array;
  readonly #positions: Float64Array;
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;

  /** After the last committed record. */
  #committedLow: number;
  /** After the last published record. */
  #publishedLow: number;
  /** The reader's position when it was last looked at: it may be further by now, never back. */
  #readerLow: number;
  /** Index of the claimed record's head, or NO_CLAIM. */
  #claimIndex = NO_CLAIM;
  /** #committedLow once the claimed record is committed. */
  #claimEndLow = 0;

  constructor(memory: SharedArrayBuffer) {
    const capacityBytes = capacityOf(memory);
    this.#capacityBytes = capacityBytes;
    this.#indexMask = capacityBytes - 1;
    this.payloadMaxBytes = ringPayloadMaxBytes(capacityBytes);
    this.bytes = new Uint8Array(memory, RING_HEAD_BYTES, capacityBytes);
    this.#i32 = new Int32Array(memory, RING_HEAD_BYTES, capacityBytes / 4);
    this.#f64 = new Float64Array(memory, RING_HEAD_BYTES, capacityBytes / 8);
    this.#positionsLow = new Int32Array(memory, 0, RING_HEAD_BYTES / 4);
    this.#positions = new Float64Array(memory, 0, RING_HEAD_BYTES / 8);
    // Pairs with the store in publish() of a predecessor, if there was one: this writer goes on where it stopped.
    this.#publishedLow = Atomics.load(this.#positionsLow, WRITER_POSITION_I32);
    this.#committedLow = this.#publishedLow;
    this.#positions[WRITER_POSITION_F64] = this.position;
    // Pairs with the store in RingReader.release().
    this.#readerLow = Atomics.load(this.#positionsLow, READER_POSITION_I32);
  }

  /** Position after the last committed record, in bytes since the ring's beginning. */
  get position(): number {
    return unwrapPosition(this.#committedLow, this.#positions[WRITER_POSITION_F64]);
  }

  /**
   * Makes room for one record and returns the index in `bytes` of its payload, or RING_FULL. The claim must be ended by
   * commit() or abort() before the next one; the head's content is undefined until writeHeader().
   */
  tryClaim(payloadBytes: number): number {
    // Hot path: per record; allocates nothing.
    if (!(payloadBytes >= 0 && payloadBytes <= this.payloadMaxBytes)) this.#refusePayload(payloadBytes);
    if (this.#claimIndex !== NO_CLAIM) throw new Error('ring writer: claim while a claim is open');
    const capacityBytes = this.#capacityBytes;
    const recordBytes = (RECORD_HEAD_BYTES + payloadBytes + (RECORD_ALIGNMENT_BYTES - 1)) & -RECORD_ALIGNMENT_BYTES;
    let index = this.#committedLow & this.#indexMask;
    const toEndBytes = capacityBytes - index;
    const paddingBytes = recordBytes > toEndBytes ? toEndBytes : 0;
    const endLow = (this.#committedLow + paddingBytes + recordBytes) | 0;
    if (((endLow - this.#readerLow) | 0) > capacityBytes) {
      // Pairs with the store in RingReader.release(): the reader no longer looks at anything before this position.
      this.#readerLow = Atomics.load(this.#positionsLow, READER_POSITION_I32);
      if (((endLow - this.#readerLow) | 0) > capacityBytes) return RING_FULL;
    }
    if (paddingBytes !== 0) {
      this.#i32[(index >> 2) + RECORD_LENGTH_I32] = -paddingBytes;
      index = 0;
    }
    this.#i32[(index >> 2) + RECORD_LENGTH_I32] = RECORD_HEAD_BYTES + payloadBytes;
    this.#claimIndex = index;
    this.#claimEndLow = endLow;
    return index + RECORD_HEAD_BYTES;
  }

  /** Fills the claimed record's head: two u16, four u32, one f64. Their meaning belongs to whoever uses the ring. */
  writeHeader(
    type: number,
    flags: number,
    alias: number,
    origin: number,
    request: number,
    aux: number,
    time: number,
  ): void {
    // Hot path: per record; allocates nothing.
    const index = this.#claimIndex;
    if (index === NO_CLAIM) throw new Error('ring writer: header without a claim');
    const i32 = this.#i32;
    const index32 = index >> 2;
    i32[index32 + RECORD_TYPE_AND_FLAGS_I32] = (type & 0xffff) | (flags << 16);
    i32[index32 + RECORD_ALIAS_I32] = alias;
    i32[index32 + RECORD_ORIGIN_I32] = origin;
    i32[index32 + RECORD_REQUEST_I32] = request;
    i32[index32 + RECORD_AUX_I32] = aux;
    this.#f64[(index >> 3) + RECORD_TIME_F64] = time;
  }

  /** The claimed record is complete: the next publish() takes it along. */
  commit(): void {
    // Hot path: per record; allocates nothing.
    if (this.#claimIndex === NO_CLAIM) throw new Error('ring writer: commit without a claim');
    this.#claimIndex = NO_CLAIM;
    this.#committedLow = this.#claimEndLow;
  }

  /** Forgets the claimed record. The reader never learns of it, and its room is free again. */
  abort(): void {
    if (this.#claimIndex === NO_CLAIM) throw new Error('ring writer: abort without a claim');
    this.#claimIndex = NO_CLAIM;
  }

  /** Shows the reader every committed record at once. True when there was any: then ring the reader's doorbell. */
  publish(): boolean {
    // Hot path: per batch; allocates nothing.
    const committedLow = this.#committedLow;
    const publishedLow = this.#publishedLow;
    if (committedLow === publishedLow) return false;
    // A plain read: only this writer stores the word, so anything else than its own last value is a second writer.
    if (this.#positionsLow[WRITER_POSITION_I32] !== publishedLow) {
      throw new Error('ring writer: another writer has published into this ring');
    }
    this.#positions[WRITER_POSITION_F64] += (committedLow - publishedLow) | 0;
    // Publishes the content of all records before this position. Pairs with the loads in RingReader.
    Atomics.store(this.#positionsLow, WRITER_POSITION_I32, committedLow);
    this.#publishedLow = committedLow;
    return true;
  }

  get capacityBytes(): number {
    return this.#capacityBytes;
  }

  /**
   * Bytes of committed records that the reader has not released, if they are more than `lowBytes`; else some number that
   * is not: an old view of the reader's position tells too much, never too little, so it is renewed only then.
   */
  waitingBytes(lowBytes: number): number {
    // Hot path: per record; allocates nothing.
    const waitingBytes = (this.#committedLow - this.#readerLow) | 0;
    if (waitingBytes <= lowBytes) return waitingBytes;
    // Pairs with the store in RingReader.release().
    this.#readerLow = Atomics.load(this.#positionsLow, READER_POSITION_I32);
    return (this.#committedLow - this.#readerLow) | 0;
  }

  /** How much of the ring is taken by committed records that the reader has not released, 0–100. */
  fillPercent(): number {
    // Pairs with the store in RingReader.release().
    this.#readerLow = Atomics.load(this.#positionsLow, READER_POSITION_I32);
    return (100 * ((this.#committedLow - this.#readerLow) | 0)) / this.#capacityBytes;
  }

  #refusePayload(payloadBytes: number): never {
    throw new RangeError(`a payload of this ring has 0 to ${this.payloadMaxBytes} bytes, not ${payloadBytes}`);
  }
}

/**
 * Writer of the fields: the one thread that made it, or that took over from a reader that died (which sees everything
 * again that its predecessor had not released). Readers: the same thread; the peer is a RingWriter over the same
 * memory.
 */
export class RingReader {
  /** The data area. The current payload is bytes[payloadStart] up to, not including, bytes[payloadEnd]. */
  readonly bytes: Uint8Array;

  // The current record's head. It stays as it is until next() returns true again; the payload's bytes only until
  // release().
  type = 0;
  flags = 0;
  alias = 0;
  origin = 0;
  request = 0;
  aux = 0;
  time = 0;
  payloadStart = 0;
  payloadEnd = 0;

  readonly #capacityBytes: number;
  readonly #indexMask: number;
  readonly #positionsLow: Int32Array;
  readonly #positions: Float64Array;
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;

  /** After the current record. */
  #readLow: number;
  /** After the last released record. */
  #releasedLow: number;
  /** The writer's position when it was last looked at: it may be further by now, never back. */
  #writerLow: number;

  constructor(memory: SharedArrayBuffer) {
    const capacityBytes = capacityOf(memory);
    this.#capacityBytes = capacityBytes;
    this.#indexMask = capacityBytes - 1;
    this.bytes = new Uint8Array(memory, RING_HEAD_BYTES, capacityBytes);
    this.#i32 = new Int32Array(memory, RING_HEAD_BYTES, capacityBytes / 4);
    this.#f64 = new Float64Array(memory, RING_HEAD_BYTES, capacityBytes / 8);
    this.#positionsLow = new Int32Array(memory, 0, RING_HEAD_BYTES / 4);
    this.#positions = new Float64Array(memory, 0, RING_HEAD_BYTES / 8);
    // Pairs with the store in release() of a predecessor, if there was one: this reader goes on where it stopped.
    this.#releasedLow = Atomics.load(this.#positionsLow, READER_POSITION_I32);
    this.#readLow = this.#releasedLow;
    this.#writerLow = this.#releasedLow;
    this.#positions[READER_POSITION_F64] = this.position;
  }

  /** Position after the current record, in bytes since the ring's beginning. */
  get position(): number {
    return unwrapPosition(this.#readLow, this.#positions[READER_POSITION_F64]);
  }

  /** Moves to the next published record. False when there is none: then the current record stays current. */
  next(): boolean {
    // Hot path: per record; allocates nothing.
    let readLow = this.#readLow;
    if (readLow === this.#writerLow && !this.#look()) return false;
    const i32 = this.#i32;
    let index = readLow & this.#indexMask;
    let lengthBytes = i32[(index >> 2) + RECORD_LENGTH_I32];
    if (lengthBytes < RECORD_HEAD_BYTES) {
      // Padding reaches to the end of the data area, and the record it made room for is published with it.
      if (-lengthBytes !== this.#capacityBytes - index) this.#corrupt(lengthBytes);
      readLow -= lengthBytes;
      index = 0;
      lengthBytes = i32[RECORD_LENGTH_I32];
      if (lengthBytes < RECORD_HEAD_BYTES) this.#corrupt(lengthBytes);
    }
    const index32 = index >> 2;
    const typeAndFlags = i32[index32 + RECORD_TYPE_AND_FLAGS_I32];
    this.type = typeAndFlags & 0xffff;
    this.flags = typeAndFlags >>> 16;
    this.alias = i32[index32 + RECORD_ALIAS_I32] >>> 0;
    this.origin = i32[index32 + RECORD_ORIGIN_I32] >>> 0;
    this.request = i32[index32 + RECORD_REQUEST_I32] >>> 0;
    this.aux = i32[index32 + RECORD_AUX_I32] >>> 0;
    this.time = this.#f64[(index >> 3) + RECORD_TIME_F64];
    this.payloadStart = index + RECORD_HEAD_BYTES;
    this.payloadEnd = index + lengthBytes;
    this.#readLow = (readLow + ((lengthBytes + (RECORD_ALIGNMENT_BYTES - 1)) & -RECORD_ALIGNMENT_BYTES)) | 0;
    return true;
  }

  /** Gives the room of everything up to the end of the current record back to the writer. Call it late, per batch. */
  release(): void {
    // Hot path: per batch; allocates nothing.
    const readLow = this.#readLow;
    const releasedLow = this.#releasedLow;
    if (readLow === releasedLow) return;
    // A plain read: only this reader stores the word, so anything else than its own last value is a second reader.
    if (this.#positionsLow[READER_POSITION_I32] !== releasedLow) {
      throw new Error('ring reader: another reader has released from this ring');
    }
    this.#positions[READER_POSITION_F64] += (readLow - releasedLow) | 0;
    // Publishes that this reader is done with all bytes before this position. Pairs with the loads in RingWriter.
    Atomics.store(this.#positionsLow, READER_POSITION_I32, readLow);
    this.#releasedLow = readLow;
  }

  /** True when next() would find nothing. */
  isEmpty(): boolean {
    return this.#readLow === this.#writerLow && !this.#look();
  }

  /** Looks where the writer is by now; false when it published nothing that this reader does not know of. */
  #look(): boolean {
    // Pairs with the store in RingWriter.publish(): the content of all records before this position is visible.
    this.#writerLow = Atomics.load(this.#positionsLow, WRITER_POSITION_I32);
    const unreadBytes = (this.#writerLow - this.#readLow) | 0;
    if (unreadBytes < 0 || unreadBytes > this.#capacityBytes) this.#corrupt(unreadBytes);
    return unreadBytes !== 0;
  }

  #corrupt(lengthBytes: number): never {
    throw new Error(`ring reader: ${lengthBytes} bytes at position ${this.position} cannot be: the memory is corrupt`);
  }
}

/** Asserts that this is a ring's memory: a programmer's error otherwise. */
function capacityOf(memory: SharedArrayBuffer): number {
  const capacityBytes = memory.byteLength - RING_HEAD_BYTES;
  const problem = ringCapacityProblem(capacityBytes);
  if (problem !== null) throw new RangeError(problem);
  return capacityBytes;
}
