// Figures: what subscribers of `$stats` are told, who may ask, and that they agree with what went over the sockets.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import type { StatsReport, TopicFigures } from '#src/counters/report.js';
import { startEngine } from '../support/engines.js';
import { floodOn, floodUntilBlocked } from '../support/flood.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';
import { CODECS } from '../support/wire.js';

const FAST = { statsIntervalMs: 100 } as const;

function reports(client: TestClient): StatsReport[] {
  return client.events('$stats').map(({ payload }) => payload as StatsReport);
}

/** The first report that fits; fails when none comes. */
async function reportWhere(client: TestClient, fits: (report: StatsReport) => boolean): Promise<StatsReport> {
  await client.until(() => reports(client).some(fits), `a report where ${fits}`);
  return reports(client).find(fits) as StatsReport;
}

const figuresOf = (report: StatsReport, name: string): TopicFigures | undefined =>
  report.topics.find(({ topic }) => topic === name);

describe('$stats', () => {
  it.each(CODECS)('tells %s subscribers again and again what goes on', async (codec) => {
    const { engine, url } = await startEngine({ ...FAST, topics: [{ match: 'hot:*', home: 'hot' }] });
    const watcher = await TestClient.open(url, codec);
    const reader = await TestClient.open(url);
    await reader.subscribe('hot:a');
    await reader.subscribe('cold');
    await watcher.subscribe('$stats');
    for (let number = 1; number <= 40; number++) await engine.publish(number % 4 === 0 ? 'cold' : 'hot:a', number);
    const report = await reportWhere(watcher, (candidate) => figuresOf(candidate, 'hot:a')?.deliveries === 30);
    expect(report.engine).toMatchObject({
      connections: 2,
      blockedConnections: 0,
      subscriptions: 3,
      topics: 2,
      hotTopics: 1,
      messages: 40,
      overloadedMessages: 0,
      lostMessages: 0,
      moves: 0,
    });
    expect(report.lanes).toMatchObject([{ lane: 0, state: 'running', topics: 1, messages: 30, restarts: 0 }]);
    const noGaps = { lapped: 0, max_lag_ms: 0, max_lag_messages: 0, merged: 0, too_large: 0 };
    expect(figuresOf(report, 'hot:a')).toMatchObject({
      home: 0,
      subscribers: 1,
      messages: 30,
      bytes: 30,
      gaps: noGaps,
    });
    expect(figuresOf(report, 'cold')).toMatchObject({ home: 'cold', subscribers: 1, messages: 10, deliveries: 10 });
    expect(report.topics.map(({ topic }) => topic)).not.toContain('$stats');
    const { topic, ...figures } = figuresOf(report, 'hot:a') as TopicFigures;
    expect(engine.topicStats(topic)).toMatchObject({ messages: figures.messages, home: figures.home, seq: 30 });
    // Time goes on, and so do reports.
    const { length } = reports(watcher);
    await watcher.untilEvents(length + 2, '$stats');
    const times = reports(watcher).map(({ time }) => time);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
  });

  it('has rates while there is traffic, and none when it is over', async () => {
    const { engine, url } = await startEngine(FAST);
    const watcher = await TestClient.open(url);
    const readers = [await TestClient.open(url), await TestClient.open(url)];
    for (const reader of readers) await reader.subscribe('t');
    await watcher.subscribe('$stats');
    const timer = setInterval(() => void engine.publish('t', 'x'), 5);
    try {
      const busy = await reportWhere(watcher, (report) => (figuresOf(report, 't')?.deliveriesPerSecond ?? 0) > 20);
      const { messagesPerSecond, deliveriesPerSecond } = figuresOf(busy, 't') as TopicFigures;
      expect(deliveriesPerSecond).toBeCloseTo(2 * messagesPerSecond, 0);
      expect(busy.engine.messagesPerSecond).toBeGreaterThan(0);
      expect(busy.engine.deliveriesPerSecond).toBeGreaterThan(0);
    } finally {
      clearInterval(timer);
    }
    const before = reports(watcher).length;
    await watcher.until(
      () =>
        reports(watcher)
          .slice(before)
          .some((report) => figuresOf(report, 't')?.messagesPerSecond === 0),
      'a report of a quiet topic',
    );
  });

  it('has a rate for a topic with few messages, between them as well', async () => {
    const { engine, url } = await startEngine(FAST);
    const watcher = await TestClient.open(url);
    await watcher.subscribe('$stats');
    await watcher.subscribe('rare');
    await engine.publish('rare', 1);
    const { messagesPerSecond, deliveriesPerSecond } = await reportWhere(
      watcher,
      (report) => (figuresOf(report, 'rare')?.messagesPerSecond ?? 0) > 0,
    ).then((report) => figuresOf(report, 'rare') as TopicFigures);
    // One message counts 1/τ = 2 per second at first, and less and less.
    expect(messagesPerSecond).toBeLessThanOrEqual(2);
    expect(deliveriesPerSecond).toBeCloseTo(messagesPerSecond, 1);
  });

  it('names the consumer that does not read, how far it is behind, and what became of it', async () => {
    const { engine, url } = await startEngine({ ...FAST, coldLogMaxFrames: 1024, coldLogMaxBytes: 2 ** 22 });
    const stalled = await TestClient.open(url);
    const watcher = await TestClient.open(url);
    await stalled.request({ type: 'connect', options: { clientId: 'desk 7' } });
    await stalled.subscribe('t');
    await watcher.subscribe('$stats');
    stalled.socket.pause();
    const before = await floodUntilBlocked(engine, 't');
    await floodOn(engine, 't', before + 1, 20);
    const report = await reportWhere(watcher, ({ slowest }) => (slowest[0]?.lagMessages ?? 0) >= 20);
    const [slowest] = report.slowest;
    expect(slowest).toMatchObject({ topic: 't', clientId: 'desk 7', isBlocked: true });
    expect(slowest?.connectionId).toMatch(/^[\w-]{12}$/);
    expect(figuresOf(report, 't')).toMatchObject({ lagMessages: slowest?.lagMessages, lagMs: slowest?.lagMs });
    expect(slowest?.lagMs).toBeGreaterThan(0);
    // Until the log no longer has what it is to get next.
    let last = before + 20;
    while (engine.topicStats('t')!.lagMessages < 1100) {
      await floodOn(engine, 't', last + 1, 200);
      last += 200;
    }
    stalled.socket.resume();
    await stalled.until(() => stalled.events('t').at(-1)?.seq === last, 'the last message');
    const [gap] = stalled.gaps();
    const lost = gap!.toSeq - gap!.fromSeq + 1;
    const settled = await reportWhere(watcher, (candidate) => figuresOf(candidate, 't')?.lostMessages === lost);
    expect(figuresOf(settled, 't')?.gaps).toMatchObject({ lapped: 1, too_large: 0 });
    await reportWhere(watcher, (candidate) => candidate.time > settled.time && candidate.slowest.length === 0);
  });

  it('counts on when the last subscriber has gone and another one comes', async () => {
    const { engine, url } = await startEngine(FAST);
    for (const codec of CODECS) {
      const reader = await TestClient.open(url, codec);
      await reader.subscribe('t');
      await engine.publish('t', 1);
      await reader.untilEvents(1, 't');
      await reader.close();
    }
    await until(() => engine.stats().connections === 0);
    expect(engine.topicStats('t')).toMatchObject({ messages: 2, deliveries: 2, subscribers: 0 });
  });

  it('gives its newest report to who asks for the last message, and as history', async () => {
    const { url } = await startEngine(FAST);
    const first = await TestClient.open(url);
    await first.subscribe('$stats');
    await first.untilEvents(3, '$stats');
    const { messages } = await first.history('$stats');
    expect(messages).toHaveLength(1);
    const second = await TestClient.open(url, 'json');
    await second.subscribe('$stats', { lastN: 10 });
    const [newest] = await second.untilEvents(1, '$stats');
    expect(newest?.seq).toBeGreaterThanOrEqual(3);
  });

  it.each(CODECS)('has shorter lists for %s subscribers where logs are too small for long ones', async (codec) => {
    const tiny = { maxPayloadBytes: 1024, historyBytes: 4096, coldLogMaxBytes: 8192, coldLogsMaxBytes: 2 ** 20 };
    const { engine, url } = await startEngine({ ...FAST, ...tiny });
    for (let number = 0; number < 60; number++) engine.createTopic(`${number}:${'x'.repeat(200)}`);
    const watcher = await TestClient.open(url, codec);
    await watcher.subscribe('$stats');
    const { topics, engine: totals } = await reportWhere(watcher, () => true);
    expect(totals.topics).toBe(60);
    expect(topics.length).toBeGreaterThan(0);
    expect(topics.length).toBeLessThan(50);
    expect(watcher.gaps()).toEqual([]);
  });

  it('is subscribed to within the process, too', async () => {
    const { engine } = await startEngine(FAST);
    const report = await new Promise((resolve) => {
      engine.subscribe('$stats', {}, ({ payload }) => resolve(payload));
    });
    expect(report).toMatchObject({ engine: { connections: 0, subscriptions: 1, topics: 0 }, topics: [], slowest: [] });
  });

  it('is not published while nobody subscribes, but measured', async () => {
    const { engine } = await startEngine(FAST);
    await engine.publish('t', 1);
    const read = async (): Promise<StatsReport | null> => {
      const worker = new Worker(new URL('../support/stats-board-reader.mjs', import.meta.url), {
        workerData: engine.statsBoard,
      });
      const [report] = await once(worker, 'message');
      await worker.terminate();
      return report as StatsReport | null;
    };
    let report = await read();
    while (report === null || report.engine.messages === 0) report = await read();
    expect(report).toMatchObject({ engine: { messages: 1, topics: 1 }, topics: [{ topic: 't', messages: 1 }] });
    expect(engine.topicStats('$stats')).toMatchObject({ seq: 0, messages: 0 });
  });
});

describe('who may do what with the server’s own topics', () => {
  it('nobody publishes to $stats, by name or by alias', async () => {
    const { engine, url } = await startEngine(FAST);
    const client = await TestClient.open(url);
    const text = await TestClient.open(url, 'json');
    const { alias } = await client.subscribe('$stats');
    const attempts = [
      client.request({ type: 'publish', topic: '$stats', payload: 1 }),
      client.request({ type: 'publish', topic: alias as number, payload: 1 }),
      client.request({ type: 'publish', topic: '$stats', payload: null, options: { open: true } }),
      text.request({ type: 'publish', topic: '$stats', payload: 1 }),
    ];
    for (const attempt of attempts) expect(await attempt).toMatchObject({ type: 'error', code: 'FORBIDDEN' });
    await expect(engine.publish('$stats', 1)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(engine.stats()).toMatchObject({ messages: 0, topics: 0 });
  });

  it('nobody makes, ends or moves it, and other names with $ stay refused', async () => {
    const { engine, url } = await startEngine(FAST);
    const client = await TestClient.open(url);
    expect(() => engine.createTopic('$stats')).toThrow(/reserved/);
    expect(engine.deleteTopic('$stats')).toBe(false);
    await expect(engine.moveTopic('$stats', 'hot')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(await client.request({ type: 'subscribe', topic: '$sys' })).toMatchObject({ code: 'BAD_REQUEST' });
    expect(() => engine.subscribe('$sys', {}, () => {})).toThrow(/reserved/);
    await client.subscribe('$stats');
    await client.untilEvents(1, '$stats');
  });

  it('the hook decides who may subscribe', async () => {
    const asked: unknown[] = [];
    const { url } = await startEngine({
      ...FAST,
      authorize: ({ action, topic }) => {
        asked.push([action, topic]);
        return !topic.startsWith('$');
      },
    });
    const client = await TestClient.open(url);
    expect(await client.request({ type: 'subscribe', topic: '$stats' })).toMatchObject({ code: 'FORBIDDEN' });
    expect(asked).toEqual([['subscribe', '$stats']]);
  });

  it('it exists where topics are not made on first use, whatever the rules and limits say', async () => {
    const rules = [{ match: '*', home: 'hot' as const, historyMessages: 0 }];
    const topics = { autoCreate: false, create: ['only'], rules };
    const { engine, url } = await startEngine({ ...FAST, maxTopics: 1, topics });
    const client = await TestClient.open(url);
    await client.subscribe('$stats');
    await client.untilEvents(2, '$stats');
    expect(engine.stats()).toMatchObject({ topics: 1, hotTopics: 1 });
    expect(engine.topicStats('$stats')).toMatchObject({ home: 'cold', subscribers: 1 });
  });

  it('with statsIntervalMs 0 there is none, and figures all the same', async () => {
    const { engine, url } = await startEngine({ statsIntervalMs: 0 });
    const client = await TestClient.open(url);
    expect(await client.request({ type: 'subscribe', topic: '$stats' })).toMatchObject({
      code: 'TOPIC_NOT_FOUND',
      message: expect.stringMatching(/statsIntervalMs is 0/),
    });
    expect(await client.request({ type: 'publish', topic: '$stats', payload: 1 })).toMatchObject({ code: 'FORBIDDEN' });
    expect(engine.stats()).toMatchObject({ topics: 0, lanes: [{ lane: 0, state: 'running' }] });
  });
});
