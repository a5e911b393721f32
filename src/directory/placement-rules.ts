/** Placement rules: what configuration says of the topics whose names match, made into what a topic begins with. */

import type { Home } from '../home/placement.js';
import { globMatcher } from '../protocol/topic-pattern.js';
import type { DedupWindow } from '../topic/deduplication.js';
import { type KeyRule, keySpecOf } from '../topic/key-rule.js';
import type { Retention } from '../topic/topic.js';
import { type BookRule, bookSpecOf } from './book-rule.js';
import type { TopicSettings } from './topic-entry.js';

export interface PlacementRule
  extends Partial<Omit<TopicSettings, 'keys' | 'book' | 'dedup' | 'retention' | 'publishRate'>>,
    KeyRule,
    BookRule {
  readonly match: string;
  readonly home: Home;
  readonly retainMs?: number | undefined;
  readonly retainMessages?: number | undefined;
  readonly retainBytes?: number | undefined;
  readonly dedupWindow?: DedupWindow | undefined;
  readonly maxPublishRate?: number | undefined;
  readonly maxPublishBurst?: number | undefined;
}

/** A rule, ready to be asked. */
export interface ReadyRule {
  readonly matches: (name: string) => boolean;
  readonly home: Home;
  readonly settings: TopicSettings;
}

/** @param retention what a rule says only a part of */
export function readyRules(
  rules: readonly PlacementRule[],
  defaults: TopicSettings,
  retention: Retention,
): readonly ReadyRule[] {
  return rules.map(({ match, home, dedupWindow: dedup, book, ...rule }) => {
    const { maxPublishRate = 0, maxPublishBurst = 0 } = rule;
    const rare = {
      retention: retentionOf(rule, retention),
      keys: keySpecOf(rule),
      book: bookSpecOf({ ...rule, book }),
      dedup,
      publishRate: maxPublishRate === 0 ? undefined : { maxPublishRate, maxPublishBurst },
    };
    return { matches: globMatcher(match), home, settings: { ...defaults, ...definedOnly(rule), ...rare } };
  });
}

/** Undefined: the rule says nothing of it. */
function retentionOf(
  rule: Pick<PlacementRule, 'retainMs' | 'retainMessages' | 'retainBytes'>,
  base: Retention,
): Retention | undefined {
  const { retainMs, retainMessages, retainBytes } = rule;
  if (retainMs === undefined && retainMessages === undefined && retainBytes === undefined) return undefined;
  return { ms: retainMs ?? base.ms, messages: retainMessages ?? base.messages, bytes: retainBytes ?? base.bytes };
}

export function definedOnly<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as Partial<T>;
}
