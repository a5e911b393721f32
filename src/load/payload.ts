/**
 * What a generated message carries, in bytes: topic, number, intended send time, filler, and a check of all that.
 *
 *     binary, little-endian   u32 topic · u32 seq · f64 sentMs · filler · u32 check
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
  /** Writes start … end; the filler must be there already, see `fill`. Hot path. */
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
export const FILLER = 0xa5;
const HEAD_BYTES = 16;
const CHECK_BYTES = 4;
/** Filler bytes that are looked at per delivery: all of them in small payloads, others from message to message in large ones. */
const FILLER_SAMPLES = 16;

const timeScratch = new DataView(new ArrayBuffer(8));

/** Writer and reader: one thread. */
export class BinaryPayload implements PayloadForm {
  topic = 0;
  seq = 0;
  sentMs = 0;
  readonly #payloadBytes: number;
  readonly #stride: number;
  readonly #run: number;

  /** @param run a number of this run: payloads of others count as corrupt */
  constructor(payloadBytes: number, run = 0) {
    if (payloadBytes < BINARY_MIN_BYTES) throw new RangeError(`a payload has at least ${BINARY_MIN_BYTES} bytes`);
    this.#payloadBytes = payloadBytes;
    this.#stride = Math.ceil((payloadBytes - HEAD_BYTES - CHECK_BYTES) / FILLER_SAMPLES);
    this.#run = run;
  }

  write(_bytes: Uint8Array, view: DataView, start: number, end: number, topic: number, seq: number, ms: number): void {
    view.setUint32(start, topic, true);
    view.setUint32(start + 4, seq, true);
    view.setFloat64(start + 8, ms, true);
    const check = checkOf(topic, seq, view.getUint32(start + 8, true), view.getUint32(start + 12, true), this.#run);
    view.setUint32(end - CHECK_BYTES, check, true);
  }

  fill(bytes: Uint8Array, start: number, end: number): void {
    bytes.fill(FILLER, start, end);
  }

  read(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    if (end - start !== this.#payloadBytes) return false;
    const topic = view.getUint32(start, true);
    const seq = view.getUint32(start + 4, true);
    const check = checkOf(topic, seq, view.getUint32(start + 8, true), view.getUint32(start + 12, true), this.#run);
    const fillerEnd = end - CHECK_BYTES;
    if (view.getUint32(fillerEnd, true) !== check) return false;
    const stride = this.#stride;
    for (let offset = start + HEAD_BYTES + (seq % stride); offset < fillerEnd; offset += stride) {
      if (bytes[offset] !== FILLER) return false;
    }
    this.topic = topic;
    this.seq = seq;
    this.sentMs = view.getFloat64(start + 8, true);
    return true;
  }
}

/** The check of a payload whose time is not at hand as two words. */
export function checkOfTime(topic: number, seq: number, sentMs: number, run: number): number {
  timeScratch.setFloat64(0, sentMs, true);
  return checkOf(topic, seq, timeScratch.getUint32(0, true), timeScratch.getUint32(4, true), run);
}

/** Multiply and shift, as MurmurHash3 does: every bit of the words changes about half of the result's. */
export function checkOf(topic: number, seq: number, timeLow: number, timeHigh: number, run: number): number {
  let hash = Math.imul(topic ^ run, 0xcc9e2d51) ^ Math.imul(seq, 0x1b873593);
  hash = Math.imul(hash ^ (hash >>> 15) ^ timeLow, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ timeHigh, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
