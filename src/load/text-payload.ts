/**
 * The payload where messages are text: one token of letters, digits and dots, which no JSON encoder changes or escapes, so
 * that it is found in whatever a server wraps around it.
 *
 *     rcLoad1.  topic  seq  time  bytes  check  filler  .
 *     8         8      8    14    6      8      …       1     bytes; numbers in hexadecimal, time in microseconds
 */
import type { EventSink } from './dialect.js';
import { checkOf, type PayloadForm } from './payload.js';

const MARKER = Buffer.from('rcLoad1.', 'latin1');
const MARKER_BYTES = MARKER.length;
const TOPIC_AT = MARKER_BYTES;
const SEQ_AT = TOPIC_AT + 8;
const TIME_AT = SEQ_AT + 8;
const TIME_DIGITS = 14;
const BYTES_AT = TIME_AT + TIME_DIGITS;
const BYTES_DIGITS = 6;
const CHECK_AT = BYTES_AT + BYTES_DIGITS;
const HEAD_BYTES = CHECK_AT + 8;
const END = 0x2e; // a dot
const FILLER = 0x78; // an x
const FILLER_SAMPLES = 16;
const NOT_HEX = 0xff;

export const TOKEN_MIN_BYTES = HEAD_BYTES + 1;
/** What stands around the token to make it an object, which is what most servers want. */
export const JSON_PAYLOAD_HEAD = '{"load":"';
export const JSON_PAYLOAD_TAIL = '"}';
export const JSON_PAYLOAD_BYTES = JSON_PAYLOAD_HEAD.length + JSON_PAYLOAD_TAIL.length;
const TOKEN_NOT_FOUND = -1;

const DIGITS = Buffer.from('0123456789abcdef', 'latin1');
const VALUES = new Uint8Array(256).fill(NOT_HEX);
for (let value = 0; value < 16; value++) VALUES[DIGITS[value]] = value;

/** How far a search may go on when the byte under the marker's last place is this one (Horspool's table). */
const SKIPS = new Uint8Array(256).fill(MARKER_BYTES);
for (let index = 0; index < MARKER_BYTES - 1; index++) SKIPS[MARKER[index]] = MARKER_BYTES - 1 - index;

/** Where the first token within start … end begins, or TOKEN_NOT_FOUND. Hot path. */
function findToken(bytes: Uint8Array, start: number, end: number): number {
  const last = MARKER[MARKER_BYTES - 1];
  let at = start + MARKER_BYTES - 1;
  while (at < end) {
    const byte = bytes[at];
    if (byte === last && isMarker(bytes, at - MARKER_BYTES + 1)) return at - MARKER_BYTES + 1;
    at += SKIPS[byte];
  }
  return TOKEN_NOT_FOUND;
}

function isMarker(bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < MARKER_BYTES; index++) {
    if (bytes[start + index] !== MARKER[index]) return false;
  }
  return true;
}

/** Reports every token within start … end as a payload; returns how many there were. Hot path. */
export function readTokens(connection: number, bytes: Uint8Array, start: number, end: number, sink: EventSink): number {
  let count = 0;
  for (;;) {
    const token = findToken(bytes, start, end);
    if (token === TOKEN_NOT_FOUND) return count;
    start = tokenEnd(bytes, token, end);
    sink.payload(connection, token, start);
    count++;
  }
}

/** The end of a token as it says itself, but not behind `end`. Hot path. */
function tokenEnd(bytes: Uint8Array, start: number, end: number): number {
  if (start + HEAD_BYTES > end) return end;
  const length = readHex(bytes, start + BYTES_AT, BYTES_DIGITS);
  return length < TOKEN_MIN_BYTES ? end : Math.min(end, start + length);
}

/** Writer and reader: one thread. */
export class TextPayload implements PayloadForm {
  topic = 0;
  seq = 0;
  sentMs = 0;
  readonly #tokenBytes: number;
  readonly #stride: number;
  readonly #run: number;

  constructor(tokenBytes: number, run = 0) {
    if (tokenBytes < TOKEN_MIN_BYTES) throw new RangeError(`a token has at least ${TOKEN_MIN_BYTES} bytes`);
    this.#tokenBytes = tokenBytes;
    this.#stride = Math.max(1, Math.ceil((tokenBytes - TOKEN_MIN_BYTES) / FILLER_SAMPLES));
    this.#run = run;
  }

  write(bytes: Uint8Array, _view: DataView, start: number, _end: number, topic: number, seq: number, ms: number): void {
    const micros = Math.max(0, Math.round(ms * 1000));
    const high = Math.floor(micros / 0x1_0000_0000);
    const low = micros % 0x1_0000_0000;
    writeHex(bytes, start + TOPIC_AT, 8, topic);
    writeHex(bytes, start + SEQ_AT, 8, seq);
    writeHex(bytes, start + TIME_AT, TIME_DIGITS - 8, high);
    writeHex(bytes, start + TIME_AT + TIME_DIGITS - 8, 8, low);
    writeHex(bytes, start + CHECK_AT, 8, checkOf(topic, seq, low, high, this.#run));
  }

  fill(bytes: Uint8Array, start: number, end: number): void {
    bytes.set(MARKER, start);
    writeHex(bytes, start + BYTES_AT, BYTES_DIGITS, end - start);
    bytes.fill(FILLER, start + HEAD_BYTES, end - 1);
    bytes[end - 1] = END;
  }

  read(bytes: Uint8Array, _view: DataView, start: number, end: number): boolean {
    if (end - start !== this.#tokenBytes || bytes[end - 1] !== END || !isMarker(bytes, start)) return false;
    if (readHex(bytes, start + BYTES_AT, BYTES_DIGITS) !== this.#tokenBytes) return false;
    const topic = readHex(bytes, start + TOPIC_AT, 8);
    const seq = readHex(bytes, start + SEQ_AT, 8);
    const high = readHex(bytes, start + TIME_AT, TIME_DIGITS - 8);
    const low = readHex(bytes, start + TIME_AT + TIME_DIGITS - 8, 8);
    if (topic < 0 || seq < 0 || high < 0 || low < 0) return false;
    if (readHex(bytes, start + CHECK_AT, 8) !== checkOf(topic, seq, low, high, this.#run)) return false;
    const fillerEnd = end - 1;
    for (let offset = start + HEAD_BYTES + (seq % this.#stride); offset < fillerEnd; offset += this.#stride) {
      if (bytes[offset] !== FILLER) return false;
    }
    this.topic = topic;
    this.seq = seq;
    this.sentMs = (high * 0x1_0000_0000 + low) / 1000;
    return true;
  }
}

/** Up to eight digits; −1 where there is anything but lower-case hexadecimal ones. */
function readHex(bytes: Uint8Array, start: number, digits: number): number {
  let value = 0;
  let all = 0;
  for (let index = 0; index < digits; index++) {
    const digit = VALUES[bytes[start + index]];
    all |= digit;
    value = (value << 4) | (digit & 15);
  }
  return all > 15 ? -1 : value >>> 0;
}

/** Up to eight digits. */
function writeHex(bytes: Uint8Array, start: number, digits: number, value: number): void {
  const word = value | 0;
  for (let index = 0, shift = 4 * (digits - 1); index < digits; index++, shift -= 4) {
    bytes[start + index] = DIGITS[(word >>> shift) & 15];
  }
}
