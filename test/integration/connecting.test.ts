// How a connection begins: subprotocol, codec, topics in the URL, and requests that make no sense.
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { createEngine, type EngineInput } from '#src/index.js';
import { startEngine } from '../support/engines.js';
import { RawPeer } from '../support/raw-peer.js';
import { refusal } from '../support/refusal.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';
import { type Codec, encodeMessage } from '../support/wire.js';

async function bare(url: string, codec: Codec, protocols: string[] = []): Promise<TestClient> {
  return TestClient.over(new WebSocket(url, protocols), codec);
}

describe('subprotocol and codec', () => {
  it('takes the first subprotocol that it knows, and says so', async () => {
    const { url } = await startEngine({ lanes: 0 });
    const both = await bare(url, 'json', ['graphql-ws', 'ringcast.v1.json', 'ringcast.v1.msgpack']);
    expect(both.socket.protocol).toBe('ringcast.v1.json');
    await both.sync();
    const binary = await bare(url, 'msgpack', ['ringcast.v1.msgpack', 'ringcast.v1.json']);
    expect(binary.socket.protocol).toBe('ringcast.v1.msgpack');
    await binary.sync();
  });

  it('does not compress, also where the client would', async () => {
    const { url } = await startEngine({ lanes: 0 });
    const client = await TestClient.open(url, 'msgpack', { perMessageDeflate: true });
    expect(client.socket.extensions).toBe('');
    await client.sync();
  });

  it('greets at once where the codec is known, and with the limits that hold', async () => {
    const { url } = await startEngine({ lanes: 0, heartbeatMs: 12_345, maxSubscriptionsPerConnection: 7 });
    for (const codec of ['msgpack', 'json'] as const) {
      const client = await TestClient.open(url, codec);
      await client.until(() => client.heard.length === 1, 'WELCOME');
    }
    const client = await TestClient.open(url);
    await client.sync();
    expect(client.heard[0]).toMatchObject({
      type: 'welcome',
      fields: {
        connectionId: expect.stringMatching(/^\S{8,}$/),
        heartbeatMs: 12_345,
        limits: { maxPayloadBytes: 1024 * 1024, maxSubscriptionsPerConnection: 7 },
      },
    });
  });

  it.each(['msgpack', 'json'] as const)('without a subprotocol the first message decides: %s', async (codec) => {
    const { url } = await startEngine({ lanes: 0 });
    const client = await bare(url, codec);
    expect(client.socket.protocol).toBe('');
    client.socket.send(encodeMessage(codec, { type: 'subscribe', id: 'first', topic: 't' }));
    await client.answerTo('first');
    expect(client.heard.map(({ type }) => type)).toEqual(['welcome', 'ok']);
    await client.publish('t', [codec]);
    expect((await client.untilEvents(1))[0]?.payload).toEqual([codec]);
  });

  it.each(['msgpack', 'json'] as const)('?codec=%s decides too', async (codec) => {
    const { url } = await startEngine({ lanes: 0 });
    const client = await bare(`${url}?codec=${codec}`, codec);
    await client.until(() => client.heard.length === 1, 'WELCOME');
  });
});

describe('subscribing by URL', () => {
  it('/ws/<topic> speaks JSON unless a codec is named', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const name = 'prices/α β?:AAPL,x';
    const watcher = await bare(`${url}/${encodeURIComponent(name)}`, 'json');
    await watcher.until(() => watcher.heard.length === 2, 'WELCOME and OK');
    expect(watcher.heard[1]).toMatchObject({ type: 'ok', id: null, result: { topic: name, seq: 0 } });
    await engine.publish(name, { p: 1 });
    expect(await watcher.untilEvents(1)).toMatchObject([{ topic: name, payload: { p: 1 } }]);
  });

  it('/ws?topics=a,b&codec=msgpack subscribes to each and gives the aliases', async () => {
    const { engine, url } = await startEngine({ topics: [{ match: 'a*', home: 'hot' }] });
    const watcher = await bare(`${url}?topics=a,b,a&codec=msgpack&topics=c%2Cd`, 'msgpack');
    await watcher.until(() => watcher.heard.length === 6, 'WELCOME and five OKs');
    const names = watcher.heard.slice(1).map((frame) => frame.type === 'ok' && frame.result.topic);
    expect(names).toEqual(['a', 'b', 'a', 'c', 'd']);
    expect(engine.stats().subscriptions).toBe(4);
    for (const name of ['a', 'b', 'c', 'd']) await engine.publish(name, name);
    const events = await watcher.untilEvents(4);
    expect(events.map(({ topic, payload }) => `${topic}=${payload}`).sort()).toEqual(['a=a', 'b=b', 'c=c', 'd=d']);
  });

  it('combines path, query and subprotocol', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const watcher = await bare(`${url}/x?topics=y`, 'msgpack', ['ringcast.v1.msgpack']);
    await watcher.until(() => watcher.heard.length === 3, 'two OKs');
    expect(engine.stats().subscriptions).toBe(2);
  });

  it('?last_n=2&policy=disconnect&max_delay_ms=5 holds for each of the topics', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    for (const topic of ['a', 'b']) for (const n of [1, 2, 3]) await engine.publish(topic, `${topic}${n}`);
    const watcher = await bare(`${url}/a?topics=b&last_n=2&policy=disconnect&max_delay_ms=5&client_id=w1`, 'json');
    const events = await watcher.untilEvents(4);
    expect(events.map(({ payload }) => payload)).toEqual(['a2', 'a3', 'b2', 'b3']);
  });

  it('a plus is a plus, in the path and in the list', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const watcher = await bare(`${url}/a+b?topics=c+d,e%20f`, 'json');
    await watcher.until(() => watcher.heard.length === 4, 'WELCOME and three OKs');
    for (const topic of ['a+b', 'c+d', 'e f']) expect(engine.topicStats(topic)?.subscribers, topic).toBe(1);
  });

  it('answers with an ERROR per topic that cannot be had', async () => {
    const { engine, url } = await startEngine({ lanes: 0, topics: { autoCreate: false, create: ['known'] } });
    const watcher = await bare(`${url}?topics=unknown,known`, 'json');
    await watcher.until(() => watcher.heard.length === 3, 'ERROR and OK');
    expect(watcher.heard.slice(1)).toMatchObject([
      { type: 'error', id: null, code: 'TOPIC_NOT_FOUND' },
      { type: 'ok', result: { topic: 'known' } },
    ]);
    expect(engine.stats().subscriptions).toBe(1);
  });
});

describe('requests that make no sense', () => {
  it.each([
    ['?codec=xml', [], /codec must be msgpack or json/],
    ['?codec=json', ['ringcast.v1.msgpack'], /contradicts/],
    ['', ['graphql-ws', 'mqtt'], /none of the subprotocols is known.*ringcast\.v1\.msgpack and ringcast\.v1\.json/],
    ['/%E0%A4%A', [], /not percent-encoded UTF-8/],
    ['/%00', [], /control/],
    ['/$sys', [], /reserved/],
    [`/${'x'.repeat(256)}`, [], /256 bytes, at most 255/],
    [`?topics=fine,${'x'.repeat(256)}`, [], /256 bytes, at most 255/],
    ['?topics=%ff', [], /topics in the URL is not percent-encoded UTF-8/],
    ['?topic=a', [], /unknown parameter.*codec, topics, last_n, since,/],
    ['?topics=a&last_n=-1', [], /last_n must be an integer/],
  ])('%s with subprotocols %j is 400', async (suffix, protocols, expected) => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const { status, text } = await refusal(url + suffix, protocols);
    expect(status).toBe(400);
    expect(text).toMatch(expected);
    expect(text).toMatch(/^BAD_REQUEST: .+\n$/);
    expect(engine.stats()).toMatchObject({ refusedConnections: 1, connections: 0, topics: 0 });
  });

  it('tells a plain HTTP request what this is', async () => {
    const { url } = await startEngine({ lanes: 0 });
    for (const path of ['/', '/ws', '/elsewhere']) {
      const response = await fetch(new URL(path, url.replace('ws:', 'http:')));
      expect(response.status).toBe(426);
      expect(response.headers.get('connection')).toBe('close');
      expect(await response.text()).toMatch(/^BAD_REQUEST: .*connect a WebSocket to \/ws\n$/);
    }
    expect((await refusal(url.replace('/ws', '/elsewhere'))).status).toBe(426);
  });

  it.each([
    ['plain ones', ''],
    ['upgrades that are refused', 'Upgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'],
  ])('ends the connection with the answer, whatever requests came with it: %s', async (_, headers) => {
    const { url } = await startEngine({ lanes: 0 });
    const peer = await RawPeer.connect(url);
    peer.socket.write(`GET /ws?codec=xml HTTP/1.1\r\nHost: x\r\n${headers}\r\n`.repeat(4000));
    await until(() => peer.isClosed, 'it is closed');
    const answers = peer.received.toString().split('HTTP/1.1 4').length - 1;
    expect(answers).toBeGreaterThan(0);
    // As many as fit into what uWebSockets.js gathers for one write (16 KiB), and not 4000.
    expect(answers).toBeLessThan(250);
  });
});

describe('what onConnect sees', () => {
  it('headers that came several times have all values, subprotocols count from every line', async () => {
    let seen: unknown;
    const onConnect: NonNullable<EngineInput['onConnect']> = ({ headers }) => {
      seen = headers;
      return true;
    };
    const { url } = await startEngine({ lanes: 0, onConnect });
    const peer = await RawPeer.connect(url);
    const lines = [
      ...['GET /ws?token=t&topic=mine HTTP/1.1', 'Host: x', 'Upgrade: websocket', 'Connection: Upgrade'],
      ...['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='],
      ...['Cookie: session=abc', 'X-Forwarded-For: 203.0.113.7', 'Sec-WebSocket-Protocol: bearer.x'],
      ...['Cookie: theme=dark', 'X-Forwarded-For: 10.0.0.2', 'Sec-WebSocket-Protocol: ringcast.v1.json'],
      ...['__proto__: x', 'constructor: y', '', ''],
    ];
    peer.socket.write(lines.join('\r\n'));
    await until(() => peer.received.includes('welcome'), 'it is in');
    expect(peer.received.toString()).toContain('Sec-WebSocket-Protocol: ringcast.v1.json');
    expect(seen).toMatchObject({
      cookie: 'session=abc; theme=dark',
      'x-forwarded-for': '203.0.113.7, 10.0.0.2',
      'sec-websocket-protocol': 'bearer.x, ringcast.v1.json',
      constructor: 'y',
    });
    expect(Object.entries(seen as object)).toContainEqual(['__proto__', 'x']);
  });

  it.each([
    ['::', '127.0.0.1', '127.0.0.1'],
    ['::1', '[::1]', '::1'],
    ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
  ])('listening on %s, a peer from %s is %s', async (host, from, expected) => {
    const seen: string[] = [];
    const onConnect: NonNullable<EngineInput['onConnect']> = ({ remoteAddress }) => seen.push(remoteAddress) > 0;
    const { engine } = await startEngine({ lanes: 0, host, onConnect });
    await (await TestClient.open(`ws://${from}:${engine.port}/ws`)).sync();
    expect(seen).toEqual([expected]);
  });

  it('parameters that are not ringcast’s are for the hook', async () => {
    const { url } = await startEngine({ lanes: 0, onConnect: ({ url: asked }) => asked === '/ws?token=t&codec=json' });
    await bare(`${url}?token=t&codec=json`, 'json');
    expect((await refusal(`${url}?token=t&codec=xml`)).status).toBe(400);
  });
});

describe('large headers', () => {
  it('are taken up to maxHeaderBytes, for a long URL as well as for cookies, and are 431 beyond', async () => {
    const { engine, url } = await startEngine({ lanes: 0, maxHeaderBytes: 16 * 1024 });
    const names = Array.from({ length: 400 }, (_, index) => `prices:SYM${index}`);
    const watcher = await bare(`${url}?topics=${names.join(',')}`, 'json');
    await watcher.until(() => engine.stats().subscriptions === 400, 'all are subscribed');
    const headers = { Cookie: `a=${'x'.repeat(12_000)}` };
    await (await TestClient.open(url, 'msgpack', { headers })).sync();
    const { status } = await refusal(url, [], { headers: { Cookie: 'x'.repeat(17_000) } });
    expect(status).toBe(431);
  });

  it('are as large as the first engine of the process says, and the next one is told', async () => {
    await startEngine({ lanes: 0, maxHeaderBytes: 16 * 1024 });
    const warnings: string[] = [];
    const next = createEngine({ port: 0, lanes: 0, maxConnections: 100, maxHeaderBytes: 32 * 1024 });
    next.on('warning', (text) => warnings.push(text));
    await next.start();
    await next.close();
    expect(warnings).toEqual([expect.stringMatching(/maxHeaderBytes is 16384 for the whole process/)]);
  });
});

describe('pages of other origins', () => {
  const foreign = { origin: 'https://elsewhere.example' };

  it('are refused, with the key that lets them in; other programs and own pages are not', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const { status, text } = await refusal(url, [], foreign);
    expect({ status, text }).toEqual({
      status: 403,
      text: 'FORBIDDEN: pages of https://elsewhere.example may not connect; the key allowedOrigins lists those that may\n',
    });
    await (await TestClient.open(url)).sync();
    await (await TestClient.open(url, 'msgpack', { origin: 'http://localhost:5173' })).sync();
    expect(engine.stats()).toMatchObject({ connections: 2, refusedConnections: 1 });
  });

  it('may connect where they are listed, and onConnect is asked about nobody else', async () => {
    let asked = 0;
    const onConnect = () => ++asked > 0;
    const { url } = await startEngine({ lanes: 0, allowedOrigins: ['https://*.example'], onConnect });
    await (await TestClient.open(url, 'msgpack', foreign)).sync();
    expect((await refusal(url, [], { origin: 'https://elsewhere.test' })).status).toBe(403);
    expect(asked).toBe(1);
  });
});
