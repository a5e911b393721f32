/** Subscribing: what SUBSCRIBE, UNSUBSCRIBE and HISTORY do. */

import type { Delivery } from '../delivery/delivery.js';
import { policyNumber } from '../delivery/slow-consumer.js';
import { DELAY_OF_STREAM, NONE } from '../delivery/subscription-table.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import type { Recovery, TopicEntry } from '../directory/topic-entry.js';
import { RingcastError } from '../errors.js';
import type { ClientFrame, HistoryOptions, SubscribeOptions } from '../protocol/messages.js';
import { readHistory } from '../topic/history.js';
import type { Authorisation } from './authorisation.js';
import type { Batch } from './batch.js';
import type { HookCalls } from './hook-calls.js';
import type { Hooks } from './hooks.js';
import { tooManySubscriptions, unrecoverable } from './refusals.js';
import type { Session } from './session.js';

/** Where a subscription begins. */
interface Begin {
  readonly cursor: number;
  readonly recovered?: boolean;
}

export interface SubscribingOptions {
  readonly maxSubscriptionsPerConnection: number;
}

/** Writer and reader: the accept thread. */
export class Subscribing {
  readonly #options: SubscribingOptions;
  readonly #topics: TopicDirectory;
  readonly #delivery: Delivery;
  readonly #authorisation: Authorisation;
  readonly #batch: Batch;
  readonly #hooks: Hooks;
  readonly #calls: HookCalls;

  constructor(
    options: SubscribingOptions,
    topics: TopicDirectory,
    delivery: Delivery,
    authorisation: Authorisation,
    batch: Batch,
    hooks: Hooks,
    calls: HookCalls,
  ) {
    this.#options = options;
    this.#topics = topics;
    this.#delivery = delivery;
    this.#authorisation = authorisation;
    this.#batch = batch;
    this.#hooks = hooks;
    this.#calls = calls;
  }

  /** SUBSCRIBE. */
  subscribe(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const { id } = frame;
    const topic = frame.topic as string;
    const options = frame.options as SubscribeOptions | null;
    session.clientId = options?.clientId ?? session.clientId;
    return this.#authorisation.check(session, 'subscribe', topic, id, () =>
      this.#subscribe(session, topic, options, id),
    );
  }

  /** A subscription that the connection's URL asks for; it is answered like a SUBSCRIBE, with a nil id. */
  subscribeByUrl(session: Session, topic: string, options: SubscribeOptions | null): Promise<void> | undefined {
    session.clientId = options?.clientId ?? session.clientId;
    return this.#authorisation.check(session, 'subscribe', topic, null, () =>
      this.#subscribe(session, topic, options, null, true),
    );
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
    const existing = known?.streamOf(consumer.spec.key);
    const current = existing === undefined ? NONE : this.#delivery.cursorOf(consumer, existing);
    const isSubscribed = current !== NONE;
    const { maxSubscriptionsPerConnection } = this.#options;
    // Before the topic is made: a refused subscription must not leave one behind.
    if (!isSubscribed && consumer.subscriptionCount >= maxSubscriptionsPerConnection) {
      session.refuse(id, tooManySubscriptions(maxSubscriptionsPerConnection));
      return;
    }
    const entry = known ?? this.#topics.obtain(topic);
    if (entry instanceof RingcastError) {
      session.refuse(id, entry);
      return;
    }
    const { alias, epoch } = entry.spec;
    const begin = isSubscribed ? { cursor: current } : this.#beginOf(entry, options);
    if (begin instanceof RingcastError) {
      session.refuse(id, begin);
      this.#topics.publishedUnheld(entry);
      return;
    }
    const { cursor, recovered } = begin;
    // The answer first: no event may overtake it.
    if (isAnswered) session.reply(consumer.encoder.subscribed(id, { topic, alias, epoch, seq: cursor - 1, recovered }));
    if (isSubscribed) return;
    this.#delivery.subscribe(
      consumer,
      this.#topics.streamOf(entry, consumer.spec, Math.max(cursor, entry.log.tailSeq)),
      {
        cursor,
        policy: policyNumber(options?.policy ?? entry.settings.slowConsumerPolicy),
        delayMs: options?.maxDelayMs ?? DELAY_OF_STREAM,
        askedUntil: entry.log.headSeq,
      },
    );
    this.#calls.tell('onSubscribe', () =>
      this.#hooks.onSubscribe?.({ ...session.info, topic, epoch, seq: cursor - 1 }),
    );
  }

  /** Where a new subscription begins; or why it cannot. */
  #beginOf(entry: TopicEntry, options: SubscribeOptions | null): Begin | RingcastError {
    const recovery = this.#recovery(entry, options);
    if (recovery === null) return { cursor: entry.cursorFor(options?.lastN ?? 0) };
    if (recovery instanceof RingcastError) return recovery;
    const { cursor, isRecovered } = recovery;
    if (!isRecovered && options?.onGap === 'error') return unrecoverable(entry);
    return { cursor, recovered: isRecovered };
  }

  /** Null: no position is asked for. */
  #recovery(entry: TopicEntry, options: SubscribeOptions | null): Recovery | RingcastError | null {
    const { since, sinceTime, lastN } = options ?? {};
    if (since === undefined && sinceTime === undefined) return null;
    if ((since !== undefined && sinceTime !== undefined) || lastN !== undefined)
      return new RingcastError('BAD_REQUEST', 'of lastN, since and sinceTime only one can be asked for');
    if (since !== undefined) return entry.recoveryFrom(since);
    return entry.recoveryFromTime(this.#batch.monotonicMs - (this.#batch.timeMs - (sinceTime as number)));
  }

  /** UNSUBSCRIBE. */
  unsubscribe(session: Session, frame: ClientFrame): undefined {
    const { consumer } = session;
    const entry = this.#addressed(frame);
    const stream = entry?.streamOf(consumer.spec.key);
    if (entry === undefined || stream === undefined || !this.#delivery.unsubscribe(consumer, stream)) {
      session.refuse(frame.id, new RingcastError('TOPIC_NOT_FOUND', `no subscription to ${addressText(frame)}`));
      return;
    }
    const { alias, topic } = entry.spec;
    if (frame.id !== null) session.reply(consumer.encoder.unsubscribed(frame.id, { alias, topic }));
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
      const { frames, seq, isTruncated } = readHistory(entry.log, entry.spec, query);
      const { epoch } = entry.spec;
      session.reply(session.consumer.encoder.history(id, { topic, epoch, seq, isTruncated }, frames));
    });
  }

  #addressed(frame: ClientFrame): TopicEntry | undefined {
    return frame.topic === null ? this.#topics.findAlias(frame.alias) : this.#topics.find(frame.topic);
  }
}

function addressText(frame: ClientFrame): string {
  return frame.topic === null ? `alias ${frame.alias}` : JSON.stringify(frame.topic);
}
