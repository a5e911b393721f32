/**
 * Book message: how this server writes a book, or what has changed of one: the payload of what it makes itself of a feed's messages.
 *
 *     {book: "snapshot", bids: [[price, quantity], …], asks: […], last?, checksum?}
 *     {book: "update", …}     only levels that are new, have another quantity, or, with the quantity "0", are no more
 */

import type { Levels } from './order-book.js';

export interface BookMessage extends Levels {
  /** The whole book, or a difference. */
  readonly book: 'snapshot' | 'update';
  /** The feed's last update that is in it, where its updates have ids. */
  readonly last?: number;
  /** Over the ten best levels of the book that it makes. */
  readonly checksum?: number;
}

/** What a book is beside its levels. */
export interface BookExtras {
  readonly lastId: number | null;
  readonly checksum: number | null;
}

export function bookMessage(
  book: BookMessage['book'],
  { bids, asks }: Levels,
  { lastId, checksum }: BookExtras,
): BookMessage {
  return {
    ...{ book, bids, asks },
    ...(lastId === null ? {} : { last: lastId }),
    ...(checksum === null ? {} : { checksum }),
  };
}
