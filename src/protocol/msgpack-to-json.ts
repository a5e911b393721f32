/**
 * MessagePack to JSON text, straight from the bytes, for any payload that a publisher may send:
 * bin → base64 string · integers beyond 2^53 → decimal string · NaN and infinities → null · timestamp → ISO 8601 string ·
 * other extensions → {"ext": type, "data": base64} · keys that are not strings → their JSON text as a string.
 */

import { toBase64 } from './base64.js';
import { skipValue } from './msgpack.js';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const TWO_32 = 2 ** 32;

/** The JSON text of exactly one value in [start, end). Throws when that is not one complete value. */
export function msgpackToJson(bytes: Uint8Array, start: number, end: number): string {
  // The check bounds lengths and nesting, so the transcoder below needs neither bounds checks nor a depth.
  if (skipValue(bytes, start, end) !== end) throw new Error('not one complete MessagePack value');
  // A copy, because TextDecoder refuses views of shared memory.
  return new Transcoder(bytes.slice(start, end)).value();
}

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
    if (type <= 0xc6) return JSON.stringify(toBase64(this.#take(this.#uint(1 << (type - 0xc4)))));
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
    let value = 0;
    for (const byte of this.#take(lengthBytes)) value = value * 256 + byte;
    return value;
  }

  #number(type: number): string {
    const offset = this.#offset;
    const view = this.#view;
    if (type <= 0xcb) {
      this.#offset += type === 0xca ? 4 : 8;
      const value = type === 0xca ? view.getFloat32(offset) : view.getFloat64(offset);
      return JSON.stringify(value);
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
    return JSON.stringify(decoder.decode(this.#take(lengthBytes)));
  }

  #array(length: number): string {
    const items: string[] = [];
    for (let index = 0; index < length; index++) items.push(this.value());
    return `[${items.join(',')}]`;
  }

  #map(length: number): string {
    const entries: string[] = [];
    for (let index = 0; index < length; index++) {
      const key = this.value();
      entries.push(`${key.startsWith('"') ? key : JSON.stringify(key)}:${this.value()}`);
    }
    return `{${entries.join(',')}}`;
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
