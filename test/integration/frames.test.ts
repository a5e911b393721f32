// Many frames in one message both ways, aliases, and values that cross from one dialect to the other.
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { decodeServerFrames, encodeClientFrame } from '#src/protocol/client-frames.js';
import { encode } from '#src/protocol/msgpack.js';
import { startEngine } from '../support/engines.js';
import { follow } from '../support/sequence.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

const TOPICS = [{ match: 'hot:*', home: 'hot' as const }];

describe.each(['cold:t', 'hot:t'])('frames of %s', (topic) => {
  it('1,000 frames of all kinds in one message take effect in their order', async () => {
    const { engine, url } = await startEngine({ topics: TOPICS });
    const client = await TestClient.open(url);
    const publishes = Array.from({ length: 997 }, (_, n) => encodeClientFrame({ type: 'publish', topic, payload: n }));
    client.socket.send(
      Buffer.concat([
        encodeClientFrame({ type: 'publish', id: 'before', topic, payload: 'before' }),
        encodeClientFrame({ type: 'ping', id: 'p' }),
        encodeClientFrame({ type: 'subscribe', id: 's', topic }),
        ...publishes,
      ]),
    );
    const answer = await client.answerTo('s');
    const seq = answer.type === 'ok' ? (answer.result.seq as number) : -1;
    // The hot home has not numbered the first message yet when SUBSCRIBE is answered: it may come as an event.
    expect(seq).toBe(topic === 'hot:t' ? 0 : 1);
    await client.until(() => client.events().at(-1)?.seq === 998, 'the last event');
    expect(follow(topic, seq, client.heard).nextSeq).toBe(999);
    expect(
      client
        .events()
        .map(({ payload }) => payload)
        .slice(-997),
    ).toEqual(publishes.map((_, n) => n));
    expect(client.heard.filter((frame) => frame.type === 'pong')).toHaveLength(1);
    expect(Math.max(...client.framesPerMessage)).toBeGreaterThan(100);
    expect(engine.stats()).toMatchObject({ messages: 998, badFrames: 0 });
  });

  it('publishes by the alias of a subscription, and by one that `open` gave', async () => {
    const { engine, url } = await startEngine({ topics: TOPICS });
    const [reader, feed] = [await TestClient.open(url), await TestClient.open(url)];
    const { alias } = await reader.subscribe(topic);
    const opened = await feed.publish(topic, null, { open: true });
    expect(opened).toMatchObject({ topic, alias, seq: 0 });
    expect(engine.stats().messages).toBe(0);
    await reader.publish(alias as number, 'by subscription');
    await feed.publish(opened.alias as number, 'by open');
    feed.send({ type: 'publish', topic: opened.alias as number, payload: 'with options', options: { id: 'm' } });
    expect((await reader.untilEvents(3)).map(({ payload, id }) => [payload, id])).toEqual([
      ['by subscription', null],
      ['by open', null],
      ['with options', 'm'],
    ]);
    expect(feed.events()).toEqual([]);
  });

  it('an alias holds until the connection ends, also over unsubscribe and subscribe', async () => {
    const { url } = await startEngine({ topics: TOPICS });
    const [client, other] = [await TestClient.open(url), await TestClient.open(url)];
    await other.subscribe(topic);
    const first = await client.subscribe(topic);
    await client.publish(topic, 1);
    await client.unsubscribe(topic);
    const again = await client.subscribe(topic);
    expect(again).toMatchObject({ alias: first.alias, epoch: first.epoch, seq: 1 });
    await client.publish(first.alias as number, 2);
    expect((await client.untilEvents(2)).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('passes payloads on byte for byte, also what the client library could not decode', async () => {
    const { engine, url } = await startEngine({ topics: TOPICS });
    const subscriber = new WebSocket(`${url}?topics=${topic}&codec=msgpack`);
    const payloads: string[] = [];
    subscriber.on('message', (data) => {
      for (const frame of decodeServerFrames(new Uint8Array(data as Buffer))) {
        if (frame.type === 'event') payloads.push(Buffer.from(frame.payloadBytes).toString('hex'));
      }
    });
    await until(() => engine.stats().subscriptions === 1, 'subscribed');
    // A str32 of one character, an extension of type 42, a float32, a map with a nil key: nothing anybody would re-encode so.
    const payload = '94db0000000161d42affca3fc0000081c0c3';
    const client = await TestClient.open(url);
    client.send({ type: 'publish', topic, payloadBytes: Buffer.from(payload, 'hex') });
    await until(() => payloads.length === 1, 'the event');
    expect(payloads).toEqual([payload]);
    subscriber.terminate();
  });
});

describe('crossing from one dialect to the other', () => {
  it.each(['cold:t', 'hot:t'])('%s: both see the same messages, numbers, times and ids', async (topic) => {
    const { url } = await startEngine({ topics: TOPICS });
    const binary = await TestClient.open(url, 'msgpack');
    const text = await TestClient.open(url, 'json');
    await binary.subscribe(topic);
    await text.subscribe(topic);
    const values = [{ px: 61800.3, deep: [{ a: null }] }, 'Zürich', [], -1.25, true, null, 2 ** 40];
    for (const [n, value] of values.entries()) await (n % 2 ? binary : text).publish(topic, value, { id: `m${n}` });
    const [ours, theirs] = [await binary.untilEvents(values.length), await text.untilEvents(values.length)];
    expect(ours.map(({ payload }) => payload)).toEqual(values);
    expect(theirs.map(({ payload }) => payload)).toEqual(values);
    for (const [n, { seq, timeMs, id }] of ours.entries()) {
      expect(theirs[n]).toMatchObject({ seq, timeMs: Math.floor(timeMs), id });
    }
  });

  it('what JSON cannot say is written as PROTOCOL.md has it', async () => {
    const { url } = await startEngine({ topics: TOPICS });
    const [binary, text] = [await TestClient.open(url), await TestClient.open(url, 'json')];
    await text.subscribe('t');
    const values = [new Uint8Array([1, 2, 255]), 2n ** 60n, Number.NaN, new Date(0), new Map([[7, 'seven']]), -0];
    for (const value of values) await binary.publish('t', value);
    expect((await text.untilEvents(6)).map(({ payload }) => payload)).toEqual([
      'AQL/',
      Number(2n ** 60n), // the digits are exact, JSON.parse is not
      null,
      '1970-01-01T00:00:00.000Z',
      { 7: 'seven' },
      -0,
    ]);
  });

  it('a JSON subscriber that comes later gets the history as JSON', async () => {
    const { url } = await startEngine({ topics: TOPICS });
    const binary = await TestClient.open(url);
    for (const topic of ['cold:t', 'hot:t']) {
      for (let n = 1; n <= 120; n++) binary.send({ type: 'publish', topic, payload: { n } });
      await binary.sync();
      await binary.publish(topic, 'last');
      const text = await TestClient.open(url, 'json');
      const { seq } = await text.subscribe(topic, { lastN: 30 });
      expect(seq).toBe(91);
      await text.untilEvents(30);
      expect(follow(topic, 91, text.heard)).toMatchObject({ events: 30, gaps: 0 });
      expect((await text.history(topic, { lastN: 2 })).messages).toEqual([
        [120, expect.any(Number), { n: 120 }],
        [121, expect.any(Number), 'last'],
      ]);
    }
  });

  it('the JSON stream ends with its last subscriber and starts again with the next', async () => {
    const { engine, url } = await startEngine({ topics: TOPICS });
    const binary = await TestClient.open(url);
    for (const topic of ['cold:t', 'hot:t']) {
      await binary.subscribe(topic);
      for (let round = 0; round < 5; round++) {
        const text = await TestClient.open(url, 'json');
        await text.subscribe(topic);
        await binary.publish(topic, round);
        expect((await text.untilEvents(1))[0]?.payload).toBe(round);
        await text.unsubscribe(topic);
        await binary.publish(topic, 'nobody reads JSON');
        await text.close();
      }
      expect(engine.topicStats(topic)?.subscribers).toBe(1);
    }
    expect(engine.stats().streams).toBe(2);
  });

  it('payloads of any size up to the limit arrive whole, in both dialects', async () => {
    const { url } = await startEngine({ topics: TOPICS });
    for (const topic of ['cold:t', 'hot:t']) {
      const [binary, text] = [await TestClient.open(url), await TestClient.open(url, 'json')];
      await binary.subscribe(topic);
      await text.subscribe(topic);
      const sizes = [0, 1, 15_000, 15 * 1024, 16 * 1024, 70_000, 300_000, 1024 * 1024 - 64];
      for (const size of sizes) await binary.publish(topic, 'x'.repeat(size));
      for (const client of [binary, text]) {
        expect((await client.untilEvents(sizes.length)).map(({ payload }) => (payload as string).length)).toEqual(
          sizes,
        );
        expect(follow(topic, 0, client.heard)).toMatchObject({ gaps: 0, events: sizes.length });
      }
    }
  });

  it('takes a payload that is MessagePack already from the in-process API', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const client = await TestClient.open(url);
    await client.subscribe('t');
    await engine.publishEncoded('t', encode({ a: 1 }), { id: 'm' });
    expect(await client.untilEvents(1)).toMatchObject([{ payload: { a: 1 }, id: 'm' }]);
    await expect(engine.publishEncoded('t', new Uint8Array([0x92, 1]))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});
