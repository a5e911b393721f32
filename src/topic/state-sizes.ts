/** State sizes: of the log in which a topic's home finds again what it kept. */

import type { LogSizes } from '../log/frame-log.js';
import { bookLogSizes } from './kept-book.js';
import { stateLogSizes } from './key-table.js';
import type { TopicSpec } from './topic.js';

/** That it may grow to; undefined: the topic keeps nothing. */
export function stateSizesOf({ keys, book }: TopicSpec): LogSizes | undefined {
  if (book !== undefined) return bookLogSizes(book);
  return keys === undefined ? undefined : stateLogSizes(keys);
}
