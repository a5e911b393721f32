/** Book wishes: what SUBSCRIBE may ask of a topic that is an order book, made into a stream. */

import { decimalOf, normalDecimal } from '../book/decimal.js';
import { RingcastError } from '../errors.js';
import type { SubscribeOptions } from '../protocol/messages.js';
import { type BookWishes, bookSpec, type StreamSpec } from '../variant/stream-spec.js';

/** As a subscription is wished, its rate as the topic's rule lets it be. */
type AllWishes = Omit<SubscribeOptions, 'maxRate'> & { maxRate?: number | undefined };

const BOOK_OPTIONS = ['depth', 'tick', 'checksum'] as const;
/** What has no meaning there: a book’s messages build on each other. */
const NOT_OF_BOOKS = ['filter', 'track', 'fields', 'delta', 'deltaFullEvery'] as const;

/** Whether something is asked for that only books have. */
export function asksForBook(options: AllWishes): boolean {
  return BOOK_OPTIONS.some((name) => options[name] !== undefined);
}

/** Throws BAD_REQUEST. */
export function refuseBookOptions(options: AllWishes): void {
  const wrong = BOOK_OPTIONS.find((name) => options[name] !== undefined);
  if (wrong === undefined) return;
  throw new RingcastError('BAD_REQUEST', `${wrong} is for order books, and no rule says that this topic is one`);
}

/** Throws BAD_REQUEST. */
export function bookStreamOf(codec: BookWishes['codec'], options: AllWishes): StreamSpec {
  const wrong = NOT_OF_BOOKS.find((name) => options[name] !== undefined);
  if (wrong !== undefined)
    throw new RingcastError('BAD_REQUEST', `${wrong} is not for order books: they have depth, tick and checksum`);
  const { depth, tick, checksum, maxRate } = options;
  const step = tick === undefined ? null : decimalOf(tick);
  return bookSpec({
    codec,
    ...(depth === undefined ? {} : { depth }),
    ...(step === null ? {} : { tick: normalDecimal(step) }),
    ...(checksum === true ? { checksum } : {}),
    ...(maxRate === undefined ? {} : { intervalMs: 1000 / maxRate }),
  });
}

/** What somebody wanted who reads such a stream. */
export function bookOptionsOf({ options }: StreamSpec): Pick<AllWishes, 'depth' | 'tick' | 'checksum' | 'maxRate'> {
  const { depth, tick, checksum, intervalMs } = options as BookWishes;
  return {
    ...(depth === undefined ? {} : { depth }),
    ...(tick === undefined ? {} : { tick: Number(tick) }),
    ...(checksum === undefined ? {} : { checksum }),
    ...(intervalMs === undefined ? {} : { maxRate: 1000 / intervalMs }),
  };
}
