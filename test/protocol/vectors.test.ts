/** The golden vectors against code, in both directions and both codecs. */

import { describe, expect, it } from 'vitest';
import { decodeServerFrames, encodeClientFrame } from '#src/protocol/client-frames.js';
import type { FrameEncoder } from '#src/protocol/encoder.js';
import { createJsonEncoder } from '#src/protocol/encoder-json.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { EventHead, EventView, eventTail, tailElements } from '#src/protocol/event.js';
import { eventToJson } from '#src/protocol/json-event.js';
import { JsonReader } from '#src/protocol/json-reader.js';
import type { ClientMessage, StreamRef } from '#src/protocol/messages.js';
import { FRAMES, OP, READ_END, READ_FRAME } from '#src/protocol/messages.js';
import { MsgpackReader } from '#src/protocol/msgpack-reader.js';
import { SnapshotParts } from '#src/protocol/snapshot.js';
import {
  type ClientVector,
  concat,
  encodeAgain,
  fromHex,
  fromUtf8,
  readAll,
  readOne,
  type ServerVector,
  toHex,
  utf8,
  vectors,
} from './support.js';

const reader = new MsgpackReader();
const jsonReader = new JsonReader();
const jsonEncoder = createJsonEncoder(() => vectors.nowMs);

function messageOf({ message }: ClientVector): ClientMessage {
  const { payloadHex, ...rest } = message;
  return payloadHex === undefined ? rest : ({ ...rest, payloadBytes: fromHex(payloadHex) } as ClientMessage);
}

function call(encoder: FrameEncoder, { method, args: given, frames }: ServerVector): Uint8Array {
  if (method === 'snapshot') return snapshot(encoder.codec, given as [StreamRef, number], frames ?? []);
  let args = given;
  const ranges = frames?.map((hex) => ({ bytes: fromHex(hex), start: 0, end: fromHex(hex).length }));
  const encode = encoder[method as 'ok'] as (...all: unknown[]) => Uint8Array;
  if (method === 'answered') args = args.map((each, index) => (index === 2 ? fromHex(each as string) : each));
  return encode(...args, ...(ranges === undefined ? [] : [ranges]));
}

function snapshot(codec: 'msgpack' | 'json', [topic, seq]: [StreamRef, number], events: readonly string[]): Uint8Array {
  const writer = new SnapshotParts(codec, topic, seq, 15 * 1024);
  for (const hex of events) writer.add(fromHex(hex));
  return writer.finish()[0] as Uint8Array;
}

describe('client vectors', () => {
  it.each(vectors.client)('$name: the client encodes it so', (vector) => {
    expect(toHex(encodeClientFrame(messageOf(vector)))).toBe(vector.msgpack);
  });

  it.each(vectors.client)('$name: the server reads it so', (vector) => {
    const { result, fields } = readOne(reader, fromHex(vector.msgpack));
    expect(result, reader.problem).toBe(READ_FRAME);
    expect(fields).toEqual(vector.read);
    expect(reader.next()).toBe(READ_END);
    expect(toHex(encodeAgain(fields))).toBe(vector.msgpack);
  });

  it.each(vectors.client.filter(({ json }) => json !== null))('$name: the JSON form means the same', (vector) => {
    const { result, fields } = readOne(jsonReader, utf8(vector.json!));
    expect(result, jsonReader.problem).toBe(READ_FRAME);
    expect(jsonReader.next()).toBe(READ_END);
    const read = { ...vector.read };
    expect(fields).toEqual(read);
    expect(JSON.parse(vector.json!).type).toBe(FRAMES[vector.frame as keyof typeof FRAMES].json);
  });

  it('reads all of them from one message', () => {
    const whole = concat(...vectors.client.map(({ msgpack }) => fromHex(msgpack)));
    const shifted = concat(Uint8Array.of(1, 2, 3), whole, Uint8Array.of(4));
    const expected = vectors.client.map(({ read }) => read);
    expect(readAll(reader, shifted, 3, shifted.length - 1)).toEqual(expected);
  });
});

describe('server vectors', () => {
  it.each(vectors.server)('$name: MessagePack', (vector) => {
    const frame = call(msgpackEncoder, vector);
    expect(toHex(frame)).toBe(vector.msgpack);
    expect(frame[1]).toBe(OP[vector.frame as keyof typeof OP]);
    expect(decodeServerFrames(fromHex(vector.msgpack))).toEqual([vector.message]);
  });

  it.each(vectors.server.filter(({ json }) => json !== null))('$name: JSON', (vector) => {
    const text = fromUtf8(call(jsonEncoder, vector));
    expect(text).toBe(vector.json);
    const ownTypes: Record<string, string> = { history: 'history', answered: 'response', unanswered: 'response' };
    const expectedType = ownTypes[vector.method] ?? FRAMES[vector.frame as keyof typeof FRAMES].json;
    expect(JSON.parse(text).type).toBe(expectedType);
  });

  it('decodes all of them from one message', () => {
    const frames = [...vectors.server, ...vectors.events].map(({ msgpack }) => fromHex(msgpack));
    const types = decodeServerFrames(concat(...frames)).map(({ type }) => type);
    expect(types).toHaveLength(frames.length);
    expect(types.filter((type) => type === 'event')).toHaveLength(vectors.events.length);
  });
});

describe('event vectors', () => {
  it.each(vectors.events)('$name: written', ({ msgpack, alias, seq, time, payload, ...extras }) => {
    const head = new EventHead();
    const tail = eventTail(extras);
    const headBytes = head.write(alias, seq, time, tailElements(tail));
    expect(toHex(concat(head.bytes.subarray(0, headBytes), fromHex(payload), tail))).toBe(msgpack);
  });

  it.each(vectors.events)('$name: read', (vector) => {
    const { alias, seq, time, payload, id, key = null, change = null, version = null, msgpack, frame } = vector;
    const bytes = concat(Uint8Array.of(0xff), fromHex(msgpack), Uint8Array.of(0xff));
    const view = new EventView();
    expect(view.read(bytes, 1, bytes.length - 1)).toBe(true);
    expect(view).toMatchObject({ alias, seq, time, id, key, change, version, frameEnd: bytes.length - 1 });
    expect(toHex(bytes, view.payloadStart, view.payloadEnd)).toBe(payload);
    expect(frame).toBe('EVENT');
    const payloadBytes = fromHex(payload);
    expect(decodeServerFrames(fromHex(msgpack))).toEqual([
      { type: 'event', alias, seq, time, payloadBytes, id, key, change, version },
    ]);
  });

  it.each(vectors.events)('$name: as JSON', ({ topic, msgpack, json }) => {
    const bytes = fromHex(msgpack);
    const text = fromUtf8(eventToJson(topic, bytes, 0, bytes.length));
    expect(text).toBe(json);
    expect(JSON.parse(text)).toMatchObject({ type: 'event', topic });
  });

  it.each(vectors.events)('$name: an incomplete one is refused at every length', ({ msgpack }) => {
    const bytes = fromHex(msgpack);
    const view = new EventView();
    for (let end = 0; end < bytes.length; end++) {
      expect(view.read(bytes, 0, end)).toBe(false);
      if (end > 0) expect(() => decodeServerFrames(bytes.subarray(0, end))).toThrow(/ends in the middle/);
    }
  });
});

describe('coverage', () => {
  it('every operation in use has vectors, reserved ones have none', () => {
    const all = [...vectors.client, ...vectors.server, ...vectors.events];
    const covered = new Set(all.map(({ frame }) => frame));
    const inUse = Object.entries(FRAMES).filter(([, { json }]) => json !== null);
    expect([...covered].sort()).toEqual(inUse.map(([name]) => name).sort());
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });
});
