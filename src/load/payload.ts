/**
 * What a message carries, in bytes: topic, number, intended send time, filler, and a check of all that.
 *
 *     binary, little-endian   u32 topic · u32 seq · f64 sentMs · filler, or a recorded message · u32 check
 *     text, for JSON          see text-payload.ts
 *
 * `seq` counts the messages of a topic from 1; 0 is a probe, which only asks whether a subscription works. `sentMs` is the
 * time at which the message should have left (clockMs): a publisher that was held up does not hide it.
 */

/** How payloads are written and recognised. One instance per thread; `read` leaves what it found in the fields. */
export interface PayloadForm {
  topic: number;
  seq: number;
  sentMs: number;
  /** Writes head and check of start … end; what is between them must be there already, see `fill`. Hot path. */
  write(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    topic: number,
    seq: number,
    sentMs: number,
  ): void;
  /** Writes what is the same in all payloads. */
  fill(bytes: Uint8Array, start: number, end: number): void;
  /** False when start … end is no payload of ours, or a damaged one. Hot path. */
  read(bytes: Uint8Array, view: DataView, start: number, end: number): boolean;
}

export const BINARY_MIN_BYTES = 24;
export const BINARY_HEAD_BYTES = 16;
const CHECK_BYTES = 4;
/** What stands around a recorded message. */
export const BINARY_AROUND_BYTES = BINARY_HEAD_BYTES + CHECK_BYTES;
const FILLER = 0xa5;
/** Bytes between head and check that are looked at: all of them in small payloads, others from message to message in large ones. */
const SAMPLES = 16;

/** Of any size. Writer and reader: one thread. */
export class BinaryPayload implements PayloadForm {
  topic = 0;
  seq = 0;
  sentMs = 0;
  readonly #run: number;

  /** @param run a number of this run: payloads of others count as corrupt */
  constructor(run = 0) {
    this.#run = run;
  }

  write(bytes: Uint8Array, view: DataView, start: number, end: number, topic: number, seq: number, ms: number): void {
    view.setUint32(start, topic, true);
    view.setUint32(start + 4, seq, true);
    view.setFloat64(start + 8, ms, true);
    view.setUint32(end - CHECK_BYTES, this.#check(bytes, view, start, end), true);
  }

  fill(bytes: Uint8Array, start: number, end: number): void {
    bytes.fill(FILLER, start, end);
  }

  read(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    if (end - start < BINARY_AROUND_BYTES) return false;
    if (view.getUint32(end - CHECK_BYTES, true) !== this.#check(bytes, view, start, end)) return false;
    this.topic = view.getUint32(start, true);
    this.seq = view.getUint32(start + 4, true);
    this.sentMs = view.getFloat64(start + 8, true);
    return true;
  }

  /** Of the head, the length, and what is looked at of the rest. */
  #check(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const seq = view.getUint32(start + 4, true);
    const bodyEnd = end - CHECK_BYTES;
    const bodyBytes = bodyEnd - start - BINARY_HEAD_BYTES;
    const stride = bodyBytes <= SAMPLES ? 1 : Math.ceil(bodyBytes / SAMPLES);
    let sample = bodyBytes;
    for (let offset = start + BINARY_HEAD_BYTES + (seq % stride); offset < bodyEnd; offset += stride) {
      sample = ((sample << 5) - sample + bytes[offset]) | 0;
    }
    const topic = view.getUint32(start, true);
    return checkOf(topic, seq, view.getUint32(start + 8, true), view.getUint32(start + 12, true), this.#run ^ sample);
  }
}

/** Multiply and shift, as MurmurHash3 does: every bit of the words changes about half of the result's. */
export function checkOf(topic: number, seq: number, timeLow: number, timeHigh: number, run: number): number {
  let hash = Math.imul(topic ^ run, 0xcc9e2d51) ^ Math.imul(seq, 0x1b873593);
  hash = Math.imul(hash ^ (hash >>> 15) ^ timeLow, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ timeHigh, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
