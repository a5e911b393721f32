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
import { addressProblem } from '../protocol/topic-name.js';
import { Values } from '../protocol/values.js';
import type { Durables } from '../router/durables.js';
import { notDurable, notSent } from '../router/refusals.js';
import { updateSubscription } from '../router/updating.js';
import type { Loop } from '../time/loop.js';
import { CANONICAL } from '../variant/stream-spec.js';
import type { LocalSubscribeOptions, LocalSubscription } from './api.js';
import { type LocalHandlers, LocalSubscriber } from './local-subscriber.js';

export interface SubscribingParts {
  readonly topics: TopicDirectory;
  readonly delivery: Delivery;
  readonly durables: Durables;
  readonly loop: Pick<Loop, 'nowMs' | 'epochMs'>;
}

/** Throws RingcastError: BAD_REQUEST (name, options), UNRECOVERABLE_POSITION, TOPIC_NOT_FOUND (and not created on first use), LIMIT_EXCEEDED. */
export function subscribeLocally(
  { topics, delivery, durables, loop }: SubscribingParts,
  topic: string,
  options: LocalSubscribeOptions,
  onEvent: LocalHandlers['onEvent'],
  onFault: (fault: unknown) => void,
): LocalSubscription {
  const problem = addressProblem(topic);
  if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
  const wishes = readWishes(options, onEvent);
  const entry = topics.obtain(topic);
  if (entry instanceof RingcastError) throw entry;
  const { onGap, onSnapshot, onEnd } = options;
  const nowMs = loop.nowMs();
  const now = { monotonicMs: nowMs, timeMs: loop.epochMs(nowMs) };
  let consumer: Consumer;
  const ended: LocalHandlers['onEnd'] = (code, reason) => {
    // As the end of a socket does: a consumer that stays would be flushed again and again.
    delivery.removeConsumer(consumer);
    return onEnd?.(code, reason);
  };
  const handlers = { onEvent, onGap, onSnapshot, onEnd: ended };
  const values = wishes.delta === true ? new Values() : null;
  const subscriber = new LocalSubscriber(topic, handlers, onFault, values);
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
  return durables.begin(entry, CANONICAL, wishes, now, ({ stream, options: its, seq, recovered }) => {
    consumer = delivery.addConsumer(subscriber, msgpackEncoder);
    delivery.subscribe(consumer, stream, its);
    return { topic, epoch, seq, ...(recovered === undefined ? {} : { recovered }), update, ack, close };
  });
}

const HANDLERS = ['onGap', 'onSnapshot', 'onEnd'];

/** The wishes. Throws RingcastError BAD_REQUEST for what is none. */
function readWishes(options: LocalSubscribeOptions, onEvent: LocalHandlers['onEvent']): SubscribeOptions {
  const { clientId: _, onGap: ifGone, ...specs } = OPTIONS.SUBSCRIBE;
  // The handler of gaps has the option's name here.
  const read = readOptions('subscribe', options, { ...specs, ifGone }, HANDLERS);
  const { onGap, onSnapshot, onEnd } = options;
  for (const [name, handler] of Object.entries({ onGap, onSnapshot, onEnd, onEvent })) {
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
