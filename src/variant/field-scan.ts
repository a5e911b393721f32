/**
 * Fields of a MessagePack map found by their paths, in one pass over its bytes: filters and conflation look at two fields of
 * twelve, and a whole decode costs ten times as much.
 *
 * A path is the names from the outermost map inwards. Of equal keys the last one counts, as in decode(); so a pass goes to
 * the payload's end, and takes only what skipValue() takes. A key that is no string is no name.
 */

import { RingcastError } from '../errors.js';
import { ByteCursor, NONE } from '../protocol/byte-cursor.js';
import { NESTING_MAX } from '../protocol/messages.js';
import { readValue } from '../protocol/msgpack-to-value.js';
import { SKIP_INCOMPLETE, SKIP_INVALID, skipValue } from '../protocol/skip-value.js';
import { decodeLenient, encodeUtf8, shortAscii, utf8Length } from '../protocol/utf8.js';

export type FieldPath = readonly string[];

/** Absent, in `starts` and `ends`. */
export const ABSENT = -1;

export const PATH_PARTS_MAX = 16;
/** Of the names together. */
export const PATH_MAX_BYTES = 255;

/** The path that `ask.size` means. Throws BAD_REQUEST. */
export function parsePath(text: string): string[] {
  const path = text.split('.');
  checkPath(path);
  return path;
}

/** Throws BAD_REQUEST for what is no path. */
function checkPath(path: FieldPath): void {
  const problem = problemOfPath(path);
  // Cut, as a stranger may have written it.
  if (problem !== null) throw new RingcastError('BAD_REQUEST', `field ${shown(path)}: ${problem}`);
}

const shown = (path: FieldPath) => JSON.stringify(path.join('.').slice(0, 64));

export function problemOfPath(path: FieldPath): string | null {
  if (path.length === 0) return 'there is no name';
  if (path.length > PATH_PARTS_MAX) return `more than ${PATH_PARTS_MAX} names`;
  let pathBytes = 0;
  for (const name of path) {
    if (name === '') return 'an empty name';
    const nameBytes = utf8Length(name);
    if (nameBytes < 0) return 'a name with half a surrogate pair, which has no UTF-8 form';
    pathBytes += nameBytes;
  }
  return pathBytes > PATH_MAX_BYTES ? `the names have more than ${PATH_MAX_BYTES} bytes` : null;
}

// ---- the names that are looked for -----------------------------------------------------------------------------------

const SLOTS = 64;

/** The names wanted in one map. */
class NameTable {
  /** A bit for each length modulo 32: it tells most keys of a message apart already. */
  lengths = 0;
  /** By hash. */
  readonly #slots = new Array<WantedName | null>(SLOTS).fill(null);

  /** Hot path: per key of a message whose length is in question; allocates nothing. */
  find(bytes: Uint8Array, start: number, end: number): WantedName | null {
    const lengthBytes = end - start;
    if (lengthBytes === 0) return null;
    let wanted = this.#slots[slotOf(lengthBytes, bytes[start], bytes[end - 1])];
    while (wanted !== null && (wanted.bytes.length !== lengthBytes || !isAt(bytes, wanted.bytes, start))) {
      wanted = wanted.next;
    }
    return wanted;
  }

  /** The entry of a name, made if need be. */
  entry(name: string): WantedName {
    const bytes = encodeUtf8(name);
    const known = this.find(bytes, 0, bytes.length);
    if (known !== null) return known;
    const slot = slotOf(bytes.length, bytes[0], bytes[bytes.length - 1]);
    const added = { bytes, index: ABSENT, inner: null, below: [], next: this.#slots[slot] };
    this.#slots[slot] = added;
    this.lengths |= 1 << bytes.length;
    return added;
  }
}

interface WantedName {
  readonly bytes: Uint8Array;
  /** Of the path that ends here; ABSENT: none does. */
  index: number;
  /** What is wanted inside; null: nothing. */
  inner: NameTable | null;
  /** Indexes of all paths that go on from here. */
  readonly below: number[];
  /** The next name in the same slot. */
  readonly next: WantedName | null;
}

/** Length, first and last byte tell the rest apart. */
function slotOf(lengthBytes: number, first: number, last: number): number {
  return (lengthBytes ^ (first << 1) ^ (last << 3)) & (SLOTS - 1);
}

function tableOf(paths: readonly FieldPath[]): NameTable {
  const root = new NameTable();
  paths.forEach((path, index) => {
    checkPath(path);
    let table = root;
    path.forEach((name, depth) => {
      const wanted = table.entry(name);
      if (depth < path.length - 1) {
        wanted.below.push(index);
        wanted.inner ??= new NameTable();
        table = wanted.inner;
      } else if (wanted.index === ABSENT) wanted.index = index;
      else throw new RingcastError('BAD_REQUEST', `field ${shown(path)}: named twice`);
    });
  });
  return root;
}

/** Whether `text` is in `bytes` from `start` on. */
function isAt(bytes: Uint8Array, text: Uint8Array, start: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[start + index] !== text[index]) return false;
  }
  return true;
}

// ---- the pass --------------------------------------------------------------------------------------------------------

/**
 * Writer: its owner, by scan(). Readers: whatever the owner gives it to, until the next scan or until the bytes change:
 * values are decoded when they are asked for.
 */
export class FieldScan {
  /** By path: where the field's value begins and ends in the bytes of the last scan; ABSENT. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** What the last scan returned. */
  isMap = false;

  readonly #names: NameTable;
  readonly #cursor = new ByteCursor();
  readonly #values: unknown[];
  readonly #isDecoded: Uint8Array;

  /** Throws BAD_REQUEST for paths that are none, or equal. */
  constructor(paths: readonly FieldPath[]) {
    this.#names = tableOf(paths);
    this.starts = new Int32Array(paths.length).fill(ABSENT);
    this.ends = new Int32Array(paths.length).fill(ABSENT);
    this.#values = new Array<unknown>(paths.length).fill(null);
    this.#isDecoded = new Uint8Array(paths.length);
  }

  /**
   * Hot path: per message; allocates nothing. False when [start, end) is not exactly one map, or is malformed: then all
   * fields are absent. Never reads beyond `end`.
   */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    this.#forget();
    const cursor = this.#cursor;
    cursor.bytes = bytes;
    cursor.end = end;
    this.isMap = this.#map(this.#names, start, NESTING_MAX) === end;
    if (!this.isMap) this.#forget();
    return this.isMap;
  }

  /** The value, decoded at most once per scan; null when it is absent. */
  valueAt(index: number): unknown {
    if (this.#isDecoded[index] === 0) {
      const start = this.starts[index];
      this.#values[index] = start < 0 ? null : this.#decode(start, this.ends[index]);
      this.#isDecoded[index] = 1;
    }
    return this.#values[index];
  }

  /** Hot path; allocates nothing. NaN for what is no number; an integer beyond 2^53 is rounded. */
  numberAt(index: number): number {
    const start = this.starts[index];
    if (start < 0) return Number.NaN;
    this.#cursor.offset = start;
    return this.#cursor.number();
  }

  /** Hot path; allocates nothing. Whether the field is exactly this text in UTF-8. */
  isText(index: number, text: Uint8Array): boolean {
    const start = this.starts[index];
    if (start < 0) return false;
    const cursor = this.#cursor;
    cursor.offset = start;
    return cursor.stringLength() === text.length && isAt(cursor.bytes, text, cursor.offset);
  }

  /** Hot path; allocates nothing. Whether the field is a text that begins with this one. */
  startsWithText(index: number, text: Uint8Array): boolean {
    const start = this.starts[index];
    if (start < 0) return false;
    const cursor = this.#cursor;
    cursor.offset = start;
    return cursor.stringLength() >= text.length && isAt(cursor.bytes, text, cursor.offset);
  }

  /** Whether the field is nil or absent. */
  isNull(index: number): boolean {
    const start = this.starts[index];
    return start < 0 || this.#cursor.bytes[start] === 0xc0;
  }

  #forget(): void {
    const { starts, ends } = this;
    for (let index = 0; index < starts.length; index++) {
      starts[index] = ABSENT;
      ends[index] = ABSENT;
      this.#isDecoded[index] = 0;
    }
  }

  /**
   * The offset behind the map that starts at `offset`; below 0: malformed. Beyond `end` where its last value is cut: nothing
   * is read there, and no payload ends there.
   */
  #map(table: NameTable, offset: number, nestingMax: number): number {
    const cursor = this.#cursor;
    const { bytes, end } = cursor;
    const { lengths } = table;
    cursor.offset = offset;
    let entries = cursor.mapLength();
    if (entries === NONE) return SKIP_INVALID;
    offset = cursor.offset;
    for (; entries > 0; entries--) {
      if (offset >= end) return SKIP_INCOMPLETE;
      const type = bytes[offset];
      const isFixStr = type >= 0xa0 && type < 0xc0;
      const isName = isFixStr || (type >= 0xd9 && type <= 0xdb);
      const nameStart = isFixStr ? offset + 1 : offset + 1 + (1 << (type - 0xd9));
      offset = isFixStr ? nameStart + (type & 31) : skipValue(bytes, offset, end, nestingMax - 1);
      if (offset < 0) return offset;
      if (offset >= end) return SKIP_INCOMPLETE;
      if (isName && (lengths >>> (offset - nameStart)) & 1) {
        const wanted = table.find(bytes, nameStart, offset);
        if (wanted !== null) {
          offset = this.#field(wanted, offset, nestingMax);
          if (offset < 0) return offset;
          continue;
        }
      }
      const valueBytes = FIXED_BYTES[bytes[offset]];
      offset = valueBytes > 0 ? offset + valueBytes : skipValue(bytes, offset, end, nestingMax - 1);
      if (offset < 0) return offset;
    }
    return offset;
  }

  /** Notes a wanted value. Paths are far shorter than NESTING_MAX, so maps on them need no check of it. */
  #field(wanted: WantedName, start: number, nestingMax: number): number {
    const { bytes, end } = this.#cursor;
    const { index, inner, below } = wanted;
    let valueEnd: number;
    if (inner === null) {
      const valueBytes = FIXED_BYTES[bytes[start]];
      valueEnd = valueBytes > 0 ? start + valueBytes : skipValue(bytes, start, end, nestingMax - 1);
    } else {
      // Of an earlier key of the same name nothing counts any more.
      for (let each = 0; each < below.length; each++) {
        this.starts[below[each]] = ABSENT;
        this.ends[below[each]] = ABSENT;
      }
      const isMap = isMapType(bytes[start]);
      valueEnd = isMap ? this.#map(inner, start, nestingMax - 1) : skipValue(bytes, start, end, nestingMax - 1);
    }
    if (index !== ABSENT && valueEnd >= 0) {
      this.starts[index] = start;
      this.ends[index] = valueEnd;
    }
    return valueEnd;
  }

  #decode(start: number, end: number): unknown {
    const cursor = this.#cursor;
    const { bytes } = cursor;
    const type = bytes[start];
    if (type < 0x80 || type >= 0xe0 || (type >= 0xca && type <= 0xd3)) {
      cursor.offset = start;
      const number = cursor.number();
      const isRounded = (type === 0xcf || type === 0xd3) && !Number.isSafeInteger(number);
      return isRounded ? readValue(bytes, start, end) : number;
    }
    if (type === 0xc0) return null;
    if (type === 0xc2 || type === 0xc3) return type === 0xc3;
    if ((type >= 0xa0 && type < 0xc0) || type === 0xd9) {
      const textStart = type === 0xd9 ? start + 2 : start + 1;
      const text = shortAscii(bytes, textStart, end);
      if (text !== null) return text;
      if (bytes.buffer instanceof ArrayBuffer) return decodeLenient(bytes, textStart, end);
    }
    return readValue(bytes, start, end);
  }
}

const isMapType = (type: number) => (type & 0xf0) === 0x80 || type === 0xde || type === 0xdf;

/** By type: bytes of the whole value where the type tells it; 0: skipValue() finds out. */
const FIXED_BYTES = new Uint8Array(256).map((_, type) => {
  if (type < 0x80 || type >= 0xe0) return 1;
  if (type >= 0xa0 && type < 0xc0) return 1 + (type & 31);
  if (type === 0xc0 || type === 0xc2 || type === 0xc3) return 1;
  if (type === 0xca || type === 0xcb) return type === 0xca ? 5 : 9;
  return type >= 0xcc && type <= 0xd3 ? 1 + (1 << (type & 3)) : 0;
});
