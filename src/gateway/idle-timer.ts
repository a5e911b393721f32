/**
 * Who finds out that a peer is gone: uWebSockets.js, or the heartbeat where its timer does not reach.
 *
 * Life is any byte in either direction. Only uWebSockets.js sees all of them, those of half a message too: it starts its
 * timer anew with every read, and with every write that empties a part of what waits. The heartbeat sees whole messages.
 */

/** uWebSockets.js looks at its timers every so often. */
const STEP_S = 4;
/** The range of its timers. */
const MIN_S = 8;
const MAX_S = 960;

/** For `idleTimeout` of uWebSockets.js: never earlier than `idleTimeoutMs`. 0: no timer, the heartbeat has to judge. */
export function socketIdleTimeoutS(idleTimeoutMs: number): number {
  const idleTimeoutS = Math.ceil(idleTimeoutMs / 1000) + STEP_S;
  return idleTimeoutS > MAX_S ? 0 : Math.max(MIN_S, idleTimeoutS);
}

/** A peer that reads at this rate all the time keeps its connection, whatever waits for it. */
const SLOWEST_LINK_BYTES_PER_S = 10_000;
/** About one message of delivery's largest size. */
const PING_EVERY_MIN_BYTES = 16 * 1024;

/**
 * After how many bytes to send a ping behind them. Megabytes can lie in the kernel, on the way to a peer that reads all the
 * time: nothing tells how far it is but its pongs. A slow link answers twice within the time-out.
 */
export function pingEveryBytes(idleTimeoutMs: number): number {
  return Math.max(PING_EVERY_MIN_BYTES, Math.floor(((idleTimeoutMs / 1000) * SLOWEST_LINK_BYTES_PER_S) / 2));
}
