/** Pattern subscription: what one connection, or one subscriber of the process, has asked for with a pattern. */

import type { Consumer } from '../delivery/consumer.js';
import type { TopicEntry } from '../directory/topic-entry.js';
import type { ErrorCode, RingcastError } from '../errors.js';
import type { Membership, PatternGroup } from './pattern-group.js';

/** Who subscribes to patterns: a session, or a subscriber of this process. */
export interface PatternReader {
  readonly consumer: Consumer;
  /** Patterns and topics that it may subscribe to, together. */
  readonly subscriptionsMax: number;
  /** Whether it may have this topic. A promise does not reject. */
  mayRead(topic: string): boolean | Promise<boolean>;
  /** It gets a topic from here on, or gets it by another pattern: it is to be told before the first event. */
  begun(pattern: string, entry: TopicEntry, seq: number, recovered: boolean | undefined): void;
  /** It does not get a topic that the pattern matches, and maybe others, for the same reason. Told once for each code. */
  missed(pattern: string, topic: string, error: RingcastError): void;
}

/** A part that is to begin when answers have come. */
export interface WaitingPart {
  readonly entry: TopicEntry;
  readonly cursor: number;
}

/** Writer and reader: the accept thread. */
export class PatternSubscription {
  readonly reader: PatternReader;
  /** As it was asked for. */
  readonly pattern: string;
  membership!: Membership;
  isEnded = false;
  /** Questions to the application under way. */
  asked = 0;
  readonly waiting: WaitingPart[] = [];
  /** Topics that were unsubscribed from by themselves. */
  #left: WeakSet<TopicEntry> | null = null;
  #told: Set<ErrorCode> | null = null;

  constructor(reader: PatternReader, pattern: string) {
    this.reader = reader;
    this.pattern = pattern;
  }

  get group(): PatternGroup {
    return this.membership.group;
  }

  has(entry: TopicEntry): boolean {
    return this.group.matches(entry.spec.topic) && this.#left?.has(entry) !== true;
  }

  leaveOut(entry: TopicEntry): void {
    this.#left ??= new WeakSet();
    this.#left.add(entry);
  }

  tellMissed(topic: string, error: RingcastError): void {
    this.#told ??= new Set();
    if (this.#told.has(error.code)) return;
    this.#told.add(error.code);
    this.reader.missed(this.pattern, topic, error);
  }
}
