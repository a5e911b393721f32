// The sender behind `ringcast replay`, against a client whose server refuses as the test says.
import { describe, expect, it } from 'vitest';
import { OrderedSender } from '#src/cli/ordered-sender.js';
import type { Client, Publisher } from '#src/client/client.js';
import { type ErrorCode, RingcastError } from '#src/errors.js';

interface Attempt {
  topic: string;
  payload: unknown;
}

/** `refuse` says with which error an attempt ends; undefined: accepted. Attempts of one turn make a batch. */
function fakeServer(refuse: (attempt: Attempt) => ErrorCode | undefined) {
  const accepted: Attempt[] = [];
  const batches: Attempt[][] = [];
  let current: Attempt[] | null = null;
  const closeListeners: (() => void)[] = [];
  const publish = (topic: string, payload: unknown) => {
    if (current === null) {
      current = [];
      batches.push(current);
      setImmediate(() => {
        current = null;
      });
    }
    const attempt = { topic, payload };
    current.push(attempt);
    const code = refuse(attempt);
    const seq = code === undefined ? accepted.push(attempt) : 0;
    return new Promise((resolve, reject) => {
      setImmediate(() => (code === undefined ? resolve({ seq, time: 0 }) : reject(new RingcastError(code, code))));
    });
  };
  const client = {
    on: (_: string, listener: () => void) => closeListeners.push(listener),
    openPublisher: async (topic: string) => {
      if (topic === 'impossible') throw new RingcastError('BAD_REQUEST', 'no such name');
      if (topic === 'forbidden') throw new RingcastError('FORBIDDEN', 'not for you');
      return { publish: (payload: unknown) => publish(topic, payload) } as unknown as Publisher;
    },
  } as unknown as Client;
  return { client, accepted, batches, close: () => closeListeners.map((listener) => listener()) };
}

async function send(server: ReturnType<typeof fakeServer>, messages: readonly Attempt[], textCharacters = 10) {
  const unfit: [number, string][] = [];
  const pausesMs: number[] = [];
  const sender = new OrderedSender({
    client: server.client,
    onUnfit: ({ lineNumber }, problem) => unfit.push([lineNumber, problem]),
    sleep: async (durationMs) => {
      pausesMs.push(durationMs);
    },
  });
  for (const [index, message] of messages.entries())
    await sender.add({ ...message, textCharacters, lineNumber: index + 1 });
  await sender.finish();
  return { sender, unfit, pausesMs };
}

function numbered(count: number, topic = 't') {
  return Array.from({ length: count }, (_, payload) => ({ topic, payload }));
}

describe('a sequence of messages', () => {
  it('is accepted in order, in large batches', async () => {
    const server = fakeServer(() => undefined);
    const messages = numbered(2000);
    const { sender } = await send(server, messages);
    expect(server.accepted).toEqual(messages);
    expect(server.batches.map(({ length }) => length)).toEqual([512, 512, 512, 464]);
    expect(sender.counts).toEqual({ accepted: 2000, retried: 0, overtaken: 0 });
    expect(sender.topicCount).toBe(1);
  });

  it('goes in smaller batches where messages are large', async () => {
    const server = fakeServer(() => undefined);
    await send(server, numbered(10), 20_000);
    expect(server.batches.map(({ length }) => length)).toEqual([2, 2, 2, 2, 2]);
  });

  it('stays in order when the server is full for a while: what it refused is sent before what follows', async () => {
    let left = 700; // attempts until the server has room again
    const server = fakeServer(() => (left-- > 0 ? 'OVERLOADED' : undefined));
    const messages = numbered(1500);
    const { sender, pausesMs } = await send(server, messages);
    expect(server.accepted).toEqual(messages);
    expect(sender.counts).toEqual({ accepted: 1500, retried: 700, overtaken: 0 });
    expect(pausesMs.length).toBeGreaterThan(0);
    const sizes = server.batches.map(({ length }) => length);
    expect(sizes.slice(0, 189)).toEqual([512, ...Array(188).fill(1)]);
    expect(sizes.slice(189, 194)).toEqual([1, 2, 4, 8, 16]);
  });

  it('loses nothing when the server refuses here and there, and counts what was overtaken', async () => {
    const refusedOnce = new Set<unknown>();
    const server = fakeServer(({ payload }) => {
      if ((payload as number) % 100 !== 50 || refusedOnce.has(payload)) return undefined;
      refusedOnce.add(payload);
      return 'OVERLOADED';
    });
    const messages = numbered(1000);
    const { sender } = await send(server, messages);
    expect(new Set(server.accepted.map(({ payload }) => payload)).size).toBe(1000);
    expect(server.accepted).toHaveLength(1000);
    expect(sender.counts).toMatchObject({ accepted: 1000, retried: 10 });
    expect(sender.counts.overtaken).toBeGreaterThan(0);
  });

  it('pauses longer while refusals go on, and never more than a quarter of a second', async () => {
    let left = 12;
    const server = fakeServer(() => (left-- > 0 ? 'OVERLOADED' : undefined));
    const { pausesMs } = await send(server, numbered(1));
    expect(pausesMs).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 250, 250, 250, 250]);
  });
});

describe('what cannot be published', () => {
  it('is left out and reported, the rest is sent', async () => {
    const server = fakeServer(({ payload }) => (payload === 1 ? 'TOO_LARGE' : undefined));
    const messages = [...numbered(3), { topic: 'impossible', payload: 0 }, ...numbered(1, 'u')];
    const { sender, unfit } = await send(server, messages);
    expect(unfit).toEqual([
      [2, 'TOO_LARGE'],
      [4, 'no such name'],
    ]);
    expect(sender.counts.accepted).toBe(3);
    expect(sender.topicCount).toBe(2);
  });

  it('ends it when the server forbids it', async () => {
    const server = fakeServer(({ payload }) => (payload === 600 ? 'FORBIDDEN' : undefined));
    await expect(send(server, numbered(2000))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(send(server, numbered(1, 'forbidden'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(server.batches.length).toBe(2);
  });

  it('is not to blame when the connection is gone', async () => {
    const server = fakeServer(() => {
      server.close();
      return 'BAD_REQUEST';
    });
    await expect(send(server, numbered(5))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});
