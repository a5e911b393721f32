/**
 * Types and flags of the records in a lane's two rings, and what their fields mean. A *parcel* is what a ring cannot
 * carry, the memory of a log; it has a number and travels over a port (see `parcels.ts`).
 *
 *   requests (accept thread → lane)
 *   OPEN          alias, request = parcel: the topic's spec and the memory of its log
 *   PUBLISH       alias, origin = the connection's number (noEcho) or 0, request = number for the ACK or 0,
 *                 time = ms since the epoch, aux = the same moment on the monotonic clock (see `ticksOf`),
 *                 payload = the message's payload, then its tail (see `eventTail`), then f64 ifSeq and f64 ttlMs if it HAS_TERMS
 *                 flags = number of the tail's elements, HAS_TERMS, and the tail's bytes (see `flagsOf`)
 *   OPEN_STREAM   alias, request = parcel: the spec of a derived stream and the memory of its log
 *   CLOSE_STREAM  alias, request = the parcel that OPEN_STREAM brought
 *   CLOSE         alias, request = the parcel that OPEN brought
 *   SNAPSHOT      alias, request = parcel: the spec of a stream and memory for its SNAPSHOT frames
 *   STOP          –
 *
 *   events (lane → accept thread)
 *   READY       the lane runs
 *   HEAD        alias: the heads of its streams have moved
 *   ACK         alias, request, time = the message's seq (a f64 field, so that 2^53 fits), flags = −OUTCOME and time =
 *               the seq that it was not taken for
 *   NACK        alias, request: the message was put aside, because lanes died of it
 *   SNAPSHOT    alias, request = parcel, time = the newest message's seq, or NO_SNAPSHOT: they are in the memory
 *   CLOSED      alias, request = parcel: the lane will not touch the parcel's memory any more
 *
 * After a lane died its successor sees requests again that had an effect already. So any event may come twice, and the
 * second one must change nothing: request numbers and parcel numbers are not used again.
 */

import type { OutgoingMessage } from '../home/link.js';
import type { TopicMessage } from '../topic/message.js';

export const REQUEST_OPEN = 1;
export const REQUEST_PUBLISH = 2;
export const REQUEST_OPEN_STREAM = 3;
export const REQUEST_CLOSE_STREAM = 4;
export const REQUEST_CLOSE = 5;
export const REQUEST_STOP = 6;
export const REQUEST_SNAPSHOT = 7;

export const EVENT_READY = 1;
export const EVENT_HEAD = 2;
export const EVENT_ACK = 3;
export const EVENT_CLOSED = 4;
export const EVENT_NACK = 5;
export const EVENT_SNAPSHOT = 6;

/** The time of a SNAPSHOT event whose topic is not in the lane, or whose snapshot is too large for its memory. */
export const NO_SNAPSHOT = -1;

/** PUBLISH: its flags are tailBytes × 16 + HAS_TERMS + tailElements. */
const TAIL_ELEMENTS_MASK = 7;
const HAS_TERMS = 8;
const TAIL_BYTES_SHIFT = 4;
/** What follows the tail of a message that HAS_TERMS. */
export const TERMS_BYTES = 16;

export function flagsOf(tailElements: number, tailBytes: number, hasTerms: boolean): number {
  return (tailBytes << TAIL_BYTES_SHIFT) | (hasTerms ? HAS_TERMS : 0) | tailElements;
}

export function tailElementsOf(flags: number): number {
  return flags & TAIL_ELEMENTS_MASK;
}

export function tailBytesOf(flags: number): number {
  return flags >>> TAIL_BYTES_SHIFT;
}

export function hasTerms(flags: number): boolean {
  return (flags & HAS_TERMS) !== 0;
}

/** ifSeq, ttlMs */
const terms = new Float64Array(2);
const termsBytes = new Uint8Array(terms.buffer);

export function writeTerms(bytes: Uint8Array, at: number, { ifSeq, ttlMs }: TopicMessage): void {
  terms[0] = ifSeq;
  terms[1] = ttlMs;
  bytes.set(termsBytes, at);
}

export function readTerms(bytes: Uint8Array, at: number, message: OutgoingMessage): void {
  for (let index = 0; index < TERMS_BYTES; index++) termsBytes[index] = bytes[at + index];
  message.ifSeq = terms[0];
  message.ttlMs = terms[1];
}

/** So that waits of some microseconds can be told. */
const TICKS_PER_MS = 256;

/** A monotonic time as the u32 of a record: 1/256 ms, modulo 2^32. */
export function ticksOf(monotonicMs: number): number {
  return (monotonicMs * TICKS_PER_MS) | 0;
}

/** The time that these ticks stand for, less than 2.3 hours from `nowMs`: no record waits that long in a ring. */
export function monotonicMsOf(ticks: number, nowMs: number): number {
  const now = Math.floor(nowMs * TICKS_PER_MS);
  return (now - (((now | 0) - ticks) | 0)) / TICKS_PER_MS;
}
