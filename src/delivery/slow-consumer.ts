/** The one place that decides what happens to a subscription that fell too far behind. */

import type { GapReason } from '../protocol/messages.js';
import type { Stream } from './stream.js';
import { POLICY_CONFLATE, POLICY_DISCONNECT } from './subscription-table.js';

/** `jump`: messages `cursor … nextCursor − 1` are lost, the subscriber is told. `disconnect`: the connection ends. */
export type Verdict =
  | { readonly kind: 'jump'; readonly nextCursor: number; readonly reason: GapReason }
  | { readonly kind: 'disconnect'; readonly reason: GapReason };

/**
 * Called when `cursor` is below the stream's floor or the log's tail.
 * drop_oldest goes on with the oldest message that limits and log still allow; conflate with the newest one; disconnect
 * ends the connection, so that the client starts afresh.
 */
export function judge(stream: Stream, cursor: number, policy: number): Verdict {
  const { log, options } = stream;
  const oldest = Math.max(stream.floorSeq, log.tailSeq);
  const reason: GapReason =
    cursor < log.tailSeq
      ? 'lapped'
      : log.headSeq - cursor >= options.maxLagMessages && options.maxLagMessages > 0
        ? 'max_lag_messages'
        : 'max_lag_ms';
  if (policy === POLICY_DISCONNECT) return { kind: 'disconnect', reason };
  if (policy === POLICY_CONFLATE) {
    // The newest one however old it is: it is the latest there is.
    return { kind: 'jump', nextCursor: Math.max(log.tailSeq, log.headSeq), reason: 'conflated' };
  }
  return { kind: 'jump', nextCursor: oldest, reason };
}
