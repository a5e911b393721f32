/** Key rule: what a rule says of keys, as configuration writes it, made into what a topic takes. */

import type { KeySpec } from './key-table.js';

export interface KeyRule {
  /** Its messages have keys, which PUBLISH says. */
  readonly keyed?: boolean | undefined;
  /** They are the values of this field, nested by dots. */
  readonly key?: string | undefined;
  readonly missingKey?: KeySpec['onMissing'] | undefined;
  readonly maxKeys?: number | undefined;
  readonly keysFull?: KeySpec['onFull'] | undefined;
  readonly keyTtlMs?: number | undefined;
  readonly merge?: boolean | undefined;
}

const MAX_KEYS_DEFAULT = 10_000;

/** Undefined: the topic keeps nothing by key. */
export function keySpecOf(rule: KeyRule): KeySpec | undefined {
  const { keyed = false, key = null, merge = false } = rule;
  const isSingle = !keyed && key === null;
  if (isSingle && !merge) return undefined;
  return {
    field: key,
    isSingle,
    onMissing: rule.missingKey ?? 'refuse',
    maxKeys: isSingle ? 1 : (rule.maxKeys ?? MAX_KEYS_DEFAULT),
    onFull: rule.keysFull ?? 'refuse',
    ttlMs: rule.keyTtlMs ?? 0,
    merges: merge,
  };
}
