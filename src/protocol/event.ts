/**
 * The EVENT frame, whose head has fixed-width fields so that a payload's bytes are copied behind it undecoded:
 *
 *     95 23 ce <alias u32> ce <seq u32> cb <time f64, ms since 1970> <payload>               21 bytes + payload
 *     95 23 ce <alias u32> cf <seq u64> cb <time f64> <payload>                              seq > 0xffffffff: 25 + payload
 *     96–99 23 … <payload> <key> <message id> <change> <version>                             with a tail of 1 to 4 elements,
 *                                                                                            nil where there is none
 */

import { ByteCursor, NONE } from './byte-cursor.js';
import { EVENT_CHANGES, type EventChange, KEY_MAX_BYTES, MESSAGE_ID_MAX_BYTES, OP } from './messages.js';
import { encode, skipValue } from './msgpack.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

export const EVENT_HEAD_MAX_BYTES = 25;
/** Headers of at most 3 bytes: key, id; change; version. */
export const EVENT_TAIL_MAX_BYTES = 3 + KEY_MAX_BYTES + 2 + MESSAGE_ID_MAX_BYTES + 8 + 9;

const HEAD_BYTES = 21;
const FIXARRAY = 0x90;
/** Elements of an EVENT without a tail, and of the longest one. */
const ELEMENTS_MIN = 5;
const ELEMENTS_MAX = 9;
const UINT32 = 0xce;
const UINT64 = 0xcf;
const FLOAT64 = 0xcb;
const NIL = 0xc0;
const FIXSTR = 0xa0;
const TWO_32 = 0x1_0000_0000;

/** Writes EVENT heads into one reused scratch. Owner: the thread that encodes. */
export class EventHead {
  readonly bytes = new Uint8Array(EVENT_HEAD_MAX_BYTES);
  readonly #view = new DataView(this.bytes.buffer);

  /**
   * Hot path: per message and stream; allocates nothing. Returns the length of the head in `bytes`.
   * @param tailElements how many elements the tail has that will follow the payload
   */
  write(alias: number, seq: number, timeMs: number, tailElements: number): number {
    const bytes = this.bytes;
    const view = this.#view;
    bytes[0] = FIXARRAY + ELEMENTS_MIN + tailElements;
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

/** What an event says beside its payload. */
export interface PresentExtras {
  /** The publisher's message id. */
  readonly id?: string;
  /** What the message is the newest value of. */
  readonly key?: string;
  /** `delete`: the key is no more. `leave`: the filter lets its value through no more. */
  readonly change?: Exclude<EventChange, 'delta'>;
  /** The publisher's, of the key's value. */
  readonly version?: number;
}

/** What an EVENT says beside its payload; null: nothing. */
export interface EventExtras {
  readonly key?: string | null;
  /** The publisher's message id. */
  readonly id?: string | null;
  readonly change?: EventChange | null;
  readonly version?: number | null;
}

/** As fields of an event that a program gets: what there is none of is left out. Programs get what deltas make, and no deltas. */
export function presentExtras({ key, id, change, version }: EventExtras): PresentExtras {
  const present: { -readonly [Name in keyof PresentExtras]: PresentExtras[Name] } = {};
  if (id != null) present.id = id;
  if (key != null) present.key = key;
  if (change != null && change !== 'delta') present.change = change;
  if (version != null) present.version = version;
  return present;
}

const NO_TAIL = new Uint8Array(0);

/** What follows the payload in a frame that has any of these; empty where it has none. */
export function eventTail({ key = null, id = null, change = null, version = null }: EventExtras): Uint8Array {
  if (key === null && id === null && change === null && version === null) return NO_TAIL;
  assertBytes('key', key, KEY_MAX_BYTES);
  assertBytes('message id', id, MESSAGE_ID_MAX_BYTES);
  let at = writeText(key, 0);
  if (id !== null || change !== null || version !== null) at = writeText(id, at);
  if (change !== null || version !== null) at = writeText(change, at);
  if (version !== null) at = append(encode(version), at);
  return tailScratch.slice(0, at);
}

const FIXSTR_MAX_BYTES = 31;
const tailScratch = new Uint8Array(EVENT_TAIL_MAX_BYTES);

/** Returns where what follows is to be written. */
function writeText(text: string | null, at: number): number {
  if (text === null || text.length > FIXSTR_MAX_BYTES) return append(encode(text), at);
  let offset = at + 1;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0x80) return append(encode(text), at);
    tailScratch[offset++] = unit;
  }
  tailScratch[at] = FIXSTR | text.length;
  return offset;
}

function append(bytes: Uint8Array, at: number): number {
  tailScratch.set(bytes, at);
  return at + bytes.length;
}

function assertBytes(what: string, text: string | null, maxBytes: number): void {
  // No unit of UTF-16 takes more than three bytes.
  const bytes = text === null || text.length * 3 <= maxBytes ? 0 : encodeUtf8(text).length;
  if (bytes > maxBytes) throw new RangeError(`${what} of ${bytes} bytes, at most ${maxBytes}`);
}

/** How many elements a tail has. */
export function tailElements(tail: Uint8Array): number {
  let elements = 0;
  for (let at = 0; at < tail.length; elements++) at = skipValue(tail, at, tail.length);
  return elements;
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
  /** Behind the frame's last byte, that of its tail. */
  frameEnd = 0;
  tailElements = 0;
  /** The publisher's message id. */
  id: string | null = null;
  key: string | null = null;
  change: EventChange | null = null;
  version: number | null = null;

  /** Reads the frame that starts at `start`; false when there is none that is canonical and complete before `end`. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start <= HEAD_BYTES) return false;
    const elements = bytes[start] - FIXARRAY;
    if (!(elements >= ELEMENTS_MIN && elements <= ELEMENTS_MAX) || bytes[start + 1] !== OP.EVENT) return false;
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
    this.tailElements = elements - ELEMENTS_MIN;
    this.key = null;
    this.id = null;
    this.change = null;
    this.version = null;
    return elements === ELEMENTS_MIN || this.readTail(bytes, payloadEnd, end, elements - ELEMENTS_MIN);
  }

  /** Reads a tail by itself: key, id, change and version are its. */
  readTail(bytes: Uint8Array, start: number, end: number, elements: number): boolean {
    this.frameEnd = start;
    const key = this.#text(bytes, end, KEY_MAX_BYTES);
    const id = elements < 2 ? null : this.#text(bytes, end, MESSAGE_ID_MAX_BYTES);
    const change = elements < 3 ? null : this.#text(bytes, end, KEY_MAX_BYTES);
    const version = elements < 4 ? null : this.#version(bytes, end);
    if (key === undefined || id === undefined || change === undefined || version === undefined) return false;
    if (change !== null && !(EVENT_CHANGES as readonly string[]).includes(change)) return false;
    this.key = key;
    this.id = id;
    this.change = change as EventChange | null;
    this.version = version;
    return true;
  }

  /** The text at the end of what has been read, or null; undefined: neither is there. */
  #text(bytes: Uint8Array, end: number, maxBytes: number): string | null | undefined {
    let offset = this.frameEnd;
    if (offset >= end) return undefined;
    const type = bytes[offset++];
    let lengthBytes = type & 31;
    if (type === NIL) {
      this.frameEnd = offset;
      return null;
    }
    if (type === 0xd9) lengthBytes = offset < end ? bytes[offset++] : end;
    else if (type === 0xda) {
      lengthBytes = offset + 1 < end ? bytes[offset] * 256 + bytes[offset + 1] : end;
      offset += 2;
    } else if (type < 0xa0 || type > 0xbf) return undefined;
    if (lengthBytes > maxBytes || offset + lengthBytes > end) return undefined;
    this.frameEnd = offset + lengthBytes;
    return decodeUtf8(bytes, offset, this.frameEnd) ?? undefined;
  }

  #version(bytes: Uint8Array, end: number): number | undefined {
    const cursor = versionCursor;
    cursor.bytes = bytes;
    cursor.offset = this.frameEnd;
    cursor.end = end;
    const version = cursor.unsigned();
    if (version === NONE) return undefined;
    this.frameEnd = cursor.offset;
    return version;
  }
}

const versionCursor = new ByteCursor();
