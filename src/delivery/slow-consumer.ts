/** The one place that decides what happens to a subscription that fell too far behind. */

import { type GapReason, SLOW_CONSUMER_POLICIES, type SlowConsumerPolicy } from '../protocol/messages.js';
import type { Stream } from './stream.js';

/** A policy as a row of the subscription table keeps it. */
export function policyNumber(policy: SlowConsumerPolicy): number {
  return SLOW_CONSUMER_POLICIES.indexOf(policy);
}

export const POLICY_DISCONNECT = policyNumber('disconnect');

/**
 * `none`: it is not too far behind. `jump`: messages `cursor … nextCursor − 1` are left out, the subscriber is told.
 * `catch-up`: it gets the newest message of each key, and then goes on. `disconnect`: the connection ends.
 */
export type Verdict =
  | { readonly kind: 'none' }
  | { readonly kind: 'jump'; readonly nextCursor: number; readonly reason: GapReason }
  | { readonly kind: 'catch-up' }
  | { readonly kind: 'disconnect'; readonly reason: GapReason };

const NONE: Verdict = { kind: 'none' };

/**
 * Whether a subscription meets its policy: what it is to get next is gone, or it lags further than the limits allow.
 * What it asked for, messages up to `askedUntil`, is no lag: that begins with the first message that came since.
 */
function isLate(stream: Stream, cursor: number, askedUntil: number): boolean {
  const { log, floorSeq } = stream;
  if (stream.isNewestBook) return cursor < floorSeq;
  if (stream.isLatest) return cursor < log.tailSeq;
  return cursor < log.tailSeq || Math.max(cursor, askedUntil + 1) < floorSeq;
}

/**
 * Asked by the flusher before it gathers a slice, and of consumers that are not flushed by a sweep.
 * drop_oldest goes on with the oldest message that limits and log still allow; disconnect ends the connection, so that the
 * client starts afresh. Who reads only the newest of each key lags by as many messages as there are keys, at most.
 */
export function judge(stream: Stream, cursor: number, askedUntil: number, policy: number): Verdict {
  if (!isLate(stream, cursor, askedUntil)) return NONE;
  const { log, options } = stream;
  if (stream.catchesUp) return { kind: 'catch-up' };
  // Where there are no keys the newest message is the last one.
  if (stream.isLatest) return { kind: 'jump', nextCursor: log.newestCursor(), reason: 'merged' };
  const reason: GapReason =
    cursor < log.tailSeq
      ? 'lapped'
      : options.maxLagMessages > 0 && log.framesFrom(cursor) > options.maxLagMessages
        ? 'max_lag_messages'
        : 'max_lag_ms';
  // Retention has taken some of what was asked for, as it may before anybody asks. Nothing that came since is missed.
  if (Math.max(stream.floorSeq, log.tailSeq) <= askedUntil + 1)
    return { kind: 'jump', nextCursor: log.tailSeq, reason };
  if (policy === POLICY_DISCONNECT) return { kind: 'disconnect', reason };
  return { kind: 'jump', nextCursor: Math.max(stream.floorSeq, log.tailSeq), reason };
}
