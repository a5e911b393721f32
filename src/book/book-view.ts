/**
 * Book view: what a group of subscribers wants of a book: its best levels only, at coarser prices, with a checksum. It says
 * what has changed since it said something last.
 */

import { type BookMessage, bookMessage } from './book-message.js';
import { bookChecksum, CHECKSUM_LEVELS } from './checksum.js';
import { compareExactly, PriceTick } from './decimal.js';
import { Ladder } from './ladder.js';
import type { Level, Levels, OrderBook } from './order-book.js';

export interface BookViewOptions {
  /** Levels of each side; undefined: all. */
  readonly depth?: number | undefined;
  /** Prices are multiples of this decimal: bids rounded down, asks up, quantities added up. */
  readonly tick?: string | undefined;
  readonly checksum?: true | undefined;
}

/** A book that is there, and the feed's last update in it. */
export interface ViewedBook {
  readonly book: OrderBook;
  readonly lastId: number | null;
}

/** Both sides of a book at coarser prices. */
interface Ladders {
  readonly bids: Ladder;
  readonly asks: Ladder;
}

/** Bound to one stream. */
export class BookView {
  readonly #options: BookViewOptions;
  readonly #ladders: Ladders | null;
  /** It says all there is, in one form or another: what levels have changed tells what to say. */
  readonly #hasAll: boolean;
  /** It knows what its subscribers have; of all levels of the book the messages tell. */
  #isKnown: boolean;
  /** That, of the best levels only. */
  #said: Levels | null = null;

  constructor(options: BookViewOptions) {
    const { tick, depth } = options;
    const step = tick === undefined ? null : new PriceTick(tick);
    this.#options = options;
    this.#ladders = step === null ? null : { bids: new Ladder(step, -1), asks: new Ladder(step, 1) };
    this.#hasAll = depth === undefined;
    this.#isKnown = this.#hasAll && step === null;
  }

  /** All of it, as who begins gets it. */
  whole({ book, lastId }: ViewedBook): BookMessage {
    const levels = this.#levelsOf(book);
    return bookMessage('snapshot', levels, { lastId, checksum: this.#checksumOf(book, levels) });
  }

  /** The whole view is what its subscribers have. */
  hasSaid({ book }: ViewedBook): void {
    const { bids, asks } = book.sides;
    this.#isKnown = true;
    if (!this.#hasAll) this.#said = this.#levelsOf(book);
    else {
      this.#ladders?.bids.know(bids);
      this.#ladders?.asks.know(asks);
    }
  }

  /**
   * What has changed since it was said last, that is behind message `saidSeq`; null: nothing. The whole, where that is not known.
   * It is said by that.
   */
  next(viewed: ViewedBook, saidSeq: number): BookMessage | null {
    const { book, lastId } = viewed;
    if (!this.#isKnown || (this.#hasAll && !book.knowsSince(saidSeq))) {
      this.hasSaid(viewed);
      return this.whole(viewed);
    }
    const changed = this.#changedIn(book, saidSeq);
    if (changed.bids.length + changed.asks.length === 0) return null;
    return bookMessage('update', changed, { lastId, checksum: this.#checksumOf(book, this.#said) });
  }

  #changedIn(book: OrderBook, saidSeq: number): Levels {
    const before = this.#said;
    if (before !== null) {
      this.#said = this.#levelsOf(book);
      return differenceOf(before, this.#said);
    }
    const changed = book.changedSince(saidSeq);
    const ladders = this.#ladders;
    if (ladders === null) return changed;
    const { bids, asks } = book.sides;
    return { bids: ladders.bids.changed(bids, changed.bids), asks: ladders.asks.changed(asks, changed.asks) };
  }

  /** @param levels those of the view, as far as they are known */
  #checksumOf(book: OrderBook, levels: Levels | null): number | null {
    if (this.#options.checksum !== true) return null;
    return bookChecksum(levels ?? this.#levelsOf(book, CHECKSUM_LEVELS));
  }

  #levelsOf(book: OrderBook, depth = this.#options.depth): Levels {
    const ladders = this.#ladders;
    if (ladders === null) return book.levels(depth);
    const { bids, asks } = book.sides;
    return { bids: ladders.bids.steps(bids, depth), asks: ladders.asks.steps(asks, depth) };
  }
}

/** What makes the newer levels of the older ones. */
function differenceOf(older: Levels, newer: Levels): Levels {
  return { bids: sideDifference(older.bids, newer.bids, -1), asks: sideDifference(older.asks, newer.asks, 1) };
}

/** Both are sorted: one pass. @param direction 1: the lowest price comes first */
function sideDifference(older: readonly Level[], newer: readonly Level[], direction: 1 | -1): Level[] {
  const changed: Level[] = [];
  let at = 0;
  for (const level of newer) {
    let order = at < older.length ? direction * compare(older[at][0], level[0]) : 1;
    for (; order < 0; order = at < older.length ? direction * compare(older[at][0], level[0]) : 1)
      changed.push([older[at++][0], '0']);
    if (order > 0) {
      changed.push(level);
      continue;
    }
    // Also another form of the same price: checksums are of texts.
    const [price, quantity] = older[at++];
    if (quantity !== level[1] || price !== level[0]) changed.push(level);
  }
  for (; at < older.length; at++) changed.push([older[at][0], '0']);
  return changed;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  const [left, right] = [Number(a), Number(b)];
  return left === right ? compareExactly(a, b) : left < right ? -1 : 1;
}
