// Publishing from within the process: what is refused is told, and never ends anything.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEngine, decode, type Engine, encode, type LocalEvent, type PublishRefusal } from '#src/index.js';
import { startFaultyEngine } from '../chaos/faulty-pool.js';
import { SMALL_LOGS, startEngine } from '../support/engines.js';
import { until, within } from '../support/until.js';

const HOT = [{ match: 'hot:*', home: 'hot' as const }];
const MIB = 1024 * 1024;

const unhandled: unknown[] = [];
const note = (reason: unknown): unknown => unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  // Node looks for rejections without a handler after the microtasks of a turn.
  await nextTurn();
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function collect(engine: Engine, topic: string): LocalEvent[] {
  const events: LocalEvent[] = [];
  engine.subscribe(topic, {}, (event) => events.push(event));
  return events;
}

describe.each(['cold:t', 'hot:t'])('a publisher of %s', (topic) => {
  it('sends what subscribers get, in order, with ids', async () => {
    const { engine } = await startEngine({ topics: HOT });
    const events = collect(engine, topic);
    const publisher = engine.openPublisher(topic);
    for (let n = 1; n <= 100; n++) {
      expect(n % 2 === 0 ? publisher.send({ n }) : publisher.sendEncoded(encode({ n }), { id: `m-${n}` })).toBe(true);
    }
    await until(() => events.length === 100, 'all events');
    expect(events.map(({ seq, payload, id }) => [seq, payload, id])).toEqual(
      Array.from({ length: 100 }, (_, n) => [n + 1, { n: n + 1 }, n % 2 === 1 ? undefined : `m-${n + 1}`]),
    );
    expect(publisher).toMatchObject({ topic, refused: 0 });
    expect(engine.stats()).toMatchObject({ messages: 100, refusedPublishes: 0 });
  });

  it('is told what is refused by the turn, and why', async () => {
    const { engine } = await startEngine({ topics: HOT, maxPayloadBytes: 64 * 1024 });
    const refusals: PublishRefusal[] = [];
    const publisher = engine.openPublisher(topic, { onRefused: (refusal) => refusals.push(refusal) });
    const bad: [code: string, send: () => boolean][] = [
      ['TOO_LARGE', () => publisher.send('x'.repeat(64 * 1024))],
      ['BAD_REQUEST', () => publisher.send(1, { id: '' })],
      ['BAD_REQUEST', () => publisher.send(1, { id: 5 as unknown as string })],
      ['BAD_REQUEST', () => publisher.send({ get: getterThatThrows() })],
      ['BAD_REQUEST', () => publisher.sendEncoded(Uint8Array.of(0xc1))],
      ['BAD_REQUEST', () => publisher.sendEncoded('text' as unknown as Uint8Array)],
    ];
    for (const [code, send] of bad) {
      expect([send(), send(), send()]).toEqual([false, false, false]);
      expect(refusals).toEqual([]);
      await nextTurn();
      expect(refusals.splice(0)).toMatchObject([{ topic, count: 3, error: { name: 'RingcastError', code } }]);
    }
    expect(publisher.refused).toBe(3 * bad.length);
    expect(engine.stats()).toMatchObject({ messages: 0, refusedPublishes: 3 * bad.length });
    expect(publisher.send('still works', null as unknown as undefined)).toBe(true);
  });

  it('goes on with a topic that was deleted, as a new one', async () => {
    const { engine } = await startEngine({ topics: HOT });
    const publisher = engine.openPublisher(topic);
    publisher.send('old');
    engine.deleteTopic(topic);
    expect(publisher.pressure).toBe(0);
    const events = collect(engine, topic);
    expect(publisher.send('new')).toBe(true);
    await until(() => events.length === 1, 'the event');
    expect(events[0]).toMatchObject({ seq: 1, payload: 'new' });
  });

  it('bears with options whose getters throw what cannot be looked at, or delete the topic', async () => {
    const { engine } = await startEngine();
    const codes: string[] = [];
    const publisher = engine.openPublisher('t', { onRefused: ({ error }) => codes.push(error.code) });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const thrown = {
      get id(): string {
        throw proxy;
      },
    };
    expect(publisher.send(1, thrown)).toBe(false);
    await publisher.ready();
    const deleting = {
      get id(): string {
        engine.deleteTopic('t');
        return 'last';
      },
    };
    expect(publisher.send(2, deleting)).toBe(true);
    expect(engine.topicStats('t')).toMatchObject({ seq: 1 });
    await until(() => codes.length === 1);
    expect(codes).toEqual(['BAD_REQUEST']);
  });

  it('refuses everything once the engine stops, and waits for nothing any more', async () => {
    const { engine } = await startEngine({ topics: HOT });
    const codes: string[] = [];
    const publisher = engine.openPublisher(topic, { onRefused: ({ error }) => codes.push(error.code) });
    expect(await publisher.ready()).toBe(true);
    const closing = engine.close();
    expect(publisher.send(1)).toBe(false);
    expect(await publisher.ready()).toBe(false);
    await closing;
    expect(publisher.send(1)).toBe(false);
    expect(await publisher.ready()).toBe(false);
    expect(codes).toEqual(['SHUTTING_DOWN', 'CONFLICT']);
  });

  it('leaves promises alone: of hundreds that are refused none ends the process', async () => {
    const { engine } = await startEngine({ topics: HOT, maxPayloadBytes: 64 * 1024, shutdownTimeoutMs: 200 });
    for (let n = 0; n < 100; n++) {
      engine.publish(topic, getterThatThrows());
      engine.publish('$stats', n);
      engine.publishEncoded(topic, Uint8Array.of(0xc1));
      engine.publish(topic, n, { id: '' });
      engine.moveTopic('there is none', 'cold');
    }
    await nextTurn();
    const closing = engine.close();
    for (let n = 0; n < 100; n++) engine.publish(topic, n);
    await closing;
    engine.publish(topic, 'too late');
    await nextTurn();
    expect(engine.stats()).toMatchObject({ messages: 0, refusedPublishes: 501 });
    await expect(engine.publish(topic, 1)).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('a burst that is larger than the ring', () => {
  /** An engine whose lane does not move, until it is replaced after `laneStallMs`. */
  async function startHung(): Promise<Engine> {
    const { engine, pool } = await startFaultyEngine({
      ...SMALL_LOGS,
      ringBytes: 256 * 1024,
      topics: HOT,
      laneStallMs: 500,
    });
    pool.lanes[0].faults.ask('hang');
    void engine.publish('hot:t', 'hangs');
    await until(() => pool.lanes[0].faults.committed === 1, 'the lane hangs');
    return engine;
  }

  it('is taken in part, told as one, and goes on when there is room', async () => {
    const engine = await startHung();
    const refusals: PublishRefusal[] = [];
    const publisher = engine.openPublisher('hot:t', { onRefused: (refusal) => refusals.push(refusal) });
    const payload = encode('x'.repeat(1000));
    const accepted = Array.from({ length: 500 }, () => publisher.sendEncoded(payload)).filter(Boolean).length;
    expect(accepted).toBeGreaterThan(100);
    expect(publisher.refused).toBe(500 - accepted);
    expect(publisher.pressure).toBeGreaterThan(90);
    expect(await within(publisher.ready(), 20_000, 'ready')).toBe(true);
    expect(publisher.pressure).toBeLessThanOrEqual(50);
    expect(refusals).toMatchObject([{ topic: 'hot:t', count: 500 - accepted, error: { code: 'OVERLOADED' } }]);
    expect((await engine.publish('hot:t', 'behind all others')).seq).toBe(accepted + 2);
    expect(engine.stats()).toMatchObject({ messages: accepted + 2, overloadedMessages: publisher.refused });
  });

  it('by promises that nobody looks at is refused without harm', async () => {
    const engine = await startHung();
    for (let n = 0; n < 500; n++) engine.publish('hot:t', 'x'.repeat(1000));
    await nextTurn();
    const { messages, refusedPublishes, overloadedMessages } = engine.stats();
    expect(messages + refusedPublishes).toBe(501);
    expect(refusedPublishes).toBeGreaterThan(100);
    expect(overloadedMessages).toBe(refusedPublishes);
  });
});

describe('cold topics that have used up what they may take together', () => {
  it('make room for a message that needs it: nothing is refused, and nobody has to slow down', async () => {
    const limits = { ...SMALL_LOGS, coldLogsMaxBytes: MIB, maxPayloadBytes: 60_000 };
    const { engine } = await startEngine({ ...limits, lanes: 0, historyMessages: 10, historyBytes: 256 * 1024 });
    const payload = encode(new Uint8Array(50_000));
    for (let n = 0; n < 100; n++) expect(engine.openPublisher(`other ${n % 20}`).sendEncoded(payload)).toBe(true);
    const publisher = engine.openPublisher('late');
    for (let n = 0; n < 20; n++) expect(publisher.sendEncoded(payload)).toBe(true);
    expect([publisher.pressure, publisher.refused, engine.stats().overloadedMessages]).toEqual([0, 0, 0]);
    expect(await publisher.ready()).toBe(true);
    expect(decode(payload)).toHaveLength(50_000);
  });
});

describe('engine.openPublisher', () => {
  it.each<[what: string, topic: unknown, code: string]>([
    ['a topic of the server', '$stats', 'BAD_REQUEST'],
    ['no name', '', 'BAD_REQUEST'],
    ['a name that is no text', 5, 'BAD_REQUEST'],
    ['a topic that nobody created', 'unknown', 'TOPIC_NOT_FOUND'],
  ])('refuses %s', async (_, topic, code) => {
    const { engine } = await startEngine({ lanes: 0, topics: { autoCreate: false, create: ['known'] } });
    expect(() => engine.openPublisher(topic as string)).toThrow(expect.objectContaining({ code }));
    const known = engine.openPublisher('known');
    engine.deleteTopic('known');
    expect(known.send(1)).toBe(false);
  });

  it('needs an engine that runs', async () => {
    const engine = createEngine({ port: 0, lanes: 0 });
    expect(() => engine.openPublisher('t')).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    await engine.close();
  });

  it('keeps no topic alive that has nothing to keep', async () => {
    const { engine } = await startEngine({ lanes: 0, historyMessages: 0 });
    const publisher = engine.openPublisher('t');
    publisher.send(1);
    await until(() => engine.stats().topics === 0, 'the topic has gone');
    expect(publisher.send(2)).toBe(true);
  });
});

function getterThatThrows(): object {
  return {
    get price(): number {
      throw new Error('no price today');
    },
  };
}
