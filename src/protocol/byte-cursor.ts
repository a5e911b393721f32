/**
 * Reads single MessagePack values (numbers, strings, lengths) one after the other, without allocating for numbers.
 * A read that finds something else returns NONE (or undefined) and leaves the offset where it was.
 */

import { decodeUtf8 } from './utf8.js';

export const NONE = -1;

const EMPTY = new Uint8Array(0);
const TWO_32 = 0x1_0000_0000;

const floatScratch = new DataView(new ArrayBuffer(8));

/** Owner: the reader that contains it. */
export class ByteCursor {
  bytes: Uint8Array = EMPTY;
  offset = 0;
  end = 0;

  /** Takes a nil; false when the next value is another one. */
  nil(): boolean {
    if (this.offset >= this.end || this.bytes[this.offset] !== 0xc0) return false;
    this.offset += 1;
    return true;
  }

  /** Hot path. A non-negative integer up to 2^53−1, in whichever of MessagePack's encodings; NONE otherwise. */
  unsigned(): number {
    const offset = this.offset;
    if (offset >= this.end) return NONE;
    const bytes = this.bytes;
    const type = bytes[offset];
    if (type < 0x80) {
      this.offset = offset + 1;
      return type;
    }
    if (type === 0xcc && offset + 1 < this.end) {
      this.offset = offset + 2;
      return bytes[offset + 1];
    }
    if (type === 0xcd && offset + 2 < this.end) {
      this.offset = offset + 3;
      return (bytes[offset + 1] << 8) | bytes[offset + 2];
    }
    if (type === 0xce && offset + 4 < this.end) {
      this.offset = offset + 5;
      return this.#uint32(offset + 1);
    }
    if (type < 0xca || type > 0xd3) return NONE;
    const value = this.number();
    if (Number.isSafeInteger(value) && value >= 0) return value;
    this.offset = offset;
    return NONE;
  }

  /** Any number; 64-bit integers lose what float64 cannot hold. NaN when the next value is not a number. */
  number(): number {
    const bytes = this.bytes;
    const type = this.offset < this.end ? bytes[this.offset] : 0xc0;
    if (type < 0x80 || type >= 0xe0) {
      this.offset += 1;
      return type < 0x80 ? type : type - 0x100;
    }
    if (type < 0xca || type > 0xd3) return Number.NaN;
    const body = this.offset + 1;
    const bodyBytes = type <= 0xcb ? (type === 0xca ? 4 : 8) : 1 << (type & 3);
    if (body + bodyBytes > this.end) return Number.NaN;
    this.offset = body + bodyBytes;
    if (type === 0xca || type === 0xcb) {
      for (let index = 0; index < bodyBytes; index++) floatScratch.setUint8(index, bytes[body + index]);
      return type === 0xca ? floatScratch.getFloat32(0) : floatScratch.getFloat64(0);
    }
    const isSigned = type >= 0xd0;
    if (bodyBytes === 8) {
      const high = this.#uint32(body);
      return (isSigned ? high | 0 : high) * TWO_32 + this.#uint32(body + 4);
    }
    const unused = 32 - bodyBytes * 8;
    let value = 0;
    for (let index = 0; index < bodyBytes; index++) value = (value << 8) | bytes[body + index];
    if (!isSigned) return value >>> 0;
    return (value << unused) >> unused;
  }

  boolean(): boolean | undefined {
    const type = this.offset < this.end ? this.bytes[this.offset] : 0;
    if (type !== 0xc2 && type !== 0xc3) return undefined;
    this.offset += 1;
    return type === 0xc3;
  }

  /** The length of the string that comes next, whose bytes then start at `offset`; NONE when it is not there whole. */
  stringLength(): number {
    const offset = this.offset;
    if (offset >= this.end) return NONE;
    const type = this.bytes[offset];
    let headBytes = 1;
    let lengthBytes = type & 31;
    if (type < 0xa0 || type > 0xbf) {
      if (type < 0xd9 || type > 0xdb) return NONE;
      headBytes = type === 0xd9 ? 2 : type === 0xda ? 3 : 5;
      if (offset + headBytes > this.end) return NONE;
      lengthBytes = 0;
      for (let index = 1; index < headBytes; index++) lengthBytes = lengthBytes * 256 + this.bytes[offset + index];
    }
    if (offset + headBytes + lengthBytes > this.end) return NONE;
    this.offset = offset + headBytes;
    return lengthBytes;
  }

  /** A string of at most `maxBytes`; undefined when the next value is not one, is longer or is not UTF-8. */
  string(maxBytes: number): string | undefined {
    const offset = this.offset;
    const lengthBytes = this.stringLength();
    if (lengthBytes !== NONE && lengthBytes <= maxBytes) {
      const text = this.text(this.offset + lengthBytes);
      if (text !== undefined) return text;
    }
    this.offset = offset;
    return undefined;
  }

  /** The UTF-8 between `offset` and `textEnd`, as measured by stringLength(); undefined when it is not UTF-8. */
  text(textEnd: number): string | undefined {
    const text = decodeUtf8(this.bytes, this.offset, textEnd);
    if (text === null) return undefined;
    this.offset = textEnd;
    return text;
  }

  arrayLength(): number {
    return this.#containerLength(0x90, 0xdc);
  }

  mapLength(): number {
    return this.#containerLength(0x80, 0xde);
  }

  #containerLength(fixType: number, type16: number): number {
    const offset = this.offset;
    if (offset >= this.end) return NONE;
    const type = this.bytes[offset];
    if ((type & 0xf0) === fixType) {
      this.offset = offset + 1;
      return type & 15;
    }
    if (type === type16 && offset + 2 < this.end) {
      this.offset = offset + 3;
      return (this.bytes[offset + 1] << 8) | this.bytes[offset + 2];
    }
    if (type === type16 + 1 && offset + 4 < this.end) {
      this.offset = offset + 5;
      return this.#uint32(offset + 1);
    }
    return NONE;
  }

  #uint32(offset: number): number {
    const bytes = this.bytes;
    return bytes[offset] * 0x100_0000 + ((bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]);
  }
}
