/** Subscribing from within the process. */

import type { Delivery } from '../delivery/delivery.js';
import { policyNumber } from '../delivery/slow-consumer.js';
import { DELAY_OF_STREAM } from '../delivery/subscription-table.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import { RingcastError } from '../errors.js';
import { msgpackEncoder } from '../protocol/encoder-msgpack.js';
import { OPTIONS } from '../protocol/messages.js';
import { optionProblem } from '../protocol/options.js';
import { addressProblem } from '../protocol/topic-name.js';
import type { LocalSubscribeOptions, LocalSubscription } from './api.js';
import { type LocalHandlers, LocalSubscriber } from './local-subscriber.js';

/** Throws RingcastError: BAD_REQUEST (name, options), TOPIC_NOT_FOUND (and not created on first use), LIMIT_EXCEEDED. */
export function subscribeLocally(
  { topics, delivery }: { readonly topics: TopicDirectory; readonly delivery: Delivery },
  topic: string,
  options: LocalSubscribeOptions,
  onEvent: LocalHandlers['onEvent'],
  onFault: (fault: unknown) => void,
): LocalSubscription {
  const problem = addressProblem(topic);
  if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
  assertOptions(options, onEvent);
  const entry = topics.obtain(topic);
  if (entry instanceof RingcastError) throw entry;
  const { lastN = 0, policy, maxDelayMs = DELAY_OF_STREAM, onGap, onEnd } = options;
  const cursor = entry.cursorFor(lastN);
  const ended: LocalHandlers['onEnd'] = (code, reason) => {
    // As the end of a socket does: a consumer that stays would be flushed again and again.
    delivery.removeConsumer(consumer);
    return onEnd?.(code, reason);
  };
  const subscriber = new LocalSubscriber(topic, { onEvent, onGap, onEnd: ended }, onFault);
  const consumer = delivery.addConsumer(subscriber, msgpackEncoder);
  delivery.subscribe(consumer, topics.streamOf(entry, consumer.spec), {
    cursor,
    policy: policyNumber(policy ?? entry.settings.slowConsumerPolicy),
    delayMs: maxDelayMs,
  });
  const close = (): void => {
    subscriber.close();
    delivery.removeConsumer(consumer);
  };
  return { topic, epoch: entry.spec.epoch, seq: cursor - 1, close };
}

function assertOptions(options: LocalSubscribeOptions, onEvent: LocalHandlers['onEvent']): void {
  if (typeof options !== 'object' || options === null) {
    throw new RingcastError('BAD_REQUEST', 'the options of subscribe must be an object');
  }
  for (const [name, handler] of Object.entries({ onGap: options.onGap, onEnd: options.onEnd, onEvent })) {
    if (typeof handler === 'function' || (handler === undefined && name !== 'onEvent')) continue;
    throw new RingcastError('BAD_REQUEST', `${name} must be a function`);
  }
  for (const name of ['lastN', 'policy', 'maxDelayMs'] as const) {
    const problem = options[name] === undefined ? null : optionProblem(name, OPTIONS.SUBSCRIBE[name], options[name]);
    if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
  }
}
