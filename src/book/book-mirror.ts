/**
 * Book mirror: the book that a subscriber of one has, made of what it gets. Pure: it is told of snapshots, events and notices in
 * their order.
 */

import { BOOK_PRESETS, type BookFields, type BookPreset, BookReader, type BookUpdate } from './book-fields.js';
import { bookChecksum, CHECKSUM_LEVELS } from './checksum.js';
import { type Level, OrderBook } from './order-book.js';

const ownReader = new BookReader(BOOK_PRESETS.ringcast);

/** Writer: whoever tells it what has come. */
export class BookMirror {
  #isValid = false;
  #last: number | null = null;
  #book: OrderBook;
  readonly #feed: BookReader;

  /**
   * @param feed how the feed's own messages are to be read, as subscribers get them that ask for no view
   * @param maxLevels of each side, beyond which the worst ones go: what feeds expect that do not tell of those
   */
  constructor(feed: BookPreset | BookFields = 'ringcast', maxLevels = Number.POSITIVE_INFINITY) {
    this.#feed = new BookReader(typeof feed === 'string' ? BOOK_PRESETS[feed] : feed);
    this.#book = new OrderBook({ maxLevels, maxBytes: Number.POSITIVE_INFINITY }, false);
  }

  /** There is a book: it has begun, and nothing is missing. */
  get isValid(): boolean {
    return this.#isValid;
  }

  /** The feed's last update that is in it; null: its updates have no ids. */
  get last(): number | null {
    return this.#last;
  }

  /** From the highest price down. @param depth so many, by default all */
  bids(depth?: number): readonly Level[] {
    return this.#book.levels(depth).bids;
  }

  /** From the lowest price up. */
  asks(depth?: number): readonly Level[] {
    return this.#book.levels(depth).asks;
  }

  /** CRC32 over the ten best levels of each side. */
  checksum(): number {
    return bookChecksum(this.#book.levels(CHECKSUM_LEVELS));
  }

  /** The payload of a snapshot's one entry; undefined: it has none, as there is no book. */
  begin(payload: unknown): void {
    this.invalidate();
    if (payload !== undefined) this.apply(payload);
  }

  /** The payload of an event. */
  apply(payload: unknown): void {
    const isOwn = typeof payload === 'object' && payload !== null && 'book' in payload;
    const update = isOwn ? ownReader.read(payload) : this.#feed.read(payload);
    // What the server has not taken for a message of the book does not come here, but for snapshots of other feeds.
    if (typeof update !== 'symbol') this.#take(update, isOwn);
  }

  /** The server has said that it is stale, or something is missing. */
  invalidate(): void {
    this.#isValid = false;
    this.#last = null;
    this.#book.clear(0);
  }

  #take(update: BookUpdate, isOwn: boolean): void {
    if (update.isSnapshot) this.#book.replace(update, 0);
    else if (this.#isValid) this.#book.apply(update, 0);
    else return;
    this.#isValid = true;
    this.#last = update.last ?? this.#last;
    if (isOwn && update.checksum !== null && update.checksum !== this.checksum()) this.invalidate();
  }
}
