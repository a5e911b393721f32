/**
 * Seeded fuzzing of the readers: they never throw, never look beyond the end, always come to an end, and what they
 * accept encodes to something that reads the same. RINGCAST_FUZZ_SEED repeats a run.
 */

import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { decodeServerFrames, ProtocolError } from '#src/protocol/client-frames.js';
import { JsonReader } from '#src/protocol/json-reader.js';
import type { FrameReader } from '#src/protocol/messages.js';
import { PAYLOAD_NESTING_MAX } from '#src/protocol/messages.js';
import { decode, encode, skipValue } from '#src/protocol/msgpack.js';
import { MsgpackReader } from '#src/protocol/msgpack-reader.js';
import { msgpackToJson } from '#src/protocol/msgpack-to-json.js';
import {
  concat,
  encodeAgain,
  fromHex,
  type ReadFields,
  readAll,
  readOne,
  seededRandom,
  utf8,
  vectors,
} from './support.js';

const seed = Number(process.env.RINGCAST_FUZZ_SEED ?? 20261120);
const ROUNDS = 6_000;

/** One to four damages: a byte changed, removed, doubled or inserted, a cut, two pieces swapped in. */
function mutate(source: Uint8Array, random: () => number): Uint8Array {
  let bytes: Uint8Array = source.slice();
  const pick = (limit: number) => Math.floor(random() * limit);
  for (let count = 1 + pick(4); count > 0; count--) {
    const at = pick(bytes.length);
    const kind = pick(6);
    if (kind === 0) bytes[at] = pick(256);
    else if (kind === 1) bytes[at] = bytes[at] ^ (1 << pick(8));
    else if (kind === 2) bytes = concat(bytes.subarray(0, at), bytes.subarray(at + 1));
    else if (kind === 3) bytes = concat(bytes.subarray(0, at), Uint8Array.of(pick(256)), bytes.subarray(at));
    else if (kind === 4) bytes = concat(bytes.subarray(0, at), bytes.subarray(pick(bytes.length)));
    else bytes[at] = 0xc0 + pick(32);
  }
  return bytes;
}

/** Reads the bytes with different surroundings; every result must be the same. */
function readBothWays(reader: FrameReader, bytes: Uint8Array): (ReadFields | number)[] {
  const results = readAll(reader, bytes);
  for (const filler of [0x00, 0xa1, 0xff]) {
    const edge = new Uint8Array(9).fill(filler);
    const framed = concat(edge, bytes, edge);
    expect(readAll(reader, framed, edge.length, edge.length + bytes.length)).toEqual(results);
  }
  return results;
}

function expectSameAgain(results: (ReadFields | number)[], reader: MsgpackReader): number {
  let accepted = 0;
  for (const fields of results) {
    if (typeof fields === 'number') continue;
    accepted += 1;
    const again = readOne(reader, encodeAgain(fields));
    expect(again.fields).toEqual(fields);
  }
  return accepted;
}

describe(`fuzz, seed ${seed}`, () => {
  it('damaged MessagePack frames', () => {
    const random = seededRandom(seed);
    const sources = vectors.client.map(({ msgpack }) => fromHex(msgpack));
    const reader = new MsgpackReader();
    let accepted = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const first = sources[round % sources.length];
      const second = sources[Math.floor(random() * sources.length)];
      const bytes = mutate(round % 3 === 0 ? concat(first, second) : first, random);
      accepted += expectSameAgain(readBothWays(reader, bytes), reader);
    }
    expect(accepted).toBeGreaterThan(ROUNDS / 20);
  });

  it('random bytes as MessagePack', () => {
    const random = seededRandom(seed + 1);
    const reader = new MsgpackReader();
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = Uint8Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256));
      if (bytes.length > 2 && round % 2 === 0) {
        bytes[0] = 0x90 + Math.floor(random() * 6);
        bytes[1] = 1 + Math.floor(random() * 9);
      }
      expectSameAgain(readBothWays(reader, bytes), reader);
    }
  });

  it('random bytes as JSON', () => {
    const random = seededRandom(seed + 5);
    const reader = new JsonReader();
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = Uint8Array.from({ length: 1 + Math.floor(random() * 40) }, () => Math.floor(random() * 256));
      if (round % 2 === 0) bytes.set(utf8('{"type"').subarray(0, bytes.length));
      expect(readBothWays(reader, bytes)).toHaveLength(1);
    }
  });

  it('damaged JSON messages', () => {
    const random = seededRandom(seed + 2);
    const sources = vectors.client.filter(({ json }) => json !== null).map(({ json }) => utf8(json!));
    const reader = new JsonReader();
    const msgpackReader = new MsgpackReader();
    let accepted = 0;
    for (let round = 0; round < ROUNDS / 2; round++) {
      const bytes = mutate(sources[round % sources.length], random);
      const results = readBothWays(reader, bytes);
      expect(results.length).toBe(bytes.length === 0 ? 0 : 1);
      accepted += expectSameAgain(results, msgpackReader);
    }
    expect(accepted).toBeGreaterThan(ROUNDS / 200);
  });

  it('damaged server frames cost the client a ProtocolError at most', () => {
    const random = seededRandom(seed + 3);
    const sources = [...vectors.server, ...vectors.events].map(({ msgpack }) => fromHex(msgpack));
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = mutate(sources[round % sources.length], random);
      try {
        decodeServerFrames(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(ROUNDS / 20);
  });

  it('every complete MessagePack value has a JSON form, and a value that encodes again', () => {
    const random = seededRandom(seed + 4);
    const source = fromHex(vectors.events.find(({ name }) => name === 'event-all-types')!.payload);
    let transcoded = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = mutate(source, random);
      const end = skipValue(bytes, 0, bytes.length, PAYLOAD_NESTING_MAX);
      if (end < 0) {
        expect(() => msgpackToJson(bytes, 0, bytes.length)).toThrow(/not one complete/);
        expect(() => decode(bytes)).toThrow(/not one complete/);
        continue;
      }
      transcoded += 1;
      expect(() => JSON.parse(msgpackToJson(bytes, 0, end))).not.toThrow();
      const value = decode(bytes, 0, end);
      expect(isDeepStrictEqual(decode(encode(value)), value)).toBe(true);
    }
    expect(transcoded).toBeGreaterThan(ROUNDS / 20);
  });
});
