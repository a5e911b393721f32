/** Farewell: what a stop waits for, so that nobody loses what was sent to it. */

import type { Connection } from './connection.js';

/**
 * How long a stop reads on, and ignores, what clients still send after their connection was ended. Closing a socket whose
 * receive queue is not empty resets it, and with a reset the client loses what it has not read yet: its last answers,
 * the NOTICE, the close frame. (nginx calls this a lingering close.)
 */
export const LINGER_MS = 200;
/** A client that has sent nothing for so long is not about to, not even a pong; without others a stop does not linger. */
const SILENT_MS = 1000;

/** How long to linger at most, by who is there (ms). */
export function lingerMs(connections: readonly Connection[], nowMs: number, deadlineMs: number): number {
  const isSending = ({ lastReceivedMs, lastPingMs }: Connection): boolean =>
    ((nowMs - lastReceivedMs) | 0) < SILENT_MS || ((nowMs - lastPingMs) | 0) < SILENT_MS;
  return connections.some(isSending) ? Math.min(LINGER_MS, deadlineMs - nowMs) : 0;
}

/** Whether something is still to be sent, or a pong still to come that is worth waiting for. */
export function isUnfinished(connections: readonly Connection[], nowMs: number, deadlineMs: number): boolean {
  if (nowMs >= deadlineMs) return false;
  return (
    connections.some(hasUnsent) || (nowMs < deadlineMs - LINGER_MS && connections.some((each) => owesPong(each, nowMs)))
  );
}

function hasUnsent({ bufferedBytes, session }: Connection): boolean {
  if (bufferedBytes > 0 || session === null) return bufferedBytes > 0;
  const { consumer } = session;
  return consumer.isPending || consumer.block?.isPending === true;
}

/** A pong that comes to a closed socket resets it, like anything else that nobody reads. */
function owesPong({ lastPingMs, lastReceivedMs }: Connection, nowMs: number): boolean {
  return ((lastPingMs - lastReceivedMs) | 0) > 0 && ((nowMs - lastPingMs) | 0) < SILENT_MS;
}
