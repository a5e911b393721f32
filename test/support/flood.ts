// Floods: more messages than the buffers between server and a client that does not read can hold.
import type { Engine } from '#src/index.js';

/** What a kernel may buffer between two sockets (tcp_wmem + tcp_rmem at most), and some more. */
const FLOOD_MAX_BYTES = 64 * 1024 * 1024;
export const FLOOD_PAYLOAD_BYTES = 32 * 1024;

/** A payload that says which message it is, and is as large as the flood's. */
export function floodPayload(n: number, bytes = FLOOD_PAYLOAD_BYTES): { n: number; filler: string } {
  return { n, filler: 'f'.repeat(bytes - 32) };
}

/** Publishes one message at a time until so many connections are blocked. Returns the number published. */
export async function floodUntilBlocked(engine: Engine, topic: string, connections = 1): Promise<number> {
  let n = 0;
  while (engine.stats().blockedConnections < connections) {
    if (n * FLOOD_PAYLOAD_BYTES > FLOOD_MAX_BYTES) {
      throw new Error(`${FLOOD_MAX_BYTES} bytes published, and ${engine.stats().blockedConnections} are blocked`);
    }
    await publishAndSettle(engine, topic, ++n);
  }
  return n;
}

/** Publishes `count` more, from number `from` on. */
export async function floodOn(engine: Engine, topic: string, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n++) await publishAndSettle(engine, topic, n);
}

/** So many turns of the event loop without anything to deliver mean that there is nothing. */
const IDLE_TURNS = 3;

/** Waits until everybody who reads has the message: none but those that do not read may ever be lapped. */
async function publishAndSettle(engine: Engine, topic: string, n: number): Promise<void> {
  await engine.publish(topic, floodPayload(n));
  for (let idleTurns = 0; idleTurns < IDLE_TURNS; ) {
    await new Promise((resolve) => setImmediate(resolve));
    const { readyConnections, waitingConnections } = engine.stats();
    idleTurns = readyConnections + waitingConnections === 0 ? idleTurns + 1 : 0;
  }
}
