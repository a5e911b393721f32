/**
 * Filters and payloads of any kind: an evaluator as plain as can be, over decoded values, says the same as the closures over
 * bytes; the normal form is the same filter; nothing throws but BAD_REQUEST from compileFilter().
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RingcastError } from '#src/errors.js';
import { decode, encode } from '#src/protocol/msgpack.js';
import { FieldScan } from '#src/variant/field-scan.js';
import { compileFilter, type Filter } from '#src/variant/filter.js';
import { FilterPattern, roughSize } from '#src/variant/filter-pattern.js';

/** Fixed, so that every run sees the same values; another one by RINGCAST_FUZZ_SEED. */
const PROPERTY = { seed: Number(process.env.RINGCAST_FUZZ_SEED ?? 20261127), numRuns: 3_000 };

/** An expression as text, and what it means, said in the plainest way. */
interface Expression {
  readonly text: string;
  value(root: unknown): unknown;
}

const isNumber = (value: unknown) => typeof value === 'number' || typeof value === 'bigint';

/** By value. Bigints and numbers have no `===`. */
function equal(a: unknown, b: unknown): boolean {
  if (isNumber(a) && isNumber(b)) return (a as number) >= (b as number) && (a as number) <= (b as number);
  return a === b && (a === null || typeof a !== 'object');
}

function ordered(a: unknown, b: unknown, op: string): boolean {
  const isOrdered = (isNumber(a) && isNumber(b)) || (typeof a === 'string' && typeof b === 'string');
  if (!isOrdered) return false;
  const [left, right] = [a as number, b as number];
  if (op === '<') return left < right;
  if (op === '<=') return left < right || equal(a, b);
  return op === '>' ? left > right : left > right || equal(a, b);
}

function arithmetic(a: unknown, b: unknown, op: string): unknown {
  if (op === '+' && typeof a === 'string' && typeof b === 'string') return a + b;
  if (!isNumber(a) || !isNumber(b)) return null;
  const [left, right] = [Number(a), Number(b)];
  if (op === '+') return left + right;
  if (op === '-') return left - right;
  if (op === '*') return left * right;
  return op === '/' ? left / right : left % right;
}

function binary(op: string, a: unknown, b: unknown): unknown {
  if (op === '&&') return a === true && b === true;
  if (op === '||') return a === true || b === true;
  if (op === '==' || op === '!=') return equal(a, b) === (op === '==');
  if (op === 'in') return Array.isArray(b) && b.some((item) => equal(a, item));
  return '<>'.includes(op.charAt(0)) ? ordered(a, b, op) : arithmetic(a, b, op);
}

function textFunction(name: string, a: unknown, b: unknown): boolean {
  if (typeof a !== 'string' || typeof b !== 'string') return false;
  if (name === 'startsWith') return a.slice(0, b.length) === b;
  if (name === 'endsWith') return a.length >= b.length && a.slice(a.length - b.length) === b;
  return a.includes(b);
}

function size(value: unknown): unknown {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  return typeof value === 'object' && value !== null ? Object.keys(value).length : null;
}

/** Undefined: missing. */
function field(root: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name);
    return isMap ? (value as Record<string, unknown>)[name] : undefined;
  }, root);
}

const NUMBERS = [0, 1, 2, -1, 0.5, 100, 2 ** 53, 2n ** 53n + 1n, 2 ** 60, 2n ** 60n, 2n ** 60n + 1n, -(2n ** 60n)];
const TEXTS = ['', 'a', 'A', 'ab', 'abc', 'é', '😀', '"\'\\\n\u0001', '\ufffd'];
const FIELDS: Record<string, string[]> = {
  a: ['a'],
  b: ['b'],
  "['c d']": ['c d'],
  'n.x': ['n', 'x'],
  'n["x y"]': ['n', 'x y'],
  n: ['n'],
  missing: ['missing'],
};

const scalar = fc.constantFrom<unknown>(...NUMBERS, ...TEXTS, true, false, null, Number.NaN, -0);
const payload = fc.record(
  {
    a: scalar,
    b: fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })),
    'c d': scalar,
    n: fc.oneof(scalar, fc.record({ x: scalar, 'x y': scalar }, { requiredKeys: [] })),
  },
  { requiredKeys: [] },
);

const quoted = (text: string) =>
  fc.constantFrom(JSON.stringify(text), `'${JSON.stringify(text).slice(1, -1).replace("'", "\\'")}'`);

/** The digits of String(2 ** 60) are those of another integer. */
const numberText = (value: number | bigint) =>
  typeof value === 'number' && value >= 2 ** 53 ? value.toExponential() : String(value);

const constant: fc.Arbitrary<Expression> = fc.oneof(
  // A sign is an operator: of 0 it makes no −0.
  fc.constantFrom(...NUMBERS).map((value) => ({ text: numberText(value), value: () => value })),
  fc.constantFrom(...TEXTS).chain((value) => quoted(value).map((text) => ({ text, value: () => value }))),
  fc.constantFrom(true, false, null).map((value) => ({ text: String(value), value: () => value })),
);

const fieldOf: fc.Arbitrary<Expression> = fc
  .constantFrom(...Object.entries(FIELDS))
  .map(([text, path]) => ({ text, value: (root: unknown) => field(root, path) ?? null }));

const space = fc.constantFrom('', ' ', '\n ');
const atom = fc.oneof(constant, fieldOf, fieldOf);
const list: fc.Arbitrary<Expression> = fc.array(atom, { maxLength: 4 }).map((items) => ({
  text: `[${items.map(({ text }) => text).join(', ')}]`,
  value: (root: unknown) => items.map((item) => item.value(root)),
}));

const { expression } = fc.letrec<{ expression: Expression; operation: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, depthSize: 'medium' },
    atom,
    tie('operation'),
    tie('operation'),
    tie('operation'),
  ),
  operation: fc.oneof(
    fc
      .tuple(
        fc.constantFrom(...'== != < <= > >= && || + - * / %'.split(' ')),
        tie('expression'),
        tie('expression'),
        space,
      )
      .map(([op, a, b, gap]) => ({
        text: `(${a.text}${gap}${op}${gap}${b.text})`,
        value: (root: unknown) => binary(op, a.value(root), b.value(root)),
      })),
    fc.tuple(fc.constantFrom('<', '==', '!=', '>=', '>', '<='), atom, atom).map(([op, a, b]) => ({
      text: `(${a.text} ${op} ${b.text})`,
      value: (root: unknown) => binary(op, a.value(root), b.value(root)),
    })),
    fc.tuple(tie('expression'), fc.oneof(list, fieldOf)).map(([a, b]) => ({
      text: `(${a.text} in ${b.text})`,
      value: (root: unknown) => binary('in', a.value(root), b.value(root)),
    })),
    tie('expression').map((a) => ({ text: `!${a.text}`, value: (root: unknown) => a.value(root) !== true })),
    tie('expression').map((a) => ({
      text: `(-${a.text})`,
      value: (root: unknown) => {
        const value = a.value(root);
        return isNumber(value) ? -Number(value) : null;
      },
    })),
    fc.tuple(tie('expression'), tie('expression'), tie('expression')).map(([a, b, c]) => ({
      text: `(${a.text} ? ${b.text} : ${c.text})`,
      value: (root: unknown) => (a.value(root) === true ? b.value(root) : c.value(root)),
    })),
    fc
      .tuple(fc.constantFrom('startsWith', 'endsWith', 'contains'), tie('expression'), tie('expression'), fc.boolean())
      .map(([name, a, b, isMethod]) => ({
        text: isMethod ? `(${a.text}).${name}(${b.text})` : `${name}(${a.text}, ${b.text})`,
        value: (root: unknown) => textFunction(name, a.value(root), b.value(root)),
      })),
    tie('expression').map((a) => ({ text: `size(${a.text})`, value: (root: unknown) => size(a.value(root)) })),
    fc.constantFrom(...Object.entries(FIELDS)).map(([text, path]) => ({
      text: `exists(${text})`,
      value: (root: unknown) => field(root, path) !== undefined,
    })),
  ),
}));

function resultOf(filter: Filter, bytes: Uint8Array): boolean {
  const scan = new FieldScan(filter.paths);
  scan.scan(bytes, 0, bytes.length);
  return filter.matches(scan);
}

describe(`any filter, seed ${PROPERTY.seed}`, () => {
  it('says what a plain evaluator says, and so does its normal form', () => {
    let matched = 0;
    let runs = 0;
    fc.assert(
      fc.property(expression, fc.array(payload, { minLength: 4, maxLength: 4 }), ({ text, value }, payloads) => {
        const filter = compileFilter(text);
        const again = compileFilter(filter.normalised);
        expect(again.normalised).toBe(filter.normalised);
        expect(again.paths).toEqual(filter.paths);
        for (const each of payloads) {
          const bytes = encode(each);
          const expected = value(decode(bytes)) === true;
          expect(resultOf(filter, bytes)).toBe(expected);
          expect(resultOf(again, bytes)).toBe(expected);
          matched += expected ? 1 : 0;
          runs += 1;
        }
      }),
      PROPERTY,
    );
    expect(matched / runs).toBeGreaterThan(0.1);
    expect(matched / runs).toBeLessThan(0.9);
  });

  it('never throws, whatever the payload’s bytes are', () => {
    const texts = ['a > 1 && n.x == "a"', 'b == n', 'size(n) > size(a) || 1 in b', 'a.matches("a") || a.contains("b")'];
    const filters = texts.map((text) => compileFilter(text));
    const bytes = fc.uint8Array({ maxLength: 30 }).chain((tail) => {
      const heads = [
        [],
        [0x81, 0xa1, 0x61],
        [0x82, 0xa1, 0x6e, 0x81, 0xa1, 0x78],
        [0x81, 0xa1, 0x62],
        [0x81, 0xa1, 0x6e],
      ];
      return fc.constantFrom(...heads.map((head) => Uint8Array.from([...head, ...tail])));
    });
    fc.assert(
      fc.property(bytes, (each) => filters.every((filter) => typeof resultOf(filter, each) === 'boolean')),
      { ...PROPERTY, numRuns: 20_000 },
    );
  });

  it('is a filter, or refused with a place', () => {
    const tokens =
      'a b.c ["x"] ( ( ) ) [ ] , . ? : ! - + * / % == != < <= in && || "t" \'u\' 1 2.5 0x1f 1e3 true null size matches';
    const more = 'startsWith exists has cel.bind optional.of .map .all {} r"\\d" b"x" 5u // \\ é # `';
    const token = fc.constantFrom(
      ...tokens.split(' '),
      ...more.split(' '),
      '\n',
      "'\\u0041'",
      '__proto__',
      '()',
      '(a)',
    );
    const text = fc.oneof(
      { weight: 4, arbitrary: fc.array(token, { maxLength: 12 }).map((each) => each.join('')) },
      { weight: 4, arbitrary: fc.array(token, { maxLength: 12 }).map((each) => each.join(' ')) },
      { weight: 1, arbitrary: fc.string({ maxLength: 30, unit: 'binary' }) },
    );
    const bytes = encode({ a: 'abc', b: { c: 5 }, x: [1] });
    let compiled = 0;
    fc.assert(
      fc.property(text, (each) => {
        let filter: Filter;
        try {
          filter = compileFilter(each);
        } catch (error) {
          expect(error).toBeInstanceOf(RingcastError);
          expect((error as RingcastError).code).toBe('BAD_REQUEST');
          expect((error as RingcastError).message).toMatch(/^filter, column \d+: /);
          return;
        }
        compiled += 1;
        const again = compileFilter(filter.normalised);
        expect(again.normalised).toBe(filter.normalised);
        expect(resultOf(again, bytes)).toBe(resultOf(filter, bytes));
      }),
      { ...PROPERTY, numRuns: 10_000 },
    );
    expect(compiled).toBeGreaterThan(200);
  });

  it('has patterns that are about as large as they were taken for before they were compiled', () => {
    const parts =
      'a b ( ( (?: (?i: (?P<n> ) ) ) [ ] [^ [] [[:alpha:] [(] [)] {3} {20} {2,9} {7,} { } * + ? | ^ . \\( \\) \\{ \\pL';
    const more = '\\p{Greek} \\x{41} \\Q \\E \\[ \\] \\d [\\]( [^]()] {x}';
    const source = fc
      .array(fc.constantFrom(...parts.split(' '), ...more.split(' ')), { maxLength: 12 })
      .map((each) => each.join(''));
    let compiled = 0;
    fc.assert(
      fc.property(source, (each) => {
        const pattern = FilterPattern.of(each);
        if (typeof pattern === 'string') return;
        compiled += 1;
        expect(pattern.size).toBeLessThanOrEqual(2 * roughSize(each) + 8);
      }),
      { ...PROPERTY, numRuns: 20_000 },
    );
    expect(compiled).toBeGreaterThan(1_000);
  });
});
