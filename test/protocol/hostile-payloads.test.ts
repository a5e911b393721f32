/**
 * Payloads built to do harm: whatever is complete MessagePack has a JSON form and a value, in time and memory in proportion
 * to its bytes.
 */

import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { JSON_FACTOR_MAX } from '#src/limits.js';
import { decodeServerFrames } from '#src/protocol/client-frames.js';
import { createJsonEncoder } from '#src/protocol/encoder-json.js';
import { EventHead } from '#src/protocol/event.js';
import { eventToJson } from '#src/protocol/json-event.js';
import { PAYLOAD_NESTING_MAX } from '#src/protocol/messages.js';
import { decode, encode, skipValue } from '#src/protocol/msgpack.js';
import { decodeJson } from '#src/protocol/msgpack-to-json.js';
import { ExtensionValue } from '#src/protocol/msgpack-types.js';
import { concat, fromHex, fromUtf8, seededRandom } from './support.js';

const seed = Number(process.env.RINGCAST_FUZZ_SEED ?? 20261120);

/** Values of every type as parts: short ones, whose text is long, more often. */
function hostile(random: () => number, levels: number): number[] {
  const below = (limit: number) => Math.floor(random() * limit);
  const bytes = (count: number) => Array.from({ length: count }, () => below(256));
  const many = (count: number) => Array.from({ length: count }, () => hostile(random, levels - 1)).flat();
  if (levels > 0 && random() < 0.5) {
    const length = below(4);
    if (random() < 0.3) return [0x90 | length, ...many(length)];
    return random() < 0.9 ? [0x80 | length, ...many(length * 2)] : [0xdf, 0, 0, 0, length, ...many(length * 2)];
  }
  const scalars: (() => number[])[] = [
    () => [0xc2],
    () => [0xc0],
    () => [below(128)],
    () => [0xe0 | below(32)],
    () => [0xd4, 0x80, below(256)],
    () => [0xd4, 0xff, below(256)],
    () => [0xc7, 0, 0x80],
    () => [0xd6, 0xff, ...bytes(4)],
    () => [0xd7, 0xff, ...bytes(8)],
    () => [0xc7, 12, 0xff, ...bytes(12)],
    () => [0xcb, ...bytes(8)],
    () => [0xca, ...bytes(4)],
    () => [0xcf, ...bytes(8)],
    () => [0xd3, ...bytes(8)],
    () => [0xa0],
    () => [0xa4, 0, 0x22, 0x5c, 0x1f],
    () => [0xa2, 0xc3, 0x28],
    () => [0xa9, ...Buffer.from('__proto__')],
    () => [0xd9, 3, ...bytes(3)],
    () => [0xc4, 2, ...bytes(2)],
  ];
  return scalars[below(scalars.length)]();
}

/** What a decoded value holds: one for each value, and the characters and bytes of all. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 1 + value.length;
  if (value instanceof Uint8Array) return 1 + value.length;
  if (value instanceof ExtensionValue) return 1 + value.data.length;
  if (typeof value !== 'object' || value === null) return 1;
  return Object.entries(value).reduce((sum, [key, inner]) => sum + key.length + sizeOf(inner), 1);
}

/** The decoded value in the form that JSON subscribers get. */
function asJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof ExtensionValue) return { ext: value.type, data: Buffer.from(value.data).toString('base64') };
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, asJson(inner)]));
}

function expectBounded(bytes: Uint8Array): void {
  const json = decodeJson(bytes);
  expect(json.length).toBeLessThanOrEqual(JSON_FACTOR_MAX * bytes.length);
  const value = decode(bytes);
  expect(sizeOf(value)).toBeLessThanOrEqual(JSON_FACTOR_MAX * bytes.length);
  expect(isDeepStrictEqual(asJson(value), JSON.parse(json)), json).toBe(true);
  expect(isDeepStrictEqual(decode(encode(value)), value)).toBe(true);
}

describe(`hostile payloads, seed ${seed}`, () => {
  it('cost in proportion to their bytes, and mean the same in both codecs', () => {
    const random = seededRandom(seed);
    for (let round = 0; round < 4000; round++) {
      const bytes = Uint8Array.from(hostile(random, 1 + (round % 12)));
      expect(skipValue(bytes, 0, bytes.length)).toBe(bytes.length);
      expectBounded(bytes);
    }
  });

  it.each([
    ['false as key and value', '81 c2 c2'],
    ['three bytes of extension as key and value', '81 d4 80 00 d4 80 00'],
    ['an extension in a map in a key', '81 81 d4 80 00 c2 c2'],
    ['control characters', `d9 40 ${'00 '.repeat(64)}`],
    ['control characters in a key in a key', `81 81 bf ${'00 '.repeat(31)} c2 c2`],
    ['bytes that are not UTF-8', `d9 40 ${'ff '.repeat(64)}`],
  ])('%s', (_, hex) => {
    expectBounded(fromHex(hex));
    // The same 15 times, so that what it costs once does not count.
    if (hex.startsWith('81')) expectBounded(concat(Uint8Array.of(0x8f), ...Array(15).fill(fromHex(hex.slice(2)))));
  });

  /** {{{…: 1}: 1}: 1}, and the same with arrays around the keys. */
  const keysInKeys = (levels: number, around: number[]) =>
    concat(
      ...Array.from({ length: levels }, () => Uint8Array.from([0x81, ...around])),
      fromHex('a1 61 01'),
      new Uint8Array(levels - 1).fill(1),
    );

  it.each([2, 3, 10, 27, 50, PAYLOAD_NESTING_MAX])('maps as keys of maps, %d levels', (levels) => {
    const bytes = keysInKeys(levels, []).slice(0, -1);
    expect(skipValue(bytes, 0, bytes.length, PAYLOAD_NESTING_MAX)).not.toBe(bytes.length);
    const whole = keysInKeys(levels, []);
    expect(skipValue(whole, 0, whole.length, PAYLOAD_NESTING_MAX)).toBe(whole.length);
    expectBounded(whole);
    if (levels > PAYLOAD_NESTING_MAX / 2) return;
    const inArrays = keysInKeys(levels, [0x91]);
    expectBounded(inArrays.subarray(0, skipValue(inArrays, 0, inArrays.length)));
  });

  it('a key in a key is its bytes', () => {
    expect(decodeJson(fromHex('81 81 a1 61 01 02'))).toBe('{"{\\"a\\":1}":2}');
    expect(decodeJson(fromHex('81 81 91 01 02 03'))).toBe(`{"{\\"${btoa('\x91\x01')}\\":2}":3}`);
    expect(decode(fromHex('81 81 91 01 02 03'))).toEqual({ [`{"${btoa('\x91\x01')}":2}`]: 3 });
    expect(decode(fromHex('83 c0 01 91 02 03 d4 05 01 04'))).toEqual({
      null: 1,
      '[2]': 3,
      '{"ext":5,"data":"AQ=="}': 4,
    });
  });

  it('a length that a stranger wrote allocates nothing', () => {
    for (const bomb of ['dd ff ff ff ff', 'df ff ff ff ff', 'c6 ff ff ff ff', 'db ff ff ff ff', '91 dd 7f ff ff ff']) {
      expect(() => decode(fromHex(bomb))).toThrow(/one complete/);
      expect(() => decodeJson(fromHex(bomb))).toThrow(/one complete/);
    }
  });

  it('reach subscribers of both codecs, and the history', () => {
    const head = new EventHead();
    const payload = keysInKeys(PAYLOAD_NESTING_MAX, []);
    const frame = concat(head.bytes.slice(0, head.write(7, 1, 5, 0)), payload);
    const text = fromUtf8(eventToJson('t', frame, 0, frame.length));
    expect(JSON.parse(text)).toMatchObject({ type: 'event', seq: 1 });
    const [event] = decodeServerFrames(frame);
    if (event?.type !== 'event') throw new Error('not an event');
    expect(Object.keys(decode(event.payloadBytes) as object)).toHaveLength(1);
    const position = { topic: 't', epoch: 'e', seq: 1 };
    const frames = Array(1000).fill({ bytes: frame, start: 0, end: frame.length });
    const history = createJsonEncoder(() => 0).history(1, position, frames);
    expect(history.length).toBeLessThan(1000 * (payload.length * JSON_FACTOR_MAX + 200));
  });
});
