/** Merge: the fields of a map are replaced by those of a newer one; a value that is no map is replaced whole. */

import { MapEntries, mapOf } from './map-entries.js';

const [older, newer] = [new MapEntries(), new MapEntries()];

/** What `base` is with the fields of the value in `bytes[start, end)`. New bytes, or those of the newer value as they lie. */
export function mergeMaps(base: Uint8Array, bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (!newer.read(bytes, start, end) || !older.read(base, 0, base.length)) return bytes.subarray(start, end);
  const entries: Uint8Array[] = [];
  for (const [key, [from, , to]] of older.byKey) if (!newer.byKey.has(key)) entries.push(base.subarray(from, to));
  for (const [from, , to] of newer.byKey.values()) entries.push(bytes.subarray(from, to));
  return mapOf(entries);
}
