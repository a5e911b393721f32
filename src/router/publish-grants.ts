/**
 * Publish grants: which topics a connection may publish to, as it was asked and allowed.
 *
 * A topic that it addresses by alias is *held* until the connection ends: the number stays good, and the topic does not
 * vanish while it is quiet. One that it publishes to by name is only *remembered*, so that the hook is not asked for each
 * message: nothing keeps the topic, and beyond a limit the oldest are forgotten and authorised anew.
 */

import type { TopicDirectory } from '../directory/topic-directory.js';
import type { TopicEntry } from '../directory/topic-entry.js';

/** Topics that were deleted are looked for when so many have been added. */
const PURGE_MIN = 64;

/** Writer and reader: the accept thread. */
export class PublishGrants {
  readonly #topics: TopicDirectory;
  readonly #limit: number;
  /** By alias. */
  readonly #held = new Map<number, TopicEntry>();
  /** By alias, the oldest first. */
  readonly #remembered = new Map<number, TopicEntry>();
  #purgeAt = PURGE_MIN;

  /** @param limit how many topics may be held, and how many held or remembered */
  constructor(topics: TopicDirectory, limit: number) {
    this.#topics = topics;
    this.#limit = limit;
  }

  get count(): number {
    return this.#held.size + this.#remembered.size;
  }

  /** The topic of an alias, if the connection may publish to it. */
  find(alias: number): TopicEntry | undefined {
    return this.#held.get(alias) ?? this.#remembered.get(alias);
  }

  has({ spec }: TopicEntry): boolean {
    return this.#held.has(spec.alias) || this.#remembered.has(spec.alias);
  }

  isHeld({ spec }: TopicEntry): boolean {
    return this.#held.has(spec.alias);
  }

  /** Holds a topic that may be published to. False: the limit is reached. */
  hold(entry: TopicEntry): boolean {
    const { alias } = entry.spec;
    if (this.#held.has(alias)) return true;
    this.#purge();
    if (this.#held.size >= this.#limit) return false;
    this.#remembered.delete(alias);
    this.#held.set(alias, entry);
    this.#topics.hold(entry);
    this.#forgetBeyondLimit();
    return true;
  }

  /** Remembers that a topic may be published to. */
  remember(entry: TopicEntry): void {
    if (this.has(entry)) return;
    this.#purge();
    this.#remembered.set(entry.spec.alias, entry);
    this.#forgetBeyondLimit();
  }

  /** The connection has ended. */
  release(): void {
    this.#topics.release(this.#held.values());
    this.#remembered.clear();
  }

  #forgetBeyondLimit(): void {
    for (const alias of this.#remembered.keys()) {
      if (this.count <= this.#limit) return;
      this.#remembered.delete(alias);
    }
  }

  /** Lets go of topics that have ended. Amortised: between two looks there are as many new ones as the first one left. */
  #purge(): void {
    if (this.count < Math.min(this.#purgeAt, this.#limit)) return;
    for (const grants of [this.#held, this.#remembered]) {
      for (const [alias, { isClosed }] of grants) if (isClosed) grants.delete(alias);
    }
    this.#purgeAt = Math.max(PURGE_MIN, 2 * this.count);
  }
}
