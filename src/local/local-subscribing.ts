/** Subscribing from within the process. */

import type { Consumer } from '../delivery/consumer.js';
import type { Delivery } from '../delivery/delivery.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import { RingcastError } from '../errors.js';
import { msgpackEncoder } from '../protocol/encoder-msgpack.js';
import {
  type GapAnswer,
  OPTIONS,
  type OptionSpec,
  type ReadOptions,
  type SubscribeOptions,
} from '../protocol/messages.js';
import { optionProblem, unknownOptionProblem } from '../protocol/options.js';
import { isPattern, subscriptionProblem } from '../protocol/topic-name.js';
import type { Durables } from '../router/durables.js';
import { checkPatternOptions } from '../router/pattern-subscribing.js';
import type { PatternReader } from '../router/pattern-subscription.js';
import type { Patterns } from '../router/patterns.js';
import { notDurable, notSent } from '../router/refusals.js';
import { changed, updateSubscription } from '../router/updating.js';
import type { Loop } from '../time/loop.js';
import { CANONICAL } from '../variant/stream-spec.js';
import type { LocalSubscribeOptions, LocalSubscription } from './api.js';
import { type LocalHandlers, LocalSubscriber } from './local-subscriber.js';

export interface SubscribingParts {
  readonly topics: TopicDirectory;
  readonly delivery: Delivery;
  readonly durables: Durables;
  readonly patterns: Patterns;
  readonly loop: Pick<Loop, 'nowMs' | 'epochMs'>;
}

/** Throws RingcastError: BAD_REQUEST (name, options), UNRECOVERABLE_POSITION, TOPIC_NOT_FOUND (and not created on first use), LIMIT_EXCEEDED. */
export function subscribeLocally(
  parts: SubscribingParts,
  topic: string,
  options: LocalSubscribeOptions,
  onEvent: LocalHandlers['onEvent'],
  onFault: (fault: unknown) => void,
): LocalSubscription {
  const problem = subscriptionProblem(topic);
  if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
  const wishes = readWishes(options, onEvent);
  if (isPattern(topic)) return subscribeToPattern(parts, topic, wishes, { ...options, onEvent }, onFault);
  const { topics, delivery, durables, loop } = parts;
  const entry = topics.obtain(topic);
  if (entry instanceof RingcastError) throw entry;
  const { onGap, onSnapshot, onStale, onEnd } = options;
  const nowMs = loop.nowMs();
  const now = { monotonicMs: nowMs, timeMs: loop.epochMs(nowMs) };
  let consumer: Consumer;
  const ended: LocalHandlers['onEnd'] = (code, reason) => {
    // As the end of a socket does: a consumer that stays would be flushed again and again.
    delivery.removeConsumer(consumer);
    return onEnd?.(code, reason);
  };
  const handlers = { onEvent, onGap, onSnapshot, onStale, onEnd: ended };
  const subscriber = new LocalSubscriber(topic, handlers, onFault, wishes.delta === true);
  const close = (): void => {
    subscriber.close();
    delivery.removeConsumer(consumer);
  };
  const update = (changes: ReadOptions): void => {
    const given = readOptions('update', changes, OPTIONS.UPDATE);
    if (!updateSubscription({ topics, delivery }, consumer, entry, given))
      throw new RingcastError('TOPIC_NOT_FOUND', `no subscription to ${JSON.stringify(topic)} any more`);
  };
  const ack = (acked: number): boolean => {
    if (wishes.durable === undefined) throw notDurable();
    const wrong = optionProblem('seq', OPTIONS.PUBLISH.ifSeq, acked);
    if (wrong !== null) throw new RingcastError('BAD_REQUEST', wrong);
    const sentSeq = delivery.ack(consumer, entry.spec.alias, acked);
    if (sentSeq === undefined) return false;
    if (acked > sentSeq) throw notSent(acked, sentSeq);
    return true;
  };
  const { epoch } = entry.spec;
  const { counts } = subscriber;
  return durables.begin(entry, CANONICAL, wishes, now, ({ stream, options: its, seq, recovered }) => {
    consumer = delivery.addConsumer(subscriber, msgpackEncoder);
    delivery.subscribe(consumer, stream, its);
    return { topic, epoch, seq, ...(recovered === undefined ? {} : { recovered }), counts, update, ack, close };
  });
}

/** All topics that match. This process asks itself for no permission, and has as many as it wants. */
function subscribeToPattern(
  { delivery, patterns }: SubscribingParts,
  pattern: string,
  wishes: SubscribeOptions,
  {
    onEvent,
    onGap,
    onSnapshot,
    onStale,
    onTopic,
    onTopicEnd,
    onEnd,
  }: Omit<LocalSubscribeOptions, 'onEnd'> & LocalHandlers,
  onFault: (fault: unknown) => void,
): LocalSubscription {
  checkPatternOptions(wishes, CANONICAL);
  const end = (): void => {
    patterns.forget(consumer);
    delivery.removeConsumer(consumer);
  };
  const ended: LocalHandlers['onEnd'] = (code, reason) => {
    end();
    return onEnd?.(code, reason);
  };
  const handlers = { onEvent, onGap, onSnapshot, onStale, onTopic, onTopicEnd, onEnd: ended };
  const subscriber = new LocalSubscriber(pattern, handlers, onFault, wishes.delta === true);
  const consumer = delivery.addConsumer(subscriber, msgpackEncoder);
  const reader: PatternReader = {
    consumer,
    subscriptionsMax: Number.POSITIVE_INFINITY,
    mayRead: () => true,
    begun: (_, { spec: { alias, topic, epoch } }, seq, recovered) => {
      const part = { alias, topic, epoch, seq, ...(recovered === undefined ? {} : { recovered }) };
      subscriber.reply(msgpackEncoder.notice('topic', part));
    },
    missed: (_, topic, { code, message }) =>
      subscriber.reply(msgpackEncoder.notice('missed', { topic, code, message })),
  };
  const subscription = patterns.join(reader, pattern, wishes);
  const close = (): void => {
    subscriber.close();
    end();
  };
  const update = (changes: ReadOptions): void => {
    const given = readOptions('update', changes, OPTIONS.UPDATE);
    if (consumer.isClosed) {
      throw new RingcastError('TOPIC_NOT_FOUND', `no subscription to ${JSON.stringify(pattern)} any more`);
    }
    checkPatternOptions(changed(subscription.group.options, given), CANONICAL);
    patterns.update(subscription, given, () => {});
  };
  const ack = (): boolean => {
    throw notDurable();
  };
  const { counts } = subscriber;
  return { topic: pattern, epoch: '', seq: 0, counts, update, ack, close };
}

const HANDLERS = ['onGap', 'onSnapshot', 'onStale', 'onTopic', 'onTopicEnd', 'onEnd'];

/** The wishes. Throws RingcastError BAD_REQUEST for what is none. */
function readWishes(options: LocalSubscribeOptions, onEvent: LocalHandlers['onEvent']): SubscribeOptions {
  const { clientId: _, onGap: ifGone, ...specs } = OPTIONS.SUBSCRIBE;
  // The handler of gaps has the option's name here.
  const read = readOptions('subscribe', options, { ...specs, ifGone }, HANDLERS);
  const { onGap, onSnapshot, onStale, onTopic, onTopicEnd, onEnd } = options;
  for (const [name, handler] of Object.entries({ onGap, onSnapshot, onStale, onTopic, onTopicEnd, onEnd, onEvent })) {
    if (typeof handler === 'function' || (handler === undefined && name !== 'onEvent')) continue;
    throw new RingcastError('BAD_REQUEST', `${name} must be a function`);
  }
  const { ifGone: onGone, ...wishes } = read;
  return onGone === undefined ? wishes : { ...wishes, onGap: onGone as GapAnswer };
}

/** Options, each read once: they may be getters. Throws RingcastError BAD_REQUEST for what is none. */
function readOptions(
  op: string,
  options: object,
  specs: Readonly<Record<string, OptionSpec>>,
  others: readonly string[] = [],
): Record<string, unknown> {
  if (typeof options !== 'object' || options === null) {
    throw new RingcastError('BAD_REQUEST', `the options of ${op} must be an object`);
  }
  const known = [...Object.keys(specs), ...others];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new RingcastError('BAD_REQUEST', unknownOptionProblem(unknown, op, known));
  const read: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const value = (options as Record<string, unknown>)[name];
    if (value === undefined) continue;
    const problem = optionProblem(name, spec, value);
    if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
    read[name] = value;
  }
  return read;
}
