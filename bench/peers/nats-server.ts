// Baseline: nats-server, the program, with its WebSocket listener. The NATS client protocol is a stream of bytes: one
// WebSocket message may hold several of its messages, and one of its messages may be split over two. Subjects are fixed-width numbers.

import { ExternalServer, missingProgram, temporaryFolder } from '../support/external-server.js';
import type { Dialect, EventSink, OpenConnection, Peer, RunningServer, ServerOptions } from '../support/peer.js';

const PROGRAM = 'nats-server';
const SUBJECT_DIGITS = 7;
const PUBLISH_HEAD = Buffer.from(`PUB ${'0'.repeat(SUBJECT_DIGITS)} `);
const CONNECT = Buffer.from(
  'CONNECT {"verbose":false,"pedantic":false,"protocol":1,"lang":"ringcast-bench","version":"1"}\r\n',
);
const PONG = Buffer.from('PONG\r\n');
const CR = 0x0d;
const LF = 0x0a;
const LETTER_M = 0x4d;
const DIGIT_0 = 0x30;

/** Its defaults, but for the ports: −1 lets the system choose. */
function configuration({ tls }: ServerOptions): string {
  const security =
    tls === undefined ? 'no_tls: true' : `tls { cert_file: "${tls.certFile}", key_file: "${tls.keyFile}" }`;
  return `listen: "127.0.0.1:-1"\nwebsocket { listen: "127.0.0.1:-1", ${security} }\n`;
}

async function startServer(options: ServerOptions): Promise<RunningServer> {
  const folder = temporaryFolder({ 'nats.conf': configuration(options) });
  const server = await ExternalServer.start({
    program: PROGRAM,
    args: ['--config', 'nats.conf'],
    folder,
    isReady: (output) => output.includes('Server is ready') && webSocketPort(output) !== null,
  });
  return { port: webSocketPort(server.output)!, pids: server.pids, close: () => server.close() };
}

function webSocketPort(output: string): number | null {
  const port = /websocket clients on wss?:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1];
  return port === undefined ? null : Number(port);
}

class NatsDialect implements Dialect {
  readonly path = '/';
  readonly subprotocol = null;
  /** By their index. */
  readonly #connections: OpenConnection[] = [];
  /** What came of a message that goes on in the next WebSocket message, by the connection's index. */
  readonly #kept = new Map<number, Buffer>();

  opened(connection: OpenConnection): void {
    this.#connections[connection.index] = connection;
    this.#kept.delete(connection.index);
  }

  /** The server does not confirm a subscription, but it answers in order: a PONG stands for the SUB before its PING. */
  subscribe(connection: OpenConnection, topics: readonly number[]): void {
    connection.send(Buffer.from(topics.map((topic) => `SUB ${subject(topic)} ${topic}\r\nPING\r\n`).join('')));
  }

  unsubscribe(connection: OpenConnection, topics: readonly number[]): void {
    connection.send(Buffer.from(topics.map((topic) => `UNSUB ${topic}\r\nPING\r\n`).join('')));
  }

  publishBytes(payloadBytes: number): number {
    return PUBLISH_HEAD.length + String(payloadBytes).length + 2 + payloadBytes + 2;
  }

  writePublish(bytes: Uint8Array, offset: number, topic: number, payloadBytes: number): number {
    bytes.set(PUBLISH_HEAD, offset);
    writeDigits(bytes, offset + PUBLISH_HEAD.length - 1, topic);
    const lengthEnd = offset + PUBLISH_HEAD.length + String(payloadBytes).length;
    writeDigits(bytes, lengthEnd, payloadBytes);
    writeLineEnd(bytes, lengthEnd);
    const payload = lengthEnd + 2;
    writeLineEnd(bytes, payload + payloadBytes);
    return payload;
  }

  read(connection: number, bytes: Uint8Array, _view: DataView, start: number, end: number, sink: EventSink): void {
    let from = start;
    if (this.#kept.size > 0) from -= this.#putBack(connection, bytes, start);
    while (from < end) {
      const lineEnd = findLineEnd(bytes, from, end);
      if (lineEnd < 0) break;
      let next = lineEnd + 2;
      if (bytes[from] === LETTER_M) {
        const payload = next;
        const payloadEnd = payload + lastNumber(bytes, lineEnd);
        next = payloadEnd + 2;
        if (next > end) break;
        sink.payload(connection, payload, payloadEnd);
      } else {
        this.#readOther(connection, bytes, from, lineEnd, sink);
      }
      from = next;
    }
    if (from < end) this.#kept.set(connection, Buffer.from(bytes.subarray(from, end)));
  }

  /** Writes what was kept in front of the message that it goes on in. */
  #putBack(connection: number, bytes: Uint8Array, start: number): number {
    const kept = this.#kept.get(connection);
    if (kept === undefined) return 0;
    this.#kept.delete(connection);
    bytes.set(kept, start - kept.length);
    return kept.length;
  }

  #readOther(index: number, bytes: Uint8Array, start: number, end: number, sink: EventSink): void {
    const line = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
    const connection = this.#connections[index];
    if (line.startsWith('INFO')) {
      connection.send(CONNECT);
      connection.ready();
    } else if (line === 'PONG') sink.acknowledged(index, 1);
    else if (line === 'PING') connection.send(PONG);
    else sink.problem(index, line.slice(0, 200));
  }
}

function subject(topic: number): string {
  return String(topic).padStart(SUBJECT_DIGITS, '0');
}

/** Hot path: writes the digits of a number that end before `end`; what is in front of them stays. */
function writeDigits(bytes: Uint8Array, end: number, value: number): void {
  let rest = value;
  for (let offset = end - 1; rest > 0; offset--) {
    bytes[offset] = DIGIT_0 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

function writeLineEnd(bytes: Uint8Array, offset: number): void {
  bytes[offset] = CR;
  bytes[offset + 1] = LF;
}

/** Hot path: where the line ends, −1 when its CR LF is not all there. */
function findLineEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let offset = start; offset < end - 1; offset++) if (bytes[offset] === CR) return offset;
  return -1;
}

/** Hot path: the number that ends before `end`. */
function lastNumber(bytes: Uint8Array, end: number): number {
  let value = 0;
  let unit = 1;
  for (let offset = end - 1; bytes[offset] >= DIGIT_0; offset--) {
    value += (bytes[offset] - DIGIT_0) * unit;
    unit *= 10;
  }
  return value;
}

export const peer: Peer = {
  name: 'nats-server',
  unavailable: () => missingProgram(PROGRAM, 'nats-server'),
  startServer,
  createDialect: () => new NatsDialect(),
};
