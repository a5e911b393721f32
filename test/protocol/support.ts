/** Shared by the protocol tests: the golden vectors, hex, a seeded generator, frames as comparable values. */

import { readFileSync } from 'node:fs';
import { encodeClientFrame } from '#src/protocol/client-frames.js';
import type {
  ClientFrame,
  ClientMessage,
  EventChange,
  FrameOptions,
  FrameReader,
  MessageOptions,
  ReadOptions,
  RequestId,
} from '#src/protocol/messages.js';
import { OP, READ_FRAME } from '#src/protocol/messages.js';
import { encode } from '#src/protocol/msgpack.js';

export interface ReadFields {
  op: number;
  id: RequestId;
  topic: string | null;
  alias: number;
  /** Of an ACK. */
  seq?: number;
  /** Of a REQUEST. */
  method?: string;
  /** Of a PUBLISH_BATCH, whose payload says nothing by itself. */
  messages?: { payload: string; options: MessageOptions | null }[];
  payload: string;
  options: FrameOptions | null;
}

export interface ClientVector {
  name: string;
  frame: string;
  message: ClientMessage & { payloadHex?: string };
  msgpack: string;
  json: string | null;
  read: ReadFields;
}

export interface ServerVector {
  name: string;
  frame: string;
  /** Method of FrameEncoder, and what it is called with; a history also gets its frames. */
  method: string;
  args: unknown[];
  frames?: string[];
  msgpack: string;
  json: string | null;
  message: unknown;
}

export interface EventVector {
  name: string;
  frame: string;
  topic: string;
  alias: number;
  seq: number;
  time: number;
  payload: string;
  id: string | null;
  key?: string;
  change?: EventChange;
  version?: number;
  msgpack: string;
  json: string;
}

interface Vectors {
  nowMs: number;
  client: ClientVector[];
  server: ServerVector[];
  events: EventVector[];
}

export const vectors = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8')) as Vectors;

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return Array.from(bytes.subarray(start, end), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const fromUtf8 = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

/** mulberry32: [0, 1), the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function fieldsOf(frame: ClientFrame): ReadFields {
  const { op, id, topic, alias, seq, method, options } = frame;
  const hexOf = (start: number, end: number): string => toHex(frame.payload, start, end);
  const messages = frame.messages?.map(({ payloadStart, payloadEnd, options: its }) => {
    return { payload: hexOf(payloadStart, payloadEnd), options: its };
  });
  if (messages !== undefined) return { op, id, topic, alias, messages, payload: '', options };
  const payload = hexOf(frame.payloadStart, frame.payloadEnd);
  const own = { ...(op === OP.ACK && { seq }), ...(method !== null && { method }) };
  return { op, id, topic, alias, ...own, payload, options };
}

/** Reads exactly one frame. */
export function readOne(reader: FrameReader, bytes: Uint8Array): { result: number; fields: ReadFields } {
  reader.reset(bytes, 0, bytes.length);
  const result = reader.next();
  return { result, fields: fieldsOf(reader) };
}

/** One result after the other until END or MALFORMED; a frame as its fields, anything else as its number. */
export function readAll(
  reader: FrameReader,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): (ReadFields | number)[] {
  reader.reset(bytes, start, end);
  const results: (ReadFields | number)[] = [];
  for (;;) {
    const { offset } = reader;
    const result = reader.next();
    if (result === 0) return results;
    if (!(reader.offset > offset && reader.offset <= end)) throw new Error(`offset ${offset}, then ${reader.offset}`);
    results.push(result === READ_FRAME ? fieldsOf(reader) : result);
    if (result === 3) return results;
  }
}

/** A MessagePack array of fewer than 16 of these values. */
function arrayOf(...values: Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(0x90 + values.length), ...values);
}

/** What a client would have sent to be read as these fields, encoded again. */
export function encodeAgain({ op, id, topic, alias, seq, method, messages, payload, options }: ReadFields): Uint8Array {
  const given = options === null ? {} : { options: options as object };
  const name = topic ?? '';
  const address = topic ?? alias;
  switch (op) {
    case OP.CONNECT:
      return encodeClientFrame({ type: 'connect', id, ...given });
    case OP.SUBSCRIBE:
      return encodeClientFrame({ type: 'subscribe', id, topic: name, ...given });
    case OP.UNSUBSCRIBE:
      return encodeClientFrame({ type: 'unsubscribe', id, topic: address });
    case OP.PUBLISH: {
      const payloadBytes = fromHex(payload === '' ? 'c0' : payload);
      return encodeClientFrame({ type: 'publish', id, topic: address, payloadBytes, ...given });
    }
    case OP.PUBLISH_BATCH: {
      const again = (messages ?? []).map(({ payload: hex, options: its }) =>
        arrayOf(fromHex(hex), ...(its === null ? [] : [encode(its)])),
      );
      return arrayOf(encode(op), encode(id), encode(address), arrayOf(...again));
    }
    case OP.ACK:
      return encodeClientFrame({ type: 'ack', topic: address, seq: seq as number });
    case OP.UPDATE:
      return encodeClientFrame({ type: 'update', id, topic: address, options: options as ReadOptions });
    case OP.REQUEST:
      return arrayOf(
        encode(op),
        encode(id),
        encode(method),
        fromHex(payload),
        ...(options === null ? [] : [encode(options)]),
      );
    case OP.PING:
      return encodeClientFrame({ type: 'ping', id });
    case OP.HISTORY:
      return encodeClientFrame({ type: 'history', id, topic: name, ...given });
    default:
      throw new Error(`a reader accepted operation ${op}`);
  }
}
