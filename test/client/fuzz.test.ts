// Whatever a server sends, the client goes on, or leaves with 4007 and a reason: nothing is thrown, nothing waits for ever.
import { describe, expect, it } from 'vitest';
import { OP } from '#src/protocol/messages.js';
import { encode } from '#src/protocol/msgpack.js';
import { announcedSeed, seededRandom } from '../support/seeded.js';
import { answerSubscribe, connected } from './connected.js';
import { eventFrame, type FakeSocket, server, settle, WELCOME } from './fake-socket.js';

const ROUNDS = 600;
const MESSAGES_PER_ROUND = 4;

/** The random choices of one test. */
function choices(name: string) {
  const random = seededRandom(announcedSeed(name));
  const below = (limit: number): number => Math.floor(random() * limit);
  const one = <T>(values: readonly T[]): T => values[below(values.length)] as T;
  return { below, one };
}

type Choices = ReturnType<typeof choices>;

const ODD_VALUES: readonly unknown[] = [
  ...[null, true, 0, 1, -1, 7, 2 ** 53, 2n ** 63n, 1.5, Number.NaN, Number.POSITIVE_INFINITY],
  ...['', 't', 'INTERNAL', 'constructor', '__proto__', '\u0000', [], [1], {}, { alias: 7 }, { messages: [[1]] }],
  ...[{ type: 'event', alias: 7 }, { limits: null }, new Uint8Array(3), new Date(0)],
];

/** A frame with an operation of the server and fields that may be anything. */
function oddFrame({ below, one }: Choices): Uint8Array {
  const op = one([...Object.values(OP), 99, -1, 'x']);
  return encode([op, ...Array.from({ length: below(6) }, () => one(ODD_VALUES))]);
}

/** Frames as a server sends them. */
function goodFrame({ below, one }: Choices, id: number): Uint8Array {
  const stream = { topic: 't', alias: one([7, 8]) };
  const seq = below(100);
  const entry = eventFrame({ alias: 7, seq, payload: one(ODD_VALUES) });
  return one([
    () => eventFrame({ alias: one([7, 8]), seq, payload: one(ODD_VALUES), id: one([null, 'id']) }),
    () => server.subscribed(id, { ...stream, epoch: 'e', seq }),
    () => server.published(id, 't', { seq }, 'e', 5, 50),
    () => server.history(id, { topic: 't', epoch: 'e', seq }, [{ bytes: entry, start: 0, end: entry.length }]),
    () => server.pong(id, 5),
    () => server.error(one([id, null]), 'OVERLOADED', 'full', { topic: 't' }),
    () => server.gap(stream, seq, seq + 1, 'lapped'),
    () => server.revoked(stream, 'FORBIDDEN', 'no more'),
    () => server.notice('drain', one(ODD_VALUES)),
    () => server.welcome(WELCOME),
  ])();
}

/** Some bytes of it changed, left out, or said twice. */
function mutated({ below }: Choices, frame: Uint8Array): Uint8Array {
  const bytes = [...frame];
  for (let count = below(4); count > 0 && bytes.length > 0; count--) {
    const at = below(bytes.length);
    const kind = below(4);
    if (kind === 0) bytes.splice(at, 1 + below(3));
    else if (kind === 1) bytes.splice(at, 0, ...bytes.slice(at, at + below(8)));
    else bytes[at] = kind === 2 ? below(256) : bytes[at] ^ (1 << below(8));
  }
  return new Uint8Array(bytes);
}

/** A client with a subscription, and a call of each kind that waits. The answers have the ids from `firstId` on. */
async function busyClient(seen: unknown[]) {
  const { client, socket } = await connected({ requestTimeoutMs: 0, heartbeatMs: 0 });
  const subscribing = client.subscribe('t', {}, ({ seq, time, epoch }) => seen.push(seq, time, epoch));
  await settle();
  answerSubscribe(socket, 't', 7, 0);
  await subscribing;
  client.on('error', ({ code, message }) => seen.push(code, message));
  client.on('gap', ({ topic, fromSeq, toSeq, reason }) => seen.push(topic, fromSeq, toSeq, reason));
  client.on('unsubscribed', ({ topic, code, reason }) => seen.push(topic, code, reason));
  client.on('notice', ({ kind }) => seen.push(kind));
  const calls = [
    client.subscribe('u', {}, () => {}),
    client.publish('t', 1),
    client.history('t'),
    client.openPublisher('t'),
    client.ping(),
  ];
  const pending = Promise.allSettled(calls);
  await settle();
  const firstId = socket.takeFrames()[0]?.[1] as number;
  return { client, socket, pending, firstId, callCount: calls.length };
}

async function feed(name: string, messageFor: (chosen: Choices, id: number) => Uint8Array): Promise<void> {
  const chosen = choices(name);
  let unreadable = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const seen: unknown[] = [];
    const { client, socket, pending, firstId, callCount } = await busyClient(seen);
    const closes: { code: number; reason: string }[] = [];
    client.on('close', (closed) => closes.push(closed));
    for (let sent = 0; sent < MESSAGES_PER_ROUND; sent++) {
      socket.serverSends(messageFor(chosen, firstId + chosen.below(callCount)));
    }
    if (closes.length > 0) {
      unreadable += 1;
      expect(closes).toEqual([{ code: 4007, reason: expect.stringMatching(/no ringcast\.v1: ./) }]);
      expect(socket.closeCalls).toEqual([{ code: 4007, reason: 'unreadable frame' }]);
    } else {
      await expectToGoOn(client.ping(), socket);
      socket.closes(1006);
    }
    await pending;
    for (const value of seen) expect(['number', 'string']).toContain(typeof value);
  }
  // Both ends are reached, or the test shows little.
  expect(unreadable).toBeGreaterThan(ROUNDS / 100);
  expect(unreadable).toBeLessThan(ROUNDS);
}

async function expectToGoOn(pinging: Promise<number>, socket: FakeSocket): Promise<void> {
  const outcome = pinging.catch((error) => error.code);
  await settle();
  const [ping] = socket.takeFrames();
  if (ping !== undefined) socket.serverSends(server.pong(ping[1] as number, 5));
  // A WELCOME may have said that nothing fits.
  expect(await outcome).toEqual(ping === undefined ? 'TOO_LARGE' : expect.any(Number));
}

describe('a client whose server sends', { timeout: 120_000 }, () => {
  it('frames with fields of any type', () => feed('odd fields', (chosen) => oddFrame(chosen)));

  it('frames with mutated bytes', () => feed('mutated bytes', (chosen, id) => mutated(chosen, goodFrame(chosen, id))));
});
