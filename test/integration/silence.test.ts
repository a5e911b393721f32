// Peers that go quiet: heartbeats, the idle time-out, half an upgrade, half a frame, clients that never read.
import { describe, expect, it } from 'vitest';
import { Bystander } from '../support/bystander.js';
import { leftOvers, SMALL_LOGS, startEngine } from '../support/engines.js';
import { floodPayload, floodUntilBlocked } from '../support/flood.js';
import { maskedFrame, OPCODE, RawPeer, upgradeRequest } from '../support/raw-peer.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

const QUICK = { heartbeatMs: 100, idleTimeoutMs: 400, lanes: 0 };

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

describe('the idle time-out ends', () => {
  it('a client that answers nothing: close 1001, and everything is freed', async () => {
    const { engine, url } = await startEngine(QUICK);
    const bystander = await Bystander.join(engine);
    const silent = await TestClient.open(url);
    silent.socket.removeAllListeners('ping');
    const startMs = performance.now();
    await silent.subscribe('t');
    silent.socket.pause(); // no pong leaves a library that does not read
    await until(() => engine.stats().connections === 1, 'the silent one is gone');
    expect(performance.now() - startMs).toBeGreaterThan(QUICK.idleTimeoutMs - 1); // times are whole milliseconds
    silent.socket.resume();
    expect(await silent.untilClosed()).toMatchObject({ code: 1001, reason: expect.stringContaining('idle') });
    expect(engine.stats().subscriptions).toBe(1);
    await bystander.isUnharmed();
  });

  it('a client that sent half a frame, byte by byte or not at all', async () => {
    const { engine, url } = await startEngine(QUICK);
    const bystander = await Bystander.join(engine);
    const half = await RawPeer.upgraded(url);
    const frame = maskedFrame(OPCODE.binary, Buffer.alloc(100, 0xc0));
    half.socket.write(frame.subarray(0, 50));
    const dribbling = await RawPeer.upgraded(url);
    const large = maskedFrame(OPCODE.binary, Buffer.alloc(500_000));
    let sent = 0;
    const timer = setInterval(() => dribbling.socket.write(large.subarray(sent, ++sent)), 20);
    const quiet = await RawPeer.upgraded(url);
    await until(() => half.isClosed && dribbling.isClosed && quiet.isClosed, 'all three are closed');
    clearInterval(timer);
    expect(engine.stats()).toMatchObject({ connections: 1, subscriptions: 1 });
    await bystander.isUnharmed();
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
    await until(() => engine.stats().connections === 1, 'it is cut');
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
    timeout: 40_000,
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
    await until(() => peers.every(({ isClosed }) => isClosed), 'the others are closed', 30_000);
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
