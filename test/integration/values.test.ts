// Values on their way through a running server: from each kind of publisher to each kind of subscriber the same one.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { connect, decodeJson, ExtensionValue, encodeJson } from '#src/client/client.js';
import { encodeClientFrame } from '#src/protocol/client-frames.js';
import { startEngine } from '../support/engines.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

/** The texts that JSON subscribers get; of the payloads only, with all of their digits. */
function payloadTexts(client: TestClient): string[] {
  const texts: string[] = [];
  client.socket.on('message', (data) => {
    const text = /^\{"type":"event".*?"payload":(.*)\},"seq":\d+,"ts":"[^"]*"\}$/s.exec(`${data}`)?.[1];
    if (text !== undefined) texts.push(text);
  });
  return texts;
}

async function stage(topic: string) {
  const { engine, url, faults } = await startEngine({ lanes: 1, topics: [{ match: 'hot:*', home: 'hot' }] });
  const json = await TestClient.open(url, 'json');
  const texts = payloadTexts(json);
  await json.subscribe(topic);
  const client = await connect(url, { WebSocket });
  const decoded: unknown[] = [];
  const encoded: string[] = [];
  const local: unknown[] = [];
  await client.subscribe(topic, {}, ({ payload }) => decoded.push(payload));
  await client.subscribe(topic, { encoded: true }, ({ payload }) => encoded.push(decodeJson(payload as Uint8Array)));
  engine.subscribe(topic, {}, ({ payload }) => local.push(payload));
  const everybodyHas = (count: number) =>
    until(() => [texts, decoded, encoded, local].every(({ length }) => length >= count), `${count} messages`);
  return { engine, faults, json, texts, client, decoded, encoded, local, everybodyHas };
}

describe.each(['cold:t', 'hot:t'])('to subscribers of %s', (topic) => {
  it('what a program publishes arrives the same, from the engine and from a client', async () => {
    const { engine, faults, client, texts, decoded, encoded, local, everybodyHas } = await stage(topic);
    const values: [value: unknown, arrived: unknown, json: string][] = [
      [
        { id: 2 ** 40, big: 2n ** 64n - 1n },
        { id: 2 ** 40, big: 2n ** 64n - 1n },
        '{"id":1099511627776,"big":18446744073709551615}',
      ],
      [Float64Array.of(1.5, 2.5), [1.5, 2.5], '[1.5,2.5]'],
      [new Uint8Array([0, 1, 2, 3]).subarray(1, 3), Uint8Array.of(1, 2), '"AQI="'],
      [new Map<unknown, unknown>([[[1], new Set(['a'])]]), { '[1]': ['a'] }, '{"[1]":["a"]}'],
      [
        JSON.parse('{"__proto__":1,"constructor":2,"then":3}'),
        JSON.parse('{"__proto__":1,"constructor":2,"then":3}'),
        '{"__proto__":1,"constructor":2,"then":3}',
      ],
      [new Date(5), new Date(5), '"1970-01-01T00:00:00.005Z"'],
      [new ExtensionValue(5, Uint8Array.of(1)), new ExtensionValue(5, Uint8Array.of(1)), '{"ext":5,"data":"AQ=="}'],
      ['\ufeffbom', '\ufeffbom', '"\ufeffbom"'],
      [-0, -0, '-0'],
    ];
    for (const [value] of values) {
      await engine.publish(topic, value);
      await client.publish(topic, value);
    }
    await everybodyHas(values.length * 2);
    const twice = values.flatMap((row) => [row, row]);
    expect(texts).toEqual(twice.map(([, , json]) => json));
    expect(encoded).toEqual(texts);
    for (const heard of [decoded, local]) {
      for (const [index, value] of heard.entries()) {
        expect(isDeepStrictEqual(value, twice[index][1]), `${index}: ${String(value)}`).toBe(true);
      }
    }
    expect(faults).toEqual([]);
  });

  it('what is refused is a RingcastError BAD_REQUEST, and nothing is sent', async () => {
    const { engine, client, texts, everybodyHas } = await stage(topic);
    const publisher = await client.openPublisher(topic);
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const thrower = {
      get price(): number {
        throw new TypeError('no price yet');
      },
    };
    for (const bad of ['\ud800', cycle, thrower, () => 1, Symbol('s'), 2n ** 64n, new Error('x'), /x/]) {
      await expect(engine.publish(topic, bad)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      await expect(client.publish(topic, bad)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      await expect(publisher.publish(bad)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      expect(publisher.send(bad)).toBe(false);
      await expect(publisher.flush()).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    }
    for (const bytes of [new Uint8Array(0), Uint8Array.of(0x91), Uint8Array.of(1, 1)]) {
      await expect(engine.publishEncoded(topic, bytes)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      await expect(client.publishEncoded(topic, bytes)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    }
    await client.publish(topic, 'the only one');
    await everybodyHas(1);
    expect(texts).toEqual(['"the only one"']);
  });

  it('what a JSON client publishes arrives with its digits and in its order', async () => {
    const { json, client, texts, decoded, local, everybodyHas } = await stage(topic);
    const payloads = [
      '9007199254740993',
      '12345678901234567890',
      '-9223372036854775808',
      '1700000000000',
      '-0',
      '{"b":1,"1":2,"__proto__":{"x":1}}',
      '{"constructor":1,"toJSON":1}',
      '"\\ufeff"',
    ];
    for (const payload of payloads) {
      json.socket.send(`{"type":"publish","topic":"${topic}","message":{"payload":${payload}}}`);
    }
    for (const refused of ['1e400', '18446744073709551616', 'NaN', '"\\ud800"']) {
      json.socket.send(`{"type":"publish","topic":"${topic}","message":{"payload":${refused}}}`);
    }
    await json.sync();
    await client.publishEncoded(topic, encodeJson('9007199254740995'));
    await everybodyHas(payloads.length + 1);
    expect(texts).toEqual([...payloads.map((text) => text.replace('\\ufeff', '\ufeff')), '9007199254740995']);
    expect(decoded.slice(0, 4)).toEqual([9007199254740993n, 12345678901234567890n, -(2n ** 63n), 1_700_000_000_000]);
    expect(local).toStrictEqual(decoded);
    expect(json.errors().map(({ code }) => code)).toEqual(Array(4).fill('BAD_REQUEST'));
    expect(json.isClosed).toBe(false);
  });

  it('what a stranger publishes is delivered, however odd', async () => {
    const { engine, faults, client, texts, decoded, local, everybodyHas } = await stage(topic);
    const stranger = await TestClient.open(engine.url, 'msgpack');
    const deep = Buffer.concat([Buffer.alloc(50, 0x81), Buffer.from([0xa1, 0x61, 1]), Buffer.alloc(49, 1)]);
    const odd = ['d4 05 01', '81 91 01 02', '81 c4 01 00 02', '81 d6 ff 00 00 00 00 01', '81 80 01', 'a2 c3 28'];
    for (const payload of [...odd.map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex')), deep]) {
      stranger.socket.send(
        Buffer.concat([Buffer.from([0x94, 4, 0xc0, 0xa0 | topic.length]), Buffer.from(topic), payload]),
      );
    }
    await stranger.sync();
    await client.publish(topic, 'after them');
    await everybodyHas(odd.length + 2);
    expect(local.slice(0, 6)).toEqual([
      new ExtensionValue(5, Uint8Array.of(1)),
      ...[{ '[1]': 2 }, { 'AA==': 2 }, { '1970-01-01T00:00:00.000Z': 1 }, { '{}': 1 }, '\ufffd('],
    ]);
    expect(decoded).toEqual(local);
    for (const text of texts) expect(text.length).toBeLessThan(deep.length * 11);
    expect([texts.at(-1), decoded.at(-1)]).toEqual(['"after them"', 'after them']);
    expect(faults).toEqual([]);
    expect((await client.history(topic)).messages).toHaveLength(odd.length + 2);
    const json = await TestClient.open(engine.url, 'json');
    expect(await json.request({ type: 'history', topic })).toMatchObject({ type: 'ok' });
  });
});

it('a request of a text that is not JSON is answered, and the connection goes on', async () => {
  const { url } = await startEngine({ lanes: 0 });
  const client = await TestClient.open(url, 'json');
  client.socket.send('{"type":"publish","topic":"t","request_id":5,"message":{"payload":NaN}}');
  expect(await client.answerTo(5)).toMatchObject({ code: 'BAD_REQUEST', message: expect.stringMatching(/not JSON/) });
  await client.publish('t', 1);
  const other = await TestClient.open(url, 'msgpack');
  other.socket.send(encodeClientFrame({ type: 'ping', id: 1 }));
  await other.sync();
});
