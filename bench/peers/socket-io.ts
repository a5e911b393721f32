// Baseline: socket.io 4 with a room per topic, its defaults (no compression), the WebSocket transport alone. A published
// payload is a Buffer, which socket.io sends as an attachment: two WebSocket messages per event, text and binary.
// Protocols: Engine.IO 4 (a digit in front: 0 open, 2 ping, 3 pong, 4 message), and in its messages Socket.IO 5 (0 connect,
// 2 event, 3 answer to an event, 4 refused, 5 event with attachments).

import type { Socket } from 'socket.io';
import { clientHeadBytes, OPCODE_BINARY, OPCODE_TEXT, writeClientHead } from '../../dist/load/websocket.js';
import type { Dialect, EventSink, OpenConnection, Peer, RunningServer, ServerOptions } from '../support/peer.js';

const OPEN = '0';
const PING = '2';
const PONG = Buffer.from('3');
const CONNECT = '40';
const CONNECT_BODY = Buffer.from(CONNECT);
const ANSWER = '43';
const DIGIT_0 = 0x30;
const TOPIC_DIGITS = 7;
const EVENT_START = '451-["publish","';
const EVENT_END = '",{"_placeholder":true,"num":0}]';
const EVENT_HEAD = Buffer.from(`${EVENT_START}${'0'.repeat(TOPIC_DIGITS)}${EVENT_END}`);
/** The same from the server: `451-["message",{…}]`. */
const MESSAGE_HEAD = Buffer.from('451-["message",');

const roomName = (topic: number): string => String(topic).padStart(TOPIC_DIGITS, '0');

async function startServer({ tls }: ServerOptions): Promise<RunningServer> {
  const { Server } = await import('socket.io');
  const http = tls === undefined ? (await import('node:http')).createServer() : await createTlsServer(tls);
  const io = new Server(http, { transports: ['websocket'], serveClient: false });
  io.on('connection', (socket: Socket) => {
    socket.on('publish', (room: string, payload: Buffer) => io.to(room).emit('message', payload));
    socket.on('subscribe', (rooms: string[], answer: (count: number) => void) => {
      void socket.join(rooms);
      answer(rooms.length);
    });
    socket.on('unsubscribe', (rooms: string[], answer: (count: number) => void) => {
      for (const room of rooms) void socket.leave(room);
      answer(rooms.length);
    });
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, resolve);
  });
  const address = http.address();
  if (address === null || typeof address === 'string') throw new Error('socket-io: no port');
  return { port: address.port, close: () => io.close() };
}

async function createTlsServer({ certFile, keyFile }: NonNullable<ServerOptions['tls']>) {
  const { createServer } = await import('node:https');
  const { readFileSync } = await import('node:fs');
  return createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
}

class SocketIoDialect implements Dialect {
  readonly path = '/socket.io/?EIO=4&transport=websocket';
  readonly subprotocol = null;
  readonly writesMessages = true;
  /** By their index: for answers. */
  readonly #connections: OpenConnection[] = [];

  opened(connection: OpenConnection): void {
    this.#connections[connection.index] = connection;
  }

  subscribe(connection: OpenConnection, topics: readonly number[]): void {
    this.#emit(connection, 'subscribe', topics);
  }

  unsubscribe(connection: OpenConnection, topics: readonly number[]): void {
    this.#emit(connection, 'unsubscribe', topics);
  }

  /** Every event has the same id: answers are counted, not told apart. */
  #emit(connection: OpenConnection, event: string, topics: readonly number[]): void {
    connection.send(Buffer.from(`420${JSON.stringify([event, topics.map(roomName)])}`), OPCODE_TEXT);
  }

  publishBytes(payloadBytes: number): number {
    return clientHeadBytes(EVENT_HEAD.length) + EVENT_HEAD.length + clientHeadBytes(payloadBytes) + payloadBytes;
  }

  writePublish(bytes: Uint8Array, offset: number, topic: number, payloadBytes: number): number {
    const event = writeClientHead(bytes, offset, OPCODE_TEXT, EVENT_HEAD.length);
    bytes.set(EVENT_HEAD, event);
    let rest = topic;
    for (let digit = event + EVENT_START.length + TOPIC_DIGITS - 1; rest > 0; digit--) {
      bytes[digit] = DIGIT_0 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    return writeClientHead(bytes, event + EVENT_HEAD.length, OPCODE_BINARY, payloadBytes);
  }

  read(
    connection: number,
    bytes: Uint8Array,
    _view: DataView,
    start: number,
    end: number,
    sink: EventSink,
    isText: boolean,
  ): void {
    if (!isText) sink.payload(connection, start, end);
    else if (!startsWith(bytes, start, end, MESSAGE_HEAD)) this.#readOther(connection, bytes, start, end, sink);
  }

  #readOther(index: number, bytes: Uint8Array, start: number, end: number, sink: EventSink): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
    const connection = this.#connections[index];
    if (text.startsWith(OPEN)) connection.send(CONNECT_BODY, OPCODE_TEXT);
    else if (text.startsWith(CONNECT)) connection.ready();
    else if (text === PING) connection.send(PONG, OPCODE_TEXT);
    else if (text.startsWith(ANSWER)) sink.acknowledged(index, answeredCount(text));
    else sink.problem(index, `unexpected: ${text.slice(0, 200)}`);
  }
}

/** `430[5]`: the answer to the event with id 0. */
function answeredCount(text: string): number {
  return (JSON.parse(text.slice(text.indexOf('['))) as [number])[0];
}

function startsWith(bytes: Uint8Array, start: number, end: number, head: Uint8Array): boolean {
  if (end - start < head.length) return false;
  for (let index = 0; index < head.length; index++) if (bytes[start + index] !== head[index]) return false;
  return true;
}

export const peer: Peer = { name: 'socket-io', startServer, createDialect: () => new SocketIoDialect() };
