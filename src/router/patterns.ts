/**
 * Patterns: subscriptions to all topics whose names match.
 *
 * A *part*, the subscription of one of them to one topic, is an ordinary one. It begins when the topic gets its first message
 * after the SUBSCRIBE, with that message: what is quiet costs nothing, however many topics and patterns there are. Just before
 * a message goes to its home it is known what is at the head of the topic's log; so a subscriber gets exactly what was accepted
 * behind its SUBSCRIBE. Who wants something of the past (lastN, sinceTime, snapshot) has its parts begun by a walk over all topics.
 */

import type { Consumer } from '../delivery/consumer.js';
import type { Delivery } from '../delivery/delivery.js';
import type { Stream } from '../delivery/stream.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import type { TopicEntry } from '../directory/topic-entry.js';
import { RingcastError } from '../errors.js';
import type { ReadOptions, SubscribeOptions } from '../protocol/messages.js';
import { normalPattern } from '../protocol/topic-pattern.js';
import type { Loop } from '../time/loop.js';
import { beginsNow } from '../variant/stream-spec.js';
import { PacedWork } from './paced-work.js';
import { PatternGroup } from './pattern-group.js';
import { PatternIndex } from './pattern-index.js';
import { type PatternReader, PatternSubscription, type WaitingPart } from './pattern-subscription.js';
import { tooManySubscriptions } from './refusals.js';
import { beginOf, planOf } from './subscription-plan.js';
import { changed, positionOf, readOtherwise, updateSubscription } from './updating.js';

/** Questions to the application that one subscription has under way. */
const ASKED_MAX = 64;
/** Topics looked at between two looks at the clock, and parts begun. */
const LOOKS_PER_CLOCK_READ = 32;
const PARTS_PER_CLOCK_READ = 8;

/** What is known of a topic that was published to. */
interface KnownTopic {
  /** Those whose patterns match it, as of this version of the index. */
  groups: readonly PatternGroup[];
  version: number;
  /** Who has joined up to here has it, or is about to. */
  joins: number;
}

const NOBODY: readonly PatternSubscription[] = [];

/** Writer and reader: the accept thread. */
export class Patterns {
  /** Topics that a pattern matched and that the application did not allow. */
  refusedMatches = 0;
  readonly #topics: TopicDirectory;
  readonly #delivery: Delivery;
  readonly #loop: Pick<Loop, 'nowMs' | 'epochMs' | 'soon'>;
  readonly #onFault: (fault: unknown) => void;
  readonly #work: PacedWork;
  readonly #groups = new Map<string, PatternGroup>();
  readonly #index = new PatternIndex<PatternGroup>();
  /** In the order of their beginning: the first one that matches has a topic. */
  readonly #byConsumer = new Map<Consumer, readonly PatternSubscription[]>();
  #known = new WeakMap<TopicEntry, KnownTopic>();
  #version = 0;
  #joins = 0;

  constructor(
    topics: TopicDirectory,
    delivery: Delivery,
    loop: Pick<Loop, 'nowMs' | 'epochMs' | 'soon'>,
    onFault: (fault: unknown) => void,
  ) {
    this.#topics = topics;
    this.#delivery = delivery;
    this.#loop = loop;
    this.#onFault = onFault;
    this.#work = new PacedWork(loop, onFault);
  }

  // ---- topics ------------------------------------------------------------------------------------------------------

  /** Hot path: per message, before its home is given it. */
  meet(entry: TopicEntry): void {
    if (this.#groups.size === 0) return;
    const known = this.#known.get(entry);
    if (known === undefined || known.joins !== this.#joins) this.#look(entry, known);
  }

  #look(entry: TopicEntry, before: KnownTopic | undefined): void {
    const known = before ?? { groups: [], version: -1, joins: 0 };
    if (known.version !== this.#version) {
      known.groups = this.#index.matching(entry.spec.topic);
      known.version = this.#version;
    }
    const after = known.joins;
    known.joins = this.#joins;
    if (before === undefined) this.#known.set(entry, known);
    for (const group of known.groups) if (group.newestJoin > after) this.#fire(entry, group, after);
  }

  /** A message comes to a topic: those get it that joined behind `after`. */
  #fire(entry: TopicEntry, group: PatternGroup, after: number): void {
    entry.log.refresh();
    const cursor = entry.log.headSeq + 1;
    const upTo = group.newestJoin;
    this.#prepare(entry, group);
    // It must not vanish before its message is somebody's.
    this.#topics.hold(entry);
    let next = after;
    this.#work.addOrdered((deadlineMs) => {
      const { members, from } = group.behind(next);
      for (let index = from; index < members.length && members[index].join <= upTo; index++) {
        const { subscription, join, isRetired } = members[index];
        next = join;
        if (!isRetired) this.#begin(subscription, entry, cursor);
        if (index % PARTS_PER_CLOCK_READ === 0 && this.#loop.nowMs() >= deadlineMs) return false;
      }
      this.#topics.letGo(entry);
      return true;
    });
  }

  /** A stream that cannot begin in the past has to be there for the message. */
  #prepare(entry: TopicEntry, group: PatternGroup): void {
    try {
      const { spec, reading } = group.readingOf(entry);
      if (beginsNow(spec)) this.#topics.letEnd(this.#topics.streamOf(entry, spec, reading));
    } catch (refusal) {
      // Whose part is to begin will be told.
      if (!(refusal instanceof RingcastError)) throw refusal;
    }
  }

  // ---- subscriptions -----------------------------------------------------------------------------------------------

  /** Those of a consumer. */
  of(consumer: Consumer): readonly PatternSubscription[] {
    return this.#byConsumer.get(consumer) ?? NOBODY;
  }

  find(consumer: Consumer, pattern: string): PatternSubscription | undefined {
    const normal = normalPattern(pattern);
    return this.of(consumer).find(({ group }) => group.pattern === normal);
  }

  /** The first one of the consumer that has a topic. */
  ownerOf(consumer: Consumer, entry: TopicEntry): PatternSubscription | undefined {
    return this.of(consumer).find((subscription) => subscription.has(entry));
  }

  /** The options have been checked. */
  join(reader: PatternReader, pattern: string, options: SubscribeOptions): PatternSubscription {
    const subscription = new PatternSubscription(reader, pattern);
    this.#enter(subscription, options);
    this.#byConsumer.set(reader.consumer, [...this.of(reader.consumer), subscription]);
    const { lastN = 0, sinceTime, snapshot } = options;
    if (lastN > 0 || sinceTime !== undefined || snapshot === true) this.#walkAll(subscription);
    return subscription;
  }

  #enter(subscription: PatternSubscription, options: SubscribeOptions): void {
    const pattern = normalPattern(subscription.pattern);
    const { spec } = subscription.reader.consumer;
    const key = PatternGroup.keyOf(pattern, options, spec);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new PatternGroup(key, pattern, options, spec);
      this.#groups.set(key, group);
      this.#index.add(group);
      this.#version++;
    }
    subscription.membership = group.add(subscription, ++this.#joins);
  }

  /** Once all that has been met until now has begun. */
  #retire({ membership }: PatternSubscription): void {
    const { group } = membership;
    this.#work.addOrdered(() => {
      group.retire(membership);
      if (!group.isEmpty || this.#groups.get(group.key) !== group) return true;
      this.#groups.delete(group.key);
      this.#index.remove(group);
      this.#version++;
      if (this.#groups.size === 0) this.#known = new WeakMap();
      return true;
    });
  }

  /** Begins the parts of topics that have something to offer. */
  #walkAll(subscription: PatternSubscription): void {
    const entries = this.#topics.entries()[Symbol.iterator]();
    this.#work.addLong((deadlineMs) => {
      for (let looks = 1; !subscription.isEnded; looks++) {
        const { value: entry, done } = entries.next();
        if (done === true) return true;
        if (subscription.has(entry)) {
          entry.log.refresh();
          const isStarted = entry.log.headSeq >= entry.firstSeq;
          if (isStarted) this.#begin(subscription, entry, Number.POSITIVE_INFINITY);
        }
        if (looks % LOOKS_PER_CLOCK_READ === 0 && this.#loop.nowMs() >= deadlineMs) return false;
      }
      return true;
    });
  }

  /** Has it read otherwise from here on, also what is there already; calls `done` then. The changes have been checked. */
  update(subscription: PatternSubscription, changes: ReadOptions, done: () => void): void {
    const { consumer } = subscription.reader;
    this.#retire(subscription);
    this.#enter(subscription, changed(subscription.group.options, changes));
    this.#walkParts(
      subscription,
      (entry) => {
        if (this.ownerOf(consumer, entry) !== subscription) return;
        updateSubscription({ topics: this.#topics, delivery: this.#delivery }, consumer, entry, changes);
      },
      done,
    );
  }

  /** Ends it, and calls `done` when nothing comes of it any more. What other patterns of its reader match goes on. */
  end(subscription: PatternSubscription, done: () => void): void {
    const { consumer } = subscription.reader;
    const all = this.of(consumer);
    const earlier = all.slice(0, all.indexOf(subscription));
    this.#remove(subscription);
    this.#walkParts(
      subscription,
      (entry, stream) => {
        if (earlier.some((other) => !other.isEnded && other.has(entry))) return;
        if (!this.#handOver(consumer, entry, stream)) this.#delivery.unsubscribe(consumer, stream);
      },
      done,
    );
  }

  /** A consumer has ended, and what it was subscribed to. */
  forget(consumer: Consumer): void {
    for (const subscription of this.of(consumer)) this.#remove(subscription);
  }

  #remove(subscription: PatternSubscription): void {
    const { consumer } = subscription.reader;
    const others = this.of(consumer).filter((other) => other !== subscription);
    if (others.length === 0) this.#byConsumer.delete(consumer);
    else this.#byConsumer.set(consumer, others);
    subscription.isEnded = true;
    this.#retire(subscription);
    // What waited may be another pattern's of the same reader now.
    const waiting = subscription.waiting.splice(0);
    if (waiting.length === 0) return;
    this.#work.addLong((deadlineMs) => {
      for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
        this.#beginWaiting(subscription, part);
        if (this.#loop.nowMs() >= deadlineMs) return waiting.length === 0;
      }
      return true;
    });
  }

  /** `visit` may throw a RingcastError, which its reader is told. */
  #walkParts(
    subscription: PatternSubscription,
    visit: (entry: TopicEntry, stream: Stream) => void,
    done: () => void,
  ): void {
    const { consumer } = subscription.reader;
    const aliases: number[] = [];
    for (const { options } of this.#delivery.parts.streamsOf(consumer)) {
      if (subscription.group.matches(options.topic)) aliases.push(options.alias);
    }
    let next = 0;
    const step = (deadlineMs: number): boolean => {
      while (next < aliases.length && !consumer.isClosed) {
        const entry = this.#topics.findAlias(aliases[next++]);
        const stream = entry === undefined ? undefined : this.#topics.subscriptionOf(consumer, entry);
        if (entry !== undefined && stream !== undefined && this.#delivery.parts.has(consumer, stream))
          this.#orTold(subscription, entry, () => visit(entry, stream));
        if (next % PARTS_PER_CLOCK_READ === 0 && this.#loop.nowMs() >= deadlineMs) return false;
      }
      done();
      return true;
    };
    // Few are done at once: nobody has to wait for a turn.
    if (aliases.length <= PARTS_PER_CLOCK_READ) step(Number.POSITIVE_INFINITY);
    else this.#work.addLong(step);
  }

  // ---- parts -------------------------------------------------------------------------------------------------------

  /** A consumer unsubscribes from one topic. False: none of its patterns has it. */
  leaveOut(consumer: Consumer, entry: TopicEntry): boolean {
    const owners = this.of(consumer).filter((subscription) => subscription.has(entry));
    for (const subscription of owners) subscription.leaveOut(entry);
    return owners.length > 0;
  }

  /** A consumer has a topic by a pattern from here on, that had it otherwise. False: no pattern of its matches. */
  takeBack(consumer: Consumer, entry: TopicEntry, stream: Stream): boolean {
    if (this.ownerOf(consumer, entry) === undefined) return false;
    this.#delivery.parts.set(consumer, stream, true);
    return this.#handOver(consumer, entry, stream);
  }

  /** The part goes on as the first pattern says that has its topic. False: there is none, or it cannot. */
  #handOver(consumer: Consumer, entry: TopicEntry, stream: Stream): boolean {
    const owner = this.ownerOf(consumer, entry);
    if (owner === undefined) return false;
    const seq = positionOf(this.#delivery, consumer, stream);
    return this.#orTold(owner, entry, () => {
      const parts = { topics: this.#topics, delivery: this.#delivery };
      readOtherwise(parts, consumer, entry, stream, owner.group.readingOf(entry));
      owner.reader.begun(owner.pattern, entry, seq, undefined);
    });
  }

  /** Begins a part, if it may: with the message at `cursor`, or an earlier one that its options want. */
  #begin(subscription: PatternSubscription, entry: TopicEntry, cursor: number): void {
    const owner = this.#readerOf(subscription, entry);
    if (owner === null) return;
    if (owner.asked >= ASKED_MAX) {
      this.#topics.hold(entry);
      owner.waiting.push({ entry, cursor });
      return;
    }
    const { consumer, subscriptionsMax } = owner.reader;
    if (consumer.subscriptionCount + this.of(consumer).length >= subscriptionsMax) {
      owner.tellMissed(entry.spec.topic, tooManySubscriptions(subscriptionsMax));
      return;
    }
    const verdict = owner.reader.mayRead(entry.spec.topic);
    if (verdict instanceof Promise) this.#await(owner, entry, cursor, verdict);
    else this.#settle(owner, entry, cursor, verdict);
  }

  /** Whose part it is: another pattern's of the same reader when this one has ended. Null: nobody's who has none yet. */
  #readerOf(subscription: PatternSubscription, entry: TopicEntry): PatternSubscription | null {
    const { consumer } = subscription.reader;
    if (entry.isClosed || consumer.isClosed) return null;
    const owner = this.ownerOf(consumer, entry);
    if (owner === undefined || (owner !== subscription && !subscription.isEnded)) return null;
    return this.#topics.subscriptionOf(consumer, entry) === undefined ? owner : null;
  }

  #await(subscription: PatternSubscription, entry: TopicEntry, cursor: number, verdict: Promise<boolean>): void {
    subscription.asked++;
    this.#topics.hold(entry);
    const settled = (isAllowed: boolean): void => {
      subscription.asked--;
      this.#settle(subscription, entry, cursor, isAllowed);
      this.#topics.letGo(entry);
      while (subscription.asked < ASKED_MAX) {
        const next = subscription.waiting.shift();
        if (next === undefined) break;
        this.#beginWaiting(subscription, next);
      }
    };
    verdict.then(settled).catch(this.#onFault);
  }

  #beginWaiting(subscription: PatternSubscription, { entry, cursor }: WaitingPart): void {
    this.#begin(subscription, entry, cursor);
    this.#topics.letGo(entry);
  }

  #settle(subscription: PatternSubscription, entry: TopicEntry, cursor: number, isAllowed: boolean): void {
    if (!isAllowed) {
      this.refusedMatches++;
      return;
    }
    const owner = this.#readerOf(subscription, entry);
    if (owner !== null) this.#orTold(owner, entry, () => this.#start(owner, entry, cursor));
  }

  /** Throws RingcastError. */
  #start({ reader, pattern, group }: PatternSubscription, entry: TopicEntry, cursor: number): void {
    const { consumer } = reader;
    // Of an earlier topic of this name it is told first.
    this.#delivery.settleEnded(consumer);
    const monotonicMs = this.#loop.nowMs();
    const now = { monotonicMs, timeMs: this.#loop.epochMs(monotonicMs) };
    const plan = planOf(entry, group.readingOf(entry), group.options, now);
    const { seq, recovered, stream, options } = beginOf(this.#topics, entry, {
      ...plan,
      cursor: Math.min(plan.cursor, cursor),
    });
    reader.begun(pattern, entry, seq, recovered);
    this.#delivery.subscribe(consumer, stream, { ...options, isPart: true });
  }

  /** False: `act` has thrown a refusal, which the reader is told. */
  #orTold(subscription: PatternSubscription, { spec }: TopicEntry, act: () => void): boolean {
    try {
      act();
      return true;
    } catch (refusal) {
      if (!(refusal instanceof RingcastError)) throw refusal;
      subscription.tellMissed(spec.topic, refusal);
      return false;
    }
  }
}
