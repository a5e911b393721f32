/**
 * Every value that a program can pass to publish: it arrives equal, in the form that PROTOCOL.md gives, or is refused
 * with BAD_REQUEST. Nothing else is thrown, and no byte of anything else is sent.
 */

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { RingcastError } from '#src/errors.js';
import { decodeServerFrames, encodeClientFrame } from '#src/protocol/client-frames.js';
import { createJsonEncoder } from '#src/protocol/encoder-json.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { OP, PAYLOAD_NESTING_MAX, READ_FRAME } from '#src/protocol/messages.js';
import { decode, encode, skipValue } from '#src/protocol/msgpack.js';
import { MsgpackReader } from '#src/protocol/msgpack-reader.js';
import { decodeJson } from '#src/protocol/msgpack-to-json.js';
import { ExtensionValue } from '#src/protocol/msgpack-types.js';
import { concat, fromHex, fromUtf8, readOne, toHex } from './support.js';

/** Fixed, so that every run sees the same values; another one by RINGCAST_FUZZ_SEED. */
const PROPERTY = { seed: Number(process.env.RINGCAST_FUZZ_SEED ?? 20261120), numRuns: 500 };

const SECRET = 'SECRET';
/** Fills the memory that encoders reuse, so that what is not overwritten shows. */
function leaveSecrets(): void {
  encode(Array.from({ length: 300 }, () => SECRET));
}

/** As engine.publish() and the client encode it; the refusal where there is one. Both do the same. */
function published(value: unknown): Uint8Array | RingcastError {
  leaveSecrets();
  const byEngine = attempt(() => encode(value));
  const byClient = attempt(() => encodeClientFrame({ type: 'publish', id: 1, topic: 't', payload: value }));
  if (byEngine instanceof RingcastError) {
    expect(byClient).toBeInstanceOf(RingcastError);
    expect((byClient as RingcastError).code).toBe(byEngine.code);
    return byEngine;
  }
  expect(skipValue(byEngine, 0, byEngine.length, PAYLOAD_NESTING_MAX)).toBe(byEngine.length);
  const { result, fields } = readOne(new MsgpackReader(), byClient as Uint8Array);
  expect(result).toBe(READ_FRAME);
  expect(fields.payload).toBe(toHex(byEngine));
  expect(fromLatin(byEngine)).not.toContain(SECRET);
  return byEngine;
}

function attempt(encodeIt: () => Uint8Array): Uint8Array | RingcastError {
  try {
    return encodeIt();
  } catch (error) {
    expect(error).toBeInstanceOf(RingcastError);
    return error as RingcastError;
  }
}

const fromLatin = (bytes: Uint8Array) => String.fromCharCode(...bytes.subarray(0, 10_000));

/** What a MessagePack subscriber gets, and a JSON one. */
function arrived(value: unknown): { value: unknown; json: string } {
  const bytes = published(value);
  if (bytes instanceof RingcastError) throw bytes;
  return { value: decode(bytes), json: decodeJson(bytes) };
}

class Point {
  x = 1;
  readonly #hidden = 2;
  get sum(): number {
    return this.x + this.#hidden;
  }
}
class Money {
  toJSON(): string {
    return '12.30 EUR';
  }
}
class Itself {
  readonly a = 1;
  toJSON(): this {
    return this;
  }
}
class Tagged {
  readonly [Symbol.toStringTag] = 'Map';
}

const buffer = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer;
const shared = new SharedArrayBuffer(3);
new Uint8Array(shared).set([7, 8, 9]);
const inherited: object = Object.create({ above: 1 }, { own: { value: 2, enumerable: true } });
const holes: unknown[] = [1];
holes[2] = 3;
const hooks = Object.fromEntries(['constructor', 'toJSON', 'then', 'toString', 'valueOf'].map((name) => [name, 1]));
const inDisorder = { b: 1, 1: 2 };

describe('arrives', () => {
  const cases: [string, unknown, unknown, string][] = [
    ['undefined', undefined, null, 'null'],
    ['a field that is undefined', { a: undefined }, { a: null }, '{"a":null}'],
    ['−0', -0, -0, '-0'],
    ['NaN', Number.NaN, Number.NaN, 'null'],
    ['an infinity', Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 'null'],
    ['a time in milliseconds', 1_700_000_000_000, 1_700_000_000_000, '1700000000000'],
    ['2^53', 2 ** 53, 2 ** 53, '9.007199254740992e+15'],
    ['a bigint that is a safe integer', 5n, 5, '5'],
    ['the largest bigint', 2n ** 64n - 1n, 2n ** 64n - 1n, '18446744073709551615'],
    ['the smallest bigint', -(2n ** 63n), -(2n ** 63n), '-9223372036854775808'],
    ['a leading U+FEFF', '\ufeffbom', '\ufeffbom', '"\ufeffbom"'],
    ['a long text', 'é'.repeat(40_000), 'é'.repeat(40_000), `"${'é'.repeat(40_000)}"`],
    ['Uint8Array', Uint8Array.of(1, 255), Uint8Array.of(1, 255), '"Af8="'],
    ['a view with an offset', new Uint8Array(buffer, 2, 3), Uint8Array.of(3, 4, 5), '"AwQF"'],
    ['a Buffer', Buffer.from('xabc').subarray(1), Uint8Array.of(97, 98, 99), '"YWJj"'],
    ['Uint8ClampedArray', Uint8ClampedArray.of(1, 2), Uint8Array.of(1, 2), '"AQI="'],
    ['DataView', new DataView(buffer, 1, 2), Uint8Array.of(2, 3), '"AgM="'],
    ['ArrayBuffer', Uint8Array.of(1, 2).buffer, Uint8Array.of(1, 2), '"AQI="'],
    ['SharedArrayBuffer', shared, Uint8Array.of(7, 8, 9), '"BwgJ"'],
    ['a view of shared memory', new Uint8Array(shared, 1), Uint8Array.of(8, 9), '"CAk="'],
    ['Float64Array', Float64Array.of(1.5, Number.NaN), [1.5, Number.NaN], '[1.5,null]'],
    ['Float32Array', Float32Array.of(0.5), [0.5], '[0.5]'],
    ['Int16Array', Int16Array.of(-1, 300), [-1, 300], '[-1,300]'],
    ['BigUint64Array', BigUint64Array.of(1n, 2n ** 64n - 1n), [1, 2n ** 64n - 1n], '[1,18446744073709551615]'],
    [
      'Map',
      new Map<unknown, unknown>([
        ['a', 1],
        [2, 'b'],
      ]),
      { 2: 'b', a: 1 },
      '{"a":1,"2":"b"}',
    ],
    ['a Map with an array as key', new Map([[[1, 'x'], 1]]), { '[1,"x"]': 1 }, '{"[1,\\"x\\"]":1}'],
    ['Set', new Set([1, 'a']), [1, 'a'], '[1,"a"]'],
    ['Date', new Date(1_700_000_000_123), new Date(1_700_000_000_123), '"2023-11-14T22:13:20.123Z"'],
    ['a Date before 1970', new Date(-1), new Date(-1), '"1969-12-31T23:59:59.999Z"'],
    ['the last Date', new Date(8.64e15), new Date(8.64e15), '"+275760-09-13T00:00:00.000Z"'],
    [
      'ExtensionValue',
      new ExtensionValue(5, Uint8Array.of(1)),
      new ExtensionValue(5, Uint8Array.of(1)),
      '{"ext":5,"data":"AQ=="}',
    ],
    ['an object of a class', new Point(), { x: 1 }, '{"x":1}'],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }, '{"a":1}'],
    ['own properties only', inherited, { own: 2 }, '{"own":2}'],
    ['no symbols as keys', { [Symbol('s')]: 1, a: 2 }, { a: 2 }, '{"a":2}'],
    ['toJSON of a class', new Money(), '12.30 EUR', '"12.30 EUR"'],
    ['a URL', new URL('http://a/b'), 'http://a/b', '"http://a/b"'],
    ['toJSON that gives the object', new Itself(), { a: 1 }, '{"a":1}'],
    ['holes', holes, [1, null, 3], '[1,null,3]'],
    ['the order that the object has', inDisorder, { 1: 2, b: 1 }, '{"1":2,"b":1}'],
    [
      '__proto__ as a key',
      JSON.parse('{"__proto__":{"a":1}}'),
      JSON.parse('{"__proto__":{"a":1}}'),
      '{"__proto__":{"a":1}}',
    ],
    ['keys that are names of hooks', hooks, hooks, '{"constructor":1,"toJSON":1,"then":1,"toString":1,"valueOf":1}'],
    ['the same object twice', Array(2).fill(inherited), [{ own: 2 }, { own: 2 }], '[{"own":2},{"own":2}]'],
  ];
  it.each(cases)('%s', (_, value, expected, json) => {
    const there = arrived(value);
    expect(there.value).toStrictEqual(expected);
    expect(there.json).toBe(json);
  });

  it('keys of __proto__ set no prototype', () => {
    const { value } = arrived(JSON.parse('{"__proto__":{"admin":true}}'));
    expect((value as { admin?: boolean }).admin).toBeUndefined();
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value as object)).toEqual(['__proto__']);
  });

  it('an array of numbers for each kind of typed array, whatever is in memory around it', () => {
    const kinds = [Int8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array];
    for (const Kind of kinds) {
      for (const length of [0, 1, 15, 16, 200]) {
        const numbers = Array.from({ length }, (_, index) => index % 100);
        expect(arrived(new Kind(numbers)).value).toEqual(numbers);
      }
    }
  });

  it('a value that its getters change while it is read', () => {
    const list: unknown[] = [1];
    const value = {
      get a() {
        list.push(2);
        encode('another message, in the middle of this one');
        return 'a';
      },
      list,
    };
    expect(decode(encode([list, value, 'end']))).toEqual([[1], { a: 'a', list: [1, 2] }, 'end']);
  });
});

/** Throws whenever it is looked at in this way. */
function throwing(trap: string): object {
  const handler = {
    [trap]: () => {
      throw new TypeError('no');
    },
  };
  return new Proxy({ a: 1 }, handler);
}

describe('is refused with BAD_REQUEST', () => {
  const cycle: Record<string, unknown> = {};
  cycle.again = cycle;
  const thrower = (thrown: unknown) => ({
    get a(): never {
      throw thrown;
    },
  });
  const revoked = Proxy.revocable([], {});
  revoked.revoke();
  const detached = new ArrayBuffer(8);
  const detachedView = new Float64Array(detached);
  const detachedBytes = new Uint8Array(detached);
  structuredClone(detached, { transfer: [detached] });
  const manyThenDeep = (levels: number) => Array.from({ length: levels }).reduce((inner) => [inner], null);
  const cases: [string, unknown, RegExp][] = [
    ['a symbol', Symbol('s'), /symbol/],
    ['a function', () => 1, /function/],
    ['a method', { a: 1, run() {} }, /function/],
    ['toJSON of a plain object', { toJSON: () => 1 }, /function/],
    ['an integer of 65 bits', 2n ** 64n, /64 bits/],
    ['a negative one', [-(2n ** 63n) - 1n], /64 bits/],
    ['half a surrogate pair', '\ud800', /surrogate/],
    ['half a pair in a long text', `${'x'.repeat(500)}\udc00`, /surrogate/],
    ['half a pair in a key', { 'a\udc00b': 1 }, /surrogate/],
    ['an invalid Date', new Date(Number.NaN), /invalid Date/],
    ['an Error', new RangeError('x'), /an Error has no form/],
    ['a RegExp', /x/, /a RegExp has no form/],
    ['a Promise', Promise.resolve(1), /a Promise has no form/],
    ['a WeakMap', new WeakMap(), /a WeakMap has no form/],
    ['a boxed number', Object(1), /a Number has no form/],
    ['an object that says it is a Map', new Tagged(), /cannot be encoded/],
    ['a proxy of a Map', new Proxy(new Map(), {}), /cannot be encoded/],
    ['a cycle', cycle, /contains itself/],
    [
      'a cycle through toJSON',
      {
        x: new (class {
          toJSON(): unknown {
            return [this];
          }
        })(),
      },
      /contains itself/,
    ],
    ['deep nesting', manyThenDeep(PAYLOAD_NESTING_MAX + 1), /nested too deep/],
    ['very deep nesting', manyThenDeep(100_000), /nested too deep/],
    ['a getter that throws', thrower(new Error('oops')), /oops/],
    ['a getter that throws null', thrower(null), /null/],
    ['a getter that throws another refusal', thrower(new RingcastError('OVERLOADED', 'x')), /x/],
    ['a getter that throws what throws', thrower(throwing('getPrototypeOf')), /cannot be encoded/],
    [
      'a getter that never ends',
      (function recurse(): object {
        return {
          get a() {
            return recurse();
          },
        };
      })(),
      /contains itself/,
    ],
    [
      'toJSON that throws',
      new (class {
        toJSON(): never {
          throw new Error('oops');
        }
      })(),
      /oops/,
    ],
    ...['get', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'].map((trap): [string, unknown, RegExp] => {
      return [`a proxy whose ${trap} throws`, throwing(trap), /cannot be encoded: no/];
    }),
    ['a revoked proxy', revoked.proxy, /cannot be encoded/],
    ['a detached Uint8Array', detachedBytes, /cannot be encoded/],
    ['a detached buffer', detached, /cannot be encoded/],
    [
      'an ExtensionValue that was changed',
      Object.assign(Object.create(ExtensionValue.prototype), { type: 1000, data: 5 }),
      /extension/,
    ],
  ];
  it.each(cases)('%s', (_, value, problem) => {
    for (const wrapped of [value, [value], { a: value }, new Map([['a', value]])]) {
      const refusal = published(wrapped);
      expect(refusal).toBeInstanceOf(RingcastError);
      expect(refusal).toMatchObject({ code: 'BAD_REQUEST', message: expect.stringMatching(problem) });
    }
    expect(arrived('the next one').value).toBe('the next one');
  });

  it('a detached array of numbers is an empty one', () => expect(arrived(detachedView).value).toEqual([]));

  it('TOO_LARGE, before the memory is full', () => {
    for (const endless of [new Array(2 ** 32 - 1), { a: new Uint8Array(2 ** 28) }, 'x'.repeat(2 ** 27)]) {
      expect(attempt(() => encode(endless))).toMatchObject({ code: 'TOO_LARGE' });
    }
  });

  it('bytes that are not one value', () => {
    const bad = ['', '91', '00 00', 'c1', `${'91 '.repeat(PAYLOAD_NESTING_MAX + 1)}c0`].map(fromHex);
    for (const payloadBytes of [...bad, Float64Array.of(5) as unknown as Uint8Array, null as unknown as Uint8Array]) {
      expect(attempt(() => encodeClientFrame({ type: 'publish', topic: 't', payloadBytes }))).toMatchObject({
        code: 'BAD_REQUEST',
      });
    }
  });
});

describe('for all values', () => {
  const text = fc.string({ unit: 'binary', maxLength: 100 });
  const scalar = fc.oneof(
    ...[fc.constant(null), fc.boolean(), fc.double(), fc.integer(), fc.maxSafeInteger(), text],
    ...[fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), fc.uint8Array(), fc.date({ noInvalidDate: true })],
  );
  const { plain } = fc.letrec<{ plain: unknown }>((tie) => ({
    plain: fc.oneof(
      { maxDepth: 5 },
      scalar,
      fc.array(tie('plain'), { maxLength: 20 }),
      fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'constructor', 'toJSON', '7')), tie('plain'), {
        maxKeys: 20,
      }),
    ),
  }));
  const normal = (value: unknown): unknown => {
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    if (Array.isArray(value)) return value.map(normal);
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array || value instanceof Date)
      return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normal(inner)]));
  };

  it('data arrives equal', () => {
    fc.assert(
      fc.property(plain, (value) => {
        // Not toStrictEqual(), which looks at what a key `constructor` holds.
        expect(isDeepStrictEqual(arrived(value).value, normal(value))).toBe(true);
      }),
      PROPERTY,
    );
  });

  it('data is read so by another library', () => {
    const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number', mapsAsObjects: false });
    const asMaps = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(asMaps);
      if (value === null || typeof value !== 'object' || value instanceof Uint8Array || value instanceof Date)
        return value;
      return new Map(Object.entries(value).map(([key, inner]) => [key, asMaps(inner)]));
    };
    fc.assert(
      fc.property(plain, (value) => {
        const there = unpackr.unpack(published(value) as Uint8Array) as unknown;
        // It gives Buffers where it runs in Node.
        const bytes = (given: unknown): unknown => (given instanceof Uint8Array ? new Uint8Array(given) : given);
        const walk = (given: unknown): unknown => {
          if (Array.isArray(given)) return given.map(walk);
          return given instanceof Map ? new Map([...given].map(([key, inner]) => [key, walk(inner)])) : bytes(given);
        };
        expect(isDeepStrictEqual(walk(there), asMaps(normal(value)))).toBe(true);
      }),
      PROPERTY,
    );
  });

  it('anything arrives or is refused, and what arrives can be published again as it is', () => {
    const anything = fc.anything({
      ...{
        withBigInt: true,
        withBoxedValues: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withSparseArray: true,
      },
      ...{ withTypedArray: true, withObjectString: true, withNullPrototype: true, maxDepth: 4 },
      values: [
        scalar,
        fc.string({ unit: 'binary' }),
        fc.constantFrom(Symbol.iterator, /x/, () => 1, undefined, new Error('x')),
      ],
    });
    let arrivals = 0;
    fc.assert(
      fc.property(anything, (value) => {
        const bytes = published(value);
        if (bytes instanceof RingcastError) {
          expect(bytes.code).toBe('BAD_REQUEST');
          return;
        }
        arrivals += 1;
        JSON.parse(decodeJson(bytes));
        const there = decode(bytes);
        expect(isDeepStrictEqual(decode(encode(there)), there)).toBe(true);
      }),
      PROPERTY,
    );
    expect(arrivals).toBeGreaterThan(PROPERTY.numRuns / 4);
  });
});

describe('answers cannot fail', () => {
  const cycle: Record<string, unknown> = {};
  cycle.again = cycle;
  const odd = [
    cycle,
    10n ** 30n,
    () => 1,
    new Error('x'),
    { toJSON: 1, constructor: 1 },
    '\ud800',
    throwing('ownKeys'),
  ];

  it.each(odd.map((details) => [details]))('details that are no data are left out', (details) => {
    const isData = (details as { toJSON?: unknown }).toJSON === 1;
    const json = createJsonEncoder(() => 0);
    for (const [bytes, text] of [
      [msgpackEncoder.error(1, 'FORBIDDEN', 'no\ud800', details), json.error(1, 'FORBIDDEN', 'no\ud800', details)],
      [msgpackEncoder.notice('kind', details), json.notice('kind', details)],
      [msgpackEncoder.revoked({ alias: 1, topic: 't' }, 'FORBIDDEN', 'no\ud800'), json.pong(1, 0)],
    ] as const) {
      const [message] = decodeServerFrames(bytes);
      if (message?.type === 'error')
        expect(message).toMatchObject({ message: 'no\ufffd', details: isData ? details : null });
      if (message?.type === 'notice') expect(message.details).toEqual(isData ? details : null);
      JSON.parse(fromUtf8(text));
    }
  });

  it('times are float64, whatever their value', () => {
    expect(toHex(msgpackEncoder.pong(null, 5))).toBe('93 27 c0 cb 40 14 00 00 00 00 00 00');
    expect(concat(msgpackEncoder.pong(null, 5))[1]).toBe(OP.PONG);
  });
});
