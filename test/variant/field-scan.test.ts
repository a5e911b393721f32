/** Fields found in MessagePack bytes: which one counts, what is absent, and that hostile bytes are only ever refused. */

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RingcastError } from '#src/errors.js';
import { NESTING_MAX } from '#src/protocol/messages.js';
import { decode, encode, skipValue } from '#src/protocol/msgpack.js';
import { ExtensionValue } from '#src/protocol/msgpack-types.js';
import { ABSENT, FieldScan, PATH_MAX_BYTES, PATH_PARTS_MAX, parsePath } from '#src/variant/field-scan.js';
import { concat, fromHex, utf8 } from '../protocol/support.js';

/** Fixed, so that every run sees the same values; another one by RINGCAST_FUZZ_SEED. */
const PROPERTY = { seed: Number(process.env.RINGCAST_FUZZ_SEED ?? 20261127), numRuns: 1_000 };

const short = (text: string) => concat(Uint8Array.of(0xa0 + text.length), utf8(text));
/** A map that may have equal keys, of entries in MessagePack. */
const rawMap = (...entries: [string, Uint8Array][]) =>
  concat(Uint8Array.of(0x80 + entries.length), ...entries.flatMap(([name, value]) => [short(name), value]));

function scanned(paths: readonly (readonly string[])[], bytes: Uint8Array): FieldScan {
  const scan = new FieldScan(paths);
  expect(scan.scan(bytes, 0, bytes.length)).toBe(true);
  return scan;
}

function values(paths: readonly (readonly string[])[], bytes: Uint8Array): unknown[] {
  const scan = scanned(paths, bytes);
  return paths.map((_, index) => (scan.starts[index] === ABSENT ? undefined : scan.valueAt(index)));
}

describe('FieldScan', () => {
  it('finds fields on every level, and their parents', () => {
    const bytes = encode({ bid: { size: 1 }, ask: { size: 2, venue: { name: 'X' } }, last: 3 });
    const paths = [['ask', 'size'], ['ask'], ['last'], ['ask', 'venue', 'name'], ['bid', 'price'], ['size']];
    expect(values(paths, bytes)).toEqual([2, { size: 2, venue: { name: 'X' } }, 3, 'X', undefined, undefined]);
  });

  it('gives the place of the value', () => {
    const bytes = concat(Uint8Array.of(0xff), encode({ a: 'xy', b: 1 }), Uint8Array.of(0xff));
    const scan = new FieldScan([['a'], ['b'], ['c']]);
    expect(scan.scan(bytes, 1, bytes.length - 1)).toBe(true);
    expect([...scan.starts]).toEqual([4, 9, ABSENT]);
    expect([...scan.ends]).toEqual([7, 10, ABSENT]);
  });

  it('takes the last one of equal keys, with everything that is in it', () => {
    const one = encode({ size: 1, venue: 'X' });
    const paths = [['ask'], ['ask', 'size'], ['ask', 'venue']];
    expect(values(paths, rawMap(['ask', one], ['ask', encode({ size: 2 })]))).toEqual([{ size: 2 }, 2, undefined]);
    expect(values(paths, rawMap(['ask', one], ['ask', encode(5)]))).toEqual([5, undefined, undefined]);
    expect(values(paths, rawMap(['ask', encode(5)], ['ask', one]))).toEqual([{ size: 1, venue: 'X' }, 1, 'X']);
  });

  it('takes names of objects and names in any script as names', () => {
    const names = ['__proto__', 'constructor', 'toString', 'größe', '価格', '😀', 'x'.repeat(31), 'x'.repeat(200)];
    const bytes = concat(Uint8Array.of(0x88), ...names.flatMap((name, index) => [encode(name), encode(index)]));
    const paths = names.map((name) => [name]);
    expect(values(paths, bytes)).toEqual(names.map((_, index) => index));
    expect(values(paths, encode({}))).toEqual(names.map(() => undefined));
  });

  it('takes names and maps in every form, and no key that is no string', () => {
    const long = concat(Uint8Array.of(0xdf, 0, 0, 0, 5), fromHex('01c3'), fromHex('d90161 c3'.replace(' ', '')));
    const bytes = concat(long, fromHex('da000162c3'), fromHex('db0000000163c3'), fromHex('c40164c3'));
    expect(values([['1'], ['a'], ['b'], ['c'], ['d']], bytes)).toEqual([undefined, true, true, true, undefined]);
  });

  it('tells many names of one length apart', () => {
    const names = Array.from({ length: 300 }, (_, index) => `n${1000 + index}`);
    const wanted = names.filter((_, index) => index % 3 === 0);
    const bytes = encode(Object.fromEntries(names.map((name) => [name, name])));
    expect(
      values(
        wanted.map((name) => [name]),
        bytes,
      ),
    ).toEqual(wanted);
  });

  it('forgets the message before', () => {
    const scan = new FieldScan([['a']]);
    const first = encode({ a: 1 });
    const second = encode({ b: 1 });
    scan.scan(first, 0, first.length);
    expect(scan.valueAt(0)).toBe(1);
    expect(scan.scan(second, 0, second.length)).toBe(true);
    expect(scan.valueAt(0)).toBeNull();
    scan.scan(first, 0, first.length);
    expect(scan.scan(second, 0, second.length - 1)).toBe(false);
    expect([scan.isMap, scan.valueAt(0), scan.starts[0]]).toEqual([false, null, ABSENT]);
  });

  it('refuses all that is not one map', () => {
    const scan = new FieldScan([['a']]);
    const broken = rawMap(['b', fromHex('c1')]);
    for (const bytes of [encode([1]), encode('a'), encode(null), new Uint8Array(0), fromHex('80c0'), broken]) {
      expect(scan.scan(bytes, 0, bytes.length)).toBe(false);
    }
  });

  it('decodes every type of value', () => {
    const all = [null, true, false, 0, 127, 128, -1, -33, 65_536, 2 ** 32, -(2 ** 40), 0.5, -1.25, 'x', '', 'größe'];
    const more = ['y'.repeat(33), 'z'.repeat(300), 2n ** 60n + 1n, -(2n ** 60n) - 1n, [1, [2]], Uint8Array.of(1, 2)];
    const rare = [new Date(1_790_000_000_123), new ExtensionValue(5, Uint8Array.of(9)), { b: { c: 1 } }];
    for (const value of [...all, ...more, ...rare]) expect(values([['a']], encode({ a: value }))).toEqual([value]);
    expect(values([['a']], rawMap(['a', fromHex('ca3fc00000')]))).toEqual([1.5]);
  });

  it('reads memory that is shared', () => {
    const source = encode({ a: 'größe', b: 'x', c: 'y'.repeat(100) });
    const bytes = new Uint8Array(new SharedArrayBuffer(source.length));
    bytes.set(source);
    expect(values([['a'], ['b'], ['c']], bytes)).toEqual(['größe', 'x', 'y'.repeat(100)]);
  });

  it('looks at fields without decoding them', () => {
    const scan = scanned([['n'], ['t'], ['z'], ['none']], encode({ n: 2n ** 60n + 1n, t: 'AAPL', z: null }));
    expect([0, 1, 2, 3].map((index) => scan.numberAt(index))).toEqual([2 ** 60, Number.NaN, Number.NaN, Number.NaN]);
    expect(['AAPL', 'AAP', 'AAPLE', ''].map((text) => scan.isText(1, utf8(text)))).toEqual([true, false, false, false]);
    expect(['AAPL', 'AA', 'AAPLE', ''].map((text) => scan.startsWithText(1, utf8(text)))).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect([0, 1, 2, 3].map((index) => scan.isNull(index))).toEqual([false, false, true, true]);
    expect([0, 2, 3].map((index) => scan.isText(index, utf8('')))).toEqual([false, false, false]);
  });
});

describe('paths', () => {
  it('are names between dots', () => {
    expect(parsePath('ask.size')).toEqual(['ask', 'size']);
    expect(parsePath('größe')).toEqual(['größe']);
    expect(parsePath('__proto__')).toEqual(['__proto__']);
  });

  it.each([
    ['', 'an empty name'],
    ['a..b', 'an empty name'],
    ['.a', 'an empty name'],
    [new Array(PATH_PARTS_MAX + 1).fill('a').join('.'), 'more than 16 names'],
    ['ü'.repeat(PATH_MAX_BYTES / 2 + 1), 'more than 255 bytes'],
    ['\ud800', 'surrogate'],
  ])('%s is refused', (text, reason) => {
    expect(() => parsePath(text)).toThrow(RingcastError);
    expect(() => parsePath(text)).toThrow(reason);
  });

  it('are given once, and not empty', () => {
    expect(() => new FieldScan([['a', 'b'], ['c'], ['a', 'b']])).toThrow('"a.b": named twice');
    expect(() => new FieldScan([[]])).toThrow('there is no name');
  });
});

describe(`any payload, seed ${PROPERTY.seed}`, () => {
  const name = fc.constantFrom('a', 'b', 'ask', '__proto__', 'größe');
  const leaf = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt(0n, 2n ** 64n - 1n),
  );
  const { map } = fc.letrec<{ value: unknown; map: Uint8Array }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      leaf.map((value) => encode(value)),
      tie('map'),
    ),
    map: fc.array(fc.tuple(name, tie('value')), { maxLength: 5 }).map((entries) => {
      const parts = entries.flatMap(([key, value]) => [encode(key), value as Uint8Array]);
      return concat(Uint8Array.of(0x80 + entries.length), ...parts);
    }),
  }));
  const paths = fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 6,
    selector: (path) => path.join('.'),
  });

  function valueIn(root: unknown, path: readonly string[]): unknown {
    let value = root;
    for (const each of path) {
      const isMap = typeof value === 'object' && value !== null && Object.hasOwn(value, each);
      if (!isMap) return undefined;
      value = (value as Record<string, unknown>)[each];
    }
    return value;
  }

  it('has the fields that its decoded value has, also with equal keys', () => {
    fc.assert(
      fc.property(map, paths, (bytes, wanted) => {
        const root = decode(bytes);
        const expected = wanted.map((path) => valueIn(root, path));
        return isDeepStrictEqual(values(wanted, bytes), expected);
      }),
      PROPERTY,
    );
  });

  it('is taken exactly when it is one complete map; what surrounds it changes nothing', () => {
    const scan = new FieldScan([['a'], ['a', 'b'], ['ask', 'a', 'b']]);
    const damage = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('byte', 'cut', 'none'));
    const damaged = fc.tuple(map, damage).map(([bytes, [at, byte, kind]]) => {
      const copy = bytes.slice();
      if (kind === 'byte') copy[at % copy.length] = byte;
      return kind === 'cut' ? copy.subarray(0, at % copy.length) : copy;
    });
    const random = fc.uint8Array({ maxLength: 40 });
    const almost = random.map((bytes) => concat(Uint8Array.of(0x82, 0xa1, 0x61), bytes));
    fc.assert(
      fc.property(fc.oneof(damaged, random, almost), (bytes) => {
        const isMap = (bytes[0] & 0xf0) === 0x80 || bytes[0] === 0xde || bytes[0] === 0xdf;
        const isTaken = isMap && skipValue(bytes, 0, bytes.length, NESTING_MAX) === bytes.length;
        const results = [0x00, 0xa1, 0xff].map((filler) => {
          const edge = new Uint8Array(9).fill(filler);
          const result = scan.scan(concat(edge, bytes, edge), edge.length, edge.length + bytes.length);
          return [result, [...scan.starts], [...scan.ends], [0, 1, 2].map((index) => scan.valueAt(index))];
        });
        expect(results[0][0]).toBe(isTaken);
        expect(results[1]).toEqual(results[0]);
        expect(results[2]).toEqual(results[0]);
      }),
      { ...PROPERTY, numRuns: 5_000 },
    );
  });

  it('nested as deep as values may be is taken, one deeper is not', () => {
    const nested = (depth: number) => concat(...new Array<Uint8Array>(depth).fill(fromHex('81a161')), fromHex('c0'));
    const scan = new FieldScan([new Array<string>(PATH_PARTS_MAX).fill('a')]);
    for (const depth of [PATH_PARTS_MAX, NESTING_MAX, NESTING_MAX + 1]) {
      const bytes = nested(depth);
      expect(scan.scan(bytes, 0, bytes.length)).toBe(depth <= NESTING_MAX);
    }
  });
});
