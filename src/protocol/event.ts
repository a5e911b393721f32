/**
 * The EVENT frame, whose head has fixed-width fields so that a payload's bytes are copied behind it undecoded:
 *
 *     95 23 ce <alias u32> ce <seq u32> cb <time f64, ms since 1970> <payload>               21 bytes + payload
 *     95 23 ce <alias u32> cf <seq u64> cb <time f64> <payload>                              seq > 0xffffffff: 25 + payload
 *     97 23 … <payload> c0 <message id>                                                      with a message id; the c0 is
 *                                                                                            the key, nil until keys exist
 */

import { MESSAGE_ID_MAX_BYTES, OP } from './messages.js';
import { skipValue } from './msgpack.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

export const EVENT_HEAD_MAX_BYTES = 25;
/** nil key + str8 header + id. */
export const EVENT_TAIL_MAX_BYTES = 3 + MESSAGE_ID_MAX_BYTES;

const HEAD_BYTES = 21;
const FIXARRAY_5 = 0x95;
const FIXARRAY_7 = 0x97;
const UINT32 = 0xce;
const UINT64 = 0xcf;
const FLOAT64 = 0xcb;
const NIL = 0xc0;
const TWO_32 = 0x1_0000_0000;

/** Writes EVENT heads into one reused scratch. Owner: the thread that encodes. */
export class EventHead {
  readonly bytes = new Uint8Array(EVENT_HEAD_MAX_BYTES);
  readonly #view = new DataView(this.bytes.buffer);

  /** Hot path: per message and stream; allocates nothing. Returns the length of the head in `bytes`. */
  write(alias: number, seq: number, timeMs: number, hasId: boolean): number {
    const bytes = this.bytes;
    const view = this.#view;
    bytes[0] = hasId ? FIXARRAY_7 : FIXARRAY_5;
    bytes[1] = OP.EVENT;
    bytes[2] = UINT32;
    view.setUint32(3, alias);
    let offset = 7;
    if (seq < TWO_32) {
      bytes[offset] = UINT32;
      view.setUint32(offset + 1, seq);
      offset += 5;
    } else {
      bytes[offset] = UINT64;
      view.setUint32(offset + 1, Math.floor(seq / TWO_32));
      view.setUint32(offset + 5, seq % TWO_32);
      offset += 9;
    }
    bytes[offset] = FLOAT64;
    view.setFloat64(offset + 1, timeMs);
    return offset + 9;
  }
}

/** What follows the payload in a frame with a message id: the nil key and the id. */
export function eventTail(id: string): Uint8Array {
  const text = encodeUtf8(id);
  if (text.length > MESSAGE_ID_MAX_BYTES) {
    throw new RangeError(`message id of ${text.length} bytes, at most ${MESSAGE_ID_MAX_BYTES}`);
  }
  const isShort = text.length < 32;
  const tail = new Uint8Array((isShort ? 2 : 3) + text.length);
  tail[0] = NIL;
  if (isShort) tail[1] = 0xa0 | text.length;
  else {
    tail[1] = 0xd9;
    tail[2] = text.length;
  }
  tail.set(text, isShort ? 2 : 3);
  return tail;
}

const floatScratch = new DataView(new ArrayBuffer(8));

function readUint32(bytes: Uint8Array, offset: number): number {
  return bytes[offset] * 0x100_0000 + ((bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]);
}

/** Reads canonical EVENT frames (no others). Reusable; the fields hold until the next read(). */
export class EventView {
  alias = 0;
  seq = 0;
  /** When the engine accepted the message: milliseconds since 1970. */
  time = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /** Behind the frame's last byte. */
  frameEnd = 0;
  /** The publisher's message id. */
  id: string | null = null;

  /** Reads the frame that starts at `start`; false when there is none that is canonical and complete before `end`. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start <= HEAD_BYTES) return false;
    const first = bytes[start];
    if ((first !== FIXARRAY_5 && first !== FIXARRAY_7) || bytes[start + 1] !== OP.EVENT) return false;
    const seqType = bytes[start + 7];
    const headBytes = seqType === UINT64 ? EVENT_HEAD_MAX_BYTES : HEAD_BYTES;
    if (bytes[start + 2] !== UINT32 || (seqType !== UINT32 && seqType !== UINT64)) return false;
    const payloadStart = start + headBytes;
    if (payloadStart >= end || bytes[payloadStart - 9] !== FLOAT64) return false;
    const payloadEnd = skipValue(bytes, payloadStart, end);
    if (payloadEnd < 0) return false;
    this.alias = readUint32(bytes, start + 3);
    const seqHigh = readUint32(bytes, start + 8);
    this.seq = seqType === UINT32 ? seqHigh : seqHigh * TWO_32 + readUint32(bytes, start + 12);
    for (let index = 0; index < 8; index++) floatScratch.setUint8(index, bytes[payloadStart - 8 + index]);
    this.time = floatScratch.getFloat64(0);
    this.payloadStart = payloadStart;
    this.payloadEnd = payloadEnd;
    this.frameEnd = payloadEnd;
    this.id = null;
    return first === FIXARRAY_5 || this.#readTail(bytes, end);
  }

  #readTail(bytes: Uint8Array, end: number): boolean {
    const offset = this.payloadEnd;
    if (offset + 2 > end || bytes[offset] !== NIL) return false;
    const type = bytes[offset + 1];
    let textStart = offset + 2;
    let lengthBytes = type & 31;
    if (type === 0xd9) {
      if (textStart >= end) return false;
      lengthBytes = bytes[textStart];
      textStart += 1;
    } else if (type < 0xa0 || type > 0xbf) return false;
    if (lengthBytes > MESSAGE_ID_MAX_BYTES || textStart + lengthBytes > end) return false;
    this.frameEnd = textStart + lengthBytes;
    this.id = decodeUtf8(bytes, textStart, this.frameEnd);
    return this.id !== null;
  }
}
