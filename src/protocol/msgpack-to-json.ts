/**
 * MessagePack to JSON text, straight from the bytes, for any payload that a publisher may send:
 * bin → base64 string · integers beyond 2^53 → decimal string · NaN and infinities → null · timestamp → ISO 8601 string ·
 * other extensions → {"ext": type, "data": base64} · keys that are not strings → their JSON text as a string.
 */

import { toBase64 } from './base64.js';
import { skipValue } from './msgpack.js';
import { NameCache } from './name-cache.js';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
/** Strings up to this length may be decoded without TextDecoder: `apply` takes that many arguments. */
const PLAIN_MAX_BYTES = 256;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const TWO_32 = 2 ** 32;
/** Of this thread, for all payloads. */
const keys = new NameCache();

/** The JSON text of exactly one value in [start, end). Throws when that is not one complete value. */
export function msgpackToJson(bytes: Uint8Array, start: number, end: number): string {
  // The check bounds lengths and nesting, so the transcoder below needs neither bounds checks nor a depth.
  if (skipValue(bytes, start, end) !== end) throw new Error('not one complete MessagePack value');
  // A copy, because TextDecoder refuses views of shared memory, and the writer of a log goes on.
  return new Transcoder(bytes.slice(start, end)).value();
}

/** ASCII that JSON does not escape. DEL is left as it is, as JSON.stringify leaves it. */
function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!;
    if (byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
}

/** Hot path: per message and JSON stream. Text is put together by +, which V8 does without copying. */
class Transcoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(): string {
    const type = this.#bytes[this.#offset++]!;
    if (type < 0x80) return String(type);
    if (type < 0x90) return this.#map(type & 15);
    if (type < 0xa0) return this.#array(type & 15);
    if (type < 0xc0) return this.#string(type & 31);
    if (type >= 0xe0) return String(type - 0x100);
    if (type <= 0xc3) return type === 0xc0 ? 'null' : String(type === 0xc3);
    if (type <= 0xc6) return `"${toBase64(this.#take(this.#uint(1 << (type - 0xc4))))}"`;
    if (type <= 0xc9) return this.#extension(this.#uint(1 << (type - 0xc7)));
    if (type <= 0xd3) return this.#number(type);
    if (type <= 0xd8) return this.#extension(1 << (type - 0xd4));
    if (type <= 0xdb) return this.#string(this.#uint(1 << (type - 0xd9)));
    const length = this.#uint(type & 1 ? 4 : 2);
    return type <= 0xdd ? this.#array(length) : this.#map(length);
  }

  #take(lengthBytes: number): Uint8Array {
    const start = this.#offset;
    this.#offset = start + lengthBytes;
    return this.#bytes.subarray(start, this.#offset);
  }

  #uint(lengthBytes: number): number {
    const offset = this.#offset;
    this.#offset = offset + lengthBytes;
    if (lengthBytes === 1) return this.#bytes[offset]!;
    return lengthBytes === 2 ? this.#view.getUint16(offset) : this.#view.getUint32(offset);
  }

  #number(type: number): string {
    const offset = this.#offset;
    const view = this.#view;
    if (type <= 0xcb) {
      this.#offset += type === 0xca ? 4 : 8;
      const value = type === 0xca ? view.getFloat32(offset) : view.getFloat64(offset);
      return Number.isFinite(value) ? String(value) : 'null';
    }
    const lengthBytes = 1 << (type & 3);
    const isSigned = type >= 0xd0;
    if (lengthBytes === 8) {
      this.#offset += 8;
      const value = isSigned ? view.getBigInt64(offset) : view.getBigUint64(offset);
      return Number.isSafeInteger(Number(value)) ? String(value) : `"${value}"`;
    }
    const value = this.#uint(lengthBytes);
    const unused = 32 - lengthBytes * 8;
    return String(isSigned ? (value << unused) >> unused : value);
  }

  #string(lengthBytes: number): string {
    const start = this.#offset;
    const end = start + lengthBytes;
    this.#offset = end;
    if (lengthBytes <= PLAIN_MAX_BYTES && isPlain(this.#bytes, start, end)) {
      return `"${String.fromCharCode.apply(null, this.#bytes.subarray(start, end) as unknown as number[])}"`;
    }
    return JSON.stringify(decoder.decode(this.#bytes.subarray(start, end)));
  }

  #array(length: number): string {
    let text = '[';
    for (let index = 0; index < length; index++) text += index === 0 ? this.value() : `,${this.value()}`;
    return `${text}]`;
  }

  #map(length: number): string {
    let text = '{';
    for (let index = 0; index < length; index++) {
      const key = this.#key();
      text += index === 0 ? `${key}:${this.value()}` : `,${key}:${this.value()}`;
    }
    return `${text}}`;
  }

  /** The keys of a feed's messages are a few, and the same in each. */
  #key(): string {
    const type = this.#bytes[this.#offset]!;
    const isShortString = type >= 0xa0 && type < 0xc0;
    const start = this.#offset + 1;
    const end = start + (type & 31);
    const known = isShortString ? keys.get(this.#bytes, start, end) : undefined;
    if (known !== undefined) {
      this.#offset = end;
      return `"${known}"`;
    }
    const key = this.value();
    if (!key.startsWith('"')) return JSON.stringify(key);
    // What is escaped is longer than its bytes, or not ASCII, which the cache does not take.
    if (isShortString && key.length === end - start + 2) keys.put(key.slice(1, -1));
    return key;
  }

  #extension(lengthBytes: number): string {
    const type = this.#view.getInt8(this.#offset);
    this.#offset += 1;
    const data = this.#take(lengthBytes);
    const timeMs = type === -1 ? timestampMs(data) : Number.NaN;
    if (Math.abs(timeMs) <= 8.64e15) return `"${new Date(timeMs).toISOString()}"`; // the range of a Date
    return `{"ext":${type},"data":"${toBase64(data)}"}`;
  }
}

/** The timestamp extension (32, 64 or 96 bits) as milliseconds since 1970; NaN when it is none of these. */
function timestampMs(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length === 4) return view.getUint32(0) * 1000;
  if (data.length === 8) {
    const high = view.getUint32(0);
    const seconds = (high & 3) * TWO_32 + view.getUint32(4);
    return seconds * 1000 + Math.floor((high >>> 2) / 1e6);
  }
  if (data.length === 12) return Number(view.getBigInt64(4)) * 1000 + Math.floor(view.getUint32(0) / 1e6);
  return Number.NaN;
}
