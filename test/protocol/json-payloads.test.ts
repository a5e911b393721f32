/** JSON text as a payload: what JSON.parse takes, and nothing else, in equal values out; what would change is refused. */

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RingcastError } from '#src/errors.js';
import { JsonReader } from '#src/protocol/json-reader.js';
import { encodeJson } from '#src/protocol/json-to-msgpack.js';
import { PAYLOAD_NESTING_MAX, READ_FRAME, READ_INVALID } from '#src/protocol/messages.js';
import { decode, skipValue } from '#src/protocol/msgpack.js';
import { decodeJson } from '#src/protocol/msgpack-to-json.js';
import { readOne, seededRandom, toHex, utf8 } from './support.js';

const seed = Number(process.env.RINGCAST_FUZZ_SEED ?? 20261120);
const reader = new JsonReader();

/** The payload's bytes, the same by the reader and by encodeJson(), or the reason of the refusal. */
function payloadOf(json: string): Uint8Array | string {
  const bytes = utf8(`{"type":"publish","topic":"t","request_id":1,"message":{"payload":${json}}}`);
  const { result, fields } = readOne(reader, bytes);
  let encoded: Uint8Array;
  try {
    encoded = encodeJson(json);
  } catch (error) {
    expect(error).toBeInstanceOf(RingcastError);
    expect(error).toMatchObject({ code: 'BAD_REQUEST' });
    // Some texts are no JSON alone, but are within a message: `1}, "x": {"y": 2`.
    if (result !== READ_FRAME) expect([result, reader.id]).toEqual([READ_INVALID, 1]);
    return (error as RingcastError).message;
  }
  expect(result, reader.problem).toBe(READ_FRAME);
  expect(fields.payload).toBe(toHex(encoded));
  return encoded;
}

function hexOf(json: string): string {
  const payload = payloadOf(json);
  return typeof payload === 'string' ? payload : toHex(payload);
}

describe('numbers', () => {
  it.each([
    ['0', '00', '0'],
    ['-0', 'cb 80 00 00 00 00 00 00 00', '-0'],
    ['-0.0', 'cb 80 00 00 00 00 00 00 00', '-0'],
    ['127', '7f', '127'],
    ['-33', 'd0 df', '-33'],
    ['4294967296', 'cf 00 00 00 01 00 00 00 00', '4294967296'],
    ['1700000000000', 'cf 00 00 01 8b cf e5 68 00', '1700000000000'],
    ['-4294967296', 'd3 ff ff ff ff 00 00 00 00', '-4294967296'],
    ['9007199254740993', 'cf 00 20 00 00 00 00 00 01', '9007199254740993'],
    ['12345678901234567890', 'cf ab 54 a9 8c eb 1f 0a d2', '12345678901234567890'],
    ['18446744073709551615', 'cf ff ff ff ff ff ff ff ff', '18446744073709551615'],
    ['-9223372036854775808', 'd3 80 00 00 00 00 00 00 00', '-9223372036854775808'],
    ['1.5', 'cb 3f f8 00 00 00 00 00 00', '1.5'],
    ['100.0', 'cb 40 59 00 00 00 00 00 00', '100'],
    ['1e2', 'cb 40 59 00 00 00 00 00 00', '100'],
    ['9007199254740992.0', 'cb 43 40 00 00 00 00 00 00', '9.007199254740992e+15'],
    ['0.1', 'cb 3f b9 99 99 99 99 99 9a', '0.1'],
    ['5e-324', 'cb 00 00 00 00 00 00 00 01', '5e-324'],
    ['0e-999', 'cb 00 00 00 00 00 00 00 00', '0'],
  ])('%s is %s, and %s for a JSON subscriber', (json, hex, text) => {
    expect(hexOf(json)).toBe(hex);
    expect(decodeJson(encodeJson(json))).toBe(text);
    expect(hexOf(text)).toMatch(/^[0-9a-f ]+$/); // what a JSON subscriber gets can be published again
  });

  it.each([
    ['18446744073709551616', /64 bits/],
    ['-9223372036854775809', /64 bits/],
    ['1'.repeat(500_000), /64 bits/],
    ['1e400', /float64/],
    ['-1e309', /float64/],
    ['1e-400', /float64/],
    ['[0.0000001e-330]', /float64/],
    [`1${'0'.repeat(400)}.5`, /float64/],
    ['NaN', /not JSON/],
    ['Infinity', /not JSON/],
    ['01', /not JSON/],
    ['+1', /not JSON/],
    ['1.', /not JSON/],
    ['.5', /not JSON/],
    ['1e', /not JSON/],
    ['-', /not JSON/],
  ])('%s is refused', (json, reason) => expect(payloadOf(json)).toMatch(reason));

  it('every double comes back from its text, and every 64-bit integer', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = Object.is(value, -0) ? '-0' : String(value);
        // An integer beyond 64 bits, such as 1e20, is written with all of its digits by JavaScript.
        const written = Math.abs(value) >= 2 ** 63 ? value.toExponential() : text;
        expect(Number(decode(payloadOf(written) as Uint8Array))).toBe(value);
      }),
      { seed, numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        expect(BigInt(decode(payloadOf(String(value)) as Uint8Array) as bigint)).toBe(value);
        expect(decodeJson(encodeJson(String(value)))).toBe(String(value));
      }),
      { seed, numRuns: 2000 },
    );
  });
});

describe('keys and texts', () => {
  it.each([
    '{"b":1,"1":2}',
    '{"2":1,"10":2,"1":3}',
    '{"__proto__":{"a":1},"constructor":{"prototype":2},"toJSON":1}',
    '{"constructor":1,"toJSON":1}',
    '{"a":1,"a":2}',
    '{"":{"":[]}}',
    '"\ufeffbom"',
    '"é€😀"',
    `"${'é'.repeat(70_000)}"`,
    `[${Array.from({ length: 70_000 }, (_, index) => index).join(',')}]`,
    `{${Array.from({ length: 300 }, (_, index) => `"k${index}":[${index}]`).join(',')}}`,
  ])('%.40s is the same text for a JSON subscriber', (json) => {
    const payload = payloadOf(json) as Uint8Array;
    expect(skipValue(payload, 0, payload.length)).toBe(payload.length);
    expect(decodeJson(payload)).toBe(json);
  });

  it('half a surrogate pair is refused, wherever it comes from', () => {
    for (const json of ['"\\ud800"', '"\\udc00\\ud800"', '{"\\uDBFFx":1}', '"\\ud800\\n"', '["\\ud800\\u0041"]']) {
      expect(payloadOf(json)).toMatch(/surrogate/);
    }
    expect(() => encodeJson('"\ud800"')).toThrow(/surrogate/);
    expect(decode(payloadOf('"\\ud83d\\ude00\\u00e9\\u0041\\u0800"') as Uint8Array)).toBe('😀éA\u0800');
  });

  it('a text of escapes has the length that it should have', () => {
    for (const length of [0, 1, 15, 31, 32, 255, 256, 65_535, 65_536]) {
      expect(decode(payloadOf(`"${'\\n'.repeat(length)}"`) as Uint8Array)).toBe('\n'.repeat(length));
    }
  });
});

/** A JSON text as someone might write it: spaces, escapes that need not be, numbers in odd forms. */
function scribble(random: () => number, levels: number): string {
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)];
  const space = () => pick(['', '', '', ' ', '\n\t', '\r ']);
  const text = () =>
    `"${Array.from({ length: Math.floor(random() * 5) }, () =>
      pick(['a', 'é', '😀', '\\u0041', '\\u00e9', '\\ud83d\\ude00', '\\n', '\\/', '\\\\', '\\"', '\u007f', '1']),
    ).join('')}"`;
  const number = () =>
    pick(['', '-']) +
    pick(['0', '1', '12', '999999999999999', '9007199254740993', '123456789012345678']) +
    pick(['', '', '.5', '.000', '.123456789012345', 'e3', 'E-2', '.1e+10']);
  const many = (item: () => string) => Array.from({ length: Math.floor(random() * (random() < 0.1 ? 40 : 4)) }, item);
  const kind = levels === 0 ? random() * 3 : random() * 5;
  let value: string;
  if (kind < 1) value = number();
  else if (kind < 2) value = text();
  else if (kind < 3) value = pick(['true', 'false', 'null']);
  else if (kind < 4) value = `[${many(() => scribble(random, levels - 1)).join(',')}${space()}]`;
  else value = `{${many(() => `${space()}${text()}${space()}:${scribble(random, levels - 1)}`).join(',')}${space()}}`;
  return space() + value + space();
}

/** As JSON.parse gives it: bigints rounded. */
function rounded(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]));
}

describe(`any text, seed ${seed}`, () => {
  it('means what JSON.parse says', () => {
    const random = seededRandom(seed);
    for (let round = 0; round < 3000; round++) {
      const json = scribble(random, 4);
      const payload = payloadOf(json);
      if (typeof payload === 'string') throw new Error(`${payload}: ${json}`);
      expect(isDeepStrictEqual(rounded(decode(payload)), JSON.parse(json)), json).toBe(true);
      expect(payload.length).toBeLessThanOrEqual(3 * json.length + 3);
    }
  });

  it('is taken if and only if JSON.parse takes it', () => {
    const random = seededRandom(seed + 1);
    let taken = 0;
    let refused = 0;
    for (let round = 0; round < 6000; round++) {
      let json = scribble(random, 2);
      const at = Math.floor(random() * json.length);
      const inserted = '{}[],:"\\u0e-+.1ntf \n\u0000x'[Math.floor(random() * 24)] ?? '';
      json = json.slice(0, at) + inserted + json.slice(at + Math.floor(random() * 3));
      let isJson = true;
      try {
        JSON.parse(json);
      } catch {
        isJson = false;
      }
      const payload = payloadOf(json);
      if (typeof payload !== 'string') {
        expect(isJson, json).toBe(true);
        taken += 1;
      } else if (isJson) expect(payload, json).toMatch(/64 bits|float64|surrogate/);
      else refused += 1;
    }
    expect(Math.min(taken, refused)).toBeGreaterThan(1000);
  });

  it('nesting is bounded, in both directions', () => {
    const nested = (levels: number) => `${'[{"a":'.repeat(levels / 2)}0${'}]'.repeat(levels / 2)}`;
    expect(decodeJson(payloadOf(nested(PAYLOAD_NESTING_MAX)) as Uint8Array)).toBe(nested(PAYLOAD_NESTING_MAX));
    expect(payloadOf(nested(PAYLOAD_NESTING_MAX + 2))).toMatch(/nested deeper/);
    expect(payloadOf('['.repeat(1_000_000))).toMatch(/nested deeper|not JSON/);
  });
});
