// Subscribers that do not read: what each policy gives them, exact gaps and counters, and nobody else harmed.
import { describe, expect, it } from 'vitest';
import type { SlowConsumerPolicy } from '#src/protocol/messages.js';
import { SMALL_LOGS, type StartedEngine, startEngine } from '../support/engines.js';
import { floodOn, floodPayload, floodUntilBlocked } from '../support/flood.js';
import { follow } from '../support/sequence.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';
import { CODECS, type Codec } from '../support/wire.js';

const CASES = CODECS.flatMap((codec) => ['cold', 'hot'].map((home) => ({ codec, topic: `${home}:t` })));

interface Scene extends StartedEngine {
  readonly stalled: TestClient;
  readonly healthy: TestClient;
}

/** One subscriber that stops to read, and one that does not. */
async function stage(topic: string, codec: Codec, policy: SlowConsumerPolicy, rule: object = {}): Promise<Scene> {
  const started = await startEngine({
    ...SMALL_LOGS,
    topics: [{ match: '*', home: topic.startsWith('hot') ? 'hot' : 'cold', ...rule }],
  });
  const stalled = await TestClient.open(started.url, codec);
  const healthy = await TestClient.open(started.url, codec);
  await stalled.subscribe(topic, { policy });
  await healthy.subscribe(topic);
  stalled.socket.pause();
  return { ...started, stalled, healthy };
}

describe.each(CASES)('a $codec subscriber of $topic that does not read', ({ codec, topic }) => {
  it('drop_oldest: is told exactly what it lost, and goes on with the oldest retained message', async () => {
    const { engine, stalled, healthy } = await stage(topic, codec, 'drop_oldest');
    const before = await floodUntilBlocked(engine, topic);
    await floodOn(engine, topic, before + 1, 50); // the logs hold 7 of these
    const total = before + 50;
    await healthy.untilEvents(total);
    expect(follow(topic, 0, healthy.heard)).toMatchObject({ events: total, gaps: 0 });
    expect(engine.stats()).toMatchObject({ blockedConnections: 1, lostMessages: 0 });

    stalled.socket.resume();
    await stalled.until(() => stalled.events().at(-1)?.seq === total, 'the last message');
    const followed = follow(topic, 0, stalled.heard);
    expect(followed).toMatchObject({ gaps: 1, nextSeq: total + 1 });
    expect(followed.lost).toBeGreaterThanOrEqual(30);
    expect(stalled.gaps()[0]?.reason).toBe('lapped');
    for (const { seq, payload } of stalled.events()) expect(payload).toEqual(floodPayload(seq));
    expect(engine.stats()).toMatchObject({
      blockedConnections: 0,
      lostMessages: followed.lost,
      gaps: { lapped: 1 },
      deliveries: followed.events + total,
      slowDisconnects: 0,
    });
    await engine.publish(topic, 'after');
    expect((await stalled.untilEvents(followed.events + 1)).at(-1)).toMatchObject({ payload: 'after', seq: total + 1 });
  });

  it('conflate: gets the latest message after the gap', async () => {
    const { engine, stalled, healthy } = await stage(topic, codec, 'conflate');
    const before = await floodUntilBlocked(engine, topic);
    await floodOn(engine, topic, before + 1, 50);
    const total = before + 50;
    await healthy.untilEvents(total);
    stalled.socket.resume();
    await stalled.until(() => stalled.events().at(-1)?.seq === total, 'the last message');
    const followed = follow(topic, 0, stalled.heard);
    expect(stalled.gaps().at(-1)).toMatchObject({ reason: 'merged', toSeq: total - 1 });
    expect(engine.stats()).toMatchObject({ mergedMessages: followed.lost, lostMessages: 0, gaps: { lapped: 0 } });
  });

  it('disconnect: the connection ends with 1013, and frees everything', async () => {
    const { engine, stalled, healthy } = await stage(topic, codec, 'disconnect');
    const before = await floodUntilBlocked(engine, topic);
    await floodOn(engine, topic, before + 1, 50);
    await healthy.untilEvents(before + 50);
    await until(() => engine.stats().slowDisconnects === 1, 'the slow one is disconnected');
    expect(engine.stats()).toMatchObject({ connections: 1, subscriptions: 1, blockedConnections: 0, lostMessages: 0 });
    stalled.socket.resume();
    const { code, reason } = await stalled.untilClosed();
    expect(code).toBe(1013);
    expect(reason).toContain('SLOW_CONSUMER');
    expect(follow(topic, 0, stalled.heard).gaps).toBe(0);
    await engine.publish(topic, 'after');
    expect((await healthy.untilEvents(before + 51)).at(-1)?.payload).toBe('after');
    expect(healthy.gaps()).toEqual([]);
  });
});

describe('limits of a topic', () => {
  it.each(['cold:t', 'hot:t'])(
    'maxLagMessages: %s loses what is beyond, and not what the log has lost',
    async (topic) => {
      const { engine, stalled, healthy } = await stage(topic, 'msgpack', 'drop_oldest', { maxLagMessages: 3 });
      const before = await floodUntilBlocked(engine, topic);
      await floodOn(engine, topic, before + 1, 5);
      const total = before + 5;
      stalled.socket.resume();
      await stalled.until(() => stalled.events().at(-1)?.seq === total, 'the last message');
      const followed = follow(topic, 0, stalled.heard);
      expect(stalled.gaps()).toMatchObject([{ reason: 'max_lag_messages', toSeq: total - 3 }]);
      expect(engine.stats()).toMatchObject({ lostMessages: followed.lost, gaps: { max_lag_messages: 1 } });
      expect(follow(topic, 0, healthy.heard).gaps).toBe(0);
    },
  );

  it.each(['cold:t', 'hot:t'])('maxLagMs: %s loses what is too old', async (topic) => {
    const { engine, stalled } = await stage(topic, 'msgpack', 'drop_oldest', { maxLagMs: 300 });
    const before = await floodUntilBlocked(engine, topic);
    await floodOn(engine, topic, before + 1, 2);
    const oldMs = Date.now();
    await until(() => Date.now() - oldMs > 400, 'those messages are too old');
    await engine.publish(topic, 'fresh');
    stalled.socket.resume();
    await stalled.until(() => stalled.events().at(-1)?.payload === 'fresh', 'the last message');
    expect(stalled.gaps()).toMatchObject([{ reason: 'max_lag_ms', toSeq: before + 2 }]);
    expect(engine.stats()).toMatchObject({
      gaps: { max_lag_ms: 1 },
      lostMessages: follow(topic, 0, stalled.heard).lost,
    });
  });

  it.each(['cold:t', 'hot:t'])(
    'slowConsumerPolicy of a rule holds for subscribers of %s that name none',
    async (topic) => {
      const { engine, url } = await startEngine({
        ...SMALL_LOGS,
        topics: [
          {
            match: '*',
            home: topic.startsWith('hot') ? 'hot' : 'cold',
            slowConsumerPolicy: 'disconnect',
            maxLagMessages: 4,
          },
        ],
      });
      const stalled = await TestClient.open(url);
      await stalled.subscribe(topic);
      stalled.socket.pause();
      const before = await floodUntilBlocked(engine, topic);
      await floodOn(engine, topic, before + 1, 5);
      await until(() => engine.stats().slowDisconnects === 1, 'it is disconnected although it never drains');
      expect(engine.stats()).toMatchObject({ connections: 0, subscriptions: 0, streams: 0 });
    },
  );
});

describe('a message whose JSON form no log can hold', () => {
  it.each(['cold:t', 'hot:t'])('is a gap for the JSON subscribers of %s only', async (topic) => {
    const { url } = await startEngine({ ...SMALL_LOGS, topics: [{ match: 'hot:*', home: 'hot' }] });
    const [binary, text] = [await TestClient.open(url), await TestClient.open(url, 'json')];
    await binary.subscribe(topic);
    await text.subscribe(topic);
    // A control character is one byte of MessagePack and six of JSON.
    const controls = '\u0001'.repeat(60_000);
    for (const payload of ['before', controls, 'after']) await binary.publish(topic, payload);
    expect((await binary.untilEvents(3)).map(({ payload }) => payload)).toEqual(['before', controls, 'after']);
    expect((await text.untilEvents(2)).map(({ seq, payload }) => [seq, payload])).toEqual([
      [1, 'before'],
      [3, 'after'],
    ]);
    expect(text.gaps()).toMatchObject([{ fromSeq: 2, toSeq: 2, reason: 'too_large' }]);
    expect(follow(topic, 0, text.heard)).toMatchObject({ events: 2, lost: 1 });
  });
});

describe('subscribers in the process', () => {
  it.each(['cold:t', 'hot:t'])('%s: get everything, and one that is too slow is told', async (topic) => {
    const { engine } = await startEngine({ ...SMALL_LOGS, topics: [{ match: 'hot:*', home: 'hot' }] });
    const seen: number[] = [];
    const gaps: { fromSeq: number; toSeq: number; reason: string }[] = [];
    engine.subscribe(topic, { onGap: (gap) => gaps.push(gap) }, ({ seq }) => seen.push(seq));
    // Without a turn of the event loop in between the log is lapped before delivery has its first turn.
    const acks = Array.from({ length: 20 }, (_, n) => engine.publish(topic, floodPayload(n)));
    await Promise.all(acks);
    await until(() => seen.at(-1) === 20, 'the last message');
    const lost = gaps.reduce((sum, { fromSeq, toSeq }) => sum + toSeq - fromSeq + 1, 0);
    expect(seen.length + lost).toBe(20);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(engine.stats().lostMessages).toBe(lost);
    if (topic === 'cold:t') expect(gaps).toMatchObject([{ fromSeq: 1, reason: 'lapped' }]);
  });

  it('disconnect ends the subscription once, and frees it', async () => {
    const { engine, faults } = await startEngine({ ...SMALL_LOGS, lanes: 0 });
    const ends: string[] = [];
    const options = { policy: 'disconnect' as const, onEnd: (code: string) => ends.push(code) };
    engine.subscribe('t', options, () => {});
    await Promise.all(Array.from({ length: 20 }, (_, n) => engine.publish('t', floodPayload(n))));
    await until(() => ends.length > 0, 'the end');
    expect(ends).toEqual(['SLOW_CONSUMER']);
    await until(() => engine.stats().subscriptions === 0, 'nothing is left of it');
    expect(engine.stats()).toMatchObject({ streams: 0, readyConnections: 0, slowDisconnects: 1 });
    expect(faults).toEqual([]);
  });
});
