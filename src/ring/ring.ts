// A queue of records between two threads in shared memory: one writer, one reader, no locks, no copies, no allocation.
//
// The writer claims room, fills it in place, commits, and publishes what it committed at once. The reader moves from record
// to record and releases what it has dealt with. *Full* and *empty* are return values. Offsets: see layout.ts.
//
// A record belongs to the writer until publish(), to the reader until release(), then to the writer again. Plain writes are
// enough for its content: they are ordered by the two position words, which are the only words both threads touch.

import {
  READER_POSITION_F64,
  READER_POSITION_I32,
  RECORD_ALIGNMENT_BYTES,
  RECORD_AUX_U32,
  RECORD_CONNECTION_U32,
  RECORD_FLAGS_U16,
  RECORD_HEAD_BYTES,
  RECORD_LENGTH_I32,
  RECORD_REQUEST_U32,
  RECORD_TIME_F64,
  RECORD_TOPIC_U32,
  RECORD_TYPE_U16,
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
 * Writer: the one thread that made it, or that took over from a writer that died (committed but unpublished records died
 * with it). Readers: none; the peer is a RingReader over the same memory.
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
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;

  /** After the last committed record. */
  #position: number;
  /** After the last published record. */
  #publishedPosition: number;
  /** The reader's position when it was last looked at: it may be further by now, never back. */
  #readerPosition: number;
  /** Index of the claimed record's head, or NO_CLAIM. */
  #claimIndex = NO_CLAIM;
  /** #position after the claimed record, if it is committed. */
  #claimEndPosition = 0;

  constructor(memory: SharedArrayBuffer) {
    const capacityBytes = capacityOf(memory);
    this.#capacityBytes = capacityBytes;
    this.#indexMask = capacityBytes - 1;
    this.payloadMaxBytes = ringPayloadMaxBytes(capacityBytes);
    this.bytes = new Uint8Array(memory, RING_HEAD_BYTES, capacityBytes);
    this.#i32 = new Int32Array(memory, RING_HEAD_BYTES, capacityBytes / 4);
    this.#u16 = new Uint16Array(memory, RING_HEAD_BYTES, capacityBytes / 2);
    this.#u32 = new Uint32Array(memory, RING_HEAD_BYTES, capacityBytes / 4);
    this.#f64 = new Float64Array(memory, RING_HEAD_BYTES, capacityBytes / 8);
    this.#positionsLow = new Int32Array(memory, 0, RING_HEAD_BYTES / 4);
    this.#positions = new Float64Array(memory, 0, RING_HEAD_BYTES / 8);
    // Pairs with the store in publish() of a predecessor, if there was one: this writer goes on where it stopped.
    const low = Atomics.load(this.#positionsLow, WRITER_POSITION_I32);
    this.#position = unwrapPosition(low, this.#positions[WRITER_POSITION_F64]!);
    this.#publishedPosition = this.#position;
    // Pairs with the store in RingReader.release().
    this.#readerPosition = unwrapPosition(Atomics.load(this.#positionsLow, READER_POSITION_I32), this.#position);
  }

  /** Position after the last committed record, in bytes since the ring's beginning. */
  get position(): number {
    return this.#position;
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
    const position = this.#position;
    const recordBytes = (RECORD_HEAD_BYTES + payloadBytes + (RECORD_ALIGNMENT_BYTES - 1)) & -RECORD_ALIGNMENT_BYTES;
    let index = position & this.#indexMask;
    const toEndBytes = capacityBytes - index;
    const paddingBytes = recordBytes > toEndBytes ? toEndBytes : 0;
    const endPosition = position + paddingBytes + recordBytes;
    if (endPosition - this.#readerPosition > capacityBytes) {
      // Pairs with the store in RingReader.release(): the reader no longer looks at anything before this position.
      this.#readerPosition = unwrapPosition(Atomics.load(this.#positionsLow, READER_POSITION_I32), position);
      if (endPosition - this.#readerPosition > capacityBytes) return RING_FULL;
    }
    if (paddingBytes !== 0) {
      this.#i32[(index >> 2) + RECORD_LENGTH_I32] = -paddingBytes;
      index = 0;
    }
    this.#i32[(index >> 2) + RECORD_LENGTH_I32] = RECORD_HEAD_BYTES + payloadBytes;
    this.#claimIndex = index;
    this.#claimEndPosition = endPosition;
    return index + RECORD_HEAD_BYTES;
  }

  /** Fills the head of the claimed record: two u16, four u32, one f64. Their meaning belongs to whoever uses the ring. */
  writeHeader(
    type: number,
    flags: number,
    topic: number,
    connection: number,
    request: number,
    aux: number,
    time: number,
  ): void {
    // Hot path: per record; allocates nothing.
    const index = this.#claimIndex;
    if (index === NO_CLAIM) throw new Error('ring writer: header without a claim');
    const u16 = this.#u16;
    const u32 = this.#u32;
    const index16 = index >> 1;
    const index32 = index >> 2;
    u16[index16 + RECORD_TYPE_U16] = type;
    u16[index16 + RECORD_FLAGS_U16] = flags;
    u32[index32 + RECORD_TOPIC_U32] = topic;
    u32[index32 + RECORD_CONNECTION_U32] = connection;
    u32[index32 + RECORD_REQUEST_U32] = request;
    u32[index32 + RECORD_AUX_U32] = aux;
    this.#f64[(index >> 3) + RECORD_TIME_F64] = time;
  }

  /** The claimed record is complete: the next publish() takes it along. */
  commit(): void {
    // Hot path: per record; allocates nothing.
    if (this.#claimIndex === NO_CLAIM) throw new Error('ring writer: commit without a claim');
    this.#claimIndex = NO_CLAIM;
    this.#position = this.#claimEndPosition;
  }

  /** Forgets the claimed record. The reader never learns of it, and its room is free again. */
  abort(): void {
    if (this.#claimIndex === NO_CLAIM) throw new Error('ring writer: abort without a claim');
    this.#claimIndex = NO_CLAIM;
  }

  /** Shows the reader every committed record at once. True when there was any: then ring the reader's doorbell. */
  publish(): boolean {
    // Hot path: per batch; allocates nothing.
    const position = this.#position;
    if (position === this.#publishedPosition) return false;
    // A plain read: only this writer stores the word, so anything else than its own last value is a second writer.
    if (this.#positionsLow[WRITER_POSITION_I32] !== (this.#publishedPosition | 0)) {
      throw new Error('ring writer: another writer has published into this ring');
    }
    this.#positions[WRITER_POSITION_F64] = position;
    // Publishes the content of all records before `position`. Pairs with the loads in RingReader.next() and isEmpty().
    Atomics.store(this.#positionsLow, WRITER_POSITION_I32, position | 0);
    this.#publishedPosition = position;
    return true;
  }

  /** How much of the ring is taken by records that the reader has not released, 0–100. */
  fillPercent(): number {
    // Pairs with the store in RingReader.release().
    this.#readerPosition = unwrapPosition(Atomics.load(this.#positionsLow, READER_POSITION_I32), this.#position);
    return (100 * (this.#position - this.#readerPosition)) / this.#capacityBytes;
  }

  #refusePayload(payloadBytes: number): never {
    throw new RangeError(`a payload of this ring has 0 to ${this.payloadMaxBytes} bytes, not ${payloadBytes}`);
  }
}

/**
 * Writer of the fields: the one thread that made it, or that took over from a reader that died (which sees everything
 * again that its predecessor had not released). Readers: the same thread; the peer is a RingWriter over the same memory.
 */
export class RingReader {
  /** The data area. The current payload is bytes[payloadStart] up to, not including, bytes[payloadEnd]. */
  readonly bytes: Uint8Array;

  // The current record's head. It stays as it is until next() returns true again; the payload's bytes only until release().
  type = 0;
  flags = 0;
  topic = 0;
  connection = 0;
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
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;

  /** After the current record. */
  #position: number;
  /** After the last released record. */
  #releasedPosition: number;
  /** The writer's position when it was last looked at: it may be further by now, never back. */
  #writerPosition: number;

  constructor(memory: SharedArrayBuffer) {
    const capacityBytes = capacityOf(memory);
    this.#capacityBytes = capacityBytes;
    this.#indexMask = capacityBytes - 1;
    this.bytes = new Uint8Array(memory, RING_HEAD_BYTES, capacityBytes);
    this.#i32 = new Int32Array(memory, RING_HEAD_BYTES, capacityBytes / 4);
    this.#u16 = new Uint16Array(memory, RING_HEAD_BYTES, capacityBytes / 2);
    this.#u32 = new Uint32Array(memory, RING_HEAD_BYTES, capacityBytes / 4);
    this.#f64 = new Float64Array(memory, RING_HEAD_BYTES, capacityBytes / 8);
    this.#positionsLow = new Int32Array(memory, 0, RING_HEAD_BYTES / 4);
    this.#positions = new Float64Array(memory, 0, RING_HEAD_BYTES / 8);
    // Pairs with the store in release() of a predecessor, if there was one: this reader goes on where it stopped.
    const low = Atomics.load(this.#positionsLow, READER_POSITION_I32);
    this.#position = unwrapPosition(low, this.#positions[READER_POSITION_F64]!);
    this.#releasedPosition = this.#position;
    this.#writerPosition = this.#position;
  }

  /** Position after the current record, in bytes since the ring's beginning. */
  get position(): number {
    return this.#position;
  }

  /** Moves to the next published record. False when there is none: then the current record stays current. */
  next(): boolean {
    // Hot path: per record; allocates nothing.
    let position = this.#position;
    if (position === this.#writerPosition && !this.#look()) return false;
    let index = position & this.#indexMask;
    let lengthBytes = this.#i32[(index >> 2) + RECORD_LENGTH_I32]!;
    if (lengthBytes < RECORD_HEAD_BYTES) {
      // Padding reaches to the end of the data area, and the record it made room for is published with it.
      if (-lengthBytes !== this.#capacityBytes - index) this.#corrupt(lengthBytes);
      position -= lengthBytes;
      index = 0;
      lengthBytes = this.#i32[RECORD_LENGTH_I32]!;
      if (lengthBytes < RECORD_HEAD_BYTES) this.#corrupt(lengthBytes);
    }
    const u16 = this.#u16;
    const u32 = this.#u32;
    const index16 = index >> 1;
    const index32 = index >> 2;
    this.type = u16[index16 + RECORD_TYPE_U16]!;
    this.flags = u16[index16 + RECORD_FLAGS_U16]!;
    this.topic = u32[index32 + RECORD_TOPIC_U32]!;
    this.connection = u32[index32 + RECORD_CONNECTION_U32]!;
    this.request = u32[index32 + RECORD_REQUEST_U32]!;
    this.aux = u32[index32 + RECORD_AUX_U32]!;
    this.time = this.#f64[(index >> 3) + RECORD_TIME_F64]!;
    this.payloadStart = index + RECORD_HEAD_BYTES;
    this.payloadEnd = index + lengthBytes;
    this.#position = position + ((lengthBytes + (RECORD_ALIGNMENT_BYTES - 1)) & -RECORD_ALIGNMENT_BYTES);
    return true;
  }

  /** Gives the room of everything up to and including the current record back to the writer. Call it late, once per batch. */
  release(): void {
    // Hot path: per batch; allocates nothing.
    const position = this.#position;
    if (position === this.#releasedPosition) return;
    // A plain read: only this reader stores the word, so anything else than its own last value is a second reader.
    if (this.#positionsLow[READER_POSITION_I32] !== (this.#releasedPosition | 0)) {
      throw new Error('ring reader: another reader has released from this ring');
    }
    this.#positions[READER_POSITION_F64] = position;
    // Publishes that this reader is done with all bytes before `position`. Pairs with the loads in RingWriter.
    Atomics.store(this.#positionsLow, READER_POSITION_I32, position | 0);
    this.#releasedPosition = position;
  }

  /** True when next() would find nothing. */
  isEmpty(): boolean {
    return this.#position === this.#writerPosition && !this.#look();
  }

  /** Looks where the writer is by now; false when it published nothing that this reader does not know of. */
  #look(): boolean {
    const position = this.#position;
    // Pairs with the store in RingWriter.publish(): the content of all records before this position is visible.
    this.#writerPosition = unwrapPosition(Atomics.load(this.#positionsLow, WRITER_POSITION_I32), position);
    const unreadBytes = this.#writerPosition - position;
    if (unreadBytes < 0 || unreadBytes > this.#capacityBytes) this.#corrupt(unreadBytes);
    return unreadBytes !== 0;
  }

  #corrupt(lengthBytes: number): never {
    throw new Error(`ring reader: ${lengthBytes} bytes at position ${this.#position} cannot be: the memory is corrupt`);
  }
}

/** Asserts that this is a ring's memory: a programmer's error otherwise. */
function capacityOf(memory: SharedArrayBuffer): number {
  const capacityBytes = memory.byteLength - RING_HEAD_BYTES;
  const problem = ringCapacityProblem(capacityBytes);
  if (problem !== null) throw new RangeError(problem);
  return capacityBytes;
}
