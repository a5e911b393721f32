/** Subscribing: what SUBSCRIBE, UPDATE, UNSUBSCRIBE and HISTORY do. */

import type { Consumer } from '../delivery/consumer.js';
import type { Delivery } from '../delivery/delivery.js';
import type { Stream } from '../delivery/stream.js';
import { NONE } from '../delivery/subscription-table.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import type { TopicEntry } from '../directory/topic-entry.js';
import { RingcastError } from '../errors.js';
import type { ClientFrame, HistoryOptions, ReadOptions, SubscribeOptions } from '../protocol/messages.js';
import { isPattern } from '../protocol/topic-name.js';
import { readHistory } from '../topic/history.js';
import type { Authorisation } from './authorisation.js';
import type { Batch } from './batch.js';
import { Durables, type DurablesOptions } from './durables.js';
import type { HookCalls } from './hook-calls.js';
import type { Hooks } from './hooks.js';
import type { PatternSubscribing } from './pattern-subscribing.js';
import type { Patterns } from './patterns.js';
import { notDurable, notSent, tooManySubscriptions } from './refusals.js';
import type { Session } from './session.js';
import { readingOf } from './subscription-plan.js';
import { positionOf, readOtherwise, updateSubscription } from './updating.js';

export interface SubscribingOptions extends DurablesOptions {
  readonly maxSubscriptionsPerConnection: number;
}

/** Writer and reader: the accept thread. */
export class Subscribing {
  readonly durables: Durables;
  readonly #options: SubscribingOptions;
  readonly #topics: TopicDirectory;
  readonly #delivery: Delivery;
  readonly #authorisation: Authorisation;
  readonly #batch: Batch;
  readonly #hooks: Hooks;
  readonly #calls: HookCalls;
  readonly #patterns: Patterns;
  readonly #withPatterns: PatternSubscribing;

  constructor(
    options: SubscribingOptions,
    topics: TopicDirectory,
    delivery: Delivery,
    authorisation: Authorisation,
    batch: Batch,
    hooks: Hooks,
    calls: HookCalls,
    patterns: Patterns,
    withPatterns: PatternSubscribing,
  ) {
    this.durables = new Durables(options, topics, (consumer, entry, stream) => this.#end(consumer, entry, stream));
    this.#options = options;
    this.#topics = topics;
    this.#delivery = delivery;
    this.#authorisation = authorisation;
    this.#batch = batch;
    this.#hooks = hooks;
    this.#calls = calls;
    this.#patterns = patterns;
    this.#withPatterns = withPatterns;
  }

  /** SUBSCRIBE. */
  subscribe(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const { id } = frame;
    const topic = frame.topic as string;
    const options = frame.options as SubscribeOptions | null;
    session.clientId = options?.clientId ?? session.clientId;
    if (isPattern(topic)) return this.#subscribeToPattern(session, topic, options ?? {}, id);
    return this.#authorisation.check(session, 'subscribe', topic, id, () =>
      this.#subscribe(session, topic, options, id),
    );
  }

  /** A subscription that the connection's URL asks for; it is answered like a SUBSCRIBE, with a nil id. */
  subscribeByUrl(session: Session, topic: string, options: SubscribeOptions | null): Promise<void> | undefined {
    session.clientId = options?.clientId ?? session.clientId;
    if (isPattern(topic)) return this.#subscribeToPattern(session, topic, options ?? {}, null, true);
    return this.#authorisation.check(session, 'subscribe', topic, null, () =>
      this.#subscribe(session, topic, options, null, true),
    );
  }

  /** Nobody is asked whether it may: that is asked for each topic. */
  #subscribeToPattern(
    session: Session,
    pattern: string,
    options: SubscribeOptions,
    id: ClientFrame['id'],
    isAnswered = id !== null,
  ): undefined {
    const problem = this.#withPatterns.problemOf(session, pattern, options);
    if (problem !== null) {
      session.refuse(id, problem);
      return;
    }
    if (isAnswered) session.reply(session.consumer.encoder.ok(id, { topic: pattern }));
    this.#withPatterns.subscribe(session, pattern, options);
  }

  /** Subscribes and answers. The topic's name has been checked, the connection authorised. */
  #subscribe(
    session: Session,
    topic: string,
    options: SubscribeOptions | null,
    id: ClientFrame['id'],
    isAnswered = id !== null,
  ): void {
    const { consumer } = session;
    this.#delivery.settleEnded(consumer);
    const known = this.#topics.find(topic);
    const existing = known === undefined ? undefined : this.#topics.subscriptionOf(consumer, known);
    const { maxSubscriptionsPerConnection } = this.#options;
    const count = consumer.subscriptionCount + this.#patterns.of(consumer).length;
    // Before the topic is made: a refused subscription must not leave one behind.
    if (existing === undefined && count >= maxSubscriptionsPerConnection) {
      session.refuse(id, tooManySubscriptions(maxSubscriptionsPerConnection));
      return;
    }
    const entry = known ?? this.#topics.obtain(topic);
    if (entry instanceof RingcastError) {
      session.refuse(id, entry);
      return;
    }
    const { alias, epoch } = entry.spec;
    orRefuse(session, id, () => {
      if (existing !== undefined && !this.#isToBegin(consumer, entry, existing, options ?? {})) {
        const current = this.#topics.subscriptionOf(consumer, entry) as Stream;
        const seq = positionOf(this.#delivery, consumer, current);
        if (isAnswered) session.reply(consumer.encoder.subscribed(id, { topic, alias, epoch, seq }));
        return;
      }
      this.durables.begin(entry, consumer.spec, options ?? {}, this.#batch, (start) => {
        const { seq, recovered } = start;
        // The answer first: no event may overtake it.
        if (isAnswered) session.reply(consumer.encoder.subscribed(id, { topic, alias, epoch, seq, recovered }));
        if (existing === undefined) this.#delivery.subscribe(consumer, start.stream, start.options);
        else this.#delivery.parts.replace(consumer, existing, start.stream, start.options);
        this.#calls.tell('onSubscribe', () => this.#hooks.onSubscribe?.({ ...session.info, topic, epoch, seq }));
      });
    });
    // A refusal must not leave a topic behind.
    this.#topics.publishedUnheld(entry);
  }

  /**
   * Whether a subscription that exists begins anew: one that a pattern has brought, as the connection asks for it by itself now,
   * does so where a beginning is asked for. Else it goes on from where it stands, as it is asked for.
   */
  #isToBegin(consumer: Consumer, entry: TopicEntry, existing: Stream, options: SubscribeOptions): boolean {
    const { parts } = this.#delivery;
    if (!parts.has(consumer, existing)) return false;
    const { since, sinceTime, lastN, snapshot, durable } = options;
    const begins = [since, sinceTime, lastN, durable].some((wish) => wish !== undefined) || snapshot === true;
    if (begins) return true;
    parts.set(consumer, existing, false);
    const sides = { topics: this.#topics, delivery: this.#delivery };
    readOtherwise(sides, consumer, entry, existing, readingOf(entry, consumer.spec, options));
    return false;
  }

  /** UPDATE. */
  update(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const { consumer } = session;
    let pending: Promise<void> | undefined;
    orRefuse(session, frame.id, () => {
      if (frame.topic !== null && isPattern(frame.topic)) {
        pending = this.#withPatterns.update(session, frame);
        return;
      }
      const entry = this.#addressed(frame);
      const changes = (frame.options as ReadOptions | null) ?? {};
      const sides = { topics: this.#topics, delivery: this.#delivery };
      if (entry === undefined || !updateSubscription(sides, consumer, entry, changes)) throw noSubscription(frame);
      const { topic, alias } = entry.spec;
      if (frame.id !== null) session.reply(consumer.encoder.ok(frame.id, { topic, alias }));
    });
    return pending;
  }

  /** UNSUBSCRIBE. */
  unsubscribe(session: Session, frame: ClientFrame): Promise<void> | undefined {
    let pending: Promise<void> | undefined;
    orRefuse(session, frame.id, () => {
      if (frame.topic !== null && isPattern(frame.topic)) pending = this.#withPatterns.unsubscribe(session, frame);
      else this.#unsubscribe(session, frame);
    });
    return pending;
  }

  /**
   * One topic. A pattern of the connection's has it again when its own subscription ends; and no more when it leaves what the
   * pattern has brought, or would bring.
   */
  #unsubscribe(session: Session, frame: ClientFrame): void {
    const { consumer } = session;
    const entry = this.#addressed(frame);
    const stream = entry === undefined ? undefined : this.#topics.subscriptionOf(consumer, entry);
    if (entry === undefined) throw noSubscription(frame);
    const { alias, topic } = entry.spec;
    const answer = (): void => {
      if (frame.id !== null) session.reply(consumer.encoder.unsubscribed(frame.id, { alias, topic }));
    };
    if (stream !== undefined && !this.#delivery.parts.has(consumer, stream)) {
      answer();
      this.#end(consumer, entry, stream);
      this.#topics.publishedUnheld(entry);
      return;
    }
    const isLeft = this.#patterns.leaveOut(consumer, entry);
    if (stream !== undefined) this.#delivery.unsubscribe(consumer, stream);
    else if (!isLeft) throw noSubscription(frame);
    answer();
  }

  /** A subscription to one topic, by itself. */
  #end(consumer: Consumer, entry: TopicEntry, stream: Stream): void {
    if (!this.#patterns.takeBack(consumer, entry, stream)) this.#delivery.unsubscribe(consumer, stream);
  }

  /** ACK. */
  ack(session: Session, frame: ClientFrame): undefined {
    const { consumer } = session;
    const { id, topic, seq } = frame;
    const alias = topic === null ? frame.alias : (this.#topics.find(topic)?.spec.alias ?? NONE);
    const sentSeq = this.#delivery.ack(consumer, alias, seq);
    if (sentSeq === undefined) {
      const entry = this.#addressed(frame);
      const isThere = entry !== undefined && this.#topics.subscriptionOf(consumer, entry) !== undefined;
      session.refuse(id, isThere ? notDurable() : noSubscription(frame));
    } else if (seq > sentSeq) session.refuse(id, notSent(seq, sentSeq));
    else if (id !== null) session.reply(consumer.encoder.ok(id, { topic, alias, seq }));
  }

  /** HISTORY. */
  history(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const { id } = frame;
    const topic = frame.topic as string;
    const query = (frame.options as HistoryOptions | null) ?? {};
    const hasRange = (['fromSeq', 'toSeq', 'limit', 'reverse'] as const).some((name) => query[name] !== undefined);
    if (query.lastN !== undefined && hasRange) {
      session.refuse(id, new RingcastError('BAD_REQUEST', 'lastN goes with no other option: limit and reverse do'));
      return undefined;
    }
    return this.#authorisation.check(session, 'subscribe', topic, id, () => {
      const entry = this.#topics.find(topic);
      if (entry === undefined) {
        session.refuse(id, new RingcastError('TOPIC_NOT_FOUND', `no topic ${JSON.stringify(topic)}`));
        return;
      }
      if (id === null) return;
      const { frames, seq, isTruncated } = readHistory(entry.log, entry.spec, query, this.#batch.monotonicMs);
      const { epoch } = entry.spec;
      session.reply(session.consumer.encoder.history(id, { topic, epoch, seq, isTruncated }, frames));
    });
  }

  #addressed(frame: ClientFrame): TopicEntry | undefined {
    return frame.topic === null ? this.#topics.findAlias(frame.alias) : this.#topics.find(frame.topic);
  }
}

function noSubscription({ topic, alias }: ClientFrame): RingcastError {
  const address = topic === null ? `alias ${alias}` : JSON.stringify(topic);
  return new RingcastError('TOPIC_NOT_FOUND', `no subscription to ${address}`);
}

/** What `act` throws as a refusal is answered. */
function orRefuse(session: Session, id: ClientFrame['id'], act: () => void): void {
  try {
    act();
  } catch (refusal) {
    if (!(refusal instanceof RingcastError)) throw refusal;
    session.refuse(id, refusal);
  }
}
