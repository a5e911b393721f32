/** Values: what a delta stream has told of each key, so that a message that says only what has changed becomes whole again. */

import type { SnapshotEntry } from '../protocol/messages.js';

type Value = Readonly<Record<string, unknown>>;

/** Writer and reader: the client. */
export class Values {
  readonly #byKey = new Map<string | null, unknown>();

  /** The first part of a snapshot replaces all. */
  take(entries: readonly SnapshotEntry[], isFirst: boolean): void {
    if (isFirst) this.#byKey.clear();
    for (const [key, , , payload] of entries) this.#byKey.set(key, payload);
  }

  /** The key's value, of a message that says it whole. */
  set(key: string | null, value: unknown): void {
    this.#byKey.set(key, value);
  }

  delete(key: string | null): void {
    this.#byKey.delete(key);
  }

  /** The key's value with a delta applied: `[fields that are new or changed, names of those that are no more]`. Throws on what is none. */
  apply(key: string | null, delta: unknown): unknown {
    const base = this.#byKey.get(key);
    if (!isValue(base) || !Array.isArray(delta) || !isValue(delta[0]) || !Array.isArray(delta[1]))
      throw new TypeError('a delta of what this client does not have');
    const removed = new Set<unknown>(delta[1]);
    const kept = Object.entries(base).filter(([name]) => !removed.has(name));
    // An own property each, `__proto__` too.
    const value = Object.fromEntries([...kept, ...Object.entries(delta[0])]);
    this.#byKey.set(key, value);
    return value;
  }
}

function isValue(value: unknown): value is Value {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
