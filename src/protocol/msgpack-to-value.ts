/** MessagePack to JavaScript values, for whatever a stranger may have sent. PROTOCOL.md ("Values") has the forms. */

import { MsgpackSource } from './msgpack-source.js';
import { keyToJson } from './msgpack-to-json.js';
import { ExtensionValue } from './msgpack-types.js';
import { NameCache } from './name-cache.js';
import { skipValue } from './skip-value.js';
import { TIMESTAMP_TYPE, timestampMs } from './timestamp.js';
import { decodeLenient } from './utf8.js';

/** Of this thread, for all values: the keys of a feed's messages are a few, and the same in each. */
const keys = new NameCache();

/** The value in [start, end), which skipValue() has found to be exactly one. It refers to nothing of `bytes`. */
export function readValue(bytes: Uint8Array, start: number, end: number): unknown {
  return new Decoder(bytes, start, end).value();
}

class Decoder extends MsgpackSource {
  value(): unknown {
    const type = this.bytes[this.offset++];
    if (type < 0x80) return type;
    if (type < 0x90) return this.#map(type & 15);
    if (type < 0xa0) return this.#array(type & 15);
    if (type < 0xc0) return this.#string(type & 31);
    if (type >= 0xe0) return type - 0x100;
    if (type <= 0xc3) return type === 0xc0 ? null : type === 0xc3;
    if (type <= 0xc6) return this.take(this.uint(1 << (type - 0xc4))).slice();
    if (type <= 0xc9) return this.#extension(this.uint(1 << (type - 0xc7)));
    if (type <= 0xd3) return this.numberOf(type);
    if (type <= 0xd8) return this.#extension(1 << (type - 0xd4));
    if (type <= 0xdb) return this.#string(this.uint(1 << (type - 0xd9)));
    const length = this.uint(type & 1 ? 4 : 2);
    return type <= 0xdd ? this.#array(length) : this.#map(length);
  }

  #string(lengthBytes: number): string {
    const start = this.offset;
    this.offset = start + lengthBytes;
    return decodeLenient(this.bytes, start, this.offset);
  }

  /** Grows with what is there: the length alone, which a stranger wrote, allocates nothing. */
  #array(length: number): unknown[] {
    const items: unknown[] = [];
    for (let index = 0; index < length; index++) items.push(this.value());
    return items;
  }

  #map(length: number): object {
    const object: Record<string, unknown> = {};
    for (let index = 0; index < length; index++) {
      const key = this.#key();
      const value = this.value();
      if (key !== '__proto__') object[key] = value;
      // A property like any other, not the object's prototype.
      else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
    }
    return object;
  }

  #key(): string {
    const type = this.bytes[this.offset];
    if (type >= 0xa0 && type < 0xc0) return this.#shortKey(type & 31);
    if (type >= 0xd9 && type <= 0xdb) return this.value() as string;
    const start = this.offset;
    this.offset = skipValue(this.bytes, start, this.bytes.length);
    return JSON.parse(keyToJson(this.bytes, start, this.offset)) as string;
  }

  #shortKey(lengthBytes: number): string {
    const start = this.offset + 1;
    const end = start + lengthBytes;
    this.offset = end;
    const known = keys.get(this.bytes, start, end);
    if (known !== undefined) return known;
    const key = decodeLenient(this.bytes, start, end);
    keys.put(key); // which takes ASCII only
    return key;
  }

  #extension(lengthBytes: number): Date | ExtensionValue {
    const type = (this.bytes[this.offset++] << 24) >> 24;
    const data = this.take(lengthBytes);
    const timeMs = type === TIMESTAMP_TYPE ? timestampMs(data) : Number.NaN;
    return Number.isNaN(timeMs) ? new ExtensionValue(type, data.slice()) : new Date(timeMs);
  }
}
