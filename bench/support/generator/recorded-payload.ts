// The form of payloads that carry a recorded message: the same head as generated ones, the message's bytes, and a check of both.
// Little-endian: u32 topic · u32 seq · f64 sentMs · message · u32 check

import { checkOfTime, type PayloadForm } from '../../../dist/load/payload.js';

export const RECORDED_HEAD_BYTES = 16;
export const RECORDED_CHECK_BYTES = 4;
/** Bytes of a message that are looked at; another set from message to message. */
const SAMPLES = 16;

/** Writer and reader: one thread. */
export class RecordedPayload implements PayloadForm {
  topic = 0;
  seq = 0;
  sentMs = 0;

  /** Hot path: head and check, around a message that is there already. */
  write(bytes: Uint8Array, view: DataView, start: number, end: number, topic: number, seq: number, ms: number): void {
    view.setUint32(start, topic, true);
    view.setUint32(start + 4, seq, true);
    view.setFloat64(start + 8, ms, true);
    const check = checkOfTime(topic, seq, ms, sampleOf(bytes, start, end, seq));
    view.setUint32(end - RECORDED_CHECK_BYTES, check, true);
  }

  /** There is nothing that all messages share. */
  fill(): void {}

  /** Hot path. */
  read(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    if (end - start < RECORDED_HEAD_BYTES + RECORDED_CHECK_BYTES) return false;
    const topic = view.getUint32(start, true);
    const seq = view.getUint32(start + 4, true);
    const sentMs = view.getFloat64(start + 8, true);
    const check = checkOfTime(topic, seq, sentMs, sampleOf(bytes, start, end, seq));
    if (view.getUint32(end - RECORDED_CHECK_BYTES, true) !== check) return false;
    this.topic = topic;
    this.seq = seq;
    this.sentMs = sentMs;
    return true;
  }
}

/** A number from the message's length and some of its bytes. */
function sampleOf(bytes: Uint8Array, start: number, end: number, seq: number): number {
  const messageStart = start + RECORDED_HEAD_BYTES;
  const messageEnd = end - RECORDED_CHECK_BYTES;
  const stride = Math.max(1, Math.ceil((messageEnd - messageStart) / SAMPLES));
  let sample = messageEnd - messageStart;
  for (let offset = messageStart + (seq % stride); offset < messageEnd; offset += stride) {
    sample = Math.imul(sample, 31) + bytes[offset]!;
  }
  return sample;
}
