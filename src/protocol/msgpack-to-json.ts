/**
 * MessagePack to JSON text, straight from the bytes, for any payload that a publisher may send. PROTOCOL.md ("JSON") has
 * the forms of what JSON cannot say. The text takes at most JSON_FACTOR_MAX characters per byte, and the time is in
 * proportion: what stands in a key is escaped twice, and nothing more often.
 */

import { toBase64 } from './base64.js';
import { MsgpackSource } from './msgpack-source.js';
import { NameCache } from './name-cache.js';
import { skipValue } from './skip-value.js';
import { TIMESTAMP_TYPE, timestampMs } from './timestamp.js';
import { decodeLenient } from './utf8.js';

/** The worst are extensions of three bytes within a key. */
export const JSON_FACTOR_MAX = 11;

/** Strings up to this length may be decoded without TextDecoder: `apply` takes that many arguments. */
const PLAIN_MAX_BYTES = 256;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Of this thread, for all payloads. */
const keys = new NameCache();

/** The JSON text of exactly one value in [start, end). Throws when that is not one complete value. */
export function msgpackToJson(bytes: Uint8Array, start: number, end: number): string {
  // The check bounds lengths and nesting, so the transcoder below needs neither bounds checks nor a depth.
  if (skipValue(bytes, start, end) !== end) throw new Error('not one complete MessagePack value');
  return new Transcoder(bytes, start, end).value();
}

/** The JSON text of a payload, as the server makes it for JSON subscribers; the opposite of encodeJson(). */
export function decodeJson(payload: Uint8Array): string {
  return msgpackToJson(payload, 0, payload.length);
}

/** The same for a value that is the key of a map: the JSON string that stands for it, with its quotes. */
export function keyToJson(bytes: Uint8Array, start: number, end: number): string {
  return new Transcoder(bytes, start, end).key();
}

/** ASCII that JSON does not escape. DEL is left as it is, as JSON.stringify leaves it. */
function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!;
    if (byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
}

/** Scalars other than extensions, whose text is short. */
function isSimple(type: number): boolean {
  return (
    type < 0x80 || type >= 0xe0 || (type >= 0xa0 && type < 0xc7) || (type >= 0xca && type <= 0xd3) || isLongString(type)
  );
}

function isLongString(type: number): boolean {
  return type >= 0xd9 && type <= 0xdb;
}

/** Beyond 2^53 in exponent form, which says that it is no integer; −0 keeps its sign. */
function numberText(value: number): string {
  if (Number.isInteger(value)) {
    if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return value.toExponential();
    return value === 0 && 1 / value < 0 ? '-0' : String(value);
  }
  return Number.isFinite(value) ? String(value) : 'null';
}

/** Hot path: per message and JSON stream. Text is put together by +, which V8 does without copying. */
class Transcoder extends MsgpackSource {
  /** Within the text of a key. */
  #isInKey = false;

  value(): string {
    const type = this.bytes[this.offset++]!;
    if (type < 0x80) return String(type);
    if (type < 0x90) return this.#map(type & 15);
    if (type < 0xa0) return this.#array(type & 15);
    if (type < 0xc0) return this.#string(type & 31);
    if (type >= 0xe0) return String(type - 0x100);
    if (type <= 0xc3) return type === 0xc0 ? 'null' : String(type === 0xc3);
    if (type <= 0xc6) return `"${toBase64(this.take(this.uint(1 << (type - 0xc4))))}"`;
    if (type <= 0xc9) return this.#extension(this.uint(1 << (type - 0xc7)));
    if (type <= 0xd3) {
      const value = this.numberOf(type);
      return typeof value === 'number' ? numberText(value) : String(value);
    }
    if (type <= 0xd8) return this.#extension(1 << (type - 0xd4));
    if (type <= 0xdb) return this.#string(this.uint(1 << (type - 0xd9)));
    const length = this.uint(type & 1 ? 4 : 2);
    return type <= 0xdd ? this.#array(length) : this.#map(length);
  }

  #string(lengthBytes: number): string {
    const start = this.offset;
    const end = start + lengthBytes;
    this.offset = end;
    if (lengthBytes <= PLAIN_MAX_BYTES && isPlain(this.bytes, start, end)) {
      return `"${String.fromCharCode.apply(null, this.bytes.subarray(start, end) as unknown as number[])}"`;
    }
    return JSON.stringify(decodeLenient(this.bytes, start, end));
  }

  #array(length: number): string {
    let text = '[';
    for (let index = 0; index < length; index++) text += index === 0 ? this.value() : `,${this.value()}`;
    return `${text}]`;
  }

  #map(length: number): string {
    let text = '{';
    for (let index = 0; index < length; index++) {
      const key = this.key();
      text += index === 0 ? `${key}:${this.value()}` : `,${key}:${this.value()}`;
    }
    return `${text}}`;
  }

  /** The keys of a feed's messages are a few, and the same in each. */
  key(): string {
    const type = this.bytes[this.offset]!;
    const isShortString = type >= 0xa0 && type < 0xc0;
    const start = this.offset + 1;
    const end = start + (type & 31);
    const known = isShortString ? keys.get(this.bytes, start, end) : undefined;
    if (known !== undefined) {
      this.offset = end;
      return `"${known}"`;
    }
    if (!isSimple(type)) return this.#compoundKey();
    const key = this.value();
    if (!key.startsWith('"')) return `"${key}"`;
    // What is escaped is longer than its bytes, or not ASCII, which the cache does not take.
    if (isShortString && key.length === end - start + 2) keys.put(key.slice(1, -1));
    return key;
  }

  /** In a key it would be escaped once more per level, and grow twofold each time: there it is its bytes. */
  #compoundKey(): string {
    if (this.#isInKey)
      return `"${toBase64(this.take(skipValue(this.bytes, this.offset, this.bytes.length) - this.offset))}"`;
    this.#isInKey = true;
    const key = this.value();
    this.#isInKey = false;
    return key.startsWith('"') ? key : JSON.stringify(key);
  }

  #extension(lengthBytes: number): string {
    const type = (this.bytes[this.offset++]! << 24) >> 24;
    const data = this.take(lengthBytes);
    const timeMs = type === TIMESTAMP_TYPE ? timestampMs(data) : Number.NaN;
    if (!Number.isNaN(timeMs)) return `"${new Date(timeMs).toISOString()}"`;
    return `{"ext":${type},"data":"${toBase64(data)}"}`;
  }
}
