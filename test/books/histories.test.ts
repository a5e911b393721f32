// Books through moves, deaths, stalls, returns and time; and rules of theirs broken on purpose.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { BookChain } from '#src/book/book-chain.js';
import { Ladder } from '#src/book/ladder.js';
import { OrderBook } from '#src/book/order-book.js';
import { BookStreams } from '#src/topic/book-streams.js';
import { KeptBook } from '#src/topic/kept-book.js';
import { testSeed } from '../ring/random.js';
import { runBookHistories } from './histories.js';

const HISTORIES = Number(process.env.RINGCAST_BOOK_HISTORIES ?? 300);
const BROKEN_HISTORIES_MAX = 300;

it('what a subscriber has is always a book that there was, and in the end the one that there is', {
  timeout: 600_000,
}, () => {
  const given = process.env.RINGCAST_BOOK_HISTORY;
  const base = testSeed('book histories');
  const seeds = given === undefined ? Array.from({ length: HISTORIES }, (_, n) => base + n) : [Number(given)];
  const seen = runBookHistories(seeds);
  console.log('book histories have seen', seen);
  if (given === undefined && HISTORIES >= 300) expect(Object.values(seen).every((count) => count > 100)).toBe(true);
});

const RULES: readonly (readonly [rule: string, breakIt: () => void])[] = [
  [
    'a missing difference makes a book stale',
    () => {
      const take = BookChain.prototype.take;
      vi.spyOn(BookChain.prototype, 'take').mockImplementation(function (this: BookChain, update, seq) {
        return take.call(this, typeof update === 'symbol' ? update : { ...update, first: null, previous: null }, seq);
      });
    },
  ],
  [
    'what came while it was stale counts behind the next snapshot',
    () => {
      vi.spyOn(BookChain.prototype, 'asideCount', 'get').mockReturnValue(0);
      const restore = BookChain.prototype.restore;
      vi.spyOn(BookChain.prototype, 'restore').mockImplementation(function (this: BookChain, levels, last, seq) {
        restore.call(this, levels, last === null ? null : last + 1, seq);
      });
    },
  ],
  [
    'a book says what has changed since a message',
    () => {
      const changedSince = OrderBook.prototype.changedSince;
      vi.spyOn(OrderBook.prototype, 'changedSince').mockImplementation(function (this: OrderBook, seq) {
        return changedSince.call(this, seq + 1);
      });
    },
  ],
  ['a book knows how far it remembers', () => void vi.spyOn(OrderBook.prototype, 'knowsSince').mockReturnValue(true)],
  ['a ladder knows its steps', () => void vi.spyOn(Ladder.prototype, 'know').mockReturnValue(undefined)],
  [
    'a snapshot of a stream with a rate says what that has said',
    () => void vi.spyOn(BookStreams.prototype, 'makeNow').mockReturnValue(undefined),
  ],
  [
    'a home keeps each message of its book',
    () => {
      const take = KeptBook.prototype.take;
      let n = 0;
      vi.spyOn(KeptBook.prototype, 'take').mockImplementation(function (this: KeptBook, frame, timeMs) {
        return ++n % 50 === 0 ? 'none' : take.call(this, frame, timeMs);
      });
    },
  ],
];

describe('a broken rule is found', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each(RULES)('%s', (_, breakIt) => {
    breakIt();
    const seeds = Array.from({ length: BROKEN_HISTORIES_MAX }, (_each, n) => 1000 + n);
    expect(() => runBookHistories(seeds)).toThrow(/replays it/);
  });
});
