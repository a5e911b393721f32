// Where everything lies in a ring's and a doorbell's shared memory. No other file knows an offset.
//
// Ring memory: a head of three 128-byte blocks, then the data area.
//
//   0                  128                      256                      384
//   +------------------+------------------------+------------------------+---- … ----+
//   | (unused)         | writer's block         | reader's block         | data      |
//   |                  |   +0 i32 position      |   +0 i32 position      | capacity  |
//   |                  |   +8 f64 position      |   +8 f64 position      | bytes     |
//   +------------------+------------------------+------------------------+---- … ----+
//
// The blocks are 128 bytes apart because CPUs fetch cache lines in pairs of 64: a writer that publishes does not take
// the reader's line away, and the other way round.
//
// A position counts all bytes that ever went through the ring; position & (capacity - 1) is the index in the data area.
// The two threads exchange the low 32 bits (i32, the only words that Atomics touch); each unwraps them to a number that
// stays exact up to 2^53. The f64 copy is for a successor: a thread that attaches after its predecessor died unwraps
// the i32 word near it, so it does not matter which of the two was written last.
//
// Record, 8-byte aligned, never split at the end of the data area:
//
//    0               4       6       8              12
//   +---------------+-------+-------+---------------+---------------+
//   | length i32    | type  | flags | alias u32     | origin u32    |
//   +---------------+-------+-------+---------------+---------------+
//   | request u32   | aux u32       | time f64                      |
//   +---------------+---------------+-------------------------------+
//   | payload, then 0–7 bytes up to the next multiple of 8          |
//   +---------------------------------------------------------------+
//    16              20              24                             32
//
// length: head and payload, without the alignment bytes. A negative length is padding: -length bytes up to the end of
// the data area, which hold nothing (there may be room for these four bytes only, so padding has no other field).
//
// Doorbell memory: one block with one i32, `sleeping`: SLEEPING while the reading thread waits or is about to, else
// AWAKE.

const BLOCK_BYTES = 128;
const WRITER_BLOCK_OFFSET_BYTES = BLOCK_BYTES;
const READER_BLOCK_OFFSET_BYTES = 2 * BLOCK_BYTES;

/** The data area begins here. */
export const RING_HEAD_BYTES = 3 * BLOCK_BYTES;

// Indexes into an Int32Array and a Float64Array over the ring's head.
export const WRITER_POSITION_I32 = WRITER_BLOCK_OFFSET_BYTES / 4;
export const READER_POSITION_I32 = READER_BLOCK_OFFSET_BYTES / 4;
export const WRITER_POSITION_F64 = (WRITER_BLOCK_OFFSET_BYTES + 8) / 8;
export const READER_POSITION_F64 = (READER_BLOCK_OFFSET_BYTES + 8) / 8;

/** Every record begins at a multiple of this. */
export const RECORD_ALIGNMENT_BYTES = 8;
export const RECORD_HEAD_BYTES = 32;

// Offsets in a record, in elements of the typed array that reads the field. One Int32Array reads all but the time: each
// further view costs the hot path a pointer and a bounds check. Type is the low half of its word, flags the high half.
export const RECORD_LENGTH_I32 = 0;
export const RECORD_TYPE_AND_FLAGS_I32 = 1;
export const RECORD_ALIAS_I32 = 2;
export const RECORD_ORIGIN_I32 = 3;
export const RECORD_REQUEST_I32 = 4;
export const RECORD_AUX_I32 = 5;
export const RECORD_TIME_F64 = 3;

/** Room for two records of 32 payload bytes: less would be no queue. */
export const RING_CAPACITY_MIN_BYTES = 128;
/** The distance from the reader to the end of a claim, below 2 × capacity, must fit a signed 32-bit difference. */
export const RING_CAPACITY_MAX_BYTES = 2 ** 29;

export const DOORBELL_BYTES = BLOCK_BYTES;
export const DOORBELL_SLEEPING_I32 = 0;
export const AWAKE = 0;
export const SLEEPING = 1;

/** Why this capacity cannot be a ring's, or null. */
export function ringCapacityProblem(capacityBytes: number): string | null {
  if (!Number.isInteger(capacityBytes) || capacityBytes < RING_CAPACITY_MIN_BYTES) {
    return `a ring needs at least ${RING_CAPACITY_MIN_BYTES} bytes, not ${capacityBytes}`;
  }
  if (capacityBytes > RING_CAPACITY_MAX_BYTES) {
    return `a ring holds at most ${RING_CAPACITY_MAX_BYTES} bytes, not ${capacityBytes}`;
  }
  // Below 2^31, so the bit trick is exact.
  if ((capacityBytes & (capacityBytes - 1)) !== 0) {
    return `a ring's capacity must be a power of two, not ${capacityBytes}`;
  }
  return null;
}

/**
 * The largest payload of a ring. A record must fit whatever the position, also behind a padding that is just too short
 * for it: padding + record < 2 × record ≤ capacity.
 */
export function ringPayloadMaxBytes(capacityBytes: number): number {
  return capacityBytes / 2 - RECORD_HEAD_BYTES;
}

/** The exact position whose low 32 bits are `low`, where `near` is less than 2^31 away from it. */
export function unwrapPosition(low: number, near: number): number {
  return near + ((low - (near | 0)) | 0);
}
