// Payloads that say which message they are of: a number, or an array of it and something that takes room.

import { decode, encode, skipValue } from '#src/protocol/msgpack.js';

export type Payload = number | readonly [number, string];

export function payloadOf(number: number, paddingBytes: number): Payload {
  return paddingBytes === 0 ? number : [number, 'x'.repeat(paddingBytes)];
}

export function encodedPayload(payload: Payload): Uint8Array {
  return encode(payload);
}

/** The number in an encoded payload, behind which other bytes may follow. */
export function numberIn(bytes: Uint8Array, start: number, end: number): number {
  return numberOf(decode(bytes, start, skipValue(bytes, start, end)));
}

export function numberOf(payload: unknown): number {
  return (Array.isArray(payload) ? payload[0] : payload) as number;
}
