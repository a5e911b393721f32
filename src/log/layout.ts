/**
 * Frame log: every offset, word and size, in one place.
 *
 *   byte 0                128                 256                 384
 *   +---------------------+-------------------+-------------------+------------------------+-----------------+
 *   | head, low 32 bits   | tail, low 32 bits | fixed at creation | index                  | data            |
 *   | (i32; writer)       | (i32; writer)     | (readers: once)   | framesCapacity × 40 B  | dataCapacity B  |
 *   +---------------------+-------------------+-------------------+------------------------+-----------------+
 *
 * Index entry of frame `index`, at slot `index mod framesCapacity`, five f64:
 *
 *   +------------------+-----------+-------------------+--------------------------+---------------------------+
 *   | position (bytes) | first seq | time (monotonic)  | ingress position (bytes) | origin, and marks         |
 *   +------------------+-----------+-------------------+--------------------------+---------------------------+
 *
 * Origin, and marks: the connection's number (0: none) + SUPERSEDED, once it is + TTL_UNIT × time to live (see `withTtl`).
 *
 * First seq: the smallest cursor that gets this frame next, one more than the seq of the frame before. So a frame's own seq
 * stands in the entry behind it, and what is lost with an evicted frame can still be told from the tail's entry.
 *
 * The entry behind the head holds the position at which the next frame will start, so a frame's length is the distance to
 * its successor's position and no length is stored. That entry needs a slot: a log of n slots retains n − 1 frames.
 *
 * A writer may be ended between any two of its stores, and a successor goes on behind the published head:
 *
 *   tail word          before any slot or byte that it gives up is overwritten: what is retained is never half overwritten
 *   entry head + 1     time, ingress position, origin; position and first seq were stored before the head
 *   data               beyond the head's end, in room that the tail word has given up
 *   entry head + 2     position and first seq behind the new frame, in a slot that the tail word has given up
 *   head word          only now the frame and the position behind it count
 *
 * So whatever the head word says, the entry behind it holds the position at which to go on, and everything that was
 * written beyond belongs to no retained frame and is written again.
 *
 * A stream that is made of another one has no ring positions. There the field of entry head + 1 says which message comes
 * next, and how often writers have begun its frame, as −(seq × 8 + attempts): a successor can tell that its predecessors
 * died of it, and which messages have been passed over since the head.
 *
 * Plain (not shared) logs have no header words: writer and reader are one object in one thread.
 */

/** Distance that keeps writer-published words from sharing a cache line (or a pair of prefetched lines). */
const WORD_STRIDE_BYTES = 128;

export const HEAD_WORD = 0;
export const TAIL_WORD = WORD_STRIDE_BYTES / Int32Array.BYTES_PER_ELEMENT;

/** Float64 indexes of the fixed part. */
const FIXED_INDEX = (2 * WORD_STRIDE_BYTES) / Float64Array.BYTES_PER_ELEMENT;
export const DATA_CAPACITY_INDEX = FIXED_INDEX;
export const FRAMES_CAPACITY_INDEX = FIXED_INDEX + 1;

export const HEADER_BYTES = 3 * WORD_STRIDE_BYTES;

/** Float64 fields of one index entry. */
export const ENTRY_FIELDS = 5;
export const ENTRY_BYTES = ENTRY_FIELDS * Float64Array.BYTES_PER_ELEMENT;
export const POSITION_FIELD = 0;
export const FIRST_SEQ_FIELD = 1;
export const TIME_FIELD = 2;
export const INGRESS_FIELD = 3;
export const ORIGIN_FIELD = 4;

/** Ingress position of a frame that stands for a message which a stream does not have (a GAP). */
export const GAP_MARK = -1;
/** The same of a frame that announces messages which newer ones have taken the place of; its origin is their number. */
export const MERGED_MARK = -2;
/** Added to the origin of a frame whose key has a newer message. */
export const SUPERSEDED = 2 ** 32;
/** 20 bits above it say how long a message counts: in milliseconds, or, from half of their range on, in seconds. */
const TTL_UNIT = 2 ** 33;
const TTL_IN_SECONDS = 2 ** 19;
/** More attempts at one frame are not told apart. */
export const ATTEMPTS_MAX = 7;

/** Smallest sizes: a cold topic's log starts here, 100,000 of them have to fit in 100 MB. */
export const DATA_MIN_BYTES = 256;
export const FRAMES_MIN = 4;
/** What a log takes at least: not counted against a budget. */
export const LOG_MIN_BYTES = DATA_MIN_BYTES + FRAMES_MIN * ENTRY_BYTES;

/** 2^30: positions and slots are masked with 32-bit integer operations. */
export const CAPACITY_MAX = 1 << 30;

/** The origin of a frame whose message counts for `ttlMs`, to the next larger second if that is long; 0: for ever. */
export function withTtl(origin: number, ttlMs: number): number {
  const code = ttlMs < TTL_IN_SECONDS ? Math.ceil(ttlMs) : TTL_IN_SECONDS + Math.ceil(ttlMs / 1000);
  return origin + code * TTL_UNIT;
}

/** The time to live that such an origin says (ms). */
export function ttlOf(origin: number): number {
  const code = Math.floor(origin / TTL_UNIT);
  return code < TTL_IN_SECONDS ? code : (code - TTL_IN_SECONDS) * 1000;
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= CAPACITY_MAX && (value & (value - 1)) === 0;
}
