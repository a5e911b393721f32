/**
 * Delta: what has changed of a map since another one: an array of two, a map of the fields that are new or have another value,
 * and a list of those that are no more. What is applied to the older one gives the newer, but for the order of its fields.
 */

import { isEqual, MapEntries, mapOf } from './map-entries.js';

const [older, newer] = [new MapEntries(), new MapEntries()];

const FIXARRAY = 0x90;
const ARRAY32 = 0xdd;

/** Null: one of them is no map, or the delta is no shorter than the newer one. */
export function deltaOf(from: Uint8Array, to: Uint8Array): Uint8Array | null {
  if (!older.read(from, 0, from.length) || !newer.read(to, 0, to.length)) return null;
  const changed: Uint8Array[] = [];
  for (const [key, [start, valueStart, end]] of newer.byKey) {
    const old = older.byKey.get(key);
    if (old === undefined || !isEqual(from, old[1], old[2], to, valueStart, end)) changed.push(to.subarray(start, end));
  }
  const removed: Uint8Array[] = [];
  for (const [key, [start, valueStart]] of older.byKey) {
    if (!newer.byKey.has(key)) removed.push(from.subarray(start, valueStart));
  }
  const delta = concat([Uint8Array.of(FIXARRAY | 2), mapOf(changed), arrayOf(removed)]);
  return delta.length < to.length ? delta : null;
}

function arrayOf(items: readonly Uint8Array[]): Uint8Array {
  const head = items.length < 16 ? Uint8Array.of(FIXARRAY | items.length) : new Uint8Array(5);
  if (items.length >= 16) {
    head[0] = ARRAY32;
    new DataView(head.buffer).setUint32(1, items.length);
  }
  return concat([head, ...items]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
