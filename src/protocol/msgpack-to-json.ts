/**
 * MessagePack to JSON, from bytes to bytes, for any payload that a publisher may send. PROTOCOL.md ("JSON") has the forms
 * of what JSON cannot say. The text takes at most JSON_FACTOR_MAX (limits.ts) characters per byte, and the time is in proportion: what
 * stands in a key is escaped twice, and nothing more often.
 */

import { toBase64 } from './base64.js';
import { JsonWriter } from './json-writer.js';
import { MsgpackSource } from './msgpack-source.js';
import { skipValue } from './skip-value.js';
import { TIMESTAMP_TYPE, timestampMs } from './timestamp.js';
import { decodeLenient } from './utf8.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const ZERO = 0x30;
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_MAP, CLOSE_MAP] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Of this thread, for texts that are wanted as strings. */
const textWriter = new JsonWriter();

/** Writes exactly one value, that of [start, end). Throws when that is not one complete value. */
export function writeJson(writer: JsonWriter, bytes: Uint8Array, start: number, end: number): void {
  // The check bounds lengths and nesting, so the transcoder below needs neither bounds checks nor a depth.
  if (skipValue(bytes, start, end) !== end) throw new Error('not one complete MessagePack value');
  new Transcoder(bytes, start, end, writer).value();
}

/** The JSON text of exactly one value in [start, end). Throws when that is not one complete value. */
export function msgpackToJson(bytes: Uint8Array, start: number, end: number): string {
  writeJson(textWriter.clear(), bytes, start, end);
  return decodeLenient(textWriter.bytes, 0, textWriter.offset);
}

/** The JSON text of a payload, as the server makes it for JSON subscribers; the opposite of encodeJson(). */
export function decodeJson(payload: Uint8Array): string {
  return msgpackToJson(payload, 0, payload.length);
}

/** The same for a value that is the key of a map: the JSON string that stands for it, with its quotes. */
export function keyToJson(bytes: Uint8Array, start: number, end: number): string {
  new Transcoder(bytes, start, end, textWriter.clear()).key();
  return decodeLenient(textWriter.bytes, 0, textWriter.offset);
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

/** Hot path: per message and JSON stream. A byte of payload may be a value of its own, so nothing is made for one. */
class Transcoder extends MsgpackSource {
  readonly #writer: JsonWriter;
  /** Within the text of a key. */
  #isInKey = false;

  constructor(bytes: Uint8Array, start: number, end: number, writer: JsonWriter) {
    super(bytes, start, end);
    this.#writer = writer;
  }

  value(): void {
    const type = this.bytes[this.offset++];
    if (type < 10) this.#writer.byte(ZERO + type);
    else if (type < 0x80) this.#writer.text(String(type));
    else if (type < 0x90) this.#map(type & 15);
    else if (type < 0xa0) this.#array(type & 15);
    else if (type < 0xc0) this.#string(type & 31);
    else if (type >= 0xe0) this.#writer.text(String(type - 0x100));
    else if (type <= 0xc3) this.#writer.text(type === 0xc0 ? 'null' : type === 0xc3 ? 'true' : 'false');
    else if (type <= 0xc6) this.#base64(this.uint(1 << (type - 0xc4)));
    else if (type <= 0xc9) this.#extension(this.uint(1 << (type - 0xc7)));
    else if (type <= 0xd3) this.#number(type);
    else if (type <= 0xd8) this.#extension(1 << (type - 0xd4));
    else if (type <= 0xdb) this.#string(this.uint(1 << (type - 0xd9)));
    else {
      const length = this.uint(type & 1 ? 4 : 2);
      if (type <= 0xdd) this.#array(length);
      else this.#map(length);
    }
  }

  #number(type: number): void {
    const value = this.numberOf(type);
    this.#writer.text(typeof value === 'number' ? numberText(value) : String(value));
  }

  /** ASCII that JSON does not escape is copied; DEL is left as it is, as JSON.stringify leaves it. */
  #string(lengthBytes: number): void {
    const writer = this.#writer;
    writer.reserve(lengthBytes + 2);
    const source = this.bytes;
    const start = this.offset;
    const end = start + lengthBytes;
    const target = writer.bytes;
    let at = writer.offset;
    this.offset = end;
    target[at++] = QUOTE;
    for (let index = start; index < end; index++) {
      const byte = source[index];
      if (byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) {
        writer.text(JSON.stringify(decodeLenient(source, start, end)));
        return;
      }
      target[at++] = byte;
    }
    target[at++] = QUOTE;
    writer.offset = at;
  }

  #base64(lengthBytes: number): void {
    this.#writer.byte(QUOTE);
    this.#writer.text(toBase64(this.take(lengthBytes)));
    this.#writer.byte(QUOTE);
  }

  #array(length: number): void {
    const writer = this.#writer;
    writer.byte(OPEN_ARRAY);
    for (let index = 0; index < length; index++) {
      if (index > 0) writer.byte(COMMA);
      this.value();
    }
    writer.byte(CLOSE_ARRAY);
  }

  #map(length: number): void {
    const writer = this.#writer;
    writer.byte(OPEN_MAP);
    for (let index = 0; index < length; index++) {
      if (index > 0) writer.byte(COMMA);
      this.key();
      writer.byte(COLON);
      this.value();
    }
    writer.byte(CLOSE_MAP);
  }

  key(): void {
    const type = this.bytes[this.offset];
    if ((type >= 0xa0 && type < 0xc0) || isLongString(type)) this.value();
    else if (isSimple(type)) this.#quoted();
    else if (this.#isInKey) this.#base64(skipValue(this.bytes, this.offset, this.bytes.length) - this.offset);
    else {
      // In a key it would be escaped once more per level, and grow twofold each time: there it is its bytes.
      this.#isInKey = true;
      this.#quoted();
      this.#isInKey = false;
    }
  }

  /** A value as the string that its text is, or is put in. */
  #quoted(): void {
    const writer = this.#writer;
    const start = writer.offset;
    this.value();
    if (writer.bytes[start] === QUOTE) return;
    const text = decodeLenient(writer.bytes, start, writer.offset);
    writer.offset = start;
    writer.text(JSON.stringify(text));
  }

  #extension(lengthBytes: number): void {
    const type = (this.bytes[this.offset++] << 24) >> 24;
    const data = this.take(lengthBytes);
    const timeMs = type === TIMESTAMP_TYPE ? timestampMs(data) : Number.NaN;
    const isTime = !Number.isNaN(timeMs);
    this.#writer.text(isTime ? `"${new Date(timeMs).toISOString()}"` : `{"ext":${type},"data":"${toBase64(data)}"}`);
  }
}
