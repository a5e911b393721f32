/**
 * Lane counters: what one lane tells about itself in shared memory: that it moves, which record it is at, what it did.
 *
 *   byte 0             64                72           80         88          96
 *   +------------------+-----------------+------------+----------+-----------+-------------------+
 *   | beats (i32)      | record position | messages   | bytes    | busy (ms) | undecodable       |
 *   | (own cache line) | (f64, 0: none)  | (f64)      | (f64)    | (f64)     | messages (f64)    |
 *   +------------------+-----------------+------------+----------+-----------+-------------------+
 *
 * They outlive the lane's thread: a successor counts on, and the accept thread sees at which record its predecessor died.
 */

const BEATS_I32 = 0;
const RECORD_POSITION_F64 = 8;
const MESSAGES_F64 = 9;
const BYTES_F64 = 10;
const BUSY_MS_F64 = 11;
const UNDECODABLE_F64 = 12;
const MEMORY_BYTES = 128;

/** No record is being handled. Positions are those after a record, so none is 0. */
export const NO_RECORD = 0;

export function allocateLaneCounters(): SharedArrayBuffer {
  return new SharedArrayBuffer(MEMORY_BYTES);
}

/**
 * Writer: the lane's thread, one at a time. Readers: any thread.
 *
 * All but the beats are plain stores: who reads them while the lane runs gets figures, not facts; who reads them after
 * the thread has ended gets what it stored last.
 */
export class LaneCounters {
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#i32 = new Int32Array(memory);
    this.#f64 = new Float64Array(memory);
  }

  // ---- writer ------------------------------------------------------------------------------------------------------

  /** Says that the lane moves. Called at least every laneStallMs, whatever it does. */
  beat(): void {
    // Pairs with the load in `beats`.
    Atomics.add(this.#i32, BEATS_I32, 1);
  }

  /** Hot path: per record, before it is handled. Changes with each record, so that it is a sign of life as well. */
  enterRecord(position: number): void {
    this.#f64[RECORD_POSITION_F64] = position;
  }

  /** Hot path: per batch. No record is being handled any more. */
  leaveRecords(messages: number, bytes: number, busyMs: number): void {
    const f64 = this.#f64;
    f64[RECORD_POSITION_F64] = NO_RECORD;
    f64[MESSAGES_F64] += messages;
    f64[BYTES_F64] += bytes;
    f64[BUSY_MS_F64] += busyMs;
  }

  set undecodable(messages: number) {
    this.#f64[UNDECODABLE_F64] = messages;
  }

  // ---- reader ------------------------------------------------------------------------------------------------------

  get beats(): number {
    // Pairs with the add in `beat`.
    return Atomics.load(this.#i32, BEATS_I32);
  }

  /** Position after the record that is being handled, or NO_RECORD. */
  get recordPosition(): number {
    return this.#f64[RECORD_POSITION_F64];
  }

  get messages(): number {
    return this.#f64[MESSAGES_F64];
  }

  /** Of their payloads. */
  get bytes(): number {
    return this.#f64[BYTES_F64];
  }

  /** See VariantCounters. */
  get undecodable(): number {
    return this.#f64[UNDECODABLE_F64];
  }

  /** Time spent on requests (ms). */
  get busyMs(): number {
    return this.#f64[BUSY_MS_F64];
  }
}
