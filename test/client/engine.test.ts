// The client against the real engine, over real sockets, for cold and for hot topics.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type Client, type ClientOptions, connect, type TopicEvent } from '#src/client/client.js';
import { createEngine, type Engine, encode } from '#src/index.js';

let engine: Engine;
const clients: Client[] = [];

beforeAll(async () => {
  engine = createEngine({
    port: 0,
    lanes: 1,
    maxPayloadBytes: 64 * 1024,
    topics: [
      { match: 'cold:keyed*', keyed: true },
      { match: 'hot:keyed*', home: 'hot', keyed: true },
      { match: 'hot:*', home: 'hot' },
    ],
    onConnect: ({ headers }) => headers['x-refuse'] === undefined,
    authorize: ({ action, topic, token }) => topic !== 'secret' || (action === 'subscribe' && token === 'key'),
  });
  await engine.start();
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await engine.close();
});

async function open(options: ClientOptions = {}): Promise<Client> {
  const client = await connect(engine.url, { WebSocket, ...options });
  clients.push(client);
  return client;
}

/** Collects events; `have(n)` resolves when there are n. */
function collector() {
  const events: TopicEvent[] = [];
  let wanted = Number.POSITIVE_INFINITY;
  let resolve = (): void => {};
  const add = (event: TopicEvent): void => {
    events.push(event);
    if (events.length === wanted) resolve();
  };
  const have = (count: number): Promise<void> =>
    new Promise((done) => {
      wanted = count;
      resolve = done;
      if (events.length >= count) done();
    });
  return { events, add, have };
}

describe.each(['cold:', 'hot:'])('topics of home %s', (home) => {
  it('deliver what is published, in order, each message once', async () => {
    const topic = `${home}order`;
    const [publisher, subscriber] = [await open(), await open()];
    const { events, add, have } = collector();
    const subscription = await subscriber.subscribe(topic, {}, add);
    expect(subscription).toMatchObject({ topic, seq: 0 });
    const { epoch } = subscription;
    const published = [];
    for (let n = 1; n <= 20; n++) published.push(await publisher.publish(topic, { n }));
    await have(20);
    expect(published.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect(events).toEqual(published.map(({ seq, time }, n) => ({ topic, epoch, seq, time, payload: { n: n + 1 } })));
  });

  it('keep the position of a durable subscription for whoever comes under its name', async () => {
    const topic = `${home}durable`;
    const [publisher, first, second] = [await open(), await open(), await open()];
    const options = { durable: 'd', maxUnacked: 2 };
    const [before, after] = [collector(), collector()];
    const subscription = await first.subscribe(topic, options, before.add);
    expect(subscription).not.toHaveProperty('recovered');
    for (let n = 1; n <= 5; n++) await publisher.publish(topic, n);
    await before.have(2);
    expect(subscription.ack(1)).toBe(true);
    await before.have(3);
    const errors: string[] = [];
    first.on('error', ({ code }) => errors.push(code));
    subscription.ack(99);
    await expect(first.flush()).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    const ended = new Promise((resolve) => first.on('unsubscribed', resolve));
    const again = await second.subscribe(topic, options, (event, it) => {
      after.add(event);
      it.ack(event.seq);
    });
    expect(again).toMatchObject({ seq: 1, recovered: true });
    expect(await ended).toMatchObject({ topic, code: 'CONFLICT' });
    await after.have(4);
    expect(subscription.ack(2)).toBe(false);
    expect([before.events, after.events].map((events) => events.map(({ seq }) => seq))).toEqual([
      [1, 2, 3],
      [2, 3, 4, 5],
    ]);
    await second.flush();
    await second.close();
    expect(await first.subscribe(topic, options, () => {})).toMatchObject({ seq: 5, recovered: true });
    expect(errors).toEqual(['BAD_REQUEST']);
  });

  it('send no more than a subscription may have, which counts what becomes of its messages', async () => {
    const topic = `${home}keyed-slow`;
    const [publisher, subscriber] = [await open(), await open()];
    let onLast = (): void => {};
    const last = new Promise<void>((resolve) => {
      onLast = resolve;
    });
    const options = { mode: 'latest', maxBandwidth: 5000 } as const;
    const { counts } = await subscriber.subscribe(topic, options, ({ payload }) => {
      if (payload === 'last') onLast();
    });
    for (let n = 1; n <= 300; n++) void publisher.publish(topic, n, { key: 'a' });
    await publisher.publish(topic, 'last', { key: 'a' });
    await last;
    expect(counts.received).toBeLessThan(200);
    expect(counts).toEqual({ received: counts.received, merged: 301 - counts.received, expired: 0, lost: 0 });
  });

  it('take a feed by alias, thousands of messages to a flush', async () => {
    const topic = `${home}feed`;
    const client = await open();
    const { events, add, have } = collector();
    await client.subscribe(topic, {}, add);
    const feed = await client.openPublisher(topic);
    for (let n = 1; n <= 5000; n++) {
      feed.send(n);
      if (n % 500 === 0) await feed.flush();
    }
    await have(5000);
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 5000 }, (_, n) => n + 1));
    expect(events.every(({ seq, payload }) => seq === payload)).toBe(true);
  });

  it('take batches, versions, and what is sent only behind another message', async () => {
    const client = await open();
    const topic = `${home}keyed`;
    expect(
      await client.publishBatch(topic, [
        { payload: 1, key: 'a', version: 5 },
        { payload: 2, key: 'b' },
      ]),
    ).toMatchObject({ first: 1, seq: 2, count: 2 });
    expect(await client.publish(topic, 0, { key: 'a', version: 4 })).toMatchObject({ seq: 1, stale: true });
    await expect(client.publish(topic, 0, { key: 'a', ifSeq: 0 })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(client.publishBatch(topic, [{ payload: 3 }, { payload: 4, key: 'c' }])).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      details: { index: 0, refused: [0], first: 3, seq: 3, count: 1 },
    });
  });

  it('begin with the last messages on request, and tell their history', async () => {
    const topic = `${home}history`;
    const client = await open();
    for (let n = 1; n <= 5; n++) await client.publish(topic, n, { id: `m-${n}` });
    const { events, add, have } = collector();
    const { seq, epoch } = await client.subscribe(topic, { lastN: 2 }, add);
    await have(2);
    expect(seq).toBe(3);
    const history = await client.history(topic, { lastN: 3 });
    expect(history).toMatchObject({ topic, epoch, seq: 5 });
    expect(history.messages.map(({ payload, id }) => [payload, id])).toEqual([
      [3, 'm-3'],
      [4, 'm-4'],
      [5, 'm-5'],
    ]);
    expect(events).toEqual(history.messages.slice(1));
  });

  it('keep a message from its publisher on request', async () => {
    const topic = `${home}echo`;
    const [one, other] = [await open(), await open()];
    const [seenByOne, seenByOther] = [collector(), collector()];
    await one.subscribe(topic, {}, seenByOne.add);
    await other.subscribe(topic, {}, seenByOther.add);
    await one.publish(topic, 'a', { noEcho: true });
    await one.publish(topic, 'b');
    await Promise.all([seenByOne.have(1), seenByOther.have(2)]);
    expect(seenByOne.events.map(({ payload }) => payload)).toEqual(['b']);
    expect(seenByOther.events.map(({ payload }) => payload)).toEqual(['a', 'b']);
  });

  it('give several handlers of one client one subscription, and end it with the last', async () => {
    const topic = `${home}shared`;
    const client = await open();
    const [first, second] = [collector(), collector()];
    const a = await client.subscribe(topic, {}, first.add);
    const b = await client.subscribe(topic, { encoded: true }, second.add);
    expect(a.alias).toBe(b.alias);
    expect(engine.topicStats(topic)?.subscribers).toBe(1);
    await client.publish(topic, 'x');
    await Promise.all([first.have(1), second.have(1)]);
    await a.close();
    await client.publish(topic, 'y');
    await second.have(2);
    await b.close();
    await client.publish(topic, 'z');
    expect(first.events.map(({ payload }) => payload)).toEqual(['x']);
    expect(second.events.map(({ payload }) => new Uint8Array(payload as Uint8Array))).toEqual([
      encode('x'),
      encode('y'),
    ]);
    expect(engine.topicStats(topic)?.subscribers ?? 0).toBe(0);
  });

  it('tell their subscribers when they are deleted', async () => {
    const topic = `${home}deleted`;
    const client = await open();
    await client.subscribe(topic, {}, () => {});
    const ended = new Promise((resolve) => client.on('unsubscribed', resolve));
    engine.deleteTopic(topic);
    expect(await ended).toMatchObject({ topic, code: 'TOPIC_NOT_FOUND' });
  });
});

describe('a client', () => {
  it('learns the limits of the server and its round trip', async () => {
    const client = await open();
    expect(client.server?.limits.maxPayloadBytes).toBe(64 * 1024);
    expect(await client.ping()).toBeGreaterThan(0);
  });

  it('does not send what is too large, which would cost the connection', async () => {
    const client = await open();
    await expect(client.publish('t', 'x'.repeat(64 * 1024))).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await client.publish('t', 'x'.repeat(63 * 1024));
  });

  it('is told what it may not do, per call', async () => {
    const client = await open();
    const allowed = await open({ token: 'key' });
    await expect(client.subscribe('secret', {}, () => {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(client.openPublisher('secret')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(allowed.publish('secret', 1)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await allowed.subscribe('secret', {}, () => {});
    await client.publish('public', 1);
  });

  it('that is not let in rejects', async () => {
    class Refused extends WebSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols, { headers: { 'x-refuse': '1' } });
      }
    }
    await expect(connect(engine.url, { WebSocket: Refused })).rejects.toMatchObject({
      code: 'FORBIDDEN',
      retry: false,
      message: expect.stringMatching(/^the server refused the connection \(403\)/),
    });
  });

  const hasOwnWebSocket = globalThis.WebSocket !== undefined;
  if (!hasOwnWebSocket) console.log(`skipped: Node ${process.version} has no WebSocket of its own (from 22 on it has)`);
  it.skipIf(!hasOwnWebSocket)("works with the runtime's own WebSocket", async () => {
    const client = await connect(engine.url);
    clients.push(client);
    expect(await client.publish('own', 1)).toMatchObject({ seq: 1 });
  });

  it('is told that the server stops, and everything pending rejects', async () => {
    const stopping = createEngine({ port: 0, lanes: 0, drainSpreadMs: 0 });
    await stopping.start();
    const client = await connect(stopping.url, { WebSocket });
    const notice = new Promise((resolve) => client.on('notice', resolve));
    const closed = new Promise((resolve) => client.on('close', resolve));
    await stopping.close();
    expect(await notice).toMatchObject({ kind: 'drain' });
    expect(await closed).toMatchObject({ code: 1001 });
    await expect(client.publish('t', 1)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });

  it('is told that topics have to exist where they are not created on first use', async () => {
    const strict = createEngine({ port: 0, lanes: 0, topics: { autoCreate: false, create: ['known'] } });
    await strict.start();
    const client = await connect(strict.url, { WebSocket });
    await client.subscribe('known', {}, () => {});
    await expect(client.subscribe('unknown', {}, () => {})).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await expect(client.publish('unknown', 1)).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await client.close();
    await strict.close();
  });
});
