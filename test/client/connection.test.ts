// How a client's connection begins and ends, against a scripted socket.
import { describe, expect, it, vi } from 'vitest';
import { connect } from '#src/client/client.js';
import { OP } from '#src/protocol/messages.js';
import { encode } from '#src/protocol/msgpack.js';
import { connected, openedPublisher, subscribed, URL } from './connected.js';
import { eventFrame, FakeSocket, server, settle, WELCOME } from './fake-socket.js';

describe('connecting', () => {
  it('offers the MessagePack subprotocol and introduces itself with token and client id', async () => {
    const connecting = connect(URL, { WebSocket: FakeSocket, token: 't', clientId: 'me' });
    const socket = FakeSocket.latest();
    expect([socket.url, socket.protocols, socket.binaryType]).toEqual([URL, 'ringcast.v1.msgpack', 'arraybuffer']);
    socket.serverOpens();
    await settle();
    const frame = socket.takeFrame();
    expect(frame).toEqual([OP.CONNECT, frame[1], { token: 't', clientId: 'me' }]);
    socket.serverSends(server.welcome(WELCOME));
    socket.serverSends(server.connected(frame[1] as number, { connectionId: 'c-1', clientId: 'me' }));
    const client = await connecting;
    expect(client.server).toEqual(WELCOME);
  });

  it('rejects with the error code of a server that refuses', async () => {
    const connecting = connect(URL, { WebSocket: FakeSocket, token: 'wrong' });
    const socket = FakeSocket.latest();
    socket.serverOpens();
    await settle();
    const [, id] = socket.takeFrame();
    socket.serverSends(server.error(id as number, 'UNAUTHORIZED', 'unknown token'));
    await expect(connecting).rejects.toMatchObject({
      name: 'RingcastError',
      code: 'UNAUTHORIZED',
      message: 'unknown token',
    });
    expect(socket.closeCalls).toHaveLength(1);
  });

  it('says so where the socket does not say what is wrong', async () => {
    const connecting = connect(URL, { WebSocket: FakeSocket });
    FakeSocket.latest().closes(1006);
    await expect(connecting).rejects.toThrow('cannot connect: no server, or it refused; this WebSocket does not say');
  });

  it('rejects with what the socket says when there is no server', async () => {
    const connecting = connect(URL, { WebSocket: FakeSocket });
    const socket = FakeSocket.latest();
    socket.fails('connect ECONNREFUSED 127.0.0.1:1');
    socket.closes(1006);
    await expect(connecting).rejects.toThrow('cannot connect: connect ECONNREFUSED 127.0.0.1:1');
  });

  it('says in one line what to do where there is no WebSocket', async () => {
    vi.stubGlobal('WebSocket', undefined);
    try {
      await expect(connect(URL)).rejects.toThrow(/no global WebSocket.*version 22.*install the package 'ws'/);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('uses the global WebSocket where there is one', async () => {
    vi.stubGlobal('WebSocket', FakeSocket);
    try {
      const before = FakeSocket.all.length;
      const connecting = connect(URL);
      FakeSocket.latest().closes(1006);
      await expect(connecting).rejects.toThrow('cannot connect');
      expect(FakeSocket.all.length).toBe(before + 1);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('rejects where the constructor refuses the address', async () => {
    class Strict extends FakeSocket {
      constructor(url: string) {
        super(url);
        throw new SyntaxError(`The URL '${url}' is invalid.`);
      }
    }
    await expect(connect('nowhere', { WebSocket: Strict })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: "cannot connect: The URL 'nowhere' is invalid.",
    });
  });
});

describe('the end of a connection', () => {
  it('rejects everything pending and everything later, with the reason the server gave', async () => {
    const { client, socket } = await connected();
    const closes: unknown[] = [];
    client.on('close', (closed) => closes.push(closed));
    const pending = Promise.allSettled([
      client.publish('t', 1),
      client.subscribe('t', {}, () => {}),
      client.history('t'),
      client.ping(),
      client.openPublisher('t'),
    ]);
    await settle();
    socket.serverSends(server.error(null, 'TOO_LARGE', 'the message exceeds 1 MiB'));
    socket.closes(1009, 'message too big');
    for (const result of await pending) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'TOO_LARGE' } });
    }
    await expect(client.publish('t', 2)).rejects.toThrow('closed (1009): the message exceeds 1 MiB');
    expect(closes).toEqual([{ code: 1009, reason: 'message too big' }]);
  });

  it.each([
    [1001, 'SHUTTING_DOWN'],
    [1013, 'SLOW_CONSUMER'],
    [1006, 'INTERNAL'],
  ])('close code %i becomes %s', async (closeCode, code) => {
    const { client, socket } = await connected();
    const pinging = client.ping();
    socket.closes(closeCode);
    await expect(pinging).rejects.toMatchObject({ code });
  });

  it('close() sends what is gathered, closes with 1000, and resolves when the socket is closed', async () => {
    const { client, socket } = await connected();
    const { subscription } = await subscribed(client, socket, 't', 7);
    const prices = await openedPublisher(client, socket);
    prices.send('last words');
    const pinging = client.ping();
    const closing = client.close();
    expect(socket.takeFrames()[0]).toEqual([OP.PUBLISH, null, 3, 'last words']);
    expect(socket.closeCalls).toEqual([{ code: 1000, reason: '' }]);
    expect(prices.send('too late')).toBe(false);
    socket.closes(1000);
    await expect(pinging).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await closing).toEqual({ code: 1000, reason: '' });
    await subscription.close();
    expect(await client.close()).toEqual({ code: 1000, reason: '' });
  });

  it('an error code that this version does not know is handed on, and ends nothing', async () => {
    const { client, socket } = await connected();
    const errors: unknown[] = [];
    client.on('error', ({ code, retry }) => errors.push([code, retry]));
    socket.serverSends(server.error(null, 'NEW_CODE' as 'INTERNAL', 'of a later version'));
    const pinging = client.ping();
    socket.closes(4999);
    await expect(pinging).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(errors).toEqual([['NEW_CODE', false]]);
  });

  it('a socket that cannot send is a connection that broke', async () => {
    const { client, socket } = await connected();
    const closed = new Promise((resolve) => client.on('close', resolve));
    socket.send = () => {
      throw new Error('not open');
    };
    await expect(client.ping()).rejects.toThrow('the connection was closed (1006): cannot send: not open');
    expect(await closed).toEqual({ code: 1006, reason: 'cannot send: not open' });
    expect(await client.close()).toMatchObject({ code: 1006 });
  });

  it.each([
    ['half a frame', (socket: FakeSocket) => socket.serverSends(new Uint8Array([0x95, 0x23]))],
    ['text', (socket: FakeSocket) => socket.serverSendsText('{}')],
    ['a WELCOME without limits', (socket: FakeSocket) => socket.serverSends(encode([OP.WELCOME, { heartbeatMs: 1 }]))],
    ['an answer without its fields', (socket: FakeSocket) => socket.serverSends(encode([OP.OK, 2, { alias: 'x' }]))],
    ['an error without a code', (socket: FakeSocket) => socket.serverSends(encode([OP.ERROR, null, 5]))],
  ])('a server that sends %s is left at once, and nothing more is read', async (_, send) => {
    const { client, socket } = await connected();
    const closed = new Promise((resolve) => client.on('close', resolve));
    const seen: unknown[] = [];
    const pending = Promise.allSettled([client.subscribe('t', {}, ({ seq }) => seen.push(seq)), client.ping()]);
    await settle();
    send(socket);
    const unreadable = 'the server sent what is no ringcast.v1';
    for (const result of await pending) {
      expect(result).toMatchObject({ reason: { message: expect.stringContaining(unreadable) } });
    }
    expect(await closed).toEqual({ code: 4007, reason: expect.stringContaining(unreadable) });
    expect(socket.closeCalls).toEqual([{ code: 4007, reason: 'unreadable frame' }]);
    socket.serverSends(server.subscribed(2, { topic: 't', alias: 1, epoch: 'e', seq: 0 }), eventFrame({ alias: 1 }));
    socket.closes(1006);
    expect(seen).toEqual([]);
    expect(await client.close()).toMatchObject({ code: 4007 });
  });
});
