// The JSON dialect from a plain WebSocket in a browser, with nothing of this package on the page.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrowserPage, hasChromium } from '../support/browser.js';
import { startEngine } from '../support/engines.js';
import { TestClient } from '../support/test-client.js';

if (!hasChromium) console.log('browser tests are skipped: install the Debian package chromium');

const TOPICS = [{ match: 'hot:*', home: 'hot' as const }];
const START_DEADLINE_MS = 60_000;

describe.skipIf(!hasChromium)('a browser', () => {
  let browser: BrowserPage;
  beforeAll(async () => {
    browser = await BrowserPage.open();
  }, START_DEADLINE_MS);
  afterAll(() => browser.close());

  it.each(['cold:orders', 'hot:orders'])('subscribes, publishes, asks for history and leaves (%s)', async (topic) => {
    const { engine, url } = await startEngine({ topics: TOPICS });
    const binary = await TestClient.open(url);
    await binary.subscribe(topic);
    await binary.publish(topic, { qty: 1 }, { id: 'from msgpack' });
    const heard = await browser.page.evaluate(
      async ([address, name]) => {
        const socket = new WebSocket(address!, 'ringcast.v1.json');
        const messages: Record<string, unknown>[] = [];
        let wake = (): void => {};
        socket.onmessage = ({ data }) => {
          messages.push(JSON.parse(data));
          wake();
        };
        const until = async (type: string, id?: string): Promise<void> => {
          while (!messages.some((message) => message.type === type && message.request_id === id)) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        };
        const send = (message: object): void => socket.send(JSON.stringify(message));
        await new Promise((resolve) => {
          socket.onopen = resolve;
        });
        send({ type: 'subscribe', topic: name, client_id: 's1', last_n: 5, request_id: 'r1' });
        await until('ack', 'r1');
        const payload = { qty: 100, px: 1.5, note: 'Zürich €' };
        send({ type: 'publish', topic: name, message: { id: 'm-1', payload }, request_id: 'r2' });
        await until('ack', 'r2');
        send({ type: 'subscribe', topic: '', request_id: 'r3' });
        await until('error', 'r3');
        send({ type: 'ping', request_id: 'r4' });
        await until('pong', 'r4');
        while (messages.filter(({ type }) => type === 'event').length < 2) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        send({ type: 'history', topic: name, last_n: 1, request_id: 'r5' });
        await until('history', 'r5');
        send({ type: 'unsubscribe', topic: name, request_id: 'r6' });
        await until('ack', 'r6');
        const closed = new Promise<CloseEvent>((resolve) => {
          socket.onclose = resolve;
        });
        socket.close(1000);
        const { code, wasClean } = await closed;
        return { protocol: socket.protocol, messages, code, wasClean };
      },
      [url, topic],
    );
    expect(heard).toMatchObject({ protocol: 'ringcast.v1.json', code: 1000, wasClean: true });
    const of = (type: string) => heard.messages.filter((message) => message.type === type);
    expect(of('welcome')).toHaveLength(1);
    expect(of('ack').find(({ request_id }) => request_id === 'r1')).toMatchObject({
      topic,
      status: 'ok',
      seq: 0,
      epoch: expect.any(String),
    });
    expect(of('ack').find(({ request_id }) => request_id === 'r2')).toMatchObject({
      seq: 2,
      ts: expect.stringMatching(/Z$/),
    });
    expect(of('error')).toMatchObject([{ request_id: 'r3', error: { code: 'BAD_REQUEST' } }]);
    const payload = { qty: 100, px: 1.5, note: 'Zürich €' };
    expect(of('event')).toMatchObject([
      { topic, seq: 1, message: { id: 'from msgpack', payload: { qty: 1 } } },
      { topic, seq: 2, message: { id: 'm-1', payload } },
    ]);
    expect(of('history')).toMatchObject([{ topic, seq: 2, messages: [{ seq: 2, message: { id: 'm-1', payload } }] }]);
    expect((await binary.untilEvents(2)).at(-1)).toMatchObject({ id: 'm-1', payload });
    expect(engine.stats()).toMatchObject({ connections: 1, subscriptions: 1 });
  });

  it('watches topics by URL alone, and gets every message in order', async () => {
    const { engine, url } = await startEngine({ topics: TOPICS });
    const count = 2000;
    const watching = browser.page.evaluate(
      ([address, total]) =>
        new Promise<{ topic: string; seq: number }[]>((resolve) => {
          const socket = new WebSocket(address as string);
          const events: { topic: string; seq: number }[] = [];
          socket.onmessage = ({ data }) => {
            const message = JSON.parse(data);
            if (message.type !== 'event') return;
            events.push({ topic: message.topic, seq: message.seq });
            if (events.length === total) {
              socket.close();
              resolve(events);
            }
          };
        }),
      [`${url}?topics=hot:a,cold:b`, count] as const,
    );
    const watcher = await TestClient.open(url);
    while (engine.stats().subscriptions < 2) await watcher.sync();
    const publisher = await TestClient.open(url);
    for (let n = 0; n < count / 2; n++) {
      publisher.send({ type: 'publish', topic: 'hot:a', payload: n }, { type: 'publish', topic: 'cold:b', payload: n });
    }
    const events = await watching;
    for (const name of ['hot:a', 'cold:b']) {
      const seqs = events.filter(({ topic }) => topic === name).map(({ seq }) => seq);
      expect(seqs).toEqual(Array.from({ length: count / 2 }, (_, n) => n + 1));
    }
  });

  it('sees why the server closed', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const watching = browser.page.evaluate(
      (address) =>
        new Promise<{ code: number; notices: number }>((resolve) => {
          const socket = new WebSocket(address);
          let notices = 0;
          socket.onmessage = ({ data }) => {
            if (JSON.parse(data).type === 'info') notices++;
          };
          socket.onclose = ({ code }) => resolve({ code, notices });
        }),
      `${url}/t`,
    );
    const watcher = await TestClient.open(url);
    while (engine.stats().subscriptions < 1) await watcher.sync();
    await engine.close();
    expect(await watching).toEqual({ code: 1001, notices: 1 });
  });
});
