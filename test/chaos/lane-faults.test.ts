// What becomes of a lane's topics when its thread dies, hangs or cannot even start: real threads, real sockets.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';
import { CODECS, type HeardAnswer, type HeardError } from '../support/wire.js';
import { type Fault, KILLERS } from './faults.mjs';
import { type FaultyEngine, FaultyPool, startFaultyEngine } from './faulty-pool.js';
import { NumberFeed } from './number-feed.js';

/** Kills its lane, again and again. */
const KILLER = KILLERS.throw;
const RECOVERED_MAX_MS = 20_000;
const HOT = [{ match: 'hot*', home: 'hot' }] as const;

const untilLane = (faulty: FaultyEngine, kind: string, times = 1): Promise<void> =>
  until(
    () => faulty.events.filter((event) => event.kind === kind).length >= times,
    () => `${times} × ${kind}; there were ${faulty.events.map((event) => `${event.kind} (${event.fault})`)}`,
    RECOVERED_MAX_MS,
  );

const answersOf = (publisher: TestClient): (HeardAnswer | HeardError)[] =>
  publisher.heard.filter(
    (frame): frame is HeardAnswer | HeardError =>
      (frame.type === 'ok' || frame.type === 'error') && String(frame.id).startsWith('m'),
  );

const kindsOf = (faulty: FaultyEngine): string[] => faulty.events.map(({ kind }) => kind);

describe('a lane whose thread', () => {
  const deadly: { fault: Fault; said: RegExp; kind: 'died' | 'stalled' }[] = [
    { fault: 'throw', said: /a fault that the test asked for/, kind: 'died' },
    { fault: 'exit', said: /exited with code: 3/, kind: 'died' },
    { fault: 'outOfMemory', said: /memory limit/, kind: 'died' },
    { fault: 'hang', said: /./, kind: 'stalled' },
  ];
  const does = { throw: 'throws', exit: 'exits', outOfMemory: 'runs out of memory', hang: 'hangs', starve: '' };

  for (const { fault, said, kind } of deadly) {
    it(`${does[fault]} is replaced, and every message gets through once`, async () => {
      // Only a hang is to be seen as one, however slow the machine is: collectors that have no room work for long.
      const faulty = await startFaultyEngine({ topics: HOT, ...(kind === 'stalled' && { laneStallMs: 500 }) });
      const feed = await NumberFeed.start(faulty.engine.url, 'hot');
      await feed.progress(20);
      faulty.pool.lanes[0].faults.ask(fault, 40);
      await untilLane(faulty, 'recovered');
      await feed.progress(20);
      await feed.settled();
      expect(faulty.events[0].kind).toBe(kind);
      expect(String(faulty.events[0].fault)).toMatch(said);
      expect(faulty.engine.stats().lanes[0]).toMatchObject({ state: 'running', poisonedMessages: 0 });
      console.log(`${fault}: ${faulty.events.map(({ kind, recoveryMs }) => `${kind} ${recoveryMs.toFixed(0)} ms`)}`);
    });
  }

  it('dies at whatever point of its work loses and repeats nothing', async () => {
    const faulty = await startFaultyEngine({ topics: HOT });
    const feed = await NumberFeed.start(faulty.engine.url, 'hot');
    // A batch of one message passes a dozen sites: begin, commit, begin and commit of the JSON stream, publish, release.
    for (let site = 1; site <= 12; site++) {
      await feed.progress(3);
      faulty.pool.lanes[0].faults.ask('throw', site);
      await untilLane(faulty, 'recovered', site);
    }
    await feed.settled();
    expect(faulty.poisoned).toEqual([]);
  });

  it('is killed from outside while it starts is started again', async () => {
    const faulty = await startFaultyEngine({ topics: HOT });
    const feed = await NumberFeed.start(faulty.engine.url, 'hot');
    await feed.progress(10);
    const [lane] = faulty.pool.lanes;
    for (let death = 1; death <= 3; death++) {
      const { starts } = lane!;
      lane!.running!.terminate();
      await until(() => lane!.starts > starts, 'the next start', RECOVERED_MAX_MS);
    }
    await untilLane(faulty, 'recovered');
    await feed.progress(10);
    await feed.settled();
    expect(kindsOf(faulty)).toEqual(['died', 'died', 'died', 'recovered']);
  });

  it('is busy for long, but moves, is left alone', async () => {
    const faulty = await startFaultyEngine({ topics: HOT });
    const feed = await NumberFeed.start(faulty.engine.url, 'hot');
    await feed.progress(10);
    faulty.pool.lanes[0].faults.ask('starve', 5, 400);
    await until(() => faulty.pool.lanes[0].faults.committed === 1);
    await feed.progress(100);
    await feed.settled();
    expect(faulty.events).toEqual([]);
  });
});

describe('a dead lane', () => {
  const MESSAGES = 1000;

  it('takes what its ring holds; the rest is refused, and nothing of either is lost', async () => {
    const faulty = await startFaultyEngine({
      topics: HOT,
      ringBytes: 16 * 1024,
      maxPayloadBytes: 4096,
      laneStallMs: 500,
    });
    const [reader, publisher] = [await TestClient.open(faulty.engine.url), await TestClient.open(faulty.engine.url)];
    await reader.subscribe('hot');
    await publisher.publish('hot', 0);
    faulty.pool.lanes[0].faults.ask('hang');
    publisher.send({ type: 'publish', topic: 'hot', payload: 0 });
    await until(() => faulty.pool.lanes[0].faults.committed === 1, 'the lane hangs');
    for (let id = 1; id <= MESSAGES; id++) {
      publisher.send({ type: 'publish', id: `m${id}`, topic: 'hot', payload: id });
      // Some at a time, so that there are many WebSocket messages.
      if (id % 50 === 0) await publisher.sync();
    }
    await untilLane(faulty, 'recovered');
    await until(() => answersOf(publisher).length >= MESSAGES, 'all answers', RECOVERED_MAX_MS);
    const answers = answersOf(publisher);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(MESSAGES);
    const accepted = answers.filter(({ type }) => type === 'ok').map(({ id }) => Number(String(id).slice(1)));
    const refused = answers.filter((answer) => answer.type === 'error' && answer.code === 'OVERLOADED');
    expect(accepted.length + refused.length).toBe(MESSAGES);
    expect(refused.length).toBeGreaterThan(0);
    await publisher.publish('hot', 'goes on');
    const heard = await reader.untilEvents(accepted.length + 3, 'hot');
    expect(heard.map(({ payload }) => payload)).toEqual([0, 0, ...accepted.sort((a, b) => a - b), 'goes on']);
    expect(reader.gaps()).toEqual([]);
  });

  it('loses topics that are deleted, and gets new ones of the same name', async () => {
    const faulty = await startFaultyEngine({ topics: HOT });
    const { engine, pool } = faulty;
    await engine.publish('hot', 'first');
    pool.lanes[0].running!.terminate();
    const old = Promise.all(['a', 'b', 'c'].map((payload) => engine.publish('hot', payload)));
    const ends: string[] = [];
    engine.subscribe('hot', { onEnd: (code) => ends.push(code) }, () => {});
    expect(engine.deleteTopic('hot')).toBe(true);
    const heard: unknown[] = [];
    engine.subscribe('hot', {}, ({ seq, payload }) => heard.push([seq, payload]));
    const young = Promise.all(['x', 'y'].map((payload) => engine.publish('hot', payload)));
    expect((await old).map(({ seq }) => seq)).toEqual([2, 3, 4]);
    expect((await young).map(({ seq }) => seq)).toEqual([1, 2]);
    await until(() => heard.length === 2);
    expect(heard).toEqual([
      [1, 'x'],
      [2, 'y'],
    ]);
    expect(ends).toEqual(['TOPIC_NOT_FOUND']);
    expect(engine.stats()).toMatchObject({ hotTopics: 1, pendingAcks: 0 });
  });

  it('is where a topic may be sent that shall be hot, if there is no other', async () => {
    const faulty = await startFaultyEngine({});
    await faulty.engine.publish('promoted', 1);
    faulty.pool.lanes[0].running!.terminate();
    await untilLane(faulty, 'died');
    await faulty.engine.moveTopic('promoted', 'hot');
    expect(await faulty.engine.publish('promoted', 2)).toMatchObject({ seq: 2 });
    expect(faulty.engine.topicStats('promoted')?.home).toBe(0);
  });

  it('that dies again and again after its messages are in their logs is given up; no message is blamed', async () => {
    const faulty = await startFaultyEngine({ topics: HOT });
    const { engine, pool } = faulty;
    const [lane] = pool.lanes;
    expect(await engine.publish('hot', 1)).toMatchObject({ seq: 1 });
    // Before the release: the successor reports that it runs (two sites), reports what it finds (two more), releases.
    engine.on('lane', ({ kind }) => kind === 'died' && lane!.faults.ask('throw', 5));
    lane!.faults.ask('throw', 7);
    expect(await engine.publish('hot', 2)).toMatchObject({ seq: 2 });
    await untilLane(faulty, 'degraded');
    expect(await engine.publish('hot', 3)).toMatchObject({ seq: 3 });
    expect(engine.topicStats('hot')).toMatchObject({ home: 'cold', seq: 3 });
    expect(faulty.poisoned).toEqual([]);
  });
});

describe('a message that kills its lane', () => {
  const POISON_ID = 'poison';

  it('is put aside after three deaths; its publisher is told, and the messages around it get through', async () => {
    const faulty = await startFaultyEngine({ topics: HOT });
    const { engine, events, poisoned } = faulty;
    const readers = await Promise.all(CODECS.map((codec) => TestClient.open(engine.url, codec)));
    for (const reader of readers) await reader.subscribe('hot');
    const publisher = await TestClient.open(engine.url);
    const publish = (payload: unknown, id: string) => ({ type: 'publish', id, topic: 'hot', payload }) as const;
    await publisher.publish('hot', 'long before');
    publisher.send(publish('before', 'before'), publish(KILLER, POISON_ID), publish('after', 'after'));

    const refusal = (await publisher.answerTo(POISON_ID)) as HeardError;
    expect(refusal).toMatchObject({ type: 'error', code: 'INTERNAL', details: { retry: false } });
    expect(await publisher.answerTo('before')).toMatchObject({ type: 'ok', result: { seq: 2 } });
    expect(await publisher.answerTo('after')).toMatchObject({ type: 'ok', result: { seq: 3 } });
    await publisher.publish('hot', 'long after');
    for (const reader of readers) {
      const heard = await reader.untilEvents(4, 'hot');
      await reader.sync();
      expect(heard.map(({ seq, payload }) => [seq, payload])).toEqual([
        [1, 'long before'],
        [2, 'before'],
        [3, 'after'],
        [4, 'long after'],
      ]);
      expect(reader.gaps()).toEqual([]);
    }
    await publisher.sync();
    expect(publisher.heard.filter((frame) => 'id' in frame && frame.id === POISON_ID)).toHaveLength(1);
    expect(poisoned).toHaveLength(1);
    expect(poisoned[0]).toMatchObject({ topic: 'hot', lane: 0 });
    expect(Buffer.from(poisoned[0].payload).toString()).toContain(KILLER);
    expect(events.map(({ kind }) => kind).filter((kind) => kind === 'died')).toHaveLength(3);
    expect(engine.stats().lanes[0]).toMatchObject({ state: 'running', restarts: 3, poisonedMessages: 1 });
    expect(engine.stats().pendingAcks).toBe(0);
  });

  it('is one of several, in two topics: each is put aside by itself', async () => {
    const { engine, poisoned } = await startFaultyEngine({ topics: HOT });
    const outcomes = ['good 1', KILLER, 'good 2', KILLER, 'good 3'].flatMap((payload) =>
      ['hot:a', 'hot:b'].map((topic) =>
        engine.publish(topic, payload).then(
          ({ seq }) => seq,
          ({ code, details }) => ({ code, details }),
        ),
      ),
    );
    const aside = { code: 'INTERNAL', details: { retry: false } };
    expect(await Promise.all(outcomes)).toEqual([1, 1, aside, aside, 2, 2, aside, aside, 3, 3]);
    expect(poisoned.map(({ topic }) => topic)).toEqual(['hot:a', 'hot:b', 'hot:a', 'hot:b']);
    expect(engine.stats().lanes[0]).toMatchObject({ state: 'running', poisonedMessages: 4 });
  });
});

describe('a message that hangs its lane', () => {
  it('is put aside like one that kills it', async () => {
    const { engine, events, poisoned } = await startFaultyEngine({ topics: HOT, laneStallMs: 500 });
    const outcomes = Promise.allSettled(['before', KILLERS.hang, 'after'].map((text) => engine.publish('hot', text)));
    expect(await outcomes).toMatchObject([
      { value: { seq: 1 } },
      { reason: { code: 'INTERNAL', details: { retry: false } } },
      { value: { seq: 2 } },
    ]);
    expect(poisoned.map(({ topic }) => topic)).toEqual(['hot']);
    expect(events.filter(({ kind }) => kind === 'stalled').length).toBeGreaterThanOrEqual(3);
  });
});

describe('a lane that cannot be started at all', () => {
  const sources = {
    'is not there': null,
    'is not JavaScript': 'this is no JavaScript',
    throws: 'throw new Error("a fault at import");',
    'exports nothing': 'export {};',
    exits: 'process.exit(1);',
  };
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ringcast-worker-'));
    for (const [name, source] of Object.entries(sources)) {
      if (source !== null) await writeFile(path.join(folder, `${name}.mjs`), source);
    }
  });
  afterAll(() => rm(folder, { recursive: true }));

  for (const name of Object.keys(sources)) {
    it(`because its file ${name}: its topics work on the accept thread`, async () => {
      const pool = new FaultyPool(pathToFileURL(path.join(folder, `${name}.mjs`)));
      const faulty = await startFaultyEngine({ topics: HOT }, pool);
      const feed = await NumberFeed.start(faulty.engine.url, 'hot');
      await feed.progress(50);
      await feed.settled();
      expect(kindsOf(faulty).at(-1)).toBe('degraded');
      expect(faulty.engine.topicStats('hot')?.home).toBe('cold');
      await expect(faulty.engine.moveTopic('hot', 0)).rejects.toThrow(/given up/);
    });
  }
});

describe('a lane that is killed while topics move', () => {
  const homes = [
    ['cold', 0],
    [0, 'cold'],
    [0, 1],
    [1, 0],
  ] as const;

  for (const [from, to] of homes) {
    for (const killed of [from, to].filter((home) => home !== 'cold')) {
      it(`${from} → ${to}, lane ${killed}: they arrive, and every message with them`, async () => {
        const faulty = await startFaultyEngine({ lanes: 2 });
        const { engine, pool } = faulty;
        const feed = await NumberFeed.start(engine.url, 'moving');
        await engine.moveTopic('moving', from);
        await feed.progress(10);
        const isThere = engine.moveTopic('moving', to);
        pool.lanes[killed].running!.terminate();
        await isThere;
        expect(engine.topicStats('moving')?.home).toBe(to);
        await untilLane(faulty, 'recovered');
        await feed.progress(10);
        await feed.settled();
        expect(engine.stats()).toMatchObject({ movingTopics: 0, pendingAcks: 0 });
      });
    }
  }

  it('and topics leave it while it is dead: they go where they were sent', async () => {
    const faulty = await startFaultyEngine({ lanes: 2, topics: [{ match: 'hot*', home: 0 }] });
    const { engine, pool } = faulty;
    const feeds = await Promise.all(['hot:1', 'hot:2', 'hot:3'].map((topic) => NumberFeed.start(engine.url, topic)));
    for (const feed of feeds) await feed.progress(10);
    pool.lanes[0].running!.terminate();
    await untilLane(faulty, 'died');
    await Promise.all([engine.moveTopic('hot:1', 1), engine.moveTopic('hot:2', 'cold'), engine.moveTopic('hot:3', 0)]);
    expect(feeds.map(({ topic }) => engine.topicStats(topic)?.home)).toEqual([1, 'cold', 0]);
    for (const feed of feeds) await feed.progress(10);
    for (const feed of feeds) await feed.settled();
  });
});

describe('closing an engine', () => {
  const SHUTDOWN_TIMEOUT_MS = 2000;
  /** What a busy machine may take beyond the limit to do the rest. */
  const SLACK_MS = 3000;
  const PUBLISHED = 50;

  /** For what ends by itself, on a busy machine too. */
  const PATIENT_TIMEOUT_MS = 20_000;

  async function startRead(
    shutdownTimeoutMs = SHUTDOWN_TIMEOUT_MS,
  ): Promise<FaultyEngine & { readonly reader: TestClient }> {
    const faulty = await startFaultyEngine({ topics: HOT, shutdownTimeoutMs });
    const reader = await TestClient.open(faulty.engine.url);
    await reader.subscribe('hot');
    await faulty.engine.publish('hot', 0);
    return { ...faulty, reader };
  }

  /** Resolves with what became of each message. */
  function publishAll({ engine }: FaultyEngine): Promise<PromiseSettledResult<unknown>[]> {
    return Promise.allSettled(Array.from({ length: PUBLISHED }, (_, n) => engine.publish('hot', n)));
  }

  async function timeOfClose({ engine }: FaultyEngine): Promise<number> {
    const startMs = performance.now();
    await engine.close();
    return performance.now() - startMs;
  }

  it('while a lane hangs ends within its time', async () => {
    const faulty = await startRead();
    faulty.pool.lanes[0].faults.ask('hang');
    void publishAll(faulty);
    await until(() => faulty.pool.lanes[0].faults.committed === 1);
    expect(await timeOfClose(faulty)).toBeLessThan(SHUTDOWN_TIMEOUT_MS + SLACK_MS);
    expect((await faulty.reader.untilClosed()).code).toBe(1001);
  });

  it('while a lane hangs tells every publisher what became of its message before the connection ends', async () => {
    const faulty = await startRead();
    const publishers = await Promise.all(CODECS.map((codec) => TestClient.open(faulty.engine.url, codec)));
    faulty.pool.lanes[0].faults.ask('hang');
    const before = faulty.engine.stats().messages;
    for (const publisher of publishers) {
      const messages = Array.from({ length: 100 }, (_, n) => ({
        type: 'publish' as const,
        id: `m${n}`,
        topic: 'hot',
        payload: n,
      }));
      publisher.send(...messages);
    }
    const own = publishAll(faulty);
    await until(() => faulty.engine.stats().messages === before + 200 + PUBLISHED, 'all are accepted');
    await faulty.engine.close();
    for (const publisher of publishers) {
      expect((await publisher.untilClosed()).code).toBe(1001);
      const answers = answersOf(publisher);
      expect(answers).toHaveLength(100);
      expect(answers.some(({ type }) => type === 'error')).toBe(true);
      for (const answer of answers) if (answer.type === 'error') expect(answer.code).toBe('SHUTTING_DOWN');
    }
    expect((await own).some(({ status }) => status === 'rejected')).toBe(true);
  });

  it('while a lane is dead delivers all that was accepted', async () => {
    const faulty = await startRead(PATIENT_TIMEOUT_MS);
    faulty.pool.lanes[0].running!.terminate();
    const outcomes = publishAll(faulty);
    expect(await timeOfClose(faulty)).toBeLessThan(PATIENT_TIMEOUT_MS);
    expect((await outcomes).filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(faulty.reader.events('hot')).toHaveLength(PUBLISHED + 1);
    expect((await faulty.reader.untilClosed()).code).toBe(1001);
  });

  it('while a lane is restarting delivers all that was accepted', async () => {
    const faulty = await startRead(PATIENT_TIMEOUT_MS);
    faulty.pool.lanes[0].running!.terminate();
    await untilLane(faulty, 'died');
    const outcomes = publishAll(faulty);
    expect(await timeOfClose(faulty)).toBeLessThan(PATIENT_TIMEOUT_MS);
    expect((await outcomes).filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(faulty.reader.events('hot')).toHaveLength(PUBLISHED + 1);
  });

  it('while a lane dies of one and the same message again and again ends within its time', async () => {
    const faulty = await startRead(PATIENT_TIMEOUT_MS);
    const outcome = faulty.engine.publish('hot', KILLER);
    void outcome.catch(() => {});
    await untilLane(faulty, 'died');
    expect(await timeOfClose(faulty)).toBeLessThan(PATIENT_TIMEOUT_MS);
    await expect(outcome).rejects.toMatchObject({ code: 'INTERNAL', details: { retry: false } });
  });
});
