// The book itself: decimals, levels, chains of ids, fields, checksums, views.

import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { BookChain, type BookStep } from '#src/book/book-chain.js';
import { BOOK_PRESETS, BookReader, BROKEN, NO_UPDATE } from '#src/book/book-fields.js';
import { BookMirror } from '#src/book/book-mirror.js';
import { BookView } from '#src/book/book-view.js';
import { bookChecksum } from '#src/book/checksum.js';
import { compareExactly, DecimalSum, decimalOf, isZero, normalDecimal, PriceTick } from '#src/book/decimal.js';
import { type Level, OrderBook } from '#src/book/order-book.js';
import { Random, testSeed } from '../ring/random.js';

describe('a decimal', () => {
  it.each<[unknown, string | null]>([
    ['61837.63000000', '61837.63000000'],
    ['0', '0'],
    ['-1.50', '-1.50'],
    ['1e-7', '1e-7'],
    [0.5, '0.5'],
    [1e-7, '0.0000001'],
    [1.5e21, '1500000000000000000000'],
    [2n ** 64n, '18446744073709551616'],
    ['', null],
    ['1.', null],
    ['.5', null],
    ['1,5', null],
    [' 1', null],
    ['0x10', null],
    ['NaN', null],
    ['Infinity', null],
    ['1e999', null],
    ['1'.repeat(41), null],
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, null],
    [null, null],
    [true, null],
    [['1'], null],
    [{ toString: () => '1' }, null],
  ])('%s is %s', (value, text) => {
    expect(decimalOf(value)).toBe(text);
  });

  it('is compared, rounded and added up by value, without loss', () => {
    const random = new Random(testSeed('decimals'));
    const digits = (most: number) => String(random.below(10 ** (1 + random.below(most))));
    const decimal = () => digits(5) + (random.below(4) > 0 ? `.${digits(8).padStart(1 + random.below(8), '0')}` : '');
    const big = (text: string): bigint => {
      const [whole, fraction = ''] = text.replace('-', '').split('.');
      return BigInt(`${whole}${fraction.padEnd(20, '0')}`) * (text.startsWith('-') ? -1n : 1n);
    };
    for (let n = 0; n < 20_000; n++) {
      const [price, step] = [
        `${random.below(9) === 0 ? '-' : ''}${decimal()}`,
        ['0.5', '1', '250', '0.01', '0.00003', '7'][random.below(6)],
      ];
      const tick = new PriceTick(step);
      const [below, above] = [big(tick.round(price, false)), big(tick.round(price, true))];
      expect(below % big(step)).toBe(0n);
      expect(below <= big(price) && above >= big(price)).toBe(true);
      expect(above - below).toBe(below === big(price) ? 0n : big(step));
      const sum = new DecimalSum();
      let expected = 0n;
      for (let left = random.below(4); left >= 0; left--) {
        const quantity = decimal();
        if (isZero(quantity)) continue;
        sum.add(quantity);
        expected += big(quantity);
      }
      expect(big(sum.text)).toBe(expected);
      expect(big(normalDecimal(price))).toBe(big(price));
    }
    expect(compareExactly('0.1000000000000000000001', '0.1')).toBe(1);
    expect(compareExactly('9007199254740993', '9007199254740993.0')).toBe(0);
    expect(compareExactly('-9007199254740993', '-9007199254740992')).toBe(-1);
  });
});

describe('a book', () => {
  it('is what a plain map says, and tells what has changed since any message', () => {
    const random = new Random(testSeed('books'));
    for (let round = 0; round < 200; round++) {
      const book = new OrderBook({ maxLevels: 1000, maxBytes: Number.POSITIVE_INFINITY });
      const plain = { bids: new Map<string, string>(), asks: new Map<string, string>() };
      const sides = ['bids', 'asks'] as const;
      /** What subscribers have who stopped at a message. */
      const stopped = new Map<number, OrderBook>();
      for (let seq = 1; seq <= 60; seq++) {
        const changes: Record<'bids' | 'asks', Level[]> = { bids: [], asks: [] };
        for (const side of sides) {
          for (let n = random.below(5); n > 0; n--) {
            const price = `${random.below(12) - 2}.${random.below(3)}0`;
            const quantity = random.below(3) === 0 ? '0.00' : `${1 + random.below(9)}.5`;
            // Another form of the same price is the same level.
            changes[side].push([random.below(4) === 0 ? normalDecimal(price) : price, quantity]);
            if (quantity === '0.00') plain[side].delete(normalDecimal(price));
            else plain[side].set(normalDecimal(price), quantity);
          }
        }
        if (random.below(30) === 0) book.replace({ ...book.levels() }, seq);
        book.apply(changes, seq);
        const normal = (levels: readonly Level[]) =>
          levels.map(([price, quantity]) => [normalDecimal(price), quantity]);
        for (const side of sides) {
          const expected = [...plain[side]].sort(([a], [b]) => (Number(a) - Number(b)) * (side === 'bids' ? -1 : 1));
          expect(normal(book.levels()[side])).toEqual(expected);
          expect(normal(book.levels(3)[side])).toEqual(expected.slice(0, 3));
        }
        for (const [since, other] of stopped) {
          if (!book.knowsSince(since)) continue;
          other.apply(book.changedSince(since), seq);
          expect(other.levels()).toEqual(book.levels());
          stopped.delete(since);
        }
        if (random.below(5) === 0) {
          const other = new OrderBook();
          other.replace(book.levels(), seq);
          stopped.set(seq, other);
        }
      }
    }
  });

  it.each([1, 1000, 1001, 3000])('tells all of a message of %i levels, in two parts', (count) => {
    const book = new OrderBook();
    const level = (price: number, quantity: string): Level => [String(price), quantity];
    const changes = Array.from({ length: count }, (_, n) => level(n + 1, n % 2 === 0 ? '0' : '2'));
    book.apply({ bids: changes.map(([price]) => [price, '1']), asks: [level(9000, '1')] }, 1);
    for (const part of [changes.slice(0, count >> 1), changes.slice(count >> 1)])
      book.apply({ bids: part, asks: [] }, 2);
    const { bids, asks } = book.changedSince(1);
    expect([...bids].sort(([a], [b]) => Number(a) - Number(b))).toEqual(changes);
    expect(asks).toEqual([]);
  });

  it('tells prices apart that are the same as floats', () => {
    const book = new OrderBook();
    book.apply(
      {
        bids: [
          ['0.30000000000000001', '1'],
          ['0.30000000000000002', '2'],
          ['0.3', '3'],
        ],
        asks: [],
      },
      1,
    );
    expect(book.levels().bids).toEqual([
      ['0.30000000000000002', '2'],
      ['0.30000000000000001', '1'],
      ['0.3', '3'],
    ]);
    book.apply(
      {
        bids: [
          ['0.30000000000000001', '0'],
          ['0.300', '0'],
        ],
        asks: [],
      },
      2,
    );
    expect(book.levels().bids).toEqual([['0.30000000000000002', '2']]);
    expect(book.knowsSince(1), 'of two that ended it remembers one').toBe(false);
  });

  it('keeps the best levels, in number and in bytes', () => {
    const levels = (count: number): Level[] => Array.from({ length: count }, (_, n) => [`${1000 + n}`, '1']);
    const book = new OrderBook({ maxLevels: 10, maxBytes: 1000 });
    book.apply({ bids: levels(50), asks: levels(50) }, 1);
    expect(
      book
        .levels()
        .bids.map(([price]) => price)
        .at(-1),
    ).toBe('1040');
    expect(
      book
        .levels()
        .asks.map(([price]) => price)
        .at(-1),
    ).toBe('1009');
    book.apply({ bids: [], asks: [['1000.000000000000000000000000000000000', '9'.repeat(40)]] }, 2);
    const small = new OrderBook({ maxLevels: 1000, maxBytes: 130 });
    small.apply({ bids: levels(50), asks: levels(5) }, 1);
    expect(small.levels()).toEqual({ bids: levels(50).reverse().slice(0, 5), asks: levels(5) });
  });
});

describe('a chain of updates', () => {
  const chain = (verifies = false) =>
    new BookChain({ maxLevels: 100, maxBytes: 1e6, verifies, asideMax: 3, asideLevelsMax: 100 });
  type Ids = [first: number | null, last: number | null, previous: number | null];
  const difference = (...[first, last, previous]: Ids) => ({
    ...{ isSnapshot: false, first, last, previous, checksum: null, bids: [], asks: [] },
  });
  const snapshot = (last: number | null) => ({ ...difference(null, last, null), isSnapshot: true });
  type Message = Ids | number | null | typeof BROKEN;
  it.each<[string, [Message, BookStep][]]>([
    [
      'spot',
      [
        [10, 'replaced'],
        [[9, 10, null], 'none'],
        [[9, 12, null], 'changed'],
        [[13, 13, null], 'changed'],
        [[15, 15, null], 'stale'],
      ],
    ],
    [
      'futures',
      [
        [10, 'replaced'],
        [[5, 10, 4], 'none'],
        [[8, 12, 7], 'changed'],
        [[20, 22, 12], 'changed'],
        [[25, 26, 23], 'stale'],
      ],
    ],
    [
      'futures, whose snapshot lies between two',
      [
        [10, 'replaced'],
        [[13, 14, 9], 'changed'],
      ],
    ],
    [
      'without ids',
      [
        [null, 'replaced'],
        [[null, null, null], 'changed'],
        [null, 'replaced'],
      ],
    ],
    [
      'the last only',
      [
        [5, 'replaced'],
        [[null, 9, null], 'changed'],
        [[null, 9, null], 'none'],
      ],
    ],
    [
      'differences first',
      [
        [[11, 12, null], 'none'],
        [[13, 14, null], 'none'],
        [11, 'completed'],
        [[15, 15, null], 'changed'],
      ],
    ],
    [
      'too old a snapshot',
      [
        [[11, 12, null], 'none'],
        [9, 'none'],
        [10, 'completed'],
      ],
    ],
    [
      'a hole in what waits',
      [
        [[11, 12, null], 'none'],
        [[14, 15, null], 'none'],
        [10, 'stale'],
        [13, 'completed'],
      ],
    ],
    [
      'only so many wait',
      [
        [[11, 11, null], 'none'],
        [[12, 12, null], 'none'],
        [[13, 13, null], 'none'],
        [[14, 14, null], 'none'],
        [10, 'none'],
        [11, 'completed'],
      ],
    ],
    [
      'a feed that counts anew',
      [
        [[11, 11, null], 'none'],
        [[1, 1, null], 'none'],
        [0, 'completed'],
      ],
    ],
    [
      'a late snapshot',
      [
        [10, 'replaced'],
        [[11, 12, null], 'changed'],
        [11, 'none'],
        [12, 'replaced'],
        [13, 'replaced'],
      ],
    ],
    [
      'what is broken',
      [
        [BROKEN, 'none'],
        [10, 'replaced'],
        [BROKEN, 'stale'],
        [[11, 11, null], 'none'],
        [10, 'completed'],
      ],
    ],
  ])('%s', (_, steps) => {
    const book = chain();
    for (const [index, [message, step]] of steps.entries()) {
      const update =
        message === BROKEN
          ? BROKEN
          : Array.isArray(message)
            ? difference(...message)
            : snapshot(message as number | null);
      expect(book.take(update as never, index + 1), `${index}`).toBe(step);
    }
  });

  it('is stale when the checksum is another one, if it is asked to look', () => {
    const right = {
      ...snapshot(1),
      bids: [['1', '2']] as Level[],
      checksum: bookChecksum({ bids: [['1', '2']], asks: [] }),
    };
    const wrong = { ...difference(2, 2, 1), checksum: 1 };
    const careful = chain(true);
    expect([careful.take(right, 1), careful.take(wrong, 2)]).toEqual(['replaced', 'stale']);
    const careless = chain();
    expect([careless.take(right, 1), careless.take(wrong, 2)]).toEqual(['replaced', 'changed']);
  });
});

describe('messages', () => {
  const read = (preset: keyof typeof BOOK_PRESETS, message: unknown) =>
    new BookReader(BOOK_PRESETS[preset]).read(message);
  const ids = { first: null, last: null, previous: null, checksum: null };

  it('are read by presets', () => {
    expect(read('binance', { stream: 's', data: { U: 1, u: 3, b: [['1.0', '2']], a: [] } })).toEqual({
      ...{ ...ids, isSnapshot: false, first: 1, last: 3, bids: [['1.0', '2']], asks: [] },
    });
    expect(read('binance', { lastUpdateId: 7, bids: [['1', '2', []]], asks: [] })).toEqual({
      ...{ ...ids, isSnapshot: true, last: 7, bids: [['1', '2']], asks: [] },
    });
    expect(read('binance-futures', { U: '4', u: '5', pu: '3', b: [], a: [] })).toMatchObject({
      first: 4,
      last: 5,
      previous: 3,
    });
    const data = [{ symbol: 'X', bids: [{ price: 0.5666, qty: 4831.75 }], asks: [], checksum: 5 }];
    expect(read('kraken', { channel: 'book', type: 'snapshot', data })).toEqual({
      ...{ ...ids, isSnapshot: true, checksum: 5, bids: [['0.5666', '4831.75']], asks: [] },
    });
    expect(read('kraken', { channel: 'book', type: 'update', data })).toMatchObject({ isSnapshot: false });
    expect(read('kraken', { channel: 'heartbeat' })).toBe(NO_UPDATE);
    expect(read('ringcast', { book: 'update', bids: [[1, 2]], first: 3, last: 4, previous: 2 })).toMatchObject({
      ...{ isSnapshot: false, bids: [['1', '2']], asks: [], first: 3, last: 4, previous: 2 },
    });
  });

  it('are read by a mapping', () => {
    const reader = new BookReader({
      ...{ bids: 'x.buy', asks: 'x.sell', last: 'x.n', price: 'p', quantity: 's' },
      snapshot: { field: 'kind', value: 'full', last: 'n' },
    });
    const x = { buy: [{ p: '1', s: '2' }], n: 3 };
    expect(reader.read({ kind: 'part', n: 9, x })).toMatchObject({ isSnapshot: false, last: 3, bids: [['1', '2']] });
    expect(reader.read({ kind: 'full', n: 9, x })).toMatchObject({ isSnapshot: true, last: 9 });
  });

  it.each<[string, unknown, typeof BROKEN | typeof NO_UPDATE]>([
    ['nothing', null, NO_UPDATE],
    ['a number', 5, NO_UPDATE],
    ['no levels', { U: 1, u: 2 }, NO_UPDATE],
    ['levels that are none', { U: 1, u: 2, b: 5 }, BROKEN],
    ['a price that is none', { b: [['x', '1']] }, BROKEN],
    ['a quantity that is none', { b: [['1', null]] }, BROKEN],
    ['a negative quantity', { b: [['1', '-1']] }, BROKEN],
    ['a level that is none', { a: [7] }, BROKEN],
    ['a short level', { a: [['1']] }, BROKEN],
    ['an infinite price', { a: [[Number.POSITIVE_INFINITY, 1]] }, BROKEN],
    ['an id that is none', { U: 'x', u: 2, b: [] }, BROKEN],
    ['a fraction', { U: 1.5, u: 2, b: [] }, BROKEN],
    ['an id beyond 2^53', { u: 2n ** 60n, b: [] }, BROKEN],
    ['ids the wrong way round', { U: 5, u: 2, b: [] }, BROKEN],
    ['an inherited field', Object.create({ b: [] }), NO_UPDATE],
  ])('%s', (_, message, expected) => {
    expect(read('binance', message)).toBe(expected);
  });
});

describe('a checksum', () => {
  // The example of Kraken's guide: https://docs.kraken.com/exchange/guides/websockets/book-checksum-v1
  const asks: Level[] = ['05005', '05010', '05015', '05020', '05025', '05030', '05035', '05040', '05045', '05050'].map(
    (digits) => [`0.${digits}`, '0.00000500'],
  );
  const bids: Level[] = ['05000', '04995', '04990', '04980', '04975', '04970', '04965', '04960', '04955', '04950'].map(
    (digits) => [`0.${digits}`, '0.00000500'],
  );

  it('is Kraken’s', () => {
    expect(bookChecksum({ asks, bids })).toBe(974947235);
    expect(bookChecksum({ asks: [...asks, ['9', '9']], bids }), 'over ten levels').toBe(974947235);
  });

  it('is the CRC32 of zlib over the digits', () => {
    const few = { asks: asks.slice(0, 2), bids: [['12.50', '0']] as Level[] };
    expect(bookChecksum(few)).toBe(crc32('500550050105001250'));
  });
});

describe('a mirror', () => {
  it('has what it is told, and nothing when something is missing', () => {
    const mirror = new BookMirror('binance', 2);
    mirror.apply({ U: 1, u: 2, b: [['1', '1']], a: [] });
    expect([mirror.isValid, mirror.bids()]).toEqual([false, []]);
    mirror.begin({
      book: 'snapshot',
      bids: [
        ['3', '1'],
        ['2', '1'],
        ['1', '1'],
      ],
      asks: [],
      last: 4,
    });
    mirror.apply({ U: 5, u: 6, b: [['2', '0']], a: [['4', '1']] });
    expect([mirror.isValid, mirror.last, mirror.bids(), mirror.asks(1)]).toEqual([true, 6, [['3', '1']], [['4', '1']]]);
    const checksum = mirror.checksum();
    mirror.apply({ book: 'update', bids: [], asks: [], checksum });
    expect(mirror.isValid).toBe(true);
    mirror.apply({ book: 'update', bids: [], asks: [], checksum: checksum + 1 });
    expect(mirror.isValid).toBe(false);
    mirror.apply({ lastUpdateId: 9, bids: [], asks: [] });
    expect([mirror.isValid, mirror.last]).toEqual([true, 9]);
    mirror.begin(undefined);
    expect(mirror.isValid).toBe(false);
  });

  it.each(['x', null, 5, { book: 'snapshot' }, { book: 5, bids: 7 }])('takes %j', (payload) => {
    const mirror = new BookMirror();
    mirror.begin(payload);
    expect(mirror.isValid).toBe(false);
  });
});

describe('a view', () => {
  it('says nothing when nothing that it shows has changed', () => {
    const book = new OrderBook();
    book.replace(
      {
        bids: [
          ['10.4', '1.5'],
          ['10.1', '2.5'],
          ['9.9', '1'],
          ['9.4', '1'],
        ],
        asks: [['10.5', '1']],
      },
      1,
    );
    const view = new BookView({ depth: 2, tick: '0.5' });
    const viewed = { book, lastId: null };
    expect(view.whole(viewed)).toEqual({
      book: 'snapshot',
      bids: [
        ['10.0', '4.0'],
        ['9.5', '1'],
      ],
      asks: [['10.5', '1']],
    });
    view.hasSaid(viewed);
    book.apply({ bids: [['9.1', '7']], asks: [] }, 2);
    expect(view.next(viewed, 1)).toBe(null);
    book.apply(
      {
        bids: [
          ['10.4', '0'],
          ['10.1', '0'],
        ],
        asks: [],
      },
      3,
    );
    expect(view.next(viewed, 2)).toEqual({
      book: 'update',
      bids: [
        ['10.0', '0'],
        ['9.0', '8'],
      ],
      asks: [],
    });
  });
});
