// What a client does when the server is silent: heartbeats, time-outs, signals, a close without an answer. Time is faked.
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CallOptions, type Client, connect, type Publisher } from '#src/client/client.js';
import { OP } from '#src/protocol/messages.js';
import { encode } from '#src/protocol/msgpack.js';
import { answerSubscribe, connected, openedPublisher, subscribed, URL } from './connected.js';
import { eventFrame, FakeSocket, server, settle, WELCOME } from './fake-socket.js';

const { heartbeatMs } = WELCOME;
/** The one that watches the server. */
const TIMERS_AT_REST = 1;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Lets time pass after what is due now, and what it causes leave. */
async function pass(ms: number): Promise<void> {
  await settle();
  vi.advanceTimersByTime(ms);
  await settle();
}

function answerPings(socket: FakeSocket): number {
  const pings = socket.takeFrames().filter(([op]) => op === OP.PING);
  for (const [, id] of pings) socket.serverSends(server.pong(id as number, 5));
  return pings.length;
}

describe('a silent server', () => {
  it('is asked after a heartbeat and left after another one: 1006, and everything pending rejects', async () => {
    const { client, socket } = await connected({ requestTimeoutMs: 0 });
    const closes: unknown[] = [];
    client.on('close', (closed) => closes.push(closed));
    await pass(heartbeatMs - 1);
    const pending = Promise.allSettled([client.publish('t', 1), client.subscribe('t', {}, () => {}), client.ping()]);
    await settle();
    expect(socket.takeFrames()).toHaveLength(3);
    await pass(1);
    expect(socket.takeFrames().map(([op]) => op)).toEqual([OP.PING]);
    await pass(heartbeatMs - 1);
    expect(closes).toEqual([]);
    await pass(1);
    const reason = expect.stringMatching(/^nothing came from the server for \d+ ms$/);
    expect(closes).toEqual([{ code: 1006, reason }]);
    for (const result of await pending) expect(result).toMatchObject({ reason: { code: 'INTERNAL', retry: true } });
    expect(await client.close()).toEqual({ code: 1006, reason });
    expect(socket.terminateCalls).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
    socket.closes(1000, 'too late');
    expect(closes).toHaveLength(1);
  });

  it('is not one that answers, nor one that sends anything', async () => {
    const { client, socket } = await connected();
    const { seen } = await subscribed(client, socket, 't', 7);
    let pings = 0;
    for (let heartbeat = 0; heartbeat < 100; heartbeat++) {
      await pass(heartbeatMs);
      pings += answerPings(socket);
    }
    expect(pings).toBe(100);
    for (let seq = 1; seq <= 100; seq++) {
      await pass(heartbeatMs / 2);
      socket.serverSends(eventFrame({ alias: 7, seq }));
    }
    expect(socket.takeFrames()).toEqual([]);
    expect(seen).toHaveLength(100);
    expect(socket.terminateCalls).toBe(0);
  });

  it('has the time that what was sent before takes on a slow link', async () => {
    const { client, socket } = await connected();
    const feed = await openedPublisher(client, socket);
    for (let sent = 0; sent < 100; sent++) feed.send(new Uint8Array(10_000));
    await settle();
    const closed = vi.fn();
    client.on('close', closed);
    await pass(heartbeatMs * 2 + 97_000); // a megabyte at 10 KB/s, and the question behind it
    expect(closed).not.toHaveBeenCalled();
    expect(answerPings(socket)).toBe(1);
    await pass(heartbeatMs * 2);
    expect(closed).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['heartbeatMs of the client', { heartbeatMs: 2000 }, WELCOME, 2000],
    ['never less than a second', {}, { ...WELCOME, heartbeatMs: 100 }, 1000],
  ])('is asked by %s', async (_, options, welcome, expectedMs) => {
    const { socket } = await connected(options, welcome);
    await pass(expectedMs - 1);
    expect(socket.takeFrames()).toEqual([]);
    await pass(1);
    expect(socket.takeFrames().map(([op]) => op)).toEqual([OP.PING]);
  });

  it.each([
    ['heartbeatMs: 0', { heartbeatMs: 0 }, WELCOME],
    ['a heartbeat longer than timers can count', {}, { ...WELCOME, heartbeatMs: 1e15 }],
  ])('is not asked with %s', async (_, options, welcome) => {
    const { socket } = await connected(options, welcome);
    await pass(1000 * heartbeatMs);
    expect(socket.takeFrames()).toEqual([]);
  });
});

/** Every call that waits for an answer. */
const CALLS: [string, (client: Client, feed: Publisher, options: CallOptions) => Promise<unknown>][] = [
  ['subscribe', (client, _, options) => client.subscribe('s', options, () => {})],
  ['publish', (client, _, options) => client.publish('t', 1, options)],
  ['publishEncoded', (client, _, options) => client.publishEncoded('t', encode(1), options)],
  ['openPublisher', (client, _, options) => client.openPublisher('t', options)],
  ['history', (client, _, options) => client.history('t', options)],
  ['ping', (client, _, options) => client.ping(options)],
  ['flush', (client, _, options) => client.flush(options)],
  ['publisher.publish', (_, feed, options) => feed.publish(1, options)],
  ['publisher.publishEncoded', (_, feed, options) => feed.publishEncoded(encode(1), options)],
  ['publisher.flush', (_, feed, options) => feed.flush(options)],
];

describe.each(CALLS)('%s', (_, call) => {
  async function withFeed() {
    const { client, socket } = await connected({ requestTimeoutMs: 5000, heartbeatMs: 0 });
    const feed = await openedPublisher(client, socket);
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    /** A late refusal of what is forgotten is nobody's error, and the timers and listeners are gone. */
    const isForgotten = async (): Promise<void> => {
      await settle();
      const frames = socket.takeFrames();
      expect(frames.length).toBeGreaterThan(0);
      for (const [, id] of frames) socket.serverSends(server.error(id as number, 'INTERNAL', 'late'));
      await settle();
      expect(vi.getTimerCount()).toBe(0);
      const flushing = client.flush();
      await settle();
      answerPings(socket);
      await flushing;
      expect(errors).toEqual([]);
    };
    return { client, socket, feed, isForgotten };
  }

  it.each([
    ['the time-out of the client', {}, 5000],
    ['a time-out of its own', { timeoutMs: 70 }, 70],
  ])('gives up after %s', async (_name, options, timeoutMs) => {
    const { client, feed, isForgotten } = await withFeed();
    const settled = vi.fn();
    const calling = call(client, feed, options);
    void calling.catch(settled);
    await pass(timeoutMs - 1);
    expect(settled).not.toHaveBeenCalled();
    await pass(1);
    await expect(calling).rejects.toMatchObject({
      ...{ name: 'RingcastError', code: 'TIMEOUT', retry: true },
      message: expect.stringMatching(new RegExp(`^[a-z]+: no answer within ${timeoutMs} ms$`)),
    });
    await isForgotten();
  });

  it('waits for ever with 0', async () => {
    const { client, socket, feed } = await withFeed();
    const calling = call(client, feed, { timeoutMs: 0 });
    await pass(1e9);
    socket.closes(1001);
    await expect(calling).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });

  it('ends with its signal and the reason of it', async () => {
    const { client, feed, isForgotten } = await withFeed();
    const aborter = new AbortController();
    const calling = call(client, feed, { signal: aborter.signal });
    await settle();
    const reason = new Error('the page was left');
    aborter.abort(reason);
    await expect(calling).rejects.toBe(reason);
    expect(getEventListeners(aborter.signal, 'abort')).toEqual([]);
    await isForgotten();
  });

  it('sends nothing for a signal that has been given before', async () => {
    const { client, socket, feed } = await withFeed();
    const reason = new Error('never mind');
    await expect(call(client, feed, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await settle();
    expect(socket.takeFrames()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves no timer and no listener behind when it is answered', async () => {
    const { client, socket, feed } = await withFeed();
    const { signal } = new AbortController();
    const calling = call(client, feed, { signal });
    await settle();
    const [op, id] = socket.takeFrame();
    if (op === OP.PING) socket.serverSends(server.pong(id as number, 5));
    else socket.serverSends(server.error(id as number, 'INTERNAL', 'no'));
    await calling.catch(() => {});
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a subscription that nobody waits for any more', () => {
  it('is undone on the wire, and its late answer and events reach nobody', async () => {
    const { client, socket } = await connected();
    const seen: unknown[] = [];
    const aborter = new AbortController();
    const calling = client.subscribe('t', { signal: aborter.signal }, ({ seq }) => seen.push(['first', seq]));
    aborter.abort();
    await expect(calling).rejects.toMatchObject({ name: 'AbortError' });
    const again = client.subscribe('t', {}, ({ seq }) => seen.push(['again', seq]));
    await settle();
    const [first, undo, second] = socket.takeFrames();
    expect([first?.[0], first?.[2]]).toEqual([OP.SUBSCRIBE, 't']);
    expect([undo?.[0], undo?.[2]]).toEqual([OP.UNSUBSCRIBE, 't']);
    expect([second?.[0], second?.[2]]).toEqual([OP.SUBSCRIBE, 't']);
    socket.serverSends(
      server.subscribed(first?.[1] as number, { topic: 't', alias: 7, epoch: 'e1', seq: 0 }),
      eventFrame({ alias: 7, seq: 1 }),
      server.unsubscribed(undo?.[1] as number, { topic: 't', alias: 7 }),
      server.subscribed(second?.[1] as number, { topic: 't', alias: 7, epoch: 'e1', seq: 1 }),
      eventFrame({ alias: 7, seq: 2 }),
    );
    expect((await again).seq).toBe(1);
    expect(seen).toEqual([['again', 2]]);
    await settle();
    expect(vi.getTimerCount()).toBe(TIMERS_AT_REST);
  });

  it('goes on for the others that wait for the same topic', async () => {
    const { client, socket } = await connected();
    const seen: unknown[] = [];
    const impatient = client.subscribe('t', { timeoutMs: 10 }, ({ seq }) => seen.push(['impatient', seq]));
    const patient = client.subscribe('t', {}, ({ seq }) => seen.push(['patient', seq]));
    const gaveUp = expect(impatient).rejects.toMatchObject({ code: 'TIMEOUT' });
    await pass(10);
    await gaveUp;
    answerSubscribe(socket, 't', 7, 4);
    await patient;
    socket.serverSends(eventFrame({ alias: 7, seq: 5 }));
    expect(seen).toEqual([['patient', 5]]);
    expect(socket.takeFrames()).toEqual([]);
  });
});

describe('connecting', () => {
  it.each([
    ['before the socket is open', () => {}],
    ['after that', (socket: FakeSocket) => socket.serverOpens()],
  ])('gives up when the server says nothing in time, %s', async (_, begin) => {
    const connecting = connect(URL, { WebSocket: FakeSocket, connectTimeoutMs: 500 });
    const socket = FakeSocket.latest();
    begin(socket);
    const gaveUp = expect(connecting).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: 'cannot connect: no answer within 500 ms',
    });
    await pass(500);
    await gaveUp;
    expect(socket.closeCalls).toHaveLength(1);
    socket.closes(1006);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends with its signal, which means nothing once it is connected', async () => {
    const aborter = new AbortController();
    const { client, socket } = await connected({ signal: aborter.signal });
    const connecting = connect(URL, { WebSocket: FakeSocket, signal: aborter.signal });
    const other = FakeSocket.latest();
    aborter.abort();
    await expect(connecting).rejects.toMatchObject({ name: 'AbortError' });
    expect([other.closeCalls.length, socket.closeCalls.length]).toEqual([1, 0]);
    await expect(connect(URL, { WebSocket: FakeSocket, signal: aborter.signal })).rejects.toThrow();
    expect(FakeSocket.latest()).toBe(other);
    expect(client.server).toEqual(WELCOME);
  });
});

describe('close()', () => {
  it('does not wait for a server that does not answer', async () => {
    const { client, socket } = await connected();
    const pinging = client.ping();
    const rejected = expect(pinging).rejects.toMatchObject({ code: 'CONFLICT' });
    const closing = client.close();
    await pass(2000);
    expect(await closing).toEqual({ code: 1006, reason: 'the server did not confirm the close' });
    await rejected;
    expect(socket.terminateCalls).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits as long as bytes leave', async () => {
    const { client, socket } = await connected();
    const closed = vi.fn();
    client.on('close', closed);
    socket.bufferedAmount = 100_000;
    void client.close();
    for (; socket.bufferedAmount > 0; socket.bufferedAmount -= 20_000) await pass(2000);
    expect(closed).not.toHaveBeenCalled();
    await pass(2000);
    expect(closed).toHaveBeenCalledTimes(1);
  });

  it('gets answers that are under way', async () => {
    const { client, socket } = await connected();
    const pinging = client.ping();
    const closing = client.close();
    answerPings(socket);
    await pinging;
    socket.closes(1000);
    expect(await closing).toEqual({ code: 1000, reason: '' });
    expect(vi.getTimerCount()).toBe(0);
  });
});
