/** Values: what a delta stream has told of each key, so that a message that says only what has changed becomes whole again. */

import type { EventMessage, SnapshotEntry } from './messages.js';
import { encode } from './msgpack.js';
import { keyToJson } from './msgpack-to-json.js';

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
    const removed = new Set(delta[1].map(nameOf));
    const kept = Object.entries(base).filter(([name]) => !removed.has(name));
    // An own property each, `__proto__` too.
    return Object.fromEntries([...kept, ...Object.entries(delta[0])]);
  }
}

/** The name of a field: of a key that is no string, the one that it has in a decoded map. */
function nameOf(key: unknown): string {
  if (typeof key === 'string') return key;
  const bytes = encode(key);
  return JSON.parse(keyToJson(bytes, 0, bytes.length)) as string;
}

function isValue(value: unknown): value is Value {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
