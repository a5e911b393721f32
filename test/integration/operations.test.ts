// Every operation over real sockets, in both dialects and both homes of a topic.
import { describe, expect, it } from 'vitest';
import { startEngine } from '../support/engines.js';
import { follow } from '../support/sequence.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';
import { CODECS } from '../support/wire.js';

const TOPICS = [{ match: 'hot:*', home: 'hot' as const }];
const CASES = [
  ...CODECS.map((codec) => ({ codec, home: 'cold', lanes: 1 })),
  ...CODECS.map((codec) => ({ codec, home: 'hot', lanes: 1 })),
  { codec: 'msgpack' as const, home: 'hot', lanes: 2 },
  { codec: 'json' as const, home: 'hot', lanes: 0 },
];

describe.each(CASES)('$codec, $home topic, $lanes lanes', ({ codec, home, lanes }) => {
  const topic = `${home}:orders`;
  const start = () => startEngine({ lanes, topics: TOPICS });

  it('SUBSCRIBE, PUBLISH, UNSUBSCRIBE: answers, events, and nothing behind the last answer', async () => {
    const { engine, url } = await start();
    const subscriber = await TestClient.open(url, codec);
    const publisher = await TestClient.open(url, codec);
    const subscribed = await subscriber.subscribe(topic);
    expect(subscribed).toMatchObject({ topic, epoch: expect.stringMatching(/./), seq: 0 });
    expect(engine.topicStats(topic)?.home).toEqual(home === 'hot' && lanes > 0 ? expect.any(Number) : 'cold');

    const published = await publisher.publish(topic, { qty: 100, px: 1.5, note: 'ü€', more: [null, true, -7] });
    expect(published.seq).toBe(1);
    const [event] = await subscriber.untilEvents(1);
    expect(event).toMatchObject({
      topic,
      seq: 1,
      id: null,
      payload: { qty: 100, px: 1.5, note: 'ü€', more: [null, true, -7] },
    });
    expect(Math.abs((event?.timeMs ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(Math.floor(event?.timeMs ?? 0)).toBe(Math.floor(published.time as number));

    expect(await subscriber.unsubscribe(topic)).toMatchObject({ topic });
    await publisher.publish(topic, 'unheard');
    await subscriber.sync();
    expect(subscriber.events()).toHaveLength(1);
    expect(engine.stats()).toMatchObject({ subscriptions: 0, streams: 0, messages: 2, deliveries: 1 });
  });

  it('keeps order and counts exactly: 3 publishers, 3 subscribers, 600 messages', async () => {
    const { engine, url } = await start();
    const subscribers = await Promise.all([1, 2, 3].map(() => TestClient.open(url, codec)));
    const publishers = await Promise.all([1, 2, 3].map(() => TestClient.open(url, codec)));
    for (const subscriber of subscribers) await subscriber.subscribe(topic);
    await Promise.all(
      publishers.map(async (publisher, from) => {
        for (let n = 0; n < 200; n++) publisher.send({ type: 'publish', topic, payload: { from, n } });
        await publisher.sync();
      }),
    );
    for (const subscriber of subscribers) {
      const events = await subscriber.untilEvents(600);
      expect(follow(topic, 0, subscriber.heard)).toMatchObject({ events: 600, gaps: 0 });
      for (const from of [0, 1, 2]) {
        const own = events.map(({ payload }) => payload as { from: number; n: number }).filter((p) => p.from === from);
        expect(own.map(({ n }) => n)).toEqual(Array.from({ length: 200 }, (_, n) => n));
      }
    }
    const orders = subscribers.map((subscriber) => JSON.stringify(subscriber.events().map(({ payload }) => payload)));
    expect(new Set(orders).size).toBe(1);
    expect(engine.stats()).toMatchObject({
      messages: 600,
      deliveries: 1800,
      lostMessages: 0,
      gaps: {},
      badFrames: 0,
      overloadedMessages: 0,
      pendingAcks: 0,
    });
    expect(engine.topicStats(topic)).toMatchObject({ seq: 600, subscribers: 3, messages: 600 });
  });

  it('lastN replays the newest retained messages, then goes on live without a seam', async () => {
    const { url } = await start();
    const publisher = await TestClient.open(url, codec);
    for (let n = 1; n <= 150; n++) publisher.send({ type: 'publish', topic, payload: n });
    await publisher.publish(topic, 151);
    const late = await TestClient.open(url, codec);
    expect(await late.subscribe(topic, { lastN: 5 })).toMatchObject({ seq: 146 });
    await publisher.publish(topic, 152);
    expect((await late.untilEvents(6)).map(({ payload }) => payload)).toEqual([147, 148, 149, 150, 151, 152]);
    const greedy = await TestClient.open(url, codec);
    const { seq } = await greedy.subscribe(topic, { lastN: 1_000_000 });
    expect(seq).toBe(52); // history is 100 messages
    await greedy.untilEvents(100);
    expect(follow(topic, 52, greedy.heard).events).toBe(100);
    const newcomer = await TestClient.open(url, codec);
    expect(await newcomer.subscribe(topic)).toMatchObject({ seq: 152 });
    await newcomer.sync();
    expect(newcomer.events()).toEqual([]);
  });

  it('HISTORY answers with what is retained, message ids included', async () => {
    const { url } = await start();
    const client = await TestClient.open(url, codec);
    await client.publish(topic, 'a');
    const { time } = await client.publish(topic, { b: 2 }, { id: 'm-2' });
    const all = await client.history(topic);
    expect(all).toMatchObject({ topic, epoch: expect.any(String), seq: 2 });
    expect(all.messages).toEqual([
      [1, expect.any(Number), 'a'],
      [2, expect.any(Number), { b: 2 }, 'm-2'],
    ]);
    expect(Math.floor((all.messages as [number, number][])[1]?.[1] ?? 0)).toBe(Math.floor(time as number));
    expect((await client.history(topic, { lastN: 1 })).messages).toHaveLength(1);
    expect((await client.history(topic, { lastN: 0 })).messages).toEqual([]);
  });

  it('HISTORY answers with 1 MiB at most, and says so; with one message that is larger; lastN replays everything', async () => {
    const limits = { historyBytes: '4MiB', maxPayloadBytes: '2MiB', ringBytes: '8MiB', hotLogBytes: '8MiB' } as const;
    const { url } = await startEngine({ lanes, topics: TOPICS, coldLogMaxBytes: '8MiB', ...limits });
    const client = await TestClient.open(url, codec);
    for (let n = 0; n < 30; n++) await client.publish(topic, `${n}`.padEnd(100_000));
    const part = await client.history(topic);
    expect(part).toMatchObject({ seq: 30, truncated: true });
    expect((part.messages as [number][]).map(([seq]) => seq)).toEqual([21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
    expect(await client.history(topic, { lastN: 10 })).not.toHaveProperty('truncated');
    expect((await client.subscribe(topic, { lastN: 30 })).seq).toBe(0);
    await client.untilEvents(30);
    await client.publish(topic, 'x'.repeat(1_500_000));
    const large = await client.history(topic);
    expect(large).toMatchObject({ seq: 31, truncated: true });
    expect((large.messages as [number][]).map(([seq]) => seq)).toEqual([31]);
  });

  it('noEcho: the publisher itself does not get the message, everyone else does', async () => {
    const { url } = await start();
    const [author, reader] = [await TestClient.open(url, codec), await TestClient.open(url, codec)];
    await author.subscribe(topic);
    await reader.subscribe(topic);
    await author.publish(topic, 1);
    await author.publish(topic, 2, { noEcho: true });
    await reader.publish(topic, 3);
    await author.publish(topic, 4);
    expect((await reader.untilEvents(4)).map(({ payload }) => payload)).toEqual([1, 2, 3, 4]);
    expect((await author.untilEvents(3)).map(({ payload }) => payload)).toEqual([1, 3, 4]);
    await author.sync();
    expect(author.events()).toHaveLength(3);
    expect(author.gaps()).toEqual([]);
  });

  it('hands on message ids', async () => {
    const { url } = await start();
    const client = await TestClient.open(url, codec);
    await client.subscribe(topic);
    await client.publish(topic, null, { id: 'x'.repeat(64) });
    await client.publish(topic, [], { id: 'ä' });
    await client.publish(topic, 'plain');
    expect((await client.untilEvents(3)).map(({ id }) => id)).toEqual(['x'.repeat(64), 'ä', null]);
  });

  it('maxDelayMs gathers: messages published one by one arrive as few messages', async () => {
    const { url } = await start();
    const [patient, publisher] = [await TestClient.open(url, codec), await TestClient.open(url)];
    const maxDelayMs = 200;
    await patient.subscribe(topic, { maxDelayMs });
    const before = patient.framesPerMessage.length;
    const startMs = performance.now();
    for (let n = 0; n < 20; n++) await publisher.publish(topic, n);
    await patient.untilEvents(20);
    // Each flush takes what is there; at most the one message that is on its way begins to wait before it.
    const delays = (performance.now() - startMs) / maxDelayMs;
    if (codec === 'msgpack') expect(patient.framesPerMessage.length - before).toBeLessThanOrEqual(2 + 2 * delays);
    else expect(Math.max(...patient.framesPerMessage)).toBe(1);
    expect(follow(topic, 0, patient.heard).events).toBe(20);
  });

  it('deleting a topic ends its subscriptions and its history; a new one has another epoch', async () => {
    const { engine, url } = await start();
    const client = await TestClient.open(url, codec);
    const first = await client.subscribe(topic);
    await client.publish(topic, 'old');
    await client.untilEvents(1);
    expect(engine.deleteTopic(topic)).toBe(true);
    expect(engine.deleteTopic(topic)).toBe(false);
    await client.until(() => client.heard.some(({ type }) => type === 'unsubscribed'), 'UNSUBSCRIBED');
    expect(client.heard.at(-1)).toMatchObject({ topic, fields: { code: 'TOPIC_NOT_FOUND' } });
    expect(engine.stats()).toMatchObject({ subscriptions: 0, streams: 0, topics: 0, hotTopics: 0 });
    const second = await client.subscribe(topic, { lastN: 10 });
    expect(second.seq).toBe(0);
    expect(second.epoch).not.toBe(first.epoch);
    await client.publish(topic, 'new');
    expect((await client.untilEvents(2)).at(-1)).toMatchObject({ seq: 1, payload: 'new' });
  });
});

describe.each(CODECS)('%s', (codec) => {
  it('CONNECT tells who is there; PING is answered', async () => {
    const { url } = await startEngine();
    const client = await TestClient.open(url, codec);
    const answer = await client.request({ type: 'connect', options: { token: 't0k3n', clientId: 'c1' } });
    expect(answer).toMatchObject({ type: 'ok', result: { clientId: 'c1', connectionId: expect.any(String) } });
    expect(client.heard[0]).toMatchObject({ type: 'welcome' });
    client.send({ type: 'ping', id: 'p' });
    await client.until(() => client.heard.some(({ type }) => type === 'pong'), 'PONG');
    expect(client.heard.at(-1)).toMatchObject({ type: 'pong', id: 'p' });
  });

  it('without an id there is no answer, but an error is told', async () => {
    const { url } = await startEngine({ topics: { autoCreate: false, create: ['known'] } });
    const client = await TestClient.open(url, codec);
    client.send({ type: 'subscribe', topic: 'known' });
    client.send({ type: 'publish', topic: 'known', payload: 1 });
    client.send({ type: 'unsubscribe', topic: 'known' });
    client.send({ type: 'publish', topic: 'unknown', payload: 1 });
    await client.sync();
    expect(client.heard.filter(({ type }) => type === 'ok')).toEqual([]);
    expect(client.errors()).toMatchObject([{ id: null, code: 'TOPIC_NOT_FOUND' }]);
  });

  it('a topic that nobody created is TOPIC_NOT_FOUND when autoCreate is off', async () => {
    const { engine, url } = await startEngine({ topics: { autoCreate: false, create: ['known'] } });
    const client = await TestClient.open(url, codec);
    for (const type of ['subscribe', 'history'] as const) {
      expect(await client.request({ type, topic: 'unknown' })).toMatchObject({
        type: 'error',
        code: 'TOPIC_NOT_FOUND',
      });
    }
    expect(await client.request({ type: 'publish', topic: 'unknown', payload: 1 })).toMatchObject({
      code: 'TOPIC_NOT_FOUND',
    });
    await client.subscribe('known');
    engine.createTopic('later');
    await client.subscribe('later');
    expect(engine.stats().topics).toBe(2);
  });

  it('many topics on one connection: every message once, in order, under its own name', async () => {
    const { engine, url } = await startEngine({ lanes: 2, topics: TOPICS });
    const [reader, writer] = [await TestClient.open(url, codec), await TestClient.open(url)];
    const names = Array.from({ length: 60 }, (_, n) => `${n % 2 === 0 ? 'hot' : 'cold'}:${n}`);
    for (const name of names) await reader.subscribe(name);
    for (let n = 0; n < 3000; n++) writer.send({ type: 'publish', topic: names[(n * 7) % 60], payload: n });
    await reader.untilEvents(3000);
    for (const name of names) expect(follow(name, 0, reader.heard)).toMatchObject({ events: 50, gaps: 0 });
    for (const { topic, seq, payload } of reader.events()) {
      expect(topic).toBe(names[((payload as number) * 7) % 60]);
      expect(seq).toBe(Math.floor((payload as number) / 60) + 1);
    }
    await reader.close();
    await until(() => engine.stats().subscriptions === 0, 'no subscription');
    expect(engine.stats().streams).toBe(0);
  });
});
