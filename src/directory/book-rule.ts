/** Book rule: what a rule says of books, as configuration writes it, made into what a topic takes. */

import { BOOK_PRESETS, type BookFields, type BookPreset } from '../book/book-fields.js';
import { MAX_LEVELS_DEFAULT } from '../book/book-memory.js';
import type { BookSpec } from '../topic/kept-book.js';

export interface BookRule {
  /** Its messages are those of an order book. */
  readonly type?: 'book' | undefined;
  /** Where they say what. */
  readonly book?: BookPreset | BookFields | undefined;
  readonly maxLevels?: number | undefined;
  readonly verifyChecksum?: boolean | undefined;
}

/** Undefined: the topic is no book. */
export function bookSpecOf({ type, book = 'ringcast', maxLevels, verifyChecksum }: BookRule): BookSpec | undefined {
  if (type !== 'book') return undefined;
  return {
    fields: typeof book === 'string' ? BOOK_PRESETS[book] : book,
    maxLevels: maxLevels ?? MAX_LEVELS_DEFAULT,
    verifies: verifyChecksum ?? false,
  };
}
