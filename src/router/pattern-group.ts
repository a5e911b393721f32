/** Pattern group: subscriptions to one pattern, of one codec and with the same options: alike in all but who has them. */

import type { TopicEntry, TopicSettings } from '../directory/topic-entry.js';
import type { SubscribeOptions } from '../protocol/messages.js';
import { globMatcher } from '../protocol/topic-pattern.js';
import type { StreamSpec } from '../variant/stream-spec.js';
import type { PatternSubscription } from './pattern-subscription.js';
import { type Reading, readingOf } from './subscription-plan.js';

/** That a subscription is in a group, from its joining until it has another one's options, or ends. */
export interface Membership {
  readonly subscription: PatternSubscription;
  readonly group: PatternGroup;
  /** 1, 2, 3 … over all groups. */
  readonly join: number;
  isRetired: boolean;
}

/** Members looked at in vain before they are taken out of a group. */
const RETIRED_MIN = 32;

/** Writer and reader: the accept thread. */
export class PatternGroup {
  readonly key: string;
  readonly pattern: string;
  readonly options: SubscribeOptions;
  readonly matches: (name: string) => boolean;
  readonly #plain: StreamSpec;
  /** In the order of their joining. */
  #members: Membership[] = [];
  #retired = 0;
  /** How a topic is read, by what its rule says. */
  readonly #readings = new WeakMap<TopicSettings, Reading>();

  /** @param plain what who asks gets without wishes */
  constructor(key: string, pattern: string, options: SubscribeOptions, plain: StreamSpec) {
    this.key = key;
    this.pattern = pattern;
    this.options = options;
    this.matches = globMatcher(pattern);
    this.#plain = plain;
  }

  static keyOf(pattern: string, { clientId: _, ...options }: SubscribeOptions, { codec }: StreamSpec): string {
    return JSON.stringify([pattern, codec, Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))]);
  }

  /** 0: nobody has joined yet. */
  get newestJoin(): number {
    return this.#members.at(-1)?.join ?? 0;
  }

  get isEmpty(): boolean {
    return this.#members.length === this.#retired;
  }

  /** Throws RingcastError BAD_REQUEST. */
  readingOf(entry: TopicEntry): Reading {
    const { settings } = entry;
    let reading = this.#readings.get(settings);
    if (reading === undefined) {
      reading = readingOf(entry, this.#plain, this.options);
      this.#readings.set(settings, reading);
    }
    return reading;
  }

  add(subscription: PatternSubscription, join: number): Membership {
    const membership: Membership = { subscription, group: this, join, isRetired: false };
    this.#members.push(membership);
    return membership;
  }

  retire(membership: Membership): void {
    if (membership.isRetired) return;
    membership.isRetired = true;
    if (++this.#retired < RETIRED_MIN || this.#retired * 2 < this.#members.length) return;
    // A new array: somebody may be going through the old one.
    this.#members = this.#members.filter(({ isRetired }) => !isRetired);
    this.#retired = 0;
  }

  /** Who has joined behind `join`, in order, and may have retired. The first is at the returned index of the array. */
  behind(join: number): { members: readonly Membership[]; from: number } {
    const members = this.#members;
    let [low, high] = [0, members.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (members[middle].join <= join) low = middle + 1;
      else high = middle;
    }
    return { members, from: low };
  }
}
