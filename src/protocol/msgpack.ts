/**
 * The one door to MessagePack as whole values: encode() takes whatever a program has, decode() whatever a stranger sent.
 * Both are total: the first refuses with a RingcastError and nothing else, the second takes every complete value.
 */

import { RingcastError, reasonOf } from '../errors.js';
import { NESTING_MAX, PAYLOAD_NESTING_MAX } from './messages.js';
import { readValue } from './msgpack-to-value.js';
import { MsgpackWriter } from './msgpack-writer.js';
import { skipValue } from './skip-value.js';
import { writeValue } from './value-to-msgpack.js';

export { SKIP_INCOMPLETE, SKIP_INVALID, skipValue } from './skip-value.js';

/** Of this thread; null while a value is written, whose getters may encode others. */
let idleWriter: MsgpackWriter | null = null;

/**
 * Hot path: per value that is published in the process. The value as MessagePack, in memory of its own. Throws
 * RingcastError: BAD_REQUEST for what has no form as data, TOO_LARGE. PROTOCOL.md ("Values") says what becomes of what.
 */
export function encode(value: unknown, nestingMax: number = PAYLOAD_NESTING_MAX): Uint8Array {
  const writer = idleWriter ?? new MsgpackWriter();
  idleWriter = null;
  try {
    writeValue(writer, value, nestingMax);
    return writer.copy();
  } catch (cause) {
    throw refusal(cause);
  } finally {
    writer.clear();
    idleWriter = writer;
  }
}

/** A getter may also have thrown what another call refused, which is no answer to this one. */
function refusal(cause: unknown): RingcastError {
  try {
    if (cause instanceof RingcastError && (cause.code === 'BAD_REQUEST' || cause.code === 'TOO_LARGE')) return cause;
  } catch {
    // Whatever it is, it is none of ours.
  }
  return new RingcastError('BAD_REQUEST', `the value cannot be encoded: ${reasonOf(cause)}`);
}

/**
 * The value of exactly [start, end), in memory of its own: 64-bit integers are numbers where these are exact, bigints
 * otherwise; a timestamp is a Date, another extension an ExtensionValue; a key that is no string is its JSON text.
 * Throws only when the bytes are not one complete value.
 */
export function decode(bytes: Uint8Array, start = 0, end = bytes.length): unknown {
  if (skipValue(bytes, start, end, NESTING_MAX) !== end) throw new Error('not one complete MessagePack value');
  return readValue(bytes, start, end);
}

/** Throws BAD_REQUEST when the bytes are not what a payload has to be: one value, not nested too deep. */
export function assertPayload(bytes: Uint8Array): void {
  const isValue =
    bytes instanceof Uint8Array && skipValue(bytes, 0, bytes.length, PAYLOAD_NESTING_MAX) === bytes.length;
  if (isValue) return;
  const problem = `the payload must be a Uint8Array of exactly one MessagePack value, nested at most ${PAYLOAD_NESTING_MAX} deep`;
  throw new RingcastError('BAD_REQUEST', problem);
}
