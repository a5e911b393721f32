/** Map entries: the keys and values of a MessagePack map where they lie, to compare maps and to make new ones of their parts. */

import { ByteCursor, NONE } from '../protocol/byte-cursor.js';
import { skipValue } from '../protocol/skip-value.js';
import { shortLatin1 } from '../protocol/utf8.js';

/** Ranges of one map's bytes; of equal keys the last one counts. */
export class MapEntries {
  bytes: Uint8Array = new Uint8Array(0);
  /** By key, as its bytes are as text: key range and value range. */
  readonly byKey = new Map<string, readonly [start: number, valueStart: number, end: number]>();
  readonly #cursor = new ByteCursor();

  /** False: [start, end) is no map. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes;
    this.byKey.clear();
    const cursor = this.#cursor;
    cursor.bytes = bytes;
    cursor.offset = start;
    cursor.end = end;
    const count = cursor.mapLength();
    if (count === NONE) return false;
    let at = cursor.offset;
    for (let index = 0; index < count; index++) {
      const valueStart = skipValue(bytes, at, end);
      const next = valueStart < 0 ? valueStart : skipValue(bytes, valueStart, end);
      if (next < 0) return false;
      this.byKey.set(keyText(bytes, at, valueStart), [at, valueStart, next]);
      at = next;
    }
    return at === end;
  }
}

/** Tells keys apart: two texts are equal if the bytes are. */
function keyText(bytes: Uint8Array, start: number, end: number): string {
  const short = shortLatin1(bytes, start, end);
  if (short !== null) return short;
  let text = '';
  for (let index = start; index < end; index++) text += String.fromCharCode(bytes[index]);
  return text;
}

/** A map of entries, key and value one behind the other. */
export function mapOf(entries: readonly Uint8Array[]): Uint8Array {
  const count = entries.length;
  const head = count < 16 ? [0x80 | count] : [0xdf, count >>> 24, (count >> 16) & 255, (count >> 8) & 255, count & 255];
  const bytes = entries.reduce((sum, entry) => sum + entry.length, head.length);
  const map = new Uint8Array(bytes);
  map.set(head);
  let at = head.length;
  for (const entry of entries) {
    map.set(entry, at);
    at += entry.length;
  }
  return map;
}

export function isEqual(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let index = 0; index < aEnd - aStart; index++) if (a[aStart + index] !== b[bStart + index]) return false;
  return true;
}
