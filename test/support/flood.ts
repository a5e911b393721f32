// Floods: more messages than the buffers between server and a client that does not read can hold.
import type { Engine } from '#src/index.js';
import { until } from './until.js';

/** What a kernel may buffer between two sockets (tcp_wmem + tcp_rmem at most), and some more. */
const FLOOD_MAX_BYTES = 64 * 1024 * 1024;
export const FLOOD_PAYLOAD_BYTES = 32 * 1024;

/** A payload that says which message it is, and is as large as the flood's. */
export function floodPayload(n: number, bytes = FLOOD_PAYLOAD_BYTES): { n: number; filler: string } {
  return { n, filler: 'f'.repeat(bytes - 32) };
}

/** Publishes, each message after the ack of the one before, until so many connections are blocked. Returns the number published. */
export async function floodUntilBlocked(engine: Engine, topic: string, connections = 1, first = 1): Promise<number> {
  let n = first;
  for (; engine.stats().blockedConnections < connections; n++) {
    if ((n - first) * FLOOD_PAYLOAD_BYTES > FLOOD_MAX_BYTES) {
      throw new Error(`${FLOOD_MAX_BYTES} bytes published, and ${engine.stats().blockedConnections} are blocked`);
    }
    await engine.publish(topic, floodPayload(n));
    // A turn of delivery belongs between two messages, or a slow one would be lapped before it is blocked.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return n - first;
}

/** Publishes `count` more, and waits until every subscriber that reads has them. */
export async function floodOn(engine: Engine, topic: string, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n++) {
    await engine.publish(topic, floodPayload(n));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => engine.stats().readyConnections === 0, 'every subscriber that reads is up to date');
}
