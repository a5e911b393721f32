/** What a rule may say of order books. */

import { z } from 'zod';
import { BOOK_PRESETS, type BookPreset } from '../book/book-fields.js';
import { problemOfPath } from '../variant/field-scan.js';
import { count } from './values.js';

const field = z.custom<string>(
  (value) => typeof value === 'string' && problemOfPath(value.split('.')) === null,
  'must be a field, nested by dots; a number is a place in a list',
);

const PRESETS = Object.keys(BOOK_PRESETS) as [BookPreset, ...BookPreset[]];

const snapshotFields = z.strictObject({ bids: field, asks: field, last: field, field, value: z.string() }).partial();

/** The rest is optional. */
const moreFields = z
  .strictObject({
    ...{ first: field, last: field, previous: field, checksum: field },
    ...{ price: field, quantity: field, snapshot: snapshotFields },
  })
  .partial();

const mapping = z.strictObject({ bids: field, asks: field, ...moreFields.shape });

export const bookRuleKeys = {
  type: z.enum(['book']),
  book: z.union(
    [z.enum(PRESETS), mapping],
    `must be one of ${PRESETS.join(', ')}, or a map that says the fields bids and asks, and what there is of ` +
      `${Object.keys(moreFields.shape).join(', ')} (${Object.keys(snapshotFields.shape).join(', ')})`,
  ),
  maxLevels: count('', 1, 100_000).schema,
  verifyChecksum: z.boolean(),
};
