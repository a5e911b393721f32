// This package's client where it hurts: a stalled socket, a revoked topic, the end; and in a browser.
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { connect, type GapEvent } from '#src/client/client.js';
import { BrowserPage, hasChromium } from '../support/browser.js';
import { SMALL_LOGS, startEngine } from '../support/engines.js';
import { floodOn, floodPayload, floodUntilBlocked } from '../support/flood.js';
import { until, within } from '../support/until.js';

if (!hasChromium) console.log('browser tests are skipped: install the Debian package chromium');

const TOPICS = [{ match: 'hot:*', home: 'hot' as const }];

/** A WebSocket of `ws` that the test can stop from reading. */
function pausable(): { WebSocket: typeof WebSocket; sockets: WebSocket[] } {
  const sockets: WebSocket[] = [];
  class Pausable extends WebSocket {
    constructor(...given: ConstructorParameters<typeof WebSocket>) {
      super(...given);
      sockets.push(this);
    }
  }
  return { WebSocket: Pausable as typeof WebSocket, sockets };
}

describe.each(['cold:t', 'hot:t'])('the client, subscribed to %s', (topic) => {
  it('is told by `gap` exactly what it missed while it did not read', async () => {
    const { engine, url } = await startEngine({ ...SMALL_LOGS, topics: TOPICS });
    const { WebSocket: Pausable, sockets } = pausable();
    const client = await connect(url, { WebSocket: Pausable });
    const record: (number | GapEvent)[] = [];
    client.on('gap', (gap) => record.push(gap));
    await client.subscribe(topic, {}, ({ seq, payload }) => {
      expect(payload).toEqual(floodPayload(seq));
      record.push(seq);
    });
    sockets[0].pause();
    const before = await floodUntilBlocked(engine, topic);
    await floodOn(engine, topic, before + 1, 50);
    sockets[0].resume();
    await until(() => record.at(-1) === before + 50, 'the last message');
    let next = 1;
    for (const entry of record) {
      expect(typeof entry === 'number' ? entry : entry.fromSeq).toBe(next);
      next = (typeof entry === 'number' ? entry : entry.toSeq) + 1;
    }
    const gaps = record.filter((entry) => typeof entry === 'object');
    expect(gaps).toMatchObject([{ topic, reason: 'lapped' }]);
    expect(engine.stats().lostMessages).toBe(gaps[0].toSeq - gaps[0].fromSeq + 1);
    await client.close();
  });

  it('with the policy `disconnect` ends with SLOW_CONSUMER', async () => {
    const { engine, url } = await startEngine({ ...SMALL_LOGS, topics: TOPICS });
    const { WebSocket: Pausable, sockets } = pausable();
    const client = await connect(url, { WebSocket: Pausable });
    const closed = new Promise((resolve) => client.on('close', resolve));
    await client.subscribe(topic, { policy: 'disconnect' }, () => {});
    sockets[0].pause();
    const before = await floodUntilBlocked(engine, topic);
    await floodOn(engine, topic, before + 1, 50);
    await until(() => engine.stats().slowDisconnects === 1, 'it is disconnected');
    sockets[0].resume();
    expect(await closed).toMatchObject({ code: 1013, reason: expect.stringContaining('SLOW_CONSUMER') });
    await expect(client.publish(topic, 1)).rejects.toMatchObject({ code: 'SLOW_CONSUMER' });
  });
});

/** A way to the server that can be made to swallow everything, as a network without a route does. */
async function swallowingWay(url: string): Promise<{ url: string; swallow: () => void; close: () => void }> {
  let isSwallowing = false;
  const sockets: Socket[] = [];
  const pipe = (from: Socket, to: Socket): void => {
    sockets.push(from);
    from.on('data', (bytes) => isSwallowing || to.write(bytes)).on('error', () => {});
  };
  const way = createServer((near) => {
    const far = createConnection(Number(new URL(url).port), '127.0.0.1');
    pipe(near, far);
    pipe(far, near);
  });
  await new Promise<void>((resolve) => way.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(way.address() as AddressInfo).port}/ws`,
    swallow: () => {
      isSwallowing = true;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      way.close();
    },
  };
}

describe('the client behind a network that swallows everything', () => {
  it('notices by the heartbeat that the server announced, and close() takes no time', async () => {
    const { url } = await startEngine({ lanes: 0, heartbeatMs: 1000 });
    const way = await swallowingWay(url);
    try {
      const client = await connect(way.url, { WebSocket });
      await client.subscribe('t', {}, () => {});
      const closed = new Promise((resolve) => client.on('close', resolve));
      way.swallow();
      await expect(client.publish('t', 1)).rejects.toThrow('the connection was closed (1006): nothing came');
      expect(await closed).toEqual({ code: 1006, reason: expect.stringContaining('nothing came from the server') });
      expect(await client.close()).toMatchObject({ code: 1006 });
    } finally {
      way.close();
    }
  });

  it('and whose server is not noticed yet is closed all the same', async () => {
    const { url } = await startEngine({ lanes: 0 });
    const way = await swallowingWay(url);
    try {
      const client = await connect(way.url, { WebSocket });
      way.swallow();
      const reason = 'the server did not confirm the close';
      expect(await within(client.close(), 10_000, 'closed')).toEqual({ code: 1006, reason });
    } finally {
      way.close();
    }
  });
});

/** The compiled client, which imports no package, and a page. */
function clientFiles(): Map<string, string> {
  const files = new Map<string, string>();
  const root = fileURLToPath(new URL('../../', import.meta.url));
  for (const folder of ['dist', 'dist/book', 'dist/client', 'dist/protocol']) {
    for (const name of readdirSync(root + folder)) {
      if (name.endsWith('.js')) files.set(`/${folder}/${name}`, readFileSync(`${root}${folder}/${name}`, 'utf8'));
    }
  }
  // The test's own code cannot import in the page: it is transformed for this process before it gets there.
  files.set(
    '/',
    `<!doctype html><title>client</title><script type="module">import { connect } from '/dist/client/client.js'; globalThis.connect = connect;</script>`,
  );
  return files;
}

describe.skipIf(!hasChromium)('the client in a browser', () => {
  it('subscribes, publishes and closes, in MessagePack', { timeout: 90_000 }, async () => {
    const { engine, url } = await startEngine({ topics: TOPICS });
    const browser = await BrowserPage.open(clientFiles());
    try {
      const heard = await browser.page.evaluate(async (address) => {
        const client = await (globalThis as unknown as { connect: typeof connect }).connect(address);
        const events: unknown[] = [];
        for (const topic of ['cold:t', 'hot:t']) {
          await client.subscribe(topic, { lastN: 1 }, ({ seq, payload }) => events.push([topic, seq, payload]));
          await client.publish(topic, { px: 1.5, note: 'Zürich' });
          const feed = await client.openPublisher(topic);
          for (let n = 0; n < 500; n++) feed.send(n);
          await feed.flush();
        }
        while (events.length < 1002) await client.ping();
        const { messages } = await client.history('cold:t', { lastN: 1 });
        const { code } = await client.close();
        return { events, messages, code };
      }, url);
      expect(heard.code).toBe(1000);
      for (const topic of ['cold:t', 'hot:t']) {
        const own = (heard.events as [string, number, unknown][]).filter(([name]) => name === topic);
        expect(own[0]).toEqual([topic, 1, { px: 1.5, note: 'Zürich' }]);
        expect(own.slice(1)).toEqual(Array.from({ length: 500 }, (_, n) => [topic, n + 2, n]));
      }
      expect(heard.messages).toMatchObject([{ seq: 501, payload: 499 }]);
      await until(() => engine.stats().connections === 0, 'it has left');
    } finally {
      await browser.close();
    }
  });
});
