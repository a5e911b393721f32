// What a rule may say of order books.
import { expect, it } from 'vitest';
import { parseConfig } from '#src/config.js';

it.each<[string, object, string]>([
  ['an unknown feed', { book: 'nasdaq' }, 'book: must be one of ringcast, binance, binance-futures, kraken, or a map'],
  ['fields without asks', { book: { bids: 'b' } }, 'book: must be one of'],
  ['an unknown field', { book: { bids: 'b', asks: 'a', bid: 'c' } }, 'book.bid: unknown key'],
  ['a field that is none', { book: { bids: '', asks: 'a' } }, 'book: must be one of'],
  ['another type', { type: 'tree' }, 'type: '],
  ['no level', { maxLevels: 0 }, 'maxLevels: must be a whole number in the range 1 – 100000'],
  ['a key', { key: 'symbol' }, 'key: has no meaning for an order book'],
  ['keys', { keyed: true }, 'keyed: has no meaning for an order book'],
  ['merging', { merge: true }, 'merge: has no meaning for an order book'],
  ['a time to live', { ttlMs: 5 }, 'ttlMs: has no meaning for an order book'],
  ['no type', { type: undefined, book: 'kraken' }, 'book: goes with type: "book"'],
  ['levels of no book', { type: undefined, maxLevels: 5 }, 'maxLevels: goes with type: "book"'],
])('refuses a book with %s', (_, rule, problem) => {
  expect(() => parseConfig({ topics: [{ match: 'a', type: 'book', ...rule }] })).toThrow(`topics.rules[0].${problem}`);
});

it('takes presets and fields', () => {
  const snapshot = { bids: 'full.0.b', field: 'kind', value: 'full' };
  const fields = { bids: 'x.b', asks: 'x.a', last: 'n', price: 'p', quantity: 'q', snapshot };
  const { topics } = parseConfig({
    topics: [
      { match: 'a', type: 'book' },
      { match: 'b', type: 'book', book: 'kraken', maxLevels: 10, verifyChecksum: true },
      { match: 'c', type: 'book', book: fields },
    ],
  });
  expect(topics.rules.map(({ book }) => book)).toEqual([undefined, 'kraken', fields]);
});
