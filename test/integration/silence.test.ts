// Peers that go quiet: heartbeats, the idle time-out, half an upgrade, half a frame, clients that never read.
import { describe, expect, it } from 'vitest';
import { encodeClientFrame } from '#src/protocol/client-frames.js';
import { Bystander } from '../support/bystander.js';
import { leftOvers, SMALL_LOGS, startEngine } from '../support/engines.js';
import { floodPayload, floodUntilBlocked } from '../support/flood.js';
import { maskedFrame, OPCODE, RawPeer, upgradeRequest } from '../support/raw-peer.js';
import { SlowReader } from '../support/slow-reader.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

const QUICK = { heartbeatMs: 100, idleTimeoutMs: 400, lanes: 0 };
/** uWebSockets.js looks at its timers every 4 s, and its shortest one takes two looks. */
const IDLE_DEADLINE_MS = 20_000;

describe('heartbeats', () => {
  it('keep a quiet connection open for as long as it answers', async () => {
    const { engine, url } = await startEngine(QUICK);
    const client = await TestClient.open(url);
    let pings = 0;
    client.socket.on('ping', () => pings++);
    const startMs = performance.now();
    await until(() => pings >= 10, '10 pings');
    const elapsedMs = performance.now() - startMs;
    expect(elapsedMs).toBeGreaterThan(9 * QUICK.heartbeatMs * 0.9);
    expect(elapsedMs).toBeGreaterThan(QUICK.idleTimeoutMs);
    expect(client.isClosed).toBe(false);
    await client.sync();
    expect(engine.stats().connections).toBe(1);
  });

  it('are not sent to a connection that is busy anyway', async () => {
    const { url } = await startEngine({ ...QUICK, heartbeatMs: 300 });
    const client = await TestClient.open(url);
    let pings = 0;
    client.socket.on('ping', () => pings++);
    const startMs = performance.now();
    while (performance.now() - startMs < 900) await client.sync();
    expect(pings).toBe(0);
  });

  it('count from the client’s side too: its own pings keep it open', async () => {
    const { engine, url } = await startEngine(QUICK);
    const peer = await RawPeer.upgraded(url); // answers no ping
    const startMs = performance.now();
    await until(() => {
      peer.sendFrame(OPCODE.ping, Buffer.from('hi'));
      return performance.now() - startMs > 3 * QUICK.idleTimeoutMs;
    }, 'three idle time-outs');
    expect(peer.isClosed).toBe(false);
    expect(peer.received.includes(Buffer.from([0x8a, 2, 0x68, 0x69]))).toBe(true);
    expect(engine.stats().connections).toBe(1);
  });
});

describe('pings among the data', () => {
  it.each(['msgpack', 'json'] as const)(
    'a large message arrives whole, with pings between its parts (%s)',
    async (codec) => {
      const { engine, url } = await startEngine({ lanes: 0, heartbeatMs: 900, idleTimeoutMs: 1000 });
      const client = await TestClient.open(url, codec);
      let pings = 0;
      client.socket.on('ping', () => pings++);
      await client.subscribe('t');
      // Parts end within characters too.
      const payloads = [1, 16, 17, 100, 600].map((kib) => `${'aé€🐝'.repeat(kib * 100)}${kib}`);
      for (const payload of payloads) await engine.publish('t', payload);
      const events = await client.untilEvents(payloads.length);
      expect(events.map(({ payload }) => payload)).toEqual(payloads);
      await client.sync();
      expect(pings).toBeGreaterThan(Buffer.byteLength(payloads.join('')) / (16 * 1024) - payloads.length);
    },
  );
});

describe('the idle time-out', () => {
  it('ends who answers nothing, also in the middle of a message, and nobody whose bytes still come', async () => {
    const { engine, url } = await startEngine(QUICK);
    const bystander = await Bystander.join(engine);
    const startMs = performance.now();
    const silent = await RawPeer.upgraded(url);
    silent.sendFrame(OPCODE.binary, encodeClientFrame({ type: 'subscribe', id: 1, topic: 't' }));
    const half = await RawPeer.upgraded(url);
    half.socket.write(maskedFrame(OPCODE.binary, Buffer.alloc(100, 0xc0)).subarray(0, 50));
    const uploading = await RawPeer.upgraded(url);
    const payload = 'x'.repeat(100_000);
    const large = maskedFrame(OPCODE.binary, encodeClientFrame({ type: 'publish', topic: 'large', payload }));
    let sent = 0;
    const timer = setInterval(() => {
      uploading.socket.write(large.subarray(sent, sent + 10));
      sent += 10;
    }, 20);
    await until(() => silent.isClosed && half.isClosed, 'both are cut', IDLE_DEADLINE_MS);
    expect(performance.now() - startMs).toBeGreaterThan(QUICK.idleTimeoutMs - 1); // times are whole milliseconds
    expect(uploading.isClosed).toBe(false);
    expect(engine.stats()).toMatchObject({ connections: 2, subscriptions: 1 });
    clearInterval(timer);
    uploading.socket.write(large.subarray(sent));
    await until(() => engine.topicStats('large')?.seq === 1, 'its message has arrived');
    await bystander.isUnharmed();
  });

  it('does not end a subscriber that reads all the time, however slowly', { timeout: 60_000 }, async () => {
    const ends: string[] = [];
    const onClose = ({ reason }: { reason: string }) => void ends.push(reason);
    const { engine, url } = await startEngine({ lanes: 0, heartbeatMs: 100, idleTimeoutMs: 1000, onClose });
    // Small messages, and such that one alone takes longer than the idle time-out.
    const readers = [await SlowReader.join(url, 'small', 20_000), await SlowReader.join(url, 'large', 20_000)];
    const feed = setInterval(() => {
      for (let n = 0; n < 10; n++) engine.publish('small', new Uint8Array(5000)).catch(() => {});
      engine.publish('large', new Uint8Array(400_000)).catch(() => {});
    }, 100);
    const startMs = performance.now();
    // More than twice as long as it takes to find out that somebody is gone.
    await until(() => performance.now() - startMs > 20_000 || ends.length > 0, 'time', 40_000);
    clearInterval(feed);
    expect(ends).toEqual([]);
    for (const { bytes, pongs } of readers) {
      expect(bytes).toBeLessThan(20_000 * 40);
      expect(pongs).toBeGreaterThan(3);
    }
  });

  it('a client that never reads, however much waits for it', async () => {
    const { engine, url } = await startEngine({ ...SMALL_LOGS, ...QUICK });
    const bystander = await Bystander.join(engine);
    const stalled = await TestClient.open(url);
    await stalled.subscribe('t');
    stalled.socket.pause();
    // It says something until enough waits for it, however long that takes.
    const pinging = setInterval(() => stalled.socket.ping(), 20);
    await floodUntilBlocked(engine, 't');
    clearInterval(pinging);
    await until(() => engine.stats().connections === 1, 'it is cut', IDLE_DEADLINE_MS);
    await bystander.isUnharmed();
    await bystander.client.close();
    await until(
      () => Object.keys(leftOvers(engine)).length === 0,
      () => JSON.stringify(leftOvers(engine)),
    );
  });
});

describe('a client that never reads but keeps asking', () => {
  it('is answered when it reads, everything and in order; little is made before', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const bystander = await Bystander.join(engine);
    for (let n = 0; n < 30; n++) await engine.publish('t', floodPayload(n));
    const rssBefore = process.memoryUsage().rss;
    const asking = await TestClient.open(url);
    asking.socket.pause();
    const ids = Array.from({ length: 100 }, (_, n) => n + 1);
    asking.send(...ids.map((id) => ({ type: 'history', id, topic: 't' }) as const));
    await bystander.isUnharmed();
    // What the kernel's buffers hold, and an answer: not the 100 MB of all.
    expect(process.memoryUsage().rss - rssBefore).toBeLessThan(60 * 1024 * 1024);
    asking.socket.resume();
    await asking.answerTo(100);
    expect(asking.heard.flatMap((frame) => (frame.type === 'ok' ? [frame.id] : []))).toEqual(ids);
  });

  it('and publishes and subscribes all the while, gets what it is owed when it reads again', async () => {
    const { engine, url } = await startEngine({ ...SMALL_LOGS, lanes: 0 });
    const bystander = await Bystander.join(engine);
    const busy = await TestClient.open(url);
    await busy.subscribe('flood');
    busy.socket.pause();
    await floodUntilBlocked(engine, 'flood');
    for (let n = 0; n < 500; n++) busy.send({ type: 'publish', id: `p${n}`, topic: 'own', payload: n });
    busy.send({ type: 'subscribe', id: 'late', topic: 'own', options: { lastN: 10 } });
    await until(() => engine.topicStats('own')?.seq === 500, 'all is published');
    await until(() => engine.topicStats('own')?.subscribers === 1, 'it is subscribed');
    busy.socket.resume();
    await busy.untilEvents(10, 'own');
    expect(await busy.answerTo('p499')).toMatchObject({ result: { seq: 500 } });
    expect(busy.heard.filter((frame) => frame.type === 'ok' && `${frame.id}`.startsWith('p'))).toHaveLength(500);
    expect(busy.events('own').map(({ payload }) => payload)).toEqual([
      490, 491, 492, 493, 494, 495, 496, 497, 498, 499,
    ]);
    await bystander.isUnharmed();
  });
});

describe('an upgrade', () => {
  it('half of it and then silence, or garbage, ends the connection; who goes on late is let in', {
    timeout: 90_000,
  }, async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const bystander = await Bystander.join(engine);
    const request = upgradeRequest(url, 'ringcast.v1.msgpack');
    const nothing = await RawPeer.connect(url);
    const half = await RawPeer.connect(url);
    half.socket.write(request.slice(0, request.length / 2));
    const late = await RawPeer.connect(url);
    late.socket.write(request.slice(0, 60));
    await bystander.client.sync();
    late.socket.write(request.slice(60));
    await until(() => late.received.includes('101 Switching Protocols'), 'the late one is in');
    const peers = [nothing, half];
    for (const text of ['\0\x01\x02\r\n\r\n', 'GET\r\n\r\n', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`]) {
      const garbage = await RawPeer.connect(url);
      garbage.socket.write(text);
      peers.push(garbage);
    }
    // uWebSockets.js waits 10 s for a request, newer releases 30 s.
    await until(() => peers.every(({ isClosed }) => isClosed), 'the others are closed', 80_000);
    expect(late.isClosed).toBe(false);
    expect(engine.stats().connections).toBe(2);
    await bystander.isUnharmed();
  });

  it('a whole one, and then no WebSocket: cut, nobody harmed', async () => {
    const { engine, url } = await startEngine({ lanes: 0 });
    const bystander = await Bystander.join(engine);
    const unmasked = await RawPeer.upgraded(url);
    unmasked.socket.write(Buffer.from([0x82, 1, 0xc0]));
    const reserved = await RawPeer.upgraded(url);
    reserved.socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));
    await until(() => reserved.isClosed, 'a reserved opcode ends its connection');
    unmasked.destroy();
    await until(() => engine.stats().connections === 1, 'only the bystander is left');
    await bystander.isUnharmed();
  });
});
