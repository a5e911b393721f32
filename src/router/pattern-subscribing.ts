/** Pattern subscribing: what SUBSCRIBE, UPDATE and UNSUBSCRIBE do with a pattern of topics. */

import { BOOK_PRESETS } from '../book/book-fields.js';
import { RingcastError } from '../errors.js';
import { PATTERNS_MAX } from '../limits.js';
import type { ClientFrame, ReadOptions, SubscribeOptions } from '../protocol/messages.js';
import type { StreamSpec } from '../variant/stream-spec.js';
import type { Authorisation } from './authorisation.js';
import { asksForBook } from './book-wishes.js';
import type { HookCalls } from './hook-calls.js';
import type { Hooks } from './hooks.js';
import type { PatternReader } from './pattern-subscription.js';
import type { Patterns } from './patterns.js';
import { tooManyPatterns, tooManySubscriptions } from './refusals.js';
import type { Session } from './session.js';
import { checkPositions, type Readable, readingOf } from './subscription-plan.js';
import { changed } from './updating.js';

/** Any topic, as far as no rule says otherwise. */
const ANY_TOPIC: Readable = { settings: { slowConsumerPolicy: 'drop_oldest' }, spec: {} };
const ANY_BOOK: Readable = {
  ...ANY_TOPIC,
  spec: { book: { fields: BOOK_PRESETS.ringcast, maxLevels: 1, verifies: false } },
};

/** Throws RingcastError BAD_REQUEST for what cannot be asked for with a pattern, whatever the topics. */
export function checkPatternOptions(options: SubscribeOptions, plain: StreamSpec): void {
  if (options.since !== undefined) {
    const message = 'since is a position in one topic: with a pattern sinceTime says where all of them begin';
    throw new RingcastError('BAD_REQUEST', message);
  }
  if (options.durable !== undefined || options.maxUnacked !== undefined)
    throw new RingcastError('BAD_REQUEST', 'durable names a position in one topic: it does not go with a pattern');
  checkPositions(options);
  readingOf(asksForBook(options) ? ANY_BOOK : ANY_TOPIC, plain, options);
}

/** Writer and reader: the accept thread. */
export class PatternSubscribing {
  readonly #patterns: Patterns;
  readonly #subscriptionsMax: number;
  readonly #authorisation: Authorisation;
  readonly #hooks: Hooks;
  readonly #calls: HookCalls;

  /** @param subscriptionsMax of a connection, patterns included */
  constructor(
    patterns: Patterns,
    subscriptionsMax: number,
    authorisation: Authorisation,
    hooks: Hooks,
    calls: HookCalls,
  ) {
    this.#patterns = patterns;
    this.#subscriptionsMax = subscriptionsMax;
    this.#authorisation = authorisation;
    this.#hooks = hooks;
    this.#calls = calls;
  }

  /** Returns the refusal, if it is one. Asked before anything begins, so that the answer comes first. */
  problemOf({ consumer }: Session, pattern: string, options: SubscribeOptions): RingcastError | null {
    const others = this.#patterns.of(consumer).length;
    if (this.#patterns.find(consumer, pattern) !== undefined) return null;
    if (others >= PATTERNS_MAX) return tooManyPatterns();
    if (others + consumer.subscriptionCount >= this.#subscriptionsMax)
      return tooManySubscriptions(this.#subscriptionsMax);
    try {
      checkPatternOptions(options, consumer.spec);
      return null;
    } catch (refusal) {
      if (refusal instanceof RingcastError) return refusal;
      throw refusal;
    }
  }

  /** SUBSCRIBE. Nothing changes where there is such a subscription. */
  subscribe(session: Session, pattern: string, options: SubscribeOptions): void {
    if (this.#patterns.find(session.consumer, pattern) !== undefined) return;
    this.#patterns.join(this.#readerOf(session), pattern, options);
  }

  #readerOf(session: Session): PatternReader {
    const { consumer } = session;
    return {
      consumer,
      subscriptionsMax: this.#subscriptionsMax,
      mayRead: (topic) => this.#authorisation.allows(session, 'subscribe', topic),
      begun: (pattern, { spec }, seq, recovered) => {
        const { alias, topic, epoch } = spec;
        const part = { topic, epoch, seq, pattern, ...(recovered === undefined ? {} : { recovered }) };
        // JSON has no aliases.
        session.reply(consumer.encoder.notice('topic', consumer.encoder.isText ? part : { alias, ...part }));
        this.#calls.tell('onSubscribe', () => this.#hooks.onSubscribe?.({ ...session.info, topic, epoch, seq }));
      },
      missed: (pattern, topic, { code, message }) =>
        session.reply(consumer.encoder.notice('missed', { pattern, topic, code, message })),
    };
  }

  /** UPDATE. */
  update(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const { consumer } = session;
    const { id } = frame;
    const pattern = frame.topic as string;
    const changes = (frame.options as ReadOptions | null) ?? {};
    const subscription = this.#patterns.find(consumer, pattern);
    if (subscription === undefined) throw noPattern(pattern);
    checkPatternOptions(changed(subscription.group.options, changes), consumer.spec);
    return answered(
      (done) => this.#patterns.update(subscription, changes, done),
      () => {
        if (id !== null) session.reply(consumer.encoder.ok(id, { topic: pattern }));
      },
    );
  }

  /** UNSUBSCRIBE. */
  unsubscribe(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const { consumer } = session;
    const { id } = frame;
    const pattern = frame.topic as string;
    const subscription = this.#patterns.find(consumer, pattern);
    if (subscription === undefined) throw noPattern(pattern);
    return answered(
      (done) => this.#patterns.end(subscription, done),
      () => {
        if (id !== null) session.reply(consumer.encoder.ok(id, { topic: pattern }));
      },
    );
  }
}

function noPattern(pattern: string): RingcastError {
  return new RingcastError('TOPIC_NOT_FOUND', `no subscription to ${JSON.stringify(pattern)}`);
}

/** Answers when the work is done: at once, or the promise says when. */
function answered(work: (done: () => void) => void, answer: () => void): Promise<void> | undefined {
  let isDone = false;
  let resolve: (() => void) | null = null;
  work(() => {
    answer();
    isDone = true;
    resolve?.();
  });
  return isDone
    ? undefined
    : new Promise((settle) => {
        resolve = settle;
      });
}
