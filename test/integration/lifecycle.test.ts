// Starting, what hinders it, using an engine before and after, and several in one process.
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type WebSocket from 'ws';
import { createEngine, type Engine, RingcastError } from '#src/index.js';
import { runCli } from '../cli/run-cli.js';
import { Bystander } from '../support/bystander.js';
import { leftOvers, startEngine } from '../support/engines.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

async function failureOf(start: () => unknown): Promise<RingcastError> {
  try {
    await start();
  } catch (error) {
    expect(error).toBeInstanceOf(RingcastError);
    return error as RingcastError;
  }
  throw new Error('it did not fail');
}

async function listeningServer(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
}

describe('a port in use', () => {
  it.each([0, 1])('by another server: one line that says what to do (%i lanes)', async (lanes) => {
    const { server, port } = await listeningServer();
    const engine = createEngine({ port, lanes });
    const { code, message } = await failureOf(() => engine.start());
    expect(code).toBe('CONFLICT');
    expect(message).toMatch(new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use.*--port, PORT`));
    expect(message).not.toContain('\n');
    await engine.close();
    server.close();
  });

  it('by another ringcast, which goes on unharmed', async () => {
    const { engine, url } = await startEngine();
    const bystander = await Bystander.join(engine);
    const second = createEngine({ port: engine.port, lanes: 1 });
    expect((await failureOf(() => second.start())).code).toBe('CONFLICT');
    await second.close();
    const cli = await runCli(['serve', '--port', `${engine.port}`, '--lanes', '0', '--max-connections', '1000']);
    expect(cli).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^ringcast: cannot listen on .*\n$/),
    });
    for (let n = 0; n < 10; n++) await (await TestClient.open(url)).sync();
    expect(engine.stats().connections).toBe(11);
    await bystander.isUnharmed();
  });

  it('is free again as soon as the engine is closed', async () => {
    const { server, port } = await listeningServer();
    await new Promise((resolve) => server.close(resolve));
    const first = await startEngine({ lanes: 0, port });
    const [client, stalled] = [await TestClient.open(first.url), await TestClient.open(first.url)];
    stalled.socket.pause();
    await first.engine.close();
    await client.untilClosed();
    const again = await startEngine({ lanes: 0, port });
    expect(again.engine.port).toBe(port);
    await (await TestClient.open(again.url)).sync();
  });
});

describe('a wrong configuration', () => {
  it('names every key that is wrong or unknown, and the one that was meant', async () => {
    const wrong = { prot: 1, heartbeatMs: 'soon', topics: [{ match: 'a', hoem: 'hot' }], lanes: 1 };
    const { code, message } = await failureOf(() => createEngine(wrong as object));
    expect(code).toBe('BAD_REQUEST');
    for (const part of [/prot\b.*port/, /heartbeatMs/, /hoem.*home/]) expect(message).toMatch(part);
  });

  it('ends `ringcast serve` with one line and 1', async () => {
    const { code, stdout, stderr } = await runCli(['serve', '--port', '0'], { RINGCAST_HEARTBEAT_MS: '5' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^ringcast: .*RINGCAST_HEARTBEAT_MS.*\n$/);
  });

  it('an address that this machine does not have', async () => {
    const engine = createEngine({ host: '192.0.2.1', port: 0, lanes: 0 });
    expect((await failureOf(() => engine.start())).message).toContain('192.0.2.1');
    await engine.close();
  });
});

it('a Node version without a uWebSockets.js binary: one line with a command that helps', async () => {
  const script = fileURLToPath(new URL('../support/unsupported-node.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const { name, code, message } = JSON.parse(stdout) as { name: string; code: string; message: string };
  expect({ name, code }).toEqual({ name: 'RingcastError', code: 'INTERNAL' });
  // It depends on the machine: see test/gateway/uws-advice.test.ts.
  expect(message).toMatch(
    /ABI 9999.*("npm install uWebSockets\.js@npm:|"npx --yes --package node@|node:24-trixie-slim)/,
  );
  expect(message).not.toContain('\n');
});

describe('before start and after close', () => {
  const uses: [string, (engine: Engine) => unknown][] = [
    ['publish', (engine) => engine.publish('t', 1)],
    ['publishEncoded', (engine) => engine.publishEncoded('t', new Uint8Array([1]))],
    ['subscribe', (engine) => engine.subscribe('t', {}, () => {})],
    ['createTopic', (engine) => engine.createTopic('t')],
    ['deleteTopic', (engine) => engine.deleteTopic('t')],
  ];

  it.each(uses)('%s fails with CONFLICT', async (_, use) => {
    const engine = createEngine({ port: 0, lanes: 1 });
    const early = await failureOf(() => use(engine));
    expect(early).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('start()') });
    await engine.start();
    await use(engine);
    await engine.close();
    const late = await failureOf(() => use(engine));
    expect(late).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('closed') });
    expect((await failureOf(() => engine.start())).code).toBe('CONFLICT');
    await engine.close();
    expect(engine.stats().connections).toBe(0);
  });

  it('an engine that was never started can be closed, and starts no more', async () => {
    const engine = createEngine({ port: 0, lanes: 2 });
    await Promise.all([engine.close(), engine.close()]);
    expect((await failureOf(() => engine.start())).code).toBe('CONFLICT');
  });

  it.each([0, 1])('an engine that is closed while it starts does not start (%i lanes)', async (lanes) => {
    const engine = createEngine({ port: 0, lanes, shutdownTimeoutMs: 20_000 });
    const starting = failureOf(() => engine.start());
    const startMs = performance.now();
    await engine.close();
    expect(performance.now() - startMs).toBeLessThan(engine.config.shutdownTimeoutMs);
    expect(await starting).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(engine.port).toBe(0);
    expect((await failureOf(() => engine.publish('t', 1))).code).toBe('CONFLICT');
  });

  it('nothing keeps the process alive after close', async () => {
    const code = `
      import { createEngine } from '#src/index.js';
      const engine = createEngine({ port: 0, lanes: 2, topics: [{ match: '*', home: 'hot' }] });
      await engine.start();
      engine.subscribe('t', {}, () => {});
      await engine.publish('t', 1);
      await engine.close();
      console.log('closed');`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
      timeout: 10_000,
    });
    expect(stdout).toBe('closed\n');
  });
});

describe('two engines in one process', () => {
  it('know nothing of each other, and one goes on when the other is closed', async () => {
    const topics = [{ match: 'hot:*', home: 'hot' as const }];
    const [one, two] = [await startEngine({ lanes: 1, topics }), await startEngine({ lanes: 2, topics })];
    expect(one.engine.port).not.toBe(two.engine.port);
    const subscribers = [];
    for (const { url } of [one, two]) {
      const subscriber = await TestClient.open(url);
      for (const topic of ['cold:t', 'hot:t']) await subscriber.subscribe(topic);
      subscribers.push(subscriber);
    }
    for (let n = 0; n < 50; n++) {
      for (const topic of ['cold:t', 'hot:t']) {
        await one.engine.publish(topic, `one ${n}`);
        await two.engine.publish(topic, `two ${n}`);
      }
    }
    for (const [subscriber, name] of [
      [subscribers[0], 'one'],
      [subscribers[1], 'two'],
    ] as const) {
      const events = await subscriber.untilEvents(100);
      expect(events.every(({ payload }) => `${payload}`.startsWith(name))).toBe(true);
    }
    await one.engine.close();
    expect(await subscribers[0].untilClosed()).toMatchObject({ code: 1001 });
    await two.engine.publish('hot:t', 'still here');
    expect((await subscribers[1].untilEvents(101)).at(-1)?.payload).toBe('still here');
    expect(two.engine.stats()).toMatchObject({ connections: 1, subscriptions: 2 });
  });
});

describe('topics without history', () => {
  it.each(['cold', 'hot'])(
    'that the process itself published to, unheard, vanish (%s); one with a feed stays',
    async (home) => {
      const { engine, url } = await startEngine({ historyMessages: 0, topics: [{ match: 'hot:*', home: 'hot' }] });
      for (let n = 0; n < 20; n++) await engine.publish(`${home}:${n}`, n);
      const client = await TestClient.open(url);
      await client.subscribe(`${home}:0`);
      let published = 0;
      await until(() => {
        void engine.publish(`${home}:feed`, ++published);
        return engine.stats().topics === 2;
      }, 'only the feed and the one that is heard are left');
      await engine.publish(`${home}:feed`, ++published);
      expect(engine.topicStats(`${home}:feed`)?.seq).toBe(published);
      await engine.publish(`${home}:0`, 'heard');
      expect(await client.untilEvents(1)).toMatchObject([{ payload: 'heard', seq: 2 }]);
      await client.close();
      await until(() => engine.stats().topics === 0, 'none is left');
      expect(engine.stats().hotTopics).toBe(0);
    },
  );
});

describe('connections that end', () => {
  it.each(['properly', 'by a cut', 'by a reset'])('%s free everything they held', async (how) => {
    const { engine, url } = await startEngine({
      topics: [{ match: 'hot:*', home: 'hot', historyMessages: 0 }],
      historyMessages: 0,
    });
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, n) => TestClient.open(url, n % 2 ? 'json' : 'msgpack')),
    );
    for (const [n, client] of clients.entries()) {
      for (const topic of [`cold:${n % 3}`, `hot:${n % 3}`, 'cold:all', 'hot:all', `cold:own ${n}`])
        await client.subscribe(topic);
      client.send(
        { type: 'publish', topic: 'hot:all', payload: 1 },
        { type: 'publish', id: 'p', topic: 'cold:all', payload: n },
      );
    }
    expect(engine.stats()).toMatchObject({ connections: 20, subscriptions: 100 });
    for (const { socket } of clients) {
      if (how === 'properly') socket.close();
      else if (how === 'by a cut') socket.terminate();
      else (socket as WebSocket & { _socket: { resetAndDestroy(): void } })._socket.resetAndDestroy();
    }
    await until(
      () => Object.keys(leftOvers(engine)).length === 0,
      () => JSON.stringify(leftOvers(engine)),
    );
    expect(engine.stats()).toMatchObject({ topics: 0, hotTopics: 0 });
  });
});
