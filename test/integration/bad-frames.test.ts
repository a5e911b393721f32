// Bad input on an open connection: each kind has its clear answer, costs what PROTOCOL.md says, and harms nobody else.
import { describe, expect, it } from 'vitest';
import { encodeClientFrame } from '#src/protocol/client-frames.js';
import { encode } from '#src/protocol/msgpack.js';
import { Bystander } from '../support/bystander.js';
import { type StartedEngine, startEngine } from '../support/engines.js';
import { OPCODE, RawPeer } from '../support/raw-peer.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';
import { CODECS, type Codec } from '../support/wire.js';

const MIB = 1024 * 1024;

interface Scene extends StartedEngine {
  readonly client: TestClient;
  readonly bystander: Bystander;
}

async function stage(codec: Codec = 'msgpack', input: Parameters<typeof startEngine>[0] = {}): Promise<Scene> {
  const started = await startEngine({ lanes: 0, ...input });
  const bystander = await Bystander.join(started.engine);
  return { ...started, bystander, client: await TestClient.open(started.url, codec) };
}

/** One frame more in place of a good one. */
function nested(depth: number): Buffer {
  return Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([0xc0])]);
}

describe('what cannot be parsed costs the connection: ERROR BAD_REQUEST, then 1007', () => {
  const frame = Buffer.from(encodeClientFrame({ type: 'subscribe', id: 1, topic: 'a-longer-name' }));
  it.each<[string, Codec, Buffer]>([
    ['a byte that MessagePack does not have', 'msgpack', Buffer.from([0xc1])],
    ['half a frame', 'msgpack', frame.subarray(0, frame.length - 4)],
    ['a good frame and half a one', 'msgpack', Buffer.concat([frame, frame.subarray(0, 5)])],
    ['a string longer than the message', 'msgpack', Buffer.from([0x93, 2, 1, 0xdb, 0xff, 0xff, 0xff, 0xff, 0x61])],
    ['an array of 4 billion elements', 'msgpack', Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff, 4])],
    ['nesting without end', 'msgpack', nested(100_000)],
  ])('%s (%s)', async (_, codec, bytes) => {
    const { engine, client, bystander } = await stage(codec);
    client.socket.send(bytes);
    expect((await client.untilClosed()).code).toBe(1007);
    expect(client.errors()).toMatchObject([{ id: null, code: 'BAD_REQUEST', message: expect.stringMatching(/./) }]);
    await bystander.isUnharmed();
    expect(engine.stats().connections).toBe(1);
    expect(engine.stats().badFrames).toBeGreaterThan(0);
  });

  it.each([
    ['half a JSON object', '{"type":"subscribe"'],
    ['no JSON', 'hello'],
    ['a number that JSON does not have', '{"type":"publish","topic":"t","message":{"payload":NaN}}'],
    ['JSON nested without end', `{"type":"publish","topic":"t","message":{"payload":${'['.repeat(100_000)}`],
  ])('%s (json) costs that message only', async (_, text) => {
    const { engine, client, bystander } = await stage('json');
    client.socket.send(text);
    expect(await client.request({ type: 'subscribe', topic: 't' })).toMatchObject({ type: 'ok' });
    expect(client.errors()).toMatchObject([
      { id: null, code: 'BAD_REQUEST', message: expect.stringMatching(/JSON|nested deeper/) },
    ]);
    await bystander.isUnharmed();
    expect(engine.stats().badFrames).toBe(1);
  });

  it('a text that is not UTF-8 ends its connection', async () => {
    const { engine, url, bystander } = await stage('json');
    const peer = await RawPeer.upgraded(url, 'ringcast.v1.json');
    peer.sendFrame(OPCODE.text, Buffer.from([0x22, 0xff, 0xfe, 0x22]));
    await until(() => peer.isClosed, 'closed');
    await bystander.isUnharmed();
    expect(engine.stats().connections).toBe(2);
  });
});

describe('a bad frame costs an ERROR with its id, and the frames behind it still count', () => {
  const bad: [string, unknown[]][] = [
    ['an operation that does not exist', [99, 7, 'topic']],
    ['an operation of the server', [35, 7, 1, 0, null]],
    ['an ACK of what is no number', [6, 7, -1]],
    ['a reserved operation, PRESENCE', [9, 7, 'topic']],
    ['a topic that is a number where none may be', [2, 7, 42]],
    ['a topic that is nil', [2, 7, null]],
    ['options that are no map', [2, 7, 'topic', 'lastN']],
    ['an option that does not exist', [2, 7, 'topic', { replay: 5 }]],
    ['an option of the wrong type', [2, 7, 'topic', { lastN: '5' }]],
    ['an option out of range', [2, 7, 'topic', { lastN: 1_000_001 }]],
    ['a policy that does not exist', [2, 7, 'topic', { policy: 'keep_all' }]],
    ['a PUBLISH without payload', [4, 7, 'topic']],
    ['a message id of 65 bytes', [4, 7, 'topic', null, { id: 'x'.repeat(65) }]],
    ['an alias below zero', [4, 7, -1, null]],
    ['an alias with a fraction', [4, 7, 1.5, null]],
    ['one element too many', [5, 7, 'and more']],
    ['a topic name of 0 bytes', [2, 7, '']],
    ['a topic name of 256 bytes', [2, 7, 'x'.repeat(256)]],
    ['a topic name of 256 bytes in 128 characters', [2, 7, 'ü'.repeat(128)]],
    ['a topic name with a control character', [2, 7, 'a\nb']],
    ['a topic name of the server’s', [2, 7, '$sys']],
  ];

  it.each(bad)('%s (msgpack)', async (_, elements) => {
    const { engine, client, bystander } = await stage();
    const good = encodeClientFrame({ type: 'subscribe', id: 8, topic: 'x'.repeat(255) });
    client.socket.send(Buffer.concat([encode(elements), good]));
    expect(await client.answerTo(8)).toMatchObject({ type: 'ok' });
    expect(client.errors()).toMatchObject([{ code: 'BAD_REQUEST', message: expect.stringMatching(/./) }]);
    // ACK has no id, and where an operation that is none has it nobody knows.
    const hasId = ![6, 35, 99].includes(elements[0] as number);
    expect(client.errors()[0]?.id).toBe(hasId ? 7 : null);
    await bystander.isUnharmed();
    expect(engine.stats()).toMatchObject({ badFrames: 1, topics: 2 });
  });

  it.each([
    ['no array', { 2: 'topic' }],
    ['an empty array', []],
    ['an operation that is a string', ['subscribe', 7, 'topic']],
    ['an id that is a map', [2, {}, 'topic']],
    ['an id with a fraction', [2, 0.5, 'topic']],
    ['an id of 65 bytes', [2, 'x'.repeat(65), 'topic']],
  ])('%s: the ERROR has no id', async (_, value) => {
    const { client, bystander } = await stage();
    client.socket.send(Buffer.from(encode(value)));
    await client.sync();
    expect(client.errors()).toMatchObject([{ id: null, code: 'BAD_REQUEST' }]);
    await bystander.isUnharmed();
  });

  it.each<[string, unknown]>([
    ['no object', [2, 7, 'topic']],
    ['no type', { topic: 't', request_id: 7 }],
    ['a type that does not exist', { type: 'dance', request_id: 7 }],
    ['a type of the server', { type: 'event', topic: 't', request_id: 7 }],
    ['no topic', { type: 'subscribe', request_id: 7 }],
    ['a topic that is a number', { type: 'subscribe', topic: 5, request_id: 7 }],
    ['a topic name of 0 bytes', { type: 'subscribe', topic: '', request_id: 7 }],
    ['a topic name of 256 bytes', { type: 'publish', topic: 'x'.repeat(256), message: { payload: 1 }, request_id: 7 }],
    ['half a surrogate pair as a name', { type: 'subscribe', topic: '\ud800', request_id: 7 }],
    ['a PUBLISH without message', { type: 'publish', topic: 't', request_id: 7 }],
    ['an option of the wrong type', { type: 'subscribe', topic: 't', last_n: '5', request_id: 7 }],
    ['an option of the wrong name', { type: 'subscribe', topic: 't', lastN: 5, request_id: 7 }],
  ])('%s (json)', async (_, value) => {
    const { client, bystander } = await stage('json');
    client.socket.send(JSON.stringify(value));
    await client.sync();
    expect(client.errors()).toMatchObject([{ id: Array.isArray(value) ? null : 7, code: 'BAD_REQUEST' }]);
    await bystander.isUnharmed();
  });

  it('a text message on a MessagePack connection, a binary one on a JSON connection', async () => {
    const { client, bystander, url } = await stage();
    client.socket.send('{"type":"ping"}');
    await client.sync();
    expect(client.errors()).toMatchObject([
      { id: null, code: 'BAD_REQUEST', message: expect.stringMatching(/binary/) },
    ]);
    const text = await TestClient.open(url, 'json');
    text.socket.send(Buffer.from(encodeClientFrame({ type: 'ping', id: 1 })));
    await text.sync();
    expect(text.errors()).toMatchObject([{ id: null, code: 'BAD_REQUEST', message: expect.stringMatching(/text/) }]);
    await bystander.isUnharmed();
  });

  it('16 bad frames in one message are answered one by one, the 17th costs the connection', async () => {
    const { client, bystander, url } = await stage();
    const bads = (count: number) => Buffer.concat(Array.from({ length: count }, () => encode([99, 7])));
    client.socket.send(bads(16));
    await client.sync();
    expect(client.errors()).toHaveLength(16);
    client.socket.send(bads(17));
    expect((await client.untilClosed()).code).toBe(1007);
    expect(client.errors().length).toBeLessThanOrEqual(33);
    expect((await (await TestClient.open(url)).publish('t', 1)).seq).toBe(1);
    await bystander.isUnharmed();
  });

  it('a payload nested deeper than the limit', async () => {
    const { client, bystander } = await stage();
    await client.subscribe('t');
    // Not client.send(), which refuses it.
    client.socket.send(Buffer.concat([Buffer.from([0x94, 4]), encode('deep'), encode('t'), nested(101)]));
    expect(await client.answerTo('deep')).toMatchObject({ type: 'error', code: 'BAD_REQUEST' });
    client.send({ type: 'publish', id: 'fine', topic: 't', payloadBytes: nested(100) });
    expect(await client.answerTo('fine')).toMatchObject({ type: 'ok' });
    await client.untilEvents(1);
    await bystander.isUnharmed();
  });
});

describe('messages that hold nothing', () => {
  it.each(CODECS)('an empty message (%s) is no frame, and no harm', async (codec) => {
    const { engine, client, bystander } = await stage(codec);
    client.socket.send(codec === 'json' ? '' : Buffer.alloc(0));
    await client.sync();
    expect(client.errors()).toEqual([]);
    await bystander.isUnharmed();
    expect(engine.stats().badFrames).toBe(0);
  });
});

describe('messages that are too large', () => {
  it.each(CODECS)('2 MiB (%s): ERROR TOO_LARGE, then 1009', async (codec) => {
    const { engine, client, bystander } = await stage(codec);
    client.socket.send(codec === 'json' ? ' '.repeat(2 * MIB) : Buffer.alloc(2 * MIB, 0xc0));
    expect((await client.untilClosed()).code).toBe(1009);
    expect(client.errors()).toMatchObject([
      { id: null, code: 'TOO_LARGE', message: expect.stringMatching(/2097152 bytes.*1048576.*maxPayloadBytes/) },
    ]);
    await bystander.isUnharmed();
    expect(engine.stats().connections).toBe(1);
  });

  it('exactly the limit is taken', async () => {
    const { client, bystander } = await stage('msgpack', { maxPayloadBytes: 64 * 1024 });
    const frameOf = (characters: number) =>
      encodeClientFrame({ type: 'publish', id: 'm', topic: 't', payload: 'x'.repeat(characters) });
    const overheadBytes = frameOf(60_000).length - 60_000;
    const frame = frameOf(64 * 1024 - overheadBytes);
    expect(frame.length).toBe(64 * 1024);
    client.socket.send(Buffer.from(frame));
    expect(await client.answerTo('m')).toMatchObject({ type: 'ok' });
    client.socket.send(Buffer.concat([frame, encode([5])]));
    expect((await client.untilClosed()).code).toBe(1009);
    await bystander.isUnharmed();
  });

  it('more than twice the limit: the connection is cut', async () => {
    const { engine, client, bystander } = await stage();
    client.socket.send(Buffer.alloc(2 * MIB + 2048, 0xc0));
    expect((await client.untilClosed()).code).toBe(1006);
    await bystander.isUnharmed();
    expect(engine.stats().connections).toBe(1);
  });

  it('a frame that only announces more than twice the limit: the connection is cut before it comes', async () => {
    const { url, bystander } = await stage();
    const peer = await RawPeer.upgraded(url);
    const head = Buffer.alloc(14);
    head[0] = 0x80 | OPCODE.binary;
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(2n ** 40n, 2);
    peer.socket.write(head);
    await until(() => peer.isClosed, 'cut');
    await bystander.isUnharmed();
  });
});

describe('requests that make no sense', () => {
  it.each(CODECS)('subscribing twice (%s): OK with the same alias, every message once', async (codec) => {
    const { engine, client, bystander } = await stage(codec);
    const first = await client.subscribe('t', { lastN: 3 });
    await client.publish('t', 1);
    const second = await client.subscribe('t', { lastN: 3 });
    expect(second).toMatchObject({ topic: 't', epoch: first.epoch, seq: 1 });
    expect(second.alias).toBe(first.alias);
    await client.publish('t', 2);
    await client.sync();
    expect((await client.untilEvents(2)).map(({ payload }) => payload)).toEqual([1, 2]);
    expect(engine.stats().subscriptions).toBe(2);
    await client.unsubscribe('t');
    expect(engine.stats().subscriptions).toBe(1);
    await bystander.isUnharmed();
  });

  it.each(CODECS)('unsubscribing from nothing (%s)', async (codec) => {
    const { client, bystander } = await stage(codec);
    const unknown = await client.request({ type: 'unsubscribe', topic: 'nothing' });
    expect(unknown).toMatchObject({
      type: 'error',
      code: 'TOPIC_NOT_FOUND',
      message: expect.stringContaining('nothing'),
    });
    // A topic that others have subscribed to is nothing too.
    const theirs = await client.request({ type: 'unsubscribe', topic: 'bystander' });
    expect(theirs).toMatchObject({ type: 'error', code: 'TOPIC_NOT_FOUND' });
    await client.subscribe('t');
    await client.unsubscribe('t');
    expect(await client.request({ type: 'unsubscribe', topic: 't' })).toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await bystander.isUnharmed();
  });

  it('publishing by an alias that this connection was not given', async () => {
    const { engine, client, bystander } = await stage();
    for (const alias of [0, 12_345, 0xffff_ffff]) {
      const answer = await client.request({ type: 'publish', topic: alias, payload: 1 });
      expect(answer).toMatchObject({
        type: 'error',
        code: 'TOPIC_NOT_FOUND',
        message: expect.stringContaining(`${alias}`),
      });
    }
    const subscribed = bystander.client.heard.find((frame) => frame.type === 'ok');
    const alias = subscribed?.type === 'ok' ? (subscribed.result.alias as number) : -1;
    const theirs = await client.request({ type: 'publish', topic: alias, payload: 'injected' });
    expect(theirs).toMatchObject({ type: 'error', code: 'TOPIC_NOT_FOUND' });
    client.send({ type: 'publish', topic: alias, payload: 'injected' });
    expect(await client.request({ type: 'unsubscribe', topic: alias })).toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    expect(client.errors().at(-2)).toMatchObject({ id: null, code: 'TOPIC_NOT_FOUND' });
    await bystander.isUnharmed();
    expect(bystander.client.events().some(({ payload }) => payload === 'injected')).toBe(false);
    expect(engine.stats().topics).toBe(1);
  });

  it('10,001 subscriptions: the last one is LIMIT_EXCEEDED, and leaves nothing behind', async () => {
    const { engine, client, bystander } = await stage();
    for (let n = 0; n < 10_000; n += 100) {
      client.send(...Array.from({ length: 100 }, (_, i) => ({ type: 'subscribe' as const, topic: `many:${n + i}` })));
    }
    const refused = await client.request({ type: 'subscribe', topic: 'one too many' });
    expect(refused).toMatchObject({ type: 'error', code: 'LIMIT_EXCEEDED', details: { limit: 10_000 } });
    expect(engine.stats()).toMatchObject({ subscriptions: 10_001, streams: 10_001, topics: 10_001 });
    expect(await client.request({ type: 'subscribe', topic: 'many:0' })).toMatchObject({ type: 'ok' });
    await client.unsubscribe('many:17');
    await client.subscribe('one too many');
    await client.close();
    await until(() => engine.stats().subscriptions === 1, 'the subscriptions are gone');
    expect(engine.stats()).toMatchObject({ streams: 1, topics: 1 });
    await bystander.isUnharmed();
  });

  it('one topic more than maxTopics', async () => {
    const { engine, client, bystander } = await stage('msgpack', { maxTopics: 3 });
    await client.subscribe('two');
    await client.publish('three', 1);
    for (const request of [{ type: 'subscribe' as const }, { type: 'publish' as const, payload: 1 }]) {
      const answer = await client.request({ ...request, topic: 'four' });
      expect(answer).toMatchObject({
        type: 'error',
        code: 'LIMIT_EXCEEDED',
        message: expect.stringContaining('maxTopics'),
      });
    }
    await expect(engine.publish('four', 1)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(engine.stats().topics).toBe(3);
    await bystander.isUnharmed();
  });
});
