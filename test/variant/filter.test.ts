/** The filter language by examples: what matches, what is refused and where, and what is the same filter. */

import { describe, expect, it } from 'vitest';
import { RingcastError } from '#src/errors.js';
import { encode } from '#src/protocol/msgpack.js';
import { ExtensionValue } from '#src/protocol/msgpack-types.js';
import { type FieldPath, FieldScan } from '#src/variant/field-scan.js';
import { compileFilter } from '#src/variant/filter.js';
import { MATCHED_MAX_CHARS } from '#src/variant/filter-pattern.js';
import { FILTER_MAX_CHARS, FILTER_MAX_DEPTH, FILTER_MAX_FIELDS, FILTER_MAX_NODES } from '#src/variant/filter-syntax.js';
import { NEEDLE_MAX_CHARS, TEXT_MAX_CHARS } from '#src/variant/filter-values.js';

const QUOTE = {
  symbol: 'AAPL',
  price: 101.5,
  size: 300,
  big: 2n ** 60n + 1n,
  power: 2n ** 60n,
  negative: -5,
  empty: '',
  isOpen: true,
  isHalted: false,
  nothing: null,
  tags: ['tech', 'us', 7, 2n ** 60n + 1n, null, ['x']],
  ask: { price: 102, 'bid size': 40, venue: { name: 'XNAS' }, in: 1 },
  'odd name': 'odd',
  '24h': 3,
  if: 4,
  title: 'größe 😀',
  raw: Uint8Array.of(1, 2, 3),
  at: new Date(1_790_000_000_000),
  ext: new ExtensionValue(5, Uint8Array.of(1)),
  nan: Number.NaN,
};

function matches(text: string, payload: unknown = QUOTE): boolean {
  const filter = compileFilter(text);
  const scan = new FieldScan(filter.paths);
  const bytes = encode(payload);
  scan.scan(bytes, 0, bytes.length);
  return filter.matches(scan);
}

/** Expressions, each true for QUOTE; a `! ` in front: false. */
const LANGUAGE: Record<string, string[]> = {
  'comparisons with a constant': [
    'price > 100',
    '! price > 101.5',
    'price >= 101.5',
    'price < 102',
    'price <= 101.5',
    'price == 101.5',
    'price != 101',
    'size == 300.0',
    '100 < price',
    '! 102 < price',
    '101.5 >= price',
    'negative == -5',
    'negative < -4',
    'negative > -0x10',
    "symbol == 'AAPL'",
    'symbol == "AAPL"',
    "! symbol == 'AAP'",
    "symbol != 'MSFT'",
    "symbol < 'B'",
    "'A' < symbol",
    "empty == ''",
    "empty < 'a'",
    'isOpen == true',
    'isHalted != true',
    "title == 'gr\\u00f6\\u00dfe 😀'",
  ],
  'booleans alone': ['isOpen', '! isHalted', '! symbol', '! price', 'true', '! false', '! null', '! 5', "! 'true'"],
  logic: [
    'isOpen && price > 100',
    '! isOpen && isHalted',
    'isHalted || isOpen',
    '!isHalted',
    '!symbol',
    '!!isOpen',
    '! symbol && true',
    'symbol || isOpen',
    'isHalted || price > 1000 || size == 300 || false',
    '! isOpen && price > 1 && size == 300 && false',
    "(isHalted || isOpen) && symbol == 'AAPL'",
    'true || isHalted && isHalted',
  ],
  'the conditional': [
    "symbol == 'AAPL' ? price > 100 : false",
    '! isHalted ? true : price > 1000',
    '(nothing ? 1 : 2) == 2',
    'isHalted ? false : isOpen ? true : false',
  ],
  arithmetic: [
    'price + 1 == 102.5',
    'size - 100 * 2 == 100',
    '(size - 100) * 2 == 400',
    'size / 7 > 42.8 && size / 7 < 42.9',
    'size % 7 == 6',
    '-size == -300',
    '- -size == 300',
    'size - -1 == 301',
    'size - 1 - 1 == 298',
    'size / 10 / 10 == 3',
    'size / (10 / 10) == 300',
    'price * size > 30000',
    'size / 0 > 1000000',
    "symbol + '.US' == 'AAPL.US'",
    'big + 0 == 1152921504606846976',
    'negative % 3 == -2',
    '1 / -0 > 0', // there is no −0 to write
  ],
  'arithmetic on what is no number': [
    'symbol + 1 == null',
    'symbol * 2 == null',
    'nothing + 1 == null',
    'missing - 1 == null',
    '-symbol == null',
    'isOpen + 1 == null',
    'tags + tags == null',
    '! symbol + 1 > 0',
    '! price + 1',
  ],
  'integers beyond 2^53 by value': [
    'big == 1152921504606846977',
    '! big == 1152921504606846976',
    'big > 1152921504606846976',
    'big != 1152921504606846976.0',
    'big > 5',
    '! big < 9007199254740991',
    'big in [1, 1152921504606846977]',
    '! big in [1152921504606846976]',
    'power in [1152921504606846976]',
    'power == 1152921504606846976.0',
    '1152921504606846977 in tags',
  ],
  'a missing field is null': [
    'missing == null',
    'nothing == null',
    'missing == nothing',
    'ask.missing == null',
    'symbol.missing == null',
    'missing.price == null',
    'price != null',
    'tags != null',
    'null != ask',
    '! missing > 0',
    '! missing < 0',
    '! missing <= null',
    'missing != 5',
    "missing != 'A'",
    '!missing',
  ],
  'different types': [
    "! price == '101.5'",
    "price != '101.5'",
    '! symbol > 5',
    '! symbol < 5',
    "! price >= 'A'",
    '! isOpen > 0',
    '! isOpen > isHalted',
    '! nothing >= nothing',
    '! isOpen == 1',
    '! tags > 0',
  ],
  'values that equal nothing': [
    '! tags == tags',
    'tags != tags',
    '! ask == ask',
    '! raw == raw',
    '! at == at',
    '! ext == ext',
    '! at > 0',
    "! raw == 'x'",
    '! nan == nan',
    '! nan > 0',
    'nan != 0',
  ],
  in: [
    "symbol in ['MSFT', 'AAPL']",
    "! symbol in ['MSFT']",
    'price in [101.5, 7]',
    '! price in []',
    'missing in [null]',
    "size in ['300', 300]",
    "'tech' in tags",
    '7 in tags',
    'null in tags',
    "! 'eu' in tags",
    "! 'x' in tags",
    "['x'] in tags", // the field x, which is missing
    '! tags in [1]',
    "! 'A' in symbol",
    "! 'price' in ask",
    '! 5 in missing',
    'price in [size, price]',
    'price in [size, 100 + 1.5]',
    "!(symbol in ['MSFT'])",
  ],
  fields: [
    'ask.price == 102',
    "ask.venue.name == 'XNAS'",
    'ask["bid size"] == 40',
    "ask['venue'].name == 'XNAS'",
    'ask["in"] == 1',
    '["odd name"] == "odd"',
    '["24h"] > 2',
    '["if"] == 4',
    '["ask"].price == 102',
    '["ask"]["venue"]["name"] == "XNAS"',
    '! __proto',
    '["__proto__"] == null',
    'constructor == null',
    'toString == null',
    'hasOwnProperty == null',
    'ask.constructor == null',
    'ask.__proto__ == null',
  ],
  functions: [
    "symbol.startsWith('AA')",
    "startsWith(symbol, 'AA')",
    "! symbol.startsWith('AB')",
    "! symbol.startsWith('AAPLE')",
    "symbol.startsWith('')",
    "! price.startsWith('')",
    "! missing.startsWith('')",
    "symbol.endsWith('PL')",
    "! symbol.endsWith('AA')",
    "! tags.endsWith('us')",
    "symbol.contains('AP')",
    "contains(title, '😀')",
    "! symbol.contains('pl')",
    "! tags.contains('us')",
    'symbol.contains(empty)',
    'ask.venue.name.startsWith("X")',
    "('X' + symbol).startsWith('XA')",
    "'AAPL.US'.startsWith(symbol)",
    '! symbol.startsWith(5)',
    "symbol.matches('^A+PL$')",
    "matches(symbol, 'P')",
    "symbol.matches('(?i)aapl')",
    "! symbol.matches('^P')",
    "! price.matches('1')",
    "title.matches('^\\\\pL+ .$')",
    "title.matches(r'^\\pL+ .$')",
    'exists(price)',
    'price.exists()',
    'exists(nothing)',
    'exists(ask.venue)',
    '! exists(missing)',
    '! exists(ask.missing)',
    'size(symbol) == 4',
    'symbol.size() == 4',
    'size(tags) == 6',
    'size(ask) == 4',
    'size(raw) == 3',
    'size(empty) == 0',
    'size(price) == null',
    'size(at) == null',
    'size(ext) == null',
    'size(missing) == null',
    'size == 300 && size(title) == 8',
  ],
  'white space and comments': ['\n price\t>\r\n100 // and so on', '(((isOpen)))'],
};

describe.each(Object.entries(LANGUAGE))('%s', (_, lines) => {
  it.each(lines)('%s', (line) => {
    const isFalse = line.startsWith('! ');
    expect(matches(isFalse ? line.slice(2) : line)).toBe(!isFalse);
  });
});

describe('matches', () => {
  it('nothing that is no map', () => {
    for (const payload of [5, 'price', null, [QUOTE]]) {
      expect(matches('true', payload)).toBe(false);
      expect(matches('price != 5', payload)).toBe(false);
    }
  });

  it('text with bytes that are no UTF-8 as it is decoded', () => {
    const bytes = Uint8Array.of(0x81, 0xa1, 0x61, 0xa2, 0xff, 0x41); // { a: "\uFFFDA" }
    for (const text of ["a == '\ufffdA'", "a.startsWith('\ufffd')", "a in ['\ufffdA']", "a.endsWith('A')"]) {
      const filter = compileFilter(text);
      const scan = new FieldScan(filter.paths);
      expect(scan.scan(bytes, 0, bytes.length) && filter.matches(scan)).toBe(true);
    }
  });

  it('what is too long to be searched or made: nothing', () => {
    const long = { at: 'a'.repeat(TEXT_MAX_CHARS), over: 'a'.repeat(TEXT_MAX_CHARS + 1) };
    const searched = { at: 'a'.repeat(MATCHED_MAX_CHARS), over: 'a'.repeat(MATCHED_MAX_CHARS + 1) };
    const part = { at: 'a'.repeat(NEEDLE_MAX_CHARS), over: 'a'.repeat(NEEDLE_MAX_CHARS + 1) };
    expect(matches("at.matches('a') && !over.matches('a')", searched)).toBe(true);
    expect(matches("at.contains('a') && !over.contains('a')", long)).toBe(true);
    expect(matches("over.startsWith('a') && over.endsWith('a') && size(over) == 16385", long)).toBe(true);
    expect(matches("(at + '') != null && (at + 'a') == null", long)).toBe(true);
    expect(matches('at.contains(at)', part)).toBe(true);
    expect(matches('over.contains(over)', part)).toBe(false);
  });

  it('in little time where others would take for ever', () => {
    const startMs = performance.now();
    expect(matches("text.matches('^(a+)+$')", { text: `${'a'.repeat(8_000)}b` })).toBe(false);
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  it('in a FieldScan that it shares with others', () => {
    const paths: FieldPath[] = [['unused']];
    const indexOf = (path: FieldPath) => {
      const known = paths.findIndex((each) => each.join('\0') === path.join('\0'));
      return known >= 0 ? known : paths.push(path) - 1;
    };
    const cheap = compileFilter('price < 100 && price > 0', indexOf);
    const apple = compileFilter("symbol == 'AAPL' && price > 100", indexOf);
    expect(paths).toEqual([['unused'], ['price'], ['symbol']]);
    expect([cheap.paths, apple.paths]).toEqual([[['price']], [['symbol'], ['price']]]);
    const scan = new FieldScan(paths);
    const bytes = encode(QUOTE);
    scan.scan(bytes, 0, bytes.length);
    expect([cheap.matches(scan), apple.matches(scan)]).toEqual([false, true]);
  });
});

describe('the normal form', () => {
  it.each([
    ["price>100&&symbol=='A'", 'price > 100 && symbol == "A"'],
    ['price > 100 && (symbol == "A")', 'price > 100 && symbol == "A"'],
    ['a && (b && (c && d))', 'a && b && c && d'],
    ['a || (b && c) || (d || e)', 'a || b && c || d || e'],
    ['(a || b) && c', '(a || b) && c'],
    ['a-(b-c)-d', 'a - (b - c) - d'],
    ['(a+b)*-c', '(a + b) * -c'],
    ['!(a == b)', '!(a == b)'],
    ['-(-(5))', '5'],
    ['a < - 5.0', 'a < -5'],
    ['a == -0.0', 'a == 0'],
    ['a == 0x10 || a == 1e3 || a == 0.10', 'a == 16 || a == 1000 || a == 0.1'],
    ['a == 1e21 || a == 100000000000000000.0', 'a == 1e+21 || a == 1e+17'],
    ['a == 18446744073709551615', 'a == 18446744073709551615'],
    ["a == '\"\\'\\n\\x01é'", 'a == "\\"\'\\n\\u0001é"'],
    ["startsWith(a, 'x') && b.size( ) > 1", 'a.startsWith("x") && size(b) > 1'],
    ["(a + b).contains('x') && 5.contains('x')", '(a + b).contains("x") && (5).contains("x")'],
    ['matches(a,r"\\d")', 'a.matches("\\\\d")'],
    ['["ask"]["size"] > ["24h"].x["in"]', 'ask.size > ["24h"].x["in"]'],
    ['["if"] == ["__proto__"] && a["if"]', '["if"] == ["__proto__"] && a.if'],
    ['a in["x",1,b,]', 'a in ["x", 1, b]'],
    ['(a ? b : c) ? d : (e ? f : g)', '(a ? b : c) ? d : e ? f : g'],
    ['a // all of them', 'a'],
  ])('%s', (text, normalised) => {
    expect(compileFilter(text).normalised).toBe(normalised);
    expect(compileFilter(normalised).normalised).toBe(normalised);
  });
});

describe('refused, with the place', () => {
  const deep = (depth: number) => `${'!('.repeat(depth - 1)}a${')'.repeat(depth - 1)}`;
  const fields = (count: number) => Array.from({ length: count }, (_, index) => `f${index}`).join('||');

  const REFUSED: [string, number, string][] = [
    ['', 1, 'unexpected token: the end'],
    ['price >', 8, 'unexpected token: the end'],
    ['(price', 7, "expected ')', got the end"],
    ['price > 100 & a', 13, 'unexpected character: &'],
    ['price = 5', 7, 'unexpected character: ='],
    ['a == "x', 6, 'unterminated string'],
    ['a ** b', 4, "unexpected token: '*'"],
    ['a b', 3, "unexpected character: 'b'"],
    ['for > 5', 1, 'reserved identifier: for'],
    ['😀 > 5', 1, 'unexpected character: \ufffd'],
    ['größe > 5', 3, 'unexpected character: ö'],
    ['a && foo(b)', 6, 'unknown function foo; there are contains, endsWith'],
    ['a && constructor(b)', 6, 'unknown function constructor'],
    ['has(a.b)', 1, 'unknown function has'],
    ['a && tags.all(x, x > 1)', 6, 'unknown function all'],
    ['a.startsWith()', 1, 'startsWith takes 2 (the receiver counts), and 1 given'],
    ['a && size(a, b)', 6, 'size takes 1 (the receiver counts), and 2 given'],
    ['exists(5)', 8, 'exists takes a field'],
    ['exists(a + b)', 8, 'exists takes a field'],
    ['a == [1]', 7, 'constant string'],
    ['a == [1, 2]', 6, "a list stands only behind 'in'"],
    ['a in [[1, 2]]', 7, "a list stands only behind 'in'"],
    ['tags[0] == 1', 6, 'constant string'],
    ['size(a).b', 1, 'only fields have fields'],
    ['a == {}', 6, 'no map literals'],
    ["a == b'x'", 6, 'no bytes'],
    ['a == 5u', 6, 'no suffix u'],
    ['a == 18446744073709551616', 6, 'beyond 64 bits'],
    ['a == 1e999', 6, 'invalid number'],
    ["a == '\ud800'", 6, 'half a surrogate pair'],
    ['["\ud800"] == 1', 1, 'half a surrogate pair'],
    ['[""] == 1', 1, 'an empty name'],
    [`1 < ${new Array(17).fill('a').join('.')}`, 5, 'more than 16 names'],
    [`${'a'.repeat(256)} == 1`, 1, 'more than 255 bytes'],
    [`b.matches('[${'a'.repeat(500)}')`, 11, 'missing closing ]'],
    ["a && b.matches('(')", 16, 'missing closing )'],
    ["b.matches('(?=a)')", 11, 'invalid or unsupported Perl syntax'],
    ["b.matches('(a)\\\\1')", 11, 'invalid escape sequence'],
    ['b.matches(c)', 11, 'the pattern of matches is a constant string'],
    ["b.matches('(?:a{100}){9}')", 11, 'the pattern is too costly'],
    ["b.matches('a{200}') || b.matches('b{200}')", 34, 'the patterns are too costly: 404 instructions, at most 300'],
    ["b.matches('(?:a{1000}){1000}')", 11, 'the pattern is too costly'],
    [new Array(9).fill("b.matches('a')").join('||'), 139, 'more than 8 patterns'],
    [new Array(33).fill("b.contains('a')").join('||'), 545, 'more than 32 searches'],
    [`a == '${'x'.repeat(FILTER_MAX_CHARS)}'`, FILTER_MAX_CHARS + 1, 'more than 4096 characters'],
    [`a == '${'\x01'.repeat(1_000)}'`, 1, 'in its normal form, 6007'],
    [deep(FILTER_MAX_DEPTH + 1), 65, 'nested more than 32 deep'],
    [`${'('.repeat(300)}a${')'.repeat(300)}`, 251, 'exceeded maxDepth'],
    [`1 in [${new Array(FILTER_MAX_NODES).fill(1).join(',')}]`, 1025, 'more than 512 operations'],
    [fields(FILTER_MAX_FIELDS + 1), 311, 'more than 64 fields'],
  ];

  it.each(REFUSED.map((each) => [each[0].slice(0, 40), ...each] as const))('%s', (_, text, column, reason) => {
    let thrown: unknown;
    try {
      compileFilter(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RingcastError);
    const { code, message } = thrown as RingcastError;
    expect({ code, message }).toEqual({ code: 'BAD_REQUEST', message: expect.stringContaining(reason) });
    expect(message).toMatch(new RegExp(`^filter, column ${column}: `));
    expect(message.length).toBeLessThan(300);
  });

  it('what is no text', () => {
    for (const text of [undefined, null, 5, {}, ['a']]) {
      expect(() => compileFilter(text as string)).toThrow('filter, column 1: a filter is a text');
    }
  });

  it('nothing that is within the limits', () => {
    expect(compileFilter(deep(FILTER_MAX_DEPTH)).paths).toEqual([['a']]);
    expect(compileFilter(fields(FILTER_MAX_FIELDS)).paths).toHaveLength(FILTER_MAX_FIELDS);
    expect(compileFilter(new Array(200).fill('a').join(' + ')).paths).toEqual([]);
    expect(compileFilter(`${new Array(200).fill('a').join(' - ')} > 0`).paths).toEqual([['a']]);
    expect(compileFilter(`((${'a && ('.repeat(100)}a${')'.repeat(100)}))`).normalised).toHaveLength(501);
  });
});
