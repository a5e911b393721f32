// How a connection begins: subprotocol, codec, topics in the URL, and requests that make no sense.
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { startEngine } from '../support/engines.js';
import { TestClient } from '../support/test-client.js';
import { type Codec, encodeMessage } from '../support/wire.js';

async function bare(url: string, codec: Codec, protocols: string[] = []): Promise<TestClient> {
  return TestClient.over(new WebSocket(url, protocols), codec);
}

/** The HTTP status and text with which a WebSocket is refused. */
function refusal(url: string, protocols: string[] = []): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols);
    socket.on('open', () => reject(new Error('it was let in')));
    socket.on('error', () => {}); // terminate() below reports the handshake as aborted
    socket.on('unexpected-response', (_, response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => {
        socket.terminate();
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
  });
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
    const name = 'prices/α β*?:AAPL,x';
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
  ])('%s with subprotocols %j is 400', async (suffix, protocols, expected) => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const { status, text } = await refusal(url + suffix, protocols);
    expect(status).toBe(400);
    expect(text).toMatch(expected);
    expect(engine.stats()).toMatchObject({ refusedConnections: 1, connections: 0, topics: 0 });
  });

  it('tells a plain HTTP request what this is', async () => {
    const { url } = await startEngine({ lanes: 0 });
    for (const path of ['/', '/ws', '/elsewhere']) {
      const response = await fetch(new URL(path, url.replace('ws:', 'http:')));
      expect(response.status).toBe(426);
      expect(await response.text()).toMatch(/connect a WebSocket to \/ws/);
    }
    expect((await refusal(url.replace('/ws', '/elsewhere'))).status).toBe(426);
  });
});
