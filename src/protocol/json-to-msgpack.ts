/**
 * JSON text to MessagePack, straight from the bytes in one pass: the mirror of msgpack-to-json.ts. Nothing becomes a
 * JavaScript object on the way, so keys keep their order, `__proto__` is a key like any other, and integers keep all of
 * their digits. PROTOCOL.md ("JSON") says what becomes of what. MessagePack takes at most three bytes per byte of JSON.
 */

import { RingcastError } from '../errors.js';
import { PAYLOAD_NESTING_MAX } from './messages.js';
import { MsgpackWriter } from './msgpack-writer.js';
import type { NameCache } from './name-cache.js';
import { decodeUtf8, encodeUtf8, utf8Length } from './utf8.js';

export const NOT_JSON = 'the message is not JSON';
const HALF_PAIR = 'a string contains half a surrogate pair';
const INTEGER_TOO_LARGE = 'an integer has more than 64 bits';
const NUMBER_OUT_OF_RANGE = 'a number is beyond what a float64 can hold';

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LETTER_E = 0x65;
const LETTER_U = 0x75;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** So many decimal digits a float64 holds exactly; so they can be added up in one. */
const EXACT_DIGITS = 15;
/** Powers of ten that a float64 holds exactly: the quotient of two exact numbers is correctly rounded. */
const POWERS_OF_TEN = Float64Array.from({ length: EXACT_DIGITS + 1 }, (_, power) => 10 ** power);
/** Up to here a loop is faster than set() on a view. */
const LOOP_MAX_BYTES = 32;

/** What `\` and a letter stand for; 0: no such escape. */
const ESCAPED = new Uint8Array(128);
for (const [letter, meaning] of Object.entries({
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
})) {
  ESCAPED[letter.charCodeAt(0)] = meaning.charCodeAt(0);
}

/** Reads JSON values one after the other. Owner: the reader that contains it. */
export class JsonSource {
  /** After a method gave false: what is wrong. The offset then stands anywhere. */
  problem = '';
  offset = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  /** All bytes of the strings so far or-ed: from 0x80 on there may be some that are not UTF-8. */
  #bits = 0;
  readonly #writer: MsgpackWriter;

  /** @param writer takes what is transcoded. */
  constructor(writer: MsgpackWriter) {
    this.#writer = writer;
  }

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.offset = start;
    this.#end = end;
    this.#bits = 0;
    this.problem = '';
  }

  /** Whether all that was read is ASCII. What is not is valid UTF-8 only if the reader has checked the text. */
  get isAscii(): boolean {
    return this.#bits < 0x80;
  }

  /** The first byte of what comes next, spaces skipped; 0 at the end. */
  peek(): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let offset = this.offset;
    while (offset < end) {
      const byte = bytes[offset];
      if (byte > SPACE || (byte !== SPACE && byte !== LINE_FEED && byte !== CARRIAGE_RETURN && byte !== TAB)) {
        this.offset = offset;
        return byte;
      }
      offset++;
    }
    this.offset = offset;
    return 0;
  }

  /** Takes this character if it comes next. */
  take(character: number): boolean {
    if (this.peek() !== character) return false;
    this.offset++;
    return true;
  }

  atEnd(): boolean {
    return this.peek() === 0 && this.offset >= this.#end;
  }

  fail(problem: string): false {
    this.problem = problem;
    return false;
  }

  /** Hot path: per value in a published message. Transcodes the next value; at most `levels` may be inside each other. */
  value(levels: number): boolean {
    const byte = this.peek();
    if (byte === QUOTE) return this.#string();
    if (byte <= NINE) return this.#number();
    if (byte === OPEN_BRACE) return this.#object(levels);
    if (byte === OPEN_BRACKET) return this.#array(levels);
    return this.#literal();
  }

  #literal(): boolean {
    if (this.#takeWord('true')) this.#writer.boolean(true);
    else if (this.#takeWord('false')) this.#writer.boolean(false);
    else if (this.#takeWord('null')) this.#writer.nil();
    else return this.fail(NOT_JSON);
    return true;
  }

  #takeWord(word: string): boolean {
    const start = this.offset;
    if (start + word.length > this.#end) return false;
    for (let index = 0; index < word.length; index++) {
      if (this.#bytes[start + index] !== word.charCodeAt(index)) return false;
    }
    this.offset = start + word.length;
    return true;
  }

  #array(levels: number): boolean {
    if (levels === 0) return this.#tooDeep();
    this.offset++;
    const opened = this.#writer.open();
    let length = 0;
    if (!this.take(CLOSE_BRACKET)) {
      do {
        if (!this.value(levels - 1)) return false;
        length++;
      } while (this.take(COMMA));
      if (!this.take(CLOSE_BRACKET)) return this.fail(NOT_JSON);
    }
    this.#writer.closeArray(opened, length);
    return true;
  }

  /** A key that is given twice is sent twice. */
  #object(levels: number): boolean {
    if (levels === 0) return this.#tooDeep();
    this.offset++;
    const opened = this.#writer.open();
    let length = 0;
    if (!this.take(CLOSE_BRACE)) {
      do {
        if (this.peek() !== QUOTE) return this.fail(NOT_JSON);
        if (!this.#string()) return false;
        if (!this.take(COLON)) return this.fail(NOT_JSON);
        if (!this.value(levels - 1)) return false;
        length++;
      } while (this.take(COMMA));
      if (!this.take(CLOSE_BRACE)) return this.fail(NOT_JSON);
    }
    this.#writer.closeMap(opened, length);
    return true;
  }

  #tooDeep(): false {
    return this.fail(`the payload is nested deeper than ${PAYLOAD_NESTING_MAX}`);
  }

  // ---- strings -----------------------------------------------------------------------------------------------------

  /** The offset stands on the quote. Without escapes the bytes between the quotes are the string. */
  #string(): boolean {
    const bytes = this.#bytes;
    const start = this.offset + 1;
    const close = this.#plainEnd(start);
    if (close < 0) return this.fail(NOT_JSON);
    if (bytes[close] === BACKSLASH) return this.#escapedString(start, close);
    const writer = this.#writer;
    const lengthBytes = close - start;
    writer.reserve(lengthBytes + 5);
    writer.stringHead(lengthBytes);
    copy(bytes, start, close, writer);
    this.offset = close + 1;
    return true;
  }

  /** Where the next quote or backslash is; −1 when a control character or the end comes before. */
  #plainEnd(start: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let bits = this.#bits;
    for (let offset = start; offset < end; offset++) {
      const byte = bytes[offset];
      if (byte === QUOTE || byte === BACKSLASH) {
        this.#bits = bits;
        return offset;
      }
      if (byte < SPACE) return -1;
      bits |= byte;
    }
    return -1;
  }

  /** Between escapes the bytes are copied. */
  #escapedString(start: number, firstEscape: number): boolean {
    const bytes = this.#bytes;
    const writer = this.#writer;
    const opened = writer.open();
    let from = start;
    let at = firstEscape;
    while (bytes[at] === BACKSLASH) {
      copy(bytes, from, at, writer);
      if (at + 1 >= this.#end) return this.fail(NOT_JSON);
      const letter = bytes[at + 1];
      if (letter === LETTER_U) {
        from = this.#unicodeEscape(at);
        if (from < 0) return false;
      } else {
        const meaning = letter < 0x80 ? ESCAPED[letter] : 0;
        if (meaning === 0) return this.fail(NOT_JSON);
        writer.byte(meaning);
        from = at + 2;
      }
      at = this.#plainEnd(from);
      if (at < 0) return this.fail(NOT_JSON);
    }
    copy(bytes, from, at, writer);
    writer.closeString(opened);
    this.offset = at + 1;
    return true;
  }

  /** Writes the character whose escape, or pair of escapes, starts at `at`. Where it ends; −1: see `problem`. */
  #unicodeEscape(at: number): number {
    const unit = this.#hexUnit(at);
    if (unit < 0) {
      this.problem = NOT_JSON;
      return -1;
    }
    if (unit < 0xd800 || unit > 0xdfff) {
      this.#writer.character(unit);
      return at + 6;
    }
    const low = unit < 0xdc00 ? this.#hexUnit(at + 6) : -1;
    if (low < 0xdc00 || low > 0xdfff) {
      this.problem = HALF_PAIR;
      return -1;
    }
    this.#writer.character(0x1_0000 + ((unit & 0x3ff) << 10) + (low & 0x3ff));
    return at + 12;
  }

  /** The value of `\uXXXX` at `at`; −1: there is none. */
  #hexUnit(at: number): number {
    const bytes = this.#bytes;
    if (at + 6 > this.#end || bytes[at] !== BACKSLASH || bytes[at + 1] !== LETTER_U) return -1;
    let unit = 0;
    for (let index = at + 2; index < at + 6; index++) {
      const byte = bytes[index];
      const letter = byte | 0x20;
      if (byte >= ZERO && byte <= NINE) unit = unit * 16 + byte - ZERO;
      else if (letter >= 0x61 && letter <= 0x66) unit = unit * 16 + letter - 0x57;
      else return -1;
    }
    return unit;
  }

  /** The next string as it is, half surrogate pairs included, for fields that are looked at. Undefined: it is none. */
  text(names?: NameCache): string | undefined {
    if (this.peek() !== QUOTE) return undefined;
    const start = this.offset;
    let close = this.#plainEnd(start + 1);
    const hasEscapes = close >= 0 && this.#bytes[close] === BACKSLASH;
    while (close >= 0 && this.#bytes[close] === BACKSLASH)
      close = close + 2 > this.#end ? -1 : this.#plainEnd(close + 2);
    if (close < 0) return undefined;
    this.offset = close + 1;
    if (!hasEscapes) {
      return names?.get(this.#bytes, start + 1, close) ?? decodeUtf8(this.#bytes, start + 1, close) ?? undefined;
    }
    const quoted = decodeUtf8(this.#bytes, start, close + 1);
    try {
      return quoted === null ? undefined : (JSON.parse(quoted) as string);
    } catch {
      return undefined; // an escape that JSON does not know
    }
  }

  // ---- numbers -----------------------------------------------------------------------------------------------------

  /** The offset stands on the sign or the first digit. */
  #number(): boolean {
    const bytes = this.#bytes;
    const start = this.offset;
    const isNegative = bytes[start] === MINUS;
    const firstDigit = isNegative ? start + 1 : start;
    const digitsEnd = this.#digitsEnd(firstDigit);
    const digits = digitsEnd - firstDigit;
    if (digits === 0 || (digits > 1 && bytes[firstDigit] === ZERO)) return this.fail(NOT_JSON);
    const next = digitsEnd < this.#end ? bytes[digitsEnd] : 0;
    if (next === DOT || (next | 0x20) === LETTER_E) return this.#float(start, firstDigit, digitsEnd);
    this.offset = digitsEnd;
    if (digits <= EXACT_DIGITS) {
      const value = this.#integer(firstDigit, digitsEnd, 0);
      this.#writer.number(isNegative ? -value : value);
      return true;
    }
    // Twenty digits have at most 67 bits: more are not even looked at, which would take time in their square.
    const isWritten = digits <= 20 && this.#writer.bigint(BigInt(this.#ascii(start, digitsEnd)));
    return isWritten || this.fail(INTEGER_TOO_LARGE);
  }

  /** A fraction or an exponent makes a float64, the nearest one. */
  #float(start: number, firstDigit: number, wholeEnd: number): boolean {
    const bytes = this.#bytes;
    let at = wholeEnd;
    if (bytes[at] === DOT) {
      at = this.#digitsEnd(wholeEnd + 1);
      if (at === wholeEnd + 1) return this.fail(NOT_JSON);
    }
    const mantissaEnd = at;
    const hasExponent = at < this.#end && (bytes[at] | 0x20) === LETTER_E;
    if (hasExponent) {
      const sign = at + 1 < this.#end ? bytes[at + 1] : 0;
      const exponent = sign === MINUS || sign === 0x2b ? at + 2 : at + 1;
      at = this.#digitsEnd(exponent);
      if (at === exponent) return this.fail(NOT_JSON);
    }
    this.offset = at;
    const isNegative = firstDigit > start;
    if (!hasExponent && mantissaEnd - firstDigit <= EXACT_DIGITS + 1) {
      const mantissa = this.#integer(wholeEnd + 1, mantissaEnd, this.#integer(firstDigit, wholeEnd, 0));
      const value = mantissa / POWERS_OF_TEN[mantissaEnd - wholeEnd - 1];
      this.#writer.float64(isNegative ? -value : value);
      return true;
    }
    return this.#roundedFloat(start, mantissaEnd);
  }

  #roundedFloat(start: number, mantissaEnd: number): boolean {
    const value = Number(this.#ascii(start, this.offset));
    const isLost = value === 0 && /[1-9]/.test(this.#ascii(start, mantissaEnd));
    if (!Number.isFinite(value) || isLost) return this.fail(NUMBER_OUT_OF_RANGE);
    this.#writer.float64(value);
    return true;
  }

  #digitsEnd(start: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let offset = start;
    while (offset < end && bytes[offset] >= ZERO && bytes[offset] <= NINE) offset++;
    return offset;
  }

  /** The digits of [start, end) behind those that gave `value`. */
  #integer(start: number, end: number, value: number): number {
    const bytes = this.#bytes;
    let sum = value;
    for (let offset = start; offset < end; offset++) sum = sum * 10 + bytes[offset] - ZERO;
    return sum;
  }

  #ascii(start: number, end: number): string {
    return decodeUtf8(this.#bytes, start, end) ?? '';
  }
}

function copy(bytes: Uint8Array, start: number, end: number, writer: MsgpackWriter): void {
  const lengthBytes = end - start;
  if (lengthBytes > LOOP_MAX_BYTES) {
    writer.append(bytes.subarray(start, end));
    return;
  }
  writer.reserve(lengthBytes);
  const target = writer.bytes;
  let to = writer.offset;
  for (let offset = start; offset < end; offset++) target[to++] = bytes[offset];
  writer.offset = to;
}

/** One JSON text as the payload of a message, in memory of its own. Throws RingcastError BAD_REQUEST, TOO_LARGE. */
export function encodeJson(json: string): Uint8Array {
  if (utf8Length(json) < 0) throw new RingcastError('BAD_REQUEST', HALF_PAIR);
  const bytes = encodeUtf8(json);
  const writer = new MsgpackWriter();
  const source = new JsonSource(writer);
  source.reset(bytes, 0, bytes.length);
  if (source.value(PAYLOAD_NESTING_MAX) && (source.atEnd() || source.fail(NOT_JSON))) return writer.copy();
  throw new RingcastError('BAD_REQUEST', source.problem === NOT_JSON ? notJson(json) : source.problem);
}

/** With the words of JSON.parse, which say where. */
function notJson(text: string): string {
  try {
    JSON.parse(text);
    return NOT_JSON;
  } catch (error) {
    return `${NOT_JSON}: ${(error as Error).message}`;
  }
}
