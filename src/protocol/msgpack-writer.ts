/** Writes single MessagePack values one after the other, each in its shortest form, into memory that is reused. */

import { RingcastError } from '../errors.js';
import { utf8Length } from './utf8.js';

const INITIAL_BYTES = 8 * 1024;
/** What is kept for the next value; more, after a large one, goes back. */
const KEPT_MAX_BYTES = 256 * 1024;
/**
 * Keeps a value without end from filling the memory. More than any JSON message becomes: three times the largest
 * maxPayloadBytes that can be configured, 64 MiB.
 */
const WRITTEN_MAX_BYTES = 256 * 1024 * 1024;
/** Up to here a loop is faster than TextEncoder. */
const LOOP_MAX_CHARACTERS = 64;
const NUMBER_MAX_BYTES = 9;
const TWO_32 = 0x1_0000_0000;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

const encoder = new TextEncoder();

/** Native where the runtime has it; missing in the types. */
const isWellFormed: (text: string) => boolean =
  'isWellFormed' in String.prototype
    ? (text) => (text as string & { isWellFormed(): boolean }).isWellFormed()
    : (text) => utf8Length(text) >= 0;

/** Owner: who writes a value; nobody else meanwhile. */
export class MsgpackWriter {
  /** What is written so far ends at `offset`; behind it lies what was written before. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  offset = 0;
  #view = new DataView(this.bytes.buffer);

  /** What has been written, in memory of its own. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.offset);
  }

  clear(): void {
    this.offset = 0;
    if (this.bytes.length > KEPT_MAX_BYTES) this.#use(new Uint8Array(INITIAL_BYTES));
  }

  /** Makes room for so many more bytes. */
  reserve(lengthBytes: number): void {
    const neededBytes = this.offset + lengthBytes;
    if (neededBytes <= this.bytes.length) return;
    if (neededBytes > WRITTEN_MAX_BYTES) {
      throw new RingcastError('TOO_LARGE', `more than ${WRITTEN_MAX_BYTES} bytes of MessagePack`);
    }
    const larger = new Uint8Array(Math.min(Math.max(neededBytes, this.bytes.length * 2), WRITTEN_MAX_BYTES));
    larger.set(this.bytes.subarray(0, this.offset));
    this.#use(larger);
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  nil(): void {
    this.byte(0xc0);
  }

  boolean(value: boolean): void {
    this.byte(value ? 0xc3 : 0xc2);
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.offset++] = value;
  }

  /** Hot path. Integers that are exact (up to 2^53−1) as integers, everything else, −0 too, as float64. */
  number(value: number): void {
    this.reserve(NUMBER_MAX_BYTES);
    const bytes = this.bytes;
    const offset = this.offset;
    if (value > 0 && value < 0x80 && value === (value | 0)) {
      bytes[offset] = value;
      this.offset = offset + 1;
    } else if (!Number.isSafeInteger(value) || (value === 0 && 1 / value < 0)) this.float64(value);
    else if (value >= 0) this.#unsigned(value);
    else this.#negative(value);
  }

  #unsigned(value: number): void {
    const bytes = this.bytes;
    const offset = this.offset;
    if (value < 0x80) {
      bytes[offset] = value;
      this.offset = offset + 1;
    } else if (value < 0x100) {
      bytes[offset] = 0xcc;
      bytes[offset + 1] = value;
      this.offset = offset + 2;
    } else if (value < 0x1_0000) {
      bytes[offset] = 0xcd;
      bytes[offset + 1] = value >> 8;
      bytes[offset + 2] = value;
      this.offset = offset + 3;
    } else if (value < TWO_32) {
      bytes[offset] = 0xce;
      this.#view.setUint32(offset + 1, value);
      this.offset = offset + 5;
    } else this.#int64(0xcf, value);
  }

  #negative(value: number): void {
    const bytes = this.bytes;
    const offset = this.offset;
    if (value >= -0x20) {
      bytes[offset] = value;
      this.offset = offset + 1;
    } else if (value >= -0x80) {
      bytes[offset] = 0xd0;
      bytes[offset + 1] = value;
      this.offset = offset + 2;
    } else if (value >= -0x8000) {
      bytes[offset] = 0xd1;
      bytes[offset + 1] = value >> 8;
      bytes[offset + 2] = value;
      this.offset = offset + 3;
    } else if (value >= -0x8000_0000) {
      bytes[offset] = 0xd2;
      this.#view.setInt32(offset + 1, value);
      this.offset = offset + 5;
    } else this.#int64(0xd3, value);
  }

  #int64(type: number, value: number): void {
    this.bytes[this.offset] = type;
    this.#view.setInt32(this.offset + 1, Math.floor(value / TWO_32));
    this.#view.setInt32(this.offset + 5, value);
    this.offset += 9;
  }

  float64(value: number): void {
    this.reserve(NUMBER_MAX_BYTES);
    this.bytes[this.offset] = 0xcb;
    this.#view.setFloat64(this.offset + 1, value);
    this.offset += 9;
  }

  /** False: it does not fit into 64 bits, and nothing is written. */
  bigint(value: bigint): boolean {
    if (value < INT64_MIN || value > UINT64_MAX) return false;
    const number = Number(value);
    if (Number.isSafeInteger(number)) this.number(number);
    else {
      this.byte(value < 0n ? 0xd3 : 0xcf);
      this.reserve(8);
      this.#view.setBigUint64(this.offset, BigInt.asUintN(64, value));
      this.offset += 8;
    }
    return true;
  }

  /** Hot path. False: it contains half a surrogate pair, so that it has no UTF-8 form, and nothing is written. */
  string(text: string): boolean {
    return text.length <= LOOP_MAX_CHARACTERS ? this.#shortString(text) : this.#longString(text);
  }

  #shortString(text: string): boolean {
    const length = text.length;
    this.reserve(length + 2);
    const bytes = this.bytes;
    const start = this.offset + (length < 32 ? 1 : 2);
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) return this.#longString(text);
      bytes[start + index] = unit;
    }
    this.stringHead(length);
    this.offset = start + length;
    return true;
  }

  #longString(text: string): boolean {
    if (!isWellFormed(text)) return false;
    this.reserve(5 + text.length * 3);
    const head = this.offset;
    // Right for ASCII; the head of other texts may need to be longer than was thought.
    const headBytes = stringHeadBytes(text.length);
    const start = head + headBytes;
    const { written } = encoder.encodeInto(text, this.bytes.subarray(start));
    const movedBytes = stringHeadBytes(written) - headBytes;
    if (movedBytes > 0) this.bytes.copyWithin(start + movedBytes, start, start + written);
    this.stringHead(written);
    this.offset += written;
    return true;
  }

  /** The head alone; the UTF-8 is for the caller to write behind it. */
  stringHead(lengthBytes: number): void {
    if (lengthBytes < 32) this.byte(0xa0 | lengthBytes);
    else this.#head(lengthBytes, 0xd9, 0xda, 0xdb);
  }

  closeString(opened: number): void {
    const end = this.offset;
    const lengthBytes = end - opened;
    const movedBytes = stringHeadBytes(lengthBytes) - 1;
    this.reserve(movedBytes);
    if (movedBytes > 0) this.bytes.copyWithin(opened + movedBytes, opened, end);
    this.offset = opened - 1;
    this.stringHead(lengthBytes);
    this.offset = end + movedBytes;
  }

  /** One character of a string, no half of a surrogate pair, as UTF-8. */
  character(codePoint: number): void {
    if (codePoint < 0x80) {
      this.byte(codePoint);
      return;
    }
    if (codePoint < 0x800) this.byte(0xc0 | (codePoint >> 6));
    else {
      if (codePoint < 0x1_0000) this.byte(0xe0 | (codePoint >> 12));
      else {
        this.byte(0xf0 | (codePoint >> 18));
        this.byte(0x80 | ((codePoint >> 12) & 63));
      }
      this.byte(0x80 | ((codePoint >> 6) & 63));
    }
    this.byte(0x80 | (codePoint & 63));
  }

  bin(data: Uint8Array): void {
    this.#head(data.length, 0xc4, 0xc5, 0xc6);
    this.append(data);
  }

  extension(type: number, data: Uint8Array): void {
    const { length } = data;
    if (length > 0 && length <= 16 && (length & (length - 1)) === 0) this.byte(0xd4 + Math.log2(length));
    else this.#head(length, 0xc7, 0xc8, 0xc9);
    this.byte(type);
    this.append(data);
  }

  array(length: number): void {
    if (length < 16) this.byte(0x90 | length);
    else this.#head(length, 0, 0xdc, 0xdd);
  }

  map(length: number): void {
    if (length < 16) this.byte(0x80 | length);
    else this.#head(length, 0, 0xde, 0xdf);
  }

  /** Bytes as they are. */
  append(data: Uint8Array): void {
    this.reserve(data.length);
    this.bytes.set(data, this.offset);
    this.offset += data.length;
  }

  /** Opens a string, array or map whose length is known at its end only; gives what close…() needs. */
  open(): number {
    this.byte(0);
    return this.offset;
  }

  closeArray(opened: number, length: number): void {
    if (length < 16) this.bytes[opened - 1] = 0x90 | length;
    else this.#widen(opened, length, 0xdc);
  }

  closeMap(opened: number, length: number): void {
    if (length < 16) this.bytes[opened - 1] = 0x80 | length;
    else this.#widen(opened, length, 0xde);
  }

  /** Moves the content up to make room: once per level around a byte, at the speed of memory. */
  #widen(opened: number, length: number, type16: number): void {
    const lengthBytes = length < 0x1_0000 ? 2 : 4;
    this.reserve(lengthBytes);
    this.bytes.copyWithin(opened + lengthBytes, opened, this.offset);
    const end = this.offset + lengthBytes;
    this.offset = opened - 1;
    this.#head(length, 0, type16, type16 + 1);
    this.offset = end;
  }

  /** A type and a length; `type8` 0: there is no form with one byte of length. */
  #head(length: number, type8: number, type16: number, type32: number): void {
    this.reserve(5);
    const bytes = this.bytes;
    const offset = this.offset;
    if (length < 0x100 && type8 !== 0) {
      bytes[offset] = type8;
      bytes[offset + 1] = length;
      this.offset = offset + 2;
    } else if (length < 0x1_0000) {
      bytes[offset] = type16;
      bytes[offset + 1] = length >> 8;
      bytes[offset + 2] = length;
      this.offset = offset + 3;
    } else {
      bytes[offset] = type32;
      this.#view.setUint32(offset + 1, length);
      this.offset = offset + 5;
    }
  }
}

function stringHeadBytes(lengthBytes: number): number {
  if (lengthBytes < 32) return 1;
  if (lengthBytes < 0x100) return 2;
  return lengthBytes < 0x1_0000 ? 3 : 5;
}
