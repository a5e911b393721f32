/** The result of an OK frame. A HISTORY's payloads are decoded one by one, so that an odd one costs only itself. */

import { ByteCursor, NONE } from './byte-cursor.js';
import type { HistoryEntry } from './messages.js';
import { decode, skipValue } from './msgpack.js';

const RESULT_KEY_MAX_BYTES = 255;
/** The key that only the result of a HISTORY has. */
const MESSAGES_KEY = 'messages';

/** Reads the map of exactly [start, end). Throws when it is not one. */
export function decodeOkResult(bytes: Uint8Array, start: number, end: number): Record<string, unknown> {
  const cursor = new ByteCursor();
  cursor.bytes = bytes;
  cursor.offset = start;
  cursor.end = end;
  const count = cursor.mapLength();
  if (count === NONE) throw new Error('the result of an OK is not a map');
  const entries: [string, unknown][] = [];
  for (let index = 0; index < count; index++) {
    const key = cursor.string(RESULT_KEY_MAX_BYTES);
    if (key === undefined) throw new Error('a key in the result of an OK is not a string');
    entries.push([key, key === MESSAGES_KEY ? takeMessages(cursor) : takeValue(cursor)]);
  }
  return Object.fromEntries(entries);
}

function takeValue(cursor: ByteCursor): unknown {
  const start = cursor.offset;
  const next = skipValue(cursor.bytes, start, cursor.end);
  if (next < 0) throw new Error('the message ends inside a value');
  cursor.offset = next;
  return decode(cursor.bytes, start, next);
}

function takeMessages(cursor: ByteCursor): HistoryEntry[] {
  const count = cursor.arrayLength();
  if (count === NONE) throw new Error('the messages of a history are not an array');
  const messages: HistoryEntry[] = [];
  for (let index = 0; index < count; index++) {
    const length = cursor.arrayLength();
    const seq = cursor.unsigned();
    const time = cursor.number();
    if (length < 3 || length > 7 || seq === NONE || Number.isNaN(time)) throw new Error('a bad entry in a history');
    const payload = takeValue(cursor);
    const extras = Array.from({ length: length - 3 }, () => takeValue(cursor));
    messages.push([seq, time, payload, ...extras] as HistoryEntry);
  }
  return messages;
}
