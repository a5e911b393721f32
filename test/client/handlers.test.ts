// Handlers and listeners of a client: who gets what while they come, go, throw, or cannot decode.
import { describe, expect, it } from 'vitest';
import type { Client, ClientSubscribeOptions, Subscription, TopicEvent } from '#src/client/client.js';
import { Emitter } from '#src/client/emitter.js';
import { answerSubscribe, connected, nextUncaught, subscribed } from './connected.js';
import { eventFrame, type FakeSocket, server, settle } from './fake-socket.js';

/** An extension of somebody else's. */

type Handler = (event: TopicEvent, subscription: Subscription) => void;

async function withHandler(handler: Handler): Promise<{ client: Client; socket: FakeSocket; first: Subscription }> {
  const { client, socket } = await connected();
  const subscribing = client.subscribe('t', {}, handler);
  await settle();
  answerSubscribe(socket, 't', 7, 0);
  return { client, socket, first: await subscribing };
}

describe('a handler', () => {
  it('knows its subscription from its first message, which may come before subscribe has resolved', async () => {
    const { client, socket } = await connected();
    const record: unknown[] = [];
    const subscribing = client.subscribe('t', { lastN: 1 }, ({ seq, epoch }, subscription) => {
      record.push([seq, epoch, subscription]);
      void subscription.close();
    });
    void subscribing.then(() => record.push('resolved'));
    await settle();
    const [, id] = socket.takeFrame();
    socket.serverSends(
      server.subscribed(id as number, { topic: 't', alias: 7, epoch: 'e1', seq: 4 }),
      eventFrame({ alias: 7, seq: 5 }),
      eventFrame({ alias: 7, seq: 6 }),
    );
    const subscription = await subscribing;
    expect(subscription).toMatchObject({ topic: 't', alias: 7, epoch: 'e1', seq: 4 });
    expect(record).toEqual([[5, 'e1', subscription], 'resolved']);
    expect((record[0] as unknown[])[2]).toBe(subscription);
  });

  it('that joins from within another one gets what comes after the seq it is told', async () => {
    const late: number[] = [];
    let joining: Promise<Subscription> | undefined;
    const { client, socket } = await withHandler(({ seq }) => {
      if (seq === 2) joining ??= client.subscribe('t', {}, (event) => late.push(event.seq));
    });
    for (const seq of [1, 2, 3]) socket.serverSends(eventFrame({ alias: 7, seq }));
    expect((await joining)?.seq).toBe(2);
    expect(late).toEqual([3]);
  });

  it('that joins after a gap is told that it begins behind the gap', async () => {
    const { client, socket } = await withHandler(() => {});
    socket.serverSends(eventFrame({ alias: 7, seq: 1 }), server.gap({ alias: 7, topic: 't' }, 2, 9, 'lapped'));
    expect((await client.subscribe('t', {}, () => {})).seq).toBe(9);
  });

  it('that is closed by another one gets nothing more, not even the same message', async () => {
    const seen: number[] = [];
    let second: Subscription | undefined;
    const { client, socket } = await withHandler(({ seq }) => {
      if (seq === 2) void second?.close();
    });
    second = await client.subscribe('t', {}, ({ seq }) => seen.push(seq));
    for (const seq of [1, 2, 3]) socket.serverSends(eventFrame({ alias: 7, seq }));
    expect(seen).toEqual([1]);
  });

  it.each<[string, Handler]>([
    [
      'throws',
      () => {
        throw new Error('a fault in the handler');
      },
    ],
    ['rejects', () => Promise.reject(new Error('a fault in the handler'))],
    [
      'returns what is only like a promise, and throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: that is the case
        then: () => {
          throw new Error('a fault in the handler');
        },
      }),
    ],
  ])('that %s keeps nothing from the others; the exception surfaces as an uncaught one', async (_, handler) => {
    const { client, socket } = await withHandler((event, subscription) =>
      event.seq === 1 ? handler(event, subscription) : undefined,
    );
    const seen: number[] = [];
    await client.subscribe('t', {}, ({ seq }) => seen.push(seq));
    const uncaught = nextUncaught();
    socket.serverSends(eventFrame({ alias: 7, seq: 1 }), eventFrame({ alias: 7, seq: 2 }));
    expect(await uncaught).toMatchObject({ message: 'a fault in the handler' });
    expect(seen).toEqual([1, 2]);
  });
});

describe('a second subscription to a topic', () => {
  it.each<[ClientSubscribeOptions, ClientSubscribeOptions]>([
    [{}, { lastN: 5 }],
    [{ lastN: 5 }, {}],
    [{ policy: 'conflate' }, { policy: 'disconnect' }],
    [{ maxDelayMs: 5 }, { maxDelayMs: 6 }],
    [{}, { clientId: 'me' }],
  ])('%o and then %o is a CONFLICT, before the answer and after it', async (one, other) => {
    const { client, socket } = await connected();
    const subscribing = client.subscribe('t', one, () => {});
    const conflict = { code: 'CONFLICT', details: { topic: 't' } };
    await expect(client.subscribe('t', other, () => {})).rejects.toMatchObject(conflict);
    await settle();
    answerSubscribe(socket, 't', 7, 0);
    const first = await subscribing;
    await expect(client.subscribe('t', other, () => {})).rejects.toMatchObject(conflict);
    expect(socket.takeFrames()).toEqual([]);
    void first.close();
    const again = client.subscribe('t', other, () => {});
    await settle();
    const [, [, id] = []] = socket.takeFrames();
    socket.serverSends(server.subscribed(id as number, { topic: 't', alias: 7, epoch: 'e1', seq: 0 }));
    await again;
  });

  it('shares one with the same options, in whatever order and form', async () => {
    const { client, socket } = await connected();
    const subscribing = [
      client.subscribe('t', { lastN: 1, policy: 'conflate' }, () => {}),
      client.subscribe('t', { policy: 'conflate', lastN: 1, encoded: true, timeoutMs: 5000 }, () => {}),
    ];
    await settle();
    answerSubscribe(socket, 't', 7, 0);
    await Promise.all(subscribing);
    const options = { lastN: 1, policy: 'conflate', maxDelayMs: undefined } as unknown as ClientSubscribeOptions;
    await client.subscribe('t', options, () => {});
    expect(socket.takeFrames()).toEqual([]);
  });
});

describe('listeners', () => {
  it('that change the list while it is walked behave as with the EventEmitter of Node', () => {
    const emitter = new Emitter<{ notice: number }>();
    const calls: string[] = [];
    let endAgain = emitter.on('notice', again);
    function again(): void {
      calls.push('again');
      if (calls.length > 1000) throw new Error('called for ever');
      endAgain();
      endAgain = emitter.on('notice', again);
      endLast();
    }
    const endLast = emitter.on('notice', () => calls.push('last'));
    emitter.emit('notice', 1);
    expect(calls).toEqual(['again', 'last']);
    emitter.emit('notice', 2);
    expect(calls).toEqual(['again', 'last', 'again']);
  });

  it('that are added twice are called twice, and taken away one by one', () => {
    const emitter = new Emitter<{ notice: number }>();
    const seen: number[] = [];
    const add = (value: number): void => void seen.push(value);
    const ends = [emitter.on('notice', add), emitter.on('notice', add)];
    emitter.emit('notice', 1);
    ends[0]?.();
    ends[0]?.();
    emitter.emit('notice', 2);
    expect(seen).toEqual([1, 1, 2]);
  });

  it('that throw or reject keep nothing from the others', async () => {
    const { client, socket } = await connected();
    const { seen } = await subscribed(client, socket, 't', 7);
    let told = 0;
    const uncaught = nextUncaught();
    client.on('notice', async () => Promise.reject(new Error('a fault in a listener')));
    client.on('notice', () => {
      told += 1;
    });
    socket.serverSends(server.notice('drain', null), eventFrame({ alias: 7, seq: 1 }));
    expect(await uncaught).toMatchObject({ message: 'a fault in a listener' });
    expect([told, seen]).toEqual([1, [[1, null]]]);
  });
});
