/** Refusals: what a client is told when a limit does not allow what it asks for. */

import type { TopicEntry } from '../directory/topic-entry.js';
import { RingcastError } from '../errors.js';
import { PATTERNS_MAX } from '../limits.js';
import type { PublishedResult } from '../protocol/messages.js';
import { OUTCOME } from '../topic/selection.js';

export function tooManySubscriptions(limit: number): RingcastError {
  return new RingcastError('LIMIT_EXCEEDED', `no more than ${limit} subscriptions per connection`, { limit });
}

/** Of an ACK. */
export function notDurable(): RingcastError {
  return new RingcastError('BAD_REQUEST', 'only a subscription with the option durable takes ACKs');
}

/** @param sentSeq what was sent last */
export function notSent(seq: number, sentSeq: number): RingcastError {
  return new RingcastError('BAD_REQUEST', `the ACK names ${seq}, but what was sent last is ${sentSeq}`);
}

export function tooManyPatterns(): RingcastError {
  return new RingcastError('LIMIT_EXCEEDED', `no more than ${PATTERNS_MAX} patterns per connection`, {
    limit: PATTERNS_MAX,
  });
}

export function tooLarge(limit: number): RingcastError {
  const message = `the payload takes more bytes as MessagePack than the limit, ${limit} (maxPayloadBytes)`;
  return new RingcastError('TOO_LARGE', message);
}

export function overloaded(entry: TopicEntry): RingcastError {
  const full = entry.isHot ? 'the ring of its lane is full' : 'the logs of cold topics are full (coldLogsMaxBytes)';
  const message = `the message was not accepted: ${full}`;
  return new RingcastError('OVERLOADED', message, { topic: entry.spec.topic });
}

/** @param waitMs in how long one message may come */
export function rateLimited(entry: TopicEntry, waitMs: number): RingcastError {
  const { topic } = entry.spec;
  const message = `${topic}: more messages per second than this connection, or all publishers of the topic, may publish`;
  return new RingcastError('RATE_LIMITED', message, { topic, retryAfterMs: waitMs });
}

export function tooManyHeld(limit: number): RingcastError {
  const message = `no more than ${limit} topics per connection can be published to by alias`;
  return new RingcastError('LIMIT_EXCEEDED', message, { limit });
}

export function unrecoverable({ spec, log }: TopicEntry): RingcastError {
  const message = `what followed the position is no longer retained, which begins with ${log.tailSeq}, or its epoch is another one`;
  const { epoch } = spec;
  return new RingcastError('UNRECOVERABLE_POSITION', message, { epoch, firstSeq: log.tailSeq, seq: log.headSeq });
}

/** What the publisher of a message is told that its topic has not taken. @param seq the message that it was not taken for */
export function answerTo(outcome: number, seq: number): PublishedResult | RingcastError {
  switch (outcome) {
    case OUTCOME.duplicate:
      return { seq, duplicate: true };
    case OUTCOME.stale:
      return { seq, stale: true };
    case OUTCOME.conflict:
      return new RingcastError('CONFLICT', `the last message is ${seq}, not the one of ifSeq`, { seq });
    case OUTCOME.noKey:
      return new RingcastError(
        'BAD_REQUEST',
        'the topic is keyed, and the message has no key: PUBLISH says none, nor does the payload’s field, a string of 1 to 255 bytes or an integer',
      );
    default:
      return new RingcastError(
        'LIMIT_EXCEEDED',
        'the topic’s keys are full: as many as maxKeys says, or too large together',
      );
  }
}
