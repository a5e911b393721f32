/** MessagePack's timestamp extension, type −1: seconds and nanoseconds since 1970 in 32, 64 or 96 bits. */

import type { MsgpackWriter } from './msgpack-writer.js';

export const TIMESTAMP_TYPE = -1;

/** The range of a Date, in milliseconds on either side of 1970. */
const DATE_MAX_MS = 8.64e15;
const NANOSECONDS_PER_MS = 1e6;
const NANOSECONDS_MAX = 999_999_999;
const TWO_32 = 0x1_0000_0000;
const TWO_34 = TWO_32 * 4;

/** The shortest of the three forms. False: the time is that of an invalid Date, and nothing is written. */
export function writeTimestamp(writer: MsgpackWriter, timeMs: number): boolean {
  if (!(Math.abs(timeMs) <= DATE_MAX_MS)) return false;
  const seconds = Math.floor(timeMs / 1000);
  const nanoseconds = (timeMs - seconds * 1000) * NANOSECONDS_PER_MS;
  const isPast = seconds < 0 || seconds >= TWO_34;
  const data = new Uint8Array(isPast ? 12 : nanoseconds > 0 || seconds >= TWO_32 ? 8 : 4);
  const view = new DataView(data.buffer);
  if (isPast) {
    view.setUint32(0, nanoseconds);
    view.setBigInt64(4, BigInt(seconds));
  } else if (data.length === 8) {
    // 30 bits of nanoseconds, then 34 bits of seconds.
    view.setUint32(0, nanoseconds * 4 + Math.floor(seconds / TWO_32));
    view.setUint32(4, seconds % TWO_32);
  } else view.setUint32(0, seconds);
  writer.extension(TIMESTAMP_TYPE, data);
  return true;
}

/** Milliseconds since 1970, what is less cut off. NaN: not one of the forms, or a time that no Date can hold. */
export function timestampMs(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let seconds: number;
  let nanoseconds = 0;
  if (data.length === 4) seconds = view.getUint32(0);
  else if (data.length === 8) {
    const high = view.getUint32(0);
    seconds = (high & 3) * TWO_32 + view.getUint32(4);
    nanoseconds = high >>> 2;
  } else if (data.length === 12) {
    seconds = Number(view.getBigInt64(4));
    nanoseconds = view.getUint32(0);
  } else return Number.NaN;
  const timeMs = seconds * 1000 + Math.floor(nanoseconds / NANOSECONDS_PER_MS);
  return nanoseconds <= NANOSECONDS_MAX && Math.abs(timeMs) <= DATE_MAX_MS ? timeMs : Number.NaN;
}
