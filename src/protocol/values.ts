/** Values: what a delta stream has told of each key, so that a message that says only what has changed becomes whole again. */

import type { EventMessage, SnapshotEntry } from './messages.js';

type Value = Readonly<Record<string, unknown>>;

/** Writer and reader: who receives the stream, a client or a subscriber within the process. */
export class Values {
  readonly #byKey = new Map<string | null, unknown>();

  /** The first part of a snapshot replaces all. */
  take(entries: readonly SnapshotEntry[], isFirst: boolean): void {
    if (isFirst) this.#byKey.clear();
    for (const [key, , , payload] of entries) this.#byKey.set(key, payload);
  }

  /** The whole value that an event makes, which says `said`. Throws on a delta of what is not there. */
  valueOf({ key, change }: Pick<EventMessage, 'key' | 'change'>, said: unknown): unknown {
    const value = change === 'delta' ? this.#applied(key, said) : said;
    if (change === 'delete' || change === 'leave') this.#byKey.delete(key);
    else this.#byKey.set(key, value);
    return value;
  }

  /** A delta is `[fields that are new or changed, names of those that are no more]`. */
  #applied(key: string | null, delta: unknown): unknown {
    const base = this.#byKey.get(key);
    if (!isValue(base) || !Array.isArray(delta) || !isValue(delta[0]) || !Array.isArray(delta[1]))
      throw new TypeError('a delta of what this client does not have');
    const removed = new Set<unknown>(delta[1]);
    const kept = Object.entries(base).filter(([name]) => !removed.has(name));
    // An own property each, `__proto__` too.
    return Object.fromEntries([...kept, ...Object.entries(delta[0])]);
  }
}

function isValue(value: unknown): value is Value {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
