// What an engine answers in each of its states: always an answer, never a hang, and errors are RingcastErrors.
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createEngine, type Engine, type EngineInput, encode, RingcastError } from '#src/index.js';
import { startFaultyEngine } from '../chaos/faulty-pool.js';
import { until, within } from '../support/until.js';

const ANSWER_MAX_MS = 20_000;
const HOT = [{ match: 'hot:*', home: 'hot' as const }];

/** 'ok', or the error's code. */
async function outcomeOf(use: () => unknown, what: string): Promise<string> {
  try {
    await within(Promise.resolve(use()), ANSWER_MAX_MS, what);
    return 'ok';
  } catch (error) {
    if (!(error instanceof RingcastError)) throw error;
    return error.code;
  }
}

const USES: Readonly<Record<string, (engine: Engine) => unknown>> = {
  publish: (engine) => engine.publish('cold:t', 1),
  'publish to a lane': (engine) => engine.publish('hot:t', 1),
  publishEncoded: (engine) => engine.publishEncoded('cold:t', encode(1)),
  openPublisher: (engine) => engine.openPublisher('cold:t'),
  subscribe: (engine) => engine.subscribe('cold:t', {}, () => {}),
  createTopic: (engine) => engine.createTopic('declared'),
  deleteTopic: (engine) => engine.deleteTopic('declared'),
  moveTopic: (engine) => engine.moveTopic('there', 'cold'),
};

const STATES: Readonly<Record<string, { enter(engine: Engine): unknown; answer: string; start: string }>> = {
  new: { enter: () => {}, answer: 'CONFLICT', start: 'ok' },
  starting: {
    enter: (engine) => {
      void engine.start();
      engine.createTopic('there');
    },
    answer: 'ok',
    start: 'CONFLICT',
  },
  running: {
    enter: (engine) => engine.start().then(() => engine.createTopic('there')),
    answer: 'ok',
    start: 'CONFLICT',
  },
  stopping: {
    enter: (engine) => engine.start().then(() => void engine.close()),
    answer: 'SHUTTING_DOWN',
    start: 'CONFLICT',
  },
  closed: { enter: (engine) => engine.start().then(() => engine.close()), answer: 'CONFLICT', start: 'CONFLICT' },
  'closed before it started': { enter: (engine) => engine.close(), answer: 'CONFLICT', start: 'CONFLICT' },
};

describe.each(Object.entries(STATES))('an engine that is %s', (_, { enter, answer, start }) => {
  async function open(): Promise<Engine> {
    const engine = createEngine({ port: 0, lanes: 1, topics: HOT });
    await enter(engine);
    return engine;
  }

  it('answers every call', async () => {
    for (const [name, use] of Object.entries(USES)) {
      const engine = await open();
      expect([name, await outcomeOf(() => use(engine), name)]).toEqual([name, answer]);
      await within(engine.close(), ANSWER_MAX_MS, 'close');
    }
  });

  it('can be closed, again and again, and starts at most once', async () => {
    const engine = await open();
    expect(await outcomeOf(() => engine.start(), 'start')).toBe(start);
    const closing = [engine.close(), engine.close()];
    expect(await outcomeOf(() => Promise.all([...closing, engine.close()]), 'close')).toBe('ok');
    expect(await outcomeOf(() => engine.start(), 'start after close')).toBe('CONFLICT');
    expect(await outcomeOf(() => engine.close(), 'close')).toBe('ok');
  });
});

describe('an engine that is closed while it starts', () => {
  const options: EngineInput[] = [0, 1].flatMap((lanes) =>
    [0, 20_000].map((shutdownTimeoutMs) => ({ lanes, shutdownTimeoutMs })),
  );

  it.each(options)('answers both, and what was asked of it meanwhile, whenever that is (%o)', async (input) => {
    const codes = new Set<string>();
    for (const turns of [0, 1, 2, 3, 5, 8, 13, 21]) {
      const engine = createEngine({ port: 0, topics: HOT, ...input });
      engine.on('warning', () => {}); // that hot topics have no lane, where there is none
      const starting = outcomeOf(() => engine.start(), 'start');
      const published = outcomeOf(() => engine.publish('hot:t', 1), 'publish');
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(await outcomeOf(() => engine.close(), 'close')).toBe('ok');
      codes.add(await starting);
      expect(['ok', 'SHUTTING_DOWN']).toContain(await published);
      expect(await outcomeOf(() => engine.publish('hot:t', 2), 'publish')).toBe('CONFLICT');
    }
    expect(codes).toContain('SHUTTING_DOWN');
    codes.delete('SHUTTING_DOWN');
    codes.delete('ok');
    expect([...codes]).toEqual([]);
  });
});

it('an engine that cannot start is closed', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  for (const lanes of [0, 1]) {
    const engine = createEngine({ port, lanes, topics: HOT });
    const starting = outcomeOf(() => engine.start(), 'start');
    const published = outcomeOf(() => engine.publish('hot:t', 1), 'publish');
    expect(await starting).toBe('CONFLICT');
    expect(['ok', 'SHUTTING_DOWN']).toContain(await published);
    for (const [name, use] of Object.entries(USES)) expect(await outcomeOf(() => use(engine), name)).toBe('CONFLICT');
    expect(await outcomeOf(() => engine.close(), 'close')).toBe('ok');
  }
  server.close();
});

it('a move that waits for a lane that hangs is answered when the engine stops', async () => {
  const { engine, pool } = await startFaultyEngine({ topics: HOT, shutdownTimeoutMs: 200 });
  await engine.publish('hot:t', 1);
  pool.lanes[0].faults.ask('hang');
  const published = outcomeOf(() => engine.publish('hot:t', 2), 'publish');
  await until(() => pool.lanes[0].faults.committed === 1, 'the lane hangs');
  const moves = ['cold', 'hot'].map((home) => outcomeOf(() => engine.moveTopic('hot:t', home as 'cold'), 'move'));
  expect(await outcomeOf(() => engine.close(), 'close')).toBe('ok');
  expect(await Promise.all(moves)).toEqual(['SHUTTING_DOWN', 'SHUTTING_DOWN']);
  expect(['ok', 'SHUTTING_DOWN']).toContain(await published);
});
