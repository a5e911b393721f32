/** Subscribing from within the process. */

import type { Delivery } from '../delivery/delivery.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import { RingcastError } from '../errors.js';
import { msgpackEncoder } from '../protocol/encoder-msgpack.js';
import { OPTIONS, type SubscribeOptions } from '../protocol/messages.js';
import { optionProblem } from '../protocol/options.js';
import { addressProblem } from '../protocol/topic-name.js';
import { beginOf, planOf } from '../router/subscription-plan.js';
import type { Loop } from '../time/loop.js';
import { CANONICAL } from '../variant/stream-spec.js';
import type { LocalSubscribeOptions, LocalSubscription } from './api.js';
import { type LocalHandlers, LocalSubscriber } from './local-subscriber.js';

export interface SubscribingParts {
  readonly topics: TopicDirectory;
  readonly delivery: Delivery;
  readonly loop: Pick<Loop, 'nowMs' | 'epochMs'>;
}

/** Throws RingcastError: BAD_REQUEST (name, options), UNRECOVERABLE_POSITION, TOPIC_NOT_FOUND (and not created on first use), LIMIT_EXCEEDED. */
export function subscribeLocally(
  { topics, delivery, loop }: SubscribingParts,
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
  const start = beginOf(topics, entry, planOf(entry, CANONICAL, wishes, now));
  const ended: LocalHandlers['onEnd'] = (code, reason) => {
    // As the end of a socket does: a consumer that stays would be flushed again and again.
    delivery.removeConsumer(consumer);
    return onEnd?.(code, reason);
  };
  const subscriber = new LocalSubscriber(topic, { onEvent, onGap, onSnapshot, onEnd: ended }, onFault);
  const consumer = delivery.addConsumer(subscriber, msgpackEncoder);
  delivery.subscribe(consumer, start.stream, start.options);
  const close = (): void => {
    subscriber.close();
    delivery.removeConsumer(consumer);
  };
  const { seq, recovered } = start;
  return { topic, epoch: entry.spec.epoch, seq, ...(recovered === undefined ? {} : { recovered }), close };
}

/** The wishes, each read once: they may be getters. Throws RingcastError BAD_REQUEST for what is none. */
function readWishes(options: LocalSubscribeOptions, onEvent: LocalHandlers['onEvent']): SubscribeOptions {
  if (typeof options !== 'object' || options === null) {
    throw new RingcastError('BAD_REQUEST', 'the options of subscribe must be an object');
  }
  const { onGap, onSnapshot, onEnd } = options;
  for (const [name, handler] of Object.entries({ onGap, onSnapshot, onEnd, onEvent })) {
    if (typeof handler === 'function' || (handler === undefined && name !== 'onEvent')) continue;
    throw new RingcastError('BAD_REQUEST', `${name} must be a function`);
  }
  const wishes: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(OPTIONS.SUBSCRIBE)) {
    // The handler of gaps has that name here.
    const own = name === 'onGap' ? 'ifGone' : name;
    const value = (options as Record<string, unknown>)[own];
    if (value === undefined || name === 'clientId') continue;
    const problem = optionProblem(own, spec, value);
    if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
    wishes[name] = value;
  }
  return wishes;
}
