// The client against a scripted socket: what it sends, and what it makes of the answers.
import { describe, expect, it } from 'vitest';
import { type Client, ExtensionValue, type Publisher, type SendOptions } from '#src/client/client.js';
import { OP } from '#src/protocol/messages.js';
import { encode } from '#src/protocol/msgpack.js';
import { answerSubscribe, connected, openedPublisher, subscribed } from './connected.js';
import { eventFrame, type FakeSocket, server, settle, WELCOME } from './fake-socket.js';

describe('subscribing', () => {
  it('gives alias, epoch and seq, and hands out events that come in the same message as the answer', async () => {
    const { client, socket } = await connected();
    const seen: unknown[] = [];
    const subscribing = client.subscribe('t', { lastN: 2, policy: 'conflate' }, (event) => seen.push(event));
    await settle();
    const [op, id, ...rest] = socket.takeFrame();
    expect([op, ...rest]).toEqual([OP.SUBSCRIBE, 't', { lastN: 2, policy: 'conflate' }]);
    socket.serverSends(
      server.subscribed(id as number, { topic: 't', alias: 7, epoch: 'e1', seq: 4 }),
      eventFrame({ alias: 7, seq: 5, time: 1234.5, payload: { price: 1 } }),
      eventFrame({ alias: 7, seq: 6, time: 1235, payload: 'x', id: 'm-6' }),
    );
    expect(await subscribing).toMatchObject({ topic: 't', alias: 7, epoch: 'e1', seq: 4 });
    expect(seen).toEqual([
      { topic: 't', epoch: 'e1', seq: 5, time: 1234.5, payload: { price: 1 } },
      { topic: 't', epoch: 'e1', seq: 6, time: 1235, payload: 'x', id: 'm-6' },
    ]);
  });

  it('sends no second SUBSCRIBE for the same topic: handlers share the alias', async () => {
    const { client, socket } = await connected();
    const first: unknown[] = [];
    const second: unknown[] = [];
    const subscribing = [
      client.subscribe('t', {}, ({ seq }) => first.push(seq)),
      client.subscribe('t', {}, ({ seq }) => second.push(seq)),
    ];
    await settle();
    answerSubscribe(socket, 't', 7, 10);
    const [a, b] = await Promise.all(subscribing);
    socket.serverSends(eventFrame({ alias: 7, seq: 11 }));
    const third: unknown[] = [];
    const c = await client.subscribe('t', {}, ({ seq }) => third.push(seq));
    socket.serverSends(eventFrame({ alias: 7, seq: 12 }));
    expect(socket.takeFrames()).toEqual([]);
    expect([a?.alias, b?.alias, c.alias]).toEqual([7, 7, 7]);
    expect([a?.seq, b?.seq, c.seq]).toEqual([10, 10, 11]);
    expect([first, second, third]).toEqual([[11, 12], [11, 12], [12]]);
  });

  it('unsubscribes when the last handler of a topic goes, and ignores events that are under way', async () => {
    const { client, socket } = await connected();
    const { subscription, seen } = await subscribed(client, socket, 't', 7);
    const other = await client.subscribe('t', {}, () => {});
    await subscription.close();
    expect(socket.takeFrames()).toEqual([]);
    socket.serverSends(eventFrame({ alias: 7, seq: 1 }));
    const closing = other.close();
    expect(other.close()).toBe(closing);
    await settle();
    const [op, id, alias] = socket.takeFrame();
    expect([op, alias]).toEqual([OP.UNSUBSCRIBE, 7]);
    socket.serverSends(eventFrame({ alias: 7, seq: 2 }), server.gap({ alias: 7, topic: 't' }, 3, 4, 'lapped'));
    socket.serverSends(server.unsubscribed(id as number, { alias: 7, topic: 't' }));
    await closing;
    expect(seen).toEqual([]);
  });

  it('can subscribe again to a topic it has left, before that is confirmed', async () => {
    const { client, socket } = await connected();
    const before = await subscribed(client, socket, 't', 7);
    void before.subscription.close();
    const seen: unknown[] = [];
    const subscribing = client.subscribe('t', {}, ({ seq }) => seen.push(seq));
    await settle();
    const [unsubscribe, subscribe] = socket.takeFrames();
    expect([unsubscribe?.[0], subscribe?.[0]]).toEqual([OP.UNSUBSCRIBE, OP.SUBSCRIBE]);
    socket.serverSends(
      eventFrame({ alias: 7, seq: 1 }),
      server.unsubscribed(unsubscribe?.[1] as number, { alias: 7, topic: 't' }),
      server.subscribed(subscribe?.[1] as number, { topic: 't', alias: 7, epoch: 'e1', seq: 1 }),
      eventFrame({ alias: 7, seq: 2 }),
    );
    await subscribing;
    expect([before.seen, seen]).toEqual([[], [2]]);
  });

  it('rejects every waiting subscribe of a topic that is refused, and asks again the next time', async () => {
    const { client, socket } = await connected();
    const subscribing = [client.subscribe('t', {}, () => {}), client.subscribe('t', {}, () => {})];
    const refused = Promise.allSettled(subscribing);
    await settle();
    const [, id] = socket.takeFrame();
    socket.serverSends(server.error(id as number, 'TOPIC_NOT_FOUND', 'no such topic', { topic: 't' }));
    for (const result of await refused) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'TOPIC_NOT_FOUND', details: { topic: 't' } },
      });
    }
    await subscribed(client, socket, 't', 8);
  });

  it('hands over bytes on request, and decodes once for the others', async () => {
    const { client, socket } = await connected();
    await subscribed(client, socket, 't', 7);
    const payloads: unknown[] = [];
    await client.subscribe('t', { encoded: true }, ({ payload }) => payloads.push(payload));
    await client.subscribe('t', {}, ({ payload }) => payloads.push(payload));
    await client.subscribe('t', {}, ({ payload }) => payloads.push(payload));
    socket.serverSends(eventFrame({ alias: 7, payload: { a: 1 } }));
    expect(new Uint8Array(payloads[0] as Uint8Array)).toEqual(encode({ a: 1 }));
    expect(payloads[1]).toEqual({ a: 1 });
    expect(payloads[1]).toBe(payloads[2]);
  });

  it('delivers extensions of other applications as they are', async () => {
    const { client, socket } = await connected();
    const { seen } = await subscribed(client, socket, 't', 7);
    const foreignExtension = new Uint8Array([0xd4, 5, 0]);
    socket.serverSends(
      eventFrame({ alias: 7, seq: 1, payloadBytes: foreignExtension }),
      eventFrame({ alias: 7, seq: 2 }),
    );
    expect(seen).toEqual([
      [1, new ExtensionValue(5, Uint8Array.of(0))],
      [2, null],
    ]);
  });

  it('refuses impossible topic names without asking the server', async () => {
    const { client, socket } = await connected();
    for (const topic of ['', 'x'.repeat(256), '$sys', 'a\nb']) {
      await expect(client.subscribe(topic, {}, () => {})).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      await expect(client.publish(topic, 1)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      await expect(client.openPublisher(topic)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    }
    await expect(client.publish('$stats', 1)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(client.openPublisher('$stats')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(socket.takeFrames()).toEqual([]);
  });
});

describe('publishing', () => {
  it('gives sequence number, time and pressure of the acknowledged message', async () => {
    const { client, socket } = await connected();
    const publishing = client.publish('t', { a: 1 }, { id: 'm', noEcho: true });
    await settle();
    const [op, id, ...rest] = socket.takeFrame();
    expect([op, ...rest]).toEqual([OP.PUBLISH, 't', { a: 1 }, { id: 'm', noEcho: true }]);
    socket.serverSends(server.published(id as number, 't', { seq: 9 }, 'e1', 55, 40));
    expect(await publishing).toEqual({ seq: 9, time: 55, pressure: 40 });
  });

  it('sends no options where there are none, and MessagePack as it is', async () => {
    const { client, socket } = await connected();
    void client.publish('t', 1, { noEcho: false }).catch(() => {});
    void client.publishEncoded('t', encode([1, 'x']), { id: 'm' }).catch(() => {});
    await settle();
    const [plain, encoded] = socket.takeFrames();
    expect(plain).toEqual([OP.PUBLISH, plain?.[1], 't', 1]);
    expect(encoded).toEqual([OP.PUBLISH, encoded?.[1], 't', [1, 'x'], { id: 'm' }]);
  });

  it('rejects the message that was refused and no other', async () => {
    const { client, socket } = await connected();
    const results = Promise.allSettled([client.publish('t', 1), client.publish('t', 2)]);
    await settle();
    const [first, second] = socket.takeFrames();
    socket.serverSends(
      server.published(second?.[1] as number, 't', { seq: 1 }, 'e1', 5, 0),
      server.error(first?.[1] as number, 'OVERLOADED', 'the ring is full'),
    );
    expect(await results).toMatchObject([
      { status: 'rejected', reason: { code: 'OVERLOADED' } },
      { status: 'fulfilled', value: { seq: 1 } },
    ]);
  });

  it('refuses a message above the limit of the server, which would cost the connection', async () => {
    const limits = { ...WELCOME.limits, maxPayloadBytes: 100 };
    const { client, socket } = await connected({}, { ...WELCOME, limits });
    await expect(client.publish('t', 'x'.repeat(100))).rejects.toMatchObject({ code: 'TOO_LARGE' });
    void client.publish('t', 'x'.repeat(60)).catch(() => {});
    void client.publish('t', 'y'.repeat(60)).catch(() => {});
    await settle();
    expect(socket.sent.slice(1).map((message) => message.length <= 100)).toEqual([true, true]);
  });
});

describe('publishers', () => {
  async function publisher(): Promise<{ client: Client; socket: FakeSocket; prices: Publisher }> {
    const { client, socket } = await connected();
    return { client, socket, prices: await openedPublisher(client, socket) };
  }

  it('send many frames by alias in one WebSocket message, without asking for answers', async () => {
    const { socket, prices } = await publisher();
    const messagesBefore = socket.sent.length;
    for (let value = 0; value < 1000; value++) prices.send(value);
    prices.sendEncoded(encode('last'), { id: 'm' });
    await settle();
    expect(socket.sent.length).toBe(messagesBefore + 1);
    const frames = socket.takeFrames();
    expect(frames).toHaveLength(1001);
    expect(frames[500]).toEqual([OP.PUBLISH, null, 3, 500]);
    expect(frames[1000]).toEqual([OP.PUBLISH, null, 3, 'last', { id: 'm' }]);
  });

  it('keep the order with everything else and split at 64 KiB', async () => {
    const { client, socket, prices } = await publisher();
    const before = socket.sent.length;
    for (let index = 0; index < 10; index++) prices.send('x'.repeat(20_000));
    prices.send('y'.repeat(200_000));
    void client.ping().catch(() => {});
    await settle();
    const sizes = socket.sent.slice(before).map((message) => message.length);
    expect(sizes.length).toBe(6);
    expect(Math.max(...sizes.slice(0, 4))).toBeLessThanOrEqual(65_536);
    const frames = socket.takeFrames();
    expect(frames.map(([op]) => op)).toEqual([...Array(11).fill(OP.PUBLISH), OP.PING]);
  });

  it('never throw from send: what cannot be sent is told like what the server refuses', async () => {
    const limits = { ...WELCOME.limits, maxPayloadBytes: 100 };
    const { client, socket } = await connected({}, { ...WELCOME, limits });
    const prices = await openedPublisher(client, socket);
    const errors: string[] = [];
    client.on('error', ({ code }) => errors.push(code));
    expect(prices.send('x'.repeat(100))).toBe(false);
    expect(prices.sendEncoded(encode('x'.repeat(100)))).toBe(false);
    const getter = {
      get price(): number {
        throw new Error('a getter that throws');
      },
    };
    expect(prices.send(getter)).toBe(false);
    expect(prices.send('short')).toBe(true);
    expect(errors).toEqual(['TOO_LARGE', 'TOO_LARGE', 'BAD_REQUEST']);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const options of [null, proxy] as unknown as SendOptions[]) {
      expect(prices.send(1, options)).toBe(false);
      expect(prices.sendEncoded(encode(1), options)).toBe(false);
    }
    const thrown = {
      get id(): string {
        throw proxy;
      },
    };
    expect(prices.send(1, thrown)).toBe(false);
    expect(errors.splice(3)).toEqual(Array(5).fill('BAD_REQUEST'));
    const flushing = prices.flush();
    await settle();
    const [publish, ping] = socket.takeFrames();
    expect(publish).toEqual([OP.PUBLISH, null, 3, 'short']);
    socket.serverSends(server.pong(ping?.[1] as number, 5));
    await expect(flushing).rejects.toMatchObject({ code: 'TOO_LARGE' });
    socket.closes(1006);
    expect(prices.send('late')).toBe(false);
    expect(errors).toHaveLength(3);
    await expect(prices.flush()).rejects.toThrow('the connection was closed (1006)');
  });

  it('publish with an answer by alias', async () => {
    const { socket, prices } = await publisher();
    const publishing = Promise.all([prices.publish(1), prices.publishEncoded(encode(2))]);
    await settle();
    const frames = socket.takeFrames();
    expect(frames.map(([op, , alias, value]) => [op, alias, value])).toEqual([
      [OP.PUBLISH, 3, 1],
      [OP.PUBLISH, 3, 2],
    ]);
    socket.serverSends(
      ...frames.map(([, id], index) => server.published(id as number, 't', { seq: index + 1 }, 'e', 5, index)),
    );
    expect(await publishing).toEqual([
      { seq: 1, time: 5, pressure: 0 },
      { seq: 2, time: 5, pressure: 1 },
    ]);
  });

  it('flush waits for the server to have read everything, and rejects once with the first refusal', async () => {
    const { client, socket, prices } = await publisher();
    const errors: string[] = [];
    client.on('error', ({ code }) => errors.push(code));
    prices.send(1);
    const flushing = prices.flush();
    await settle();
    const [publish, ping] = socket.takeFrames();
    expect([publish?.[0], ping?.[0]]).toEqual([OP.PUBLISH, OP.PING]);
    socket.serverSends(
      server.error(null, 'OVERLOADED', 'the ring is full'),
      server.error(null, 'BAD_REQUEST', 'something else'),
      server.pong(ping?.[1] as number, 5),
    );
    await expect(flushing).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect(errors).toEqual(['OVERLOADED', 'BAD_REQUEST']);
    const again = prices.flush();
    await settle();
    socket.serverSends(server.pong(socket.takeFrame()[1] as number, 6));
    await again;
  });
});

describe('the rest of the protocol', () => {
  it('reads history', async () => {
    const { client, socket } = await connected();
    const asking = client.history('t', { lastN: 2 });
    await settle();
    const [op, id, ...rest] = socket.takeFrame();
    expect([op, ...rest]).toEqual([OP.HISTORY, 't', { lastN: 2 }]);
    const frames = [
      eventFrame({ seq: 4, time: 1, payload: 'a' }),
      eventFrame({ seq: 5, time: 2, payload: 'b', id: 'm' }),
    ];
    const ranges = frames.map((bytes) => ({ bytes, start: 0, end: bytes.length }));
    socket.serverSends(server.history(id as number, { topic: 't', epoch: 'e', seq: 5, isTruncated: true }, ranges));
    expect(await asking).toEqual({
      topic: 't',
      epoch: 'e',
      seq: 5,
      isTruncated: true,
      messages: [
        { topic: 't', epoch: 'e', seq: 4, time: 1, payload: 'a' },
        { topic: 't', epoch: 'e', seq: 5, time: 2, payload: 'b', id: 'm' },
      ],
    });
  });

  it('measures the round trip', async () => {
    const { client, socket } = await connected();
    const pinging = client.ping();
    await settle();
    socket.serverSends(server.pong(socket.takeFrame()[1] as number, 5));
    expect(await pinging).toBeGreaterThanOrEqual(0);
  });

  it('tells gaps, notices and ended subscriptions, until the listener is taken away', async () => {
    const { client, socket } = await connected();
    const { seen } = await subscribed(client, socket, 't', 7);
    const events: unknown[] = [];
    const endGaps = client.on('gap', (gap) => events.push(gap));
    client.on('notice', (notice) => events.push(notice));
    client.on('unsubscribed', (ended) => events.push(ended));
    socket.serverSends(
      server.gap({ alias: 7, topic: 't' }, 2, 9, 'max_lag_ms'),
      server.notice('drain', { reconnectAfterMs: 10 }),
    );
    endGaps();
    socket.serverSends(
      server.gap({ alias: 7, topic: 't' }, 10, 11, 'lapped'),
      server.revoked({ alias: 7, topic: 't' }, 'TOPIC_NOT_FOUND', 'topic deleted'),
      eventFrame({ alias: 7, seq: 12 }),
    );
    expect(events).toEqual([
      { topic: 't', fromSeq: 2, toSeq: 9, reason: 'max_lag_ms' },
      { kind: 'drain', details: { reconnectAfterMs: 10 } },
      { topic: 't', code: 'TOPIC_NOT_FOUND', reason: 'topic deleted' },
    ]);
    expect(seen).toEqual([]);
  });
});
