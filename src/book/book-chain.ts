/**
 * Book chain: a book kept by a feed's snapshots and differences, whose update ids say whether any is missing between two.
 *
 * A difference belongs behind the book when nothing is missing between them: its `previous` is the book's last update, or its
 * updates begin at the next one or before. One that is in the book already says nothing. When something is missing the book is
 * *stale*: differences are put aside until a snapshot comes that they belong behind, as feeds take their snapshots from elsewhere,
 * and those are mostly older than the last difference.
 */

import { type BookUpdate, BROKEN, type NO_UPDATE } from './book-fields.js';
import { bookChecksum, CHECKSUM_LEVELS } from './checksum.js';
import { type BookLimits, type Levels, OrderBook } from './order-book.js';

/**
 * What a message has done. `none`: nothing · `changed`: a difference was applied · `replaced`: a snapshot is the book now ·
 * `completed`: a snapshot with differences that had been put aside · `stale`: there is no book any more.
 */
export type BookStep = 'none' | 'changed' | 'replaced' | 'completed' | 'stale';

export interface ChainOptions extends BookLimits {
  /** A checksum that is not the book's makes it stale. */
  readonly verifies: boolean;
  /** Differences that are put aside, and levels in them. */
  readonly asideMax: number;
  readonly asideLevelsMax: number;
}

/** Writer: its `take`. */
export class BookChain {
  readonly book: OrderBook;
  /** There is a book: nothing is missing. */
  isValid = false;
  /** The feed's last update that is in it; null: its updates have no ids. */
  lastId: number | null = null;
  readonly #options: ChainOptions;
  readonly #aside: BookUpdate[] = [];
  #asideLevels = 0;

  constructor(options: ChainOptions) {
    this.#options = options;
    this.book = new OrderBook(options);
  }

  /** Differences that wait for a snapshot. */
  get asideCount(): number {
    return this.#aside.length;
  }

  /** @param seq of the message */
  take(update: BookUpdate | typeof NO_UPDATE | typeof BROKEN, seq: number): BookStep {
    if (update === BROKEN) return this.#breakOff(seq);
    if (typeof update === 'symbol') return 'none';
    return update.isSnapshot ? this.#takeSnapshot(update, seq) : this.#takeDifference(update, seq);
  }

  /** There is no book, and nothing to be made one of. */
  end(seq: number): BookStep {
    this.#forgetAside();
    return this.#breakOff(seq);
  }

  /** A book as it was. */
  restore(levels: Levels, lastId: number | null, seq: number): void {
    this.book.replace(levels, seq);
    this.lastId = lastId;
    this.isValid = true;
  }

  #breakOff(seq: number): BookStep {
    if (!this.isValid) return 'none';
    this.isValid = false;
    this.lastId = null;
    this.book.clear(seq);
    return 'stale';
  }

  #takeSnapshot(update: BookUpdate, seq: number): BookStep {
    const { last } = update;
    // One from elsewhere comes late: the book has all of it, and more.
    if (this.isValid && last !== null && this.lastId !== null && last < this.lastId) return 'none';
    const waiting = last === null ? [] : this.#aside.filter((aside) => (aside.last as number) > last);
    // It is too old: what came before the first one that waits is not in it.
    if (waiting.length > 0 && !follows(waiting[0], last)) return 'none';
    this.#forgetAside();
    this.restore(update, last, seq);
    for (const [index, next] of waiting.entries()) {
      if (follows(next, this.lastId)) {
        this.#apply(next, seq);
        continue;
      }
      for (const rest of waiting.slice(index)) this.#putAside(rest);
      return this.#breakOff(seq);
    }
    if (!this.#isRight(waiting.at(-1) ?? update)) return this.#breakOff(seq);
    return waiting.length > 0 ? 'completed' : 'replaced';
  }

  #takeDifference(update: BookUpdate, seq: number): BookStep {
    const { lastId } = this;
    if (!this.isValid) {
      this.#putAside(update);
      return 'none';
    }
    if (update.last !== null && lastId !== null && update.last <= lastId) return 'none';
    if (!follows(update, lastId)) {
      this.#putAside(update);
      return this.#breakOff(seq);
    }
    this.#apply(update, seq);
    return this.#isRight(update) ? 'changed' : this.#breakOff(seq);
  }

  #apply(update: BookUpdate, seq: number): void {
    this.book.apply(update, seq);
    this.lastId = update.last ?? this.lastId;
  }

  #isRight({ checksum }: BookUpdate): boolean {
    return !this.#options.verifies || checksum === null || checksum === bookChecksum(this.book.levels(CHECKSUM_LEVELS));
  }

  #putAside(update: BookUpdate): void {
    const { last } = update;
    // Without ids nobody could say behind which snapshot it belongs.
    if (last === null) return;
    // The feed has begun to count anew.
    if (last < (this.#aside.at(-1)?.last ?? 0)) this.#forgetAside();
    this.#aside.push(update);
    this.#asideLevels += levelsOf(update);
    const { asideMax, asideLevelsMax } = this.#options;
    while (this.#aside.length > asideMax || this.#asideLevels > asideLevelsMax) {
      this.#asideLevels -= levelsOf(this.#aside.shift() as BookUpdate);
    }
  }

  #forgetAside(): void {
    this.#aside.length = 0;
    this.#asideLevels = 0;
  }
}

function levelsOf({ bids, asks }: BookUpdate): number {
  return 1 + bids.length + asks.length;
}

/** Whether nothing is missing between a book's last update and a difference that is newer. */
function follows({ first, previous }: BookUpdate, lastId: number | null): boolean {
  if (lastId === null) return true;
  if (previous !== null) return previous <= lastId;
  return first === null || first <= lastId + 1;
}
