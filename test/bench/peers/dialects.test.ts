// How the load generator reads what peers send: messages that are split, attachments, answers, handshakes.
import { beforeEach, describe, expect, it } from 'vitest';
import type { OpenConnection } from '#src/load/dialect.js';
import { peer as nats } from '../../../bench/peers/nats-server.js';
import { peer as nchan } from '../../../bench/peers/nginx-nchan.js';
import { peer as socketIo } from '../../../bench/peers/socket-io.js';
import type { Dialect, EventSink } from '../../../bench/support/peer.js';

const TOPICS = { hot: 1, cold: 2 };
/** Where messages lie in the buffer: there is room in front of them. */
const START = 1000;
const IS_TEXT = true;
const IS_BINARY = false;

/** What a dialect did, in order. */
let events: string[];

class FakeConnection implements OpenConnection {
  readonly index = 3;

  send(body: Uint8Array, opcode = 2): void {
    events.push(`sends ${opcode === 1 ? 'text' : 'binary'} ${Buffer.from(body).toString('latin1')}`);
  }

  sendNow(): void {}

  upgrade(path: string): void {
    events.push(`upgrades to ${path}`);
  }

  ready(): void {
    events.push('ready');
  }
}

/** A dialect with one connection, whose messages all come to lie at the same place. */
class Reader implements EventSink {
  readonly dialect: Dialect;
  readonly connection = new FakeConnection();
  readonly #bytes = Buffer.alloc(4096);
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);

  constructor(dialect: Dialect) {
    this.dialect = dialect;
  }

  open(): void {
    this.dialect.opened?.(this.connection);
  }

  read(message: string | Uint8Array, isText: boolean): void {
    const body = typeof message === 'string' ? Buffer.from(message, 'latin1') : message;
    this.#bytes.fill(0xee);
    this.#bytes.set(body, START);
    const end = START + body.length;
    this.dialect.read(this.connection.index, this.#bytes, this.#view, START, end, this, isText);
  }

  payload(connection: number, start: number, end: number): void {
    events.push(`${connection}: payload ${this.#bytes.toString('latin1', start, end)}`);
  }

  acknowledged(connection: number, count: number): void {
    events.push(`${connection}: acknowledged ${count}`);
  }

  published(): void {}

  gap(): void {}

  problem(connection: number, text: string): void {
    events.push(`${connection}: problem ${text}`);
  }
}

beforeEach(() => {
  events = [];
});

function publishFrame(dialect: Dialect, topic: number, payload: string): string {
  const bytes = Buffer.alloc(dialect.publishBytes(payload.length, topic) + 1, '#');
  const start = dialect.writePublish(bytes, 0, topic, payload.length);
  bytes.write(payload, start, 'latin1');
  expect(bytes.at(-1)).toBe('#'.charCodeAt(0)); // it kept to its bytes
  return bytes.toString('latin1', 0, bytes.length - 1);
}

describe('nats-server', () => {
  const STREAM =
    'PONG\r\nMSG 0000001 1 7\r\npay\r\nad\r\nPING\r\nMSG 0000002 2 0\r\n\r\nMSG 0000001 1 12\r\nMSG 1 2 33\r\n\r\n';
  const READ = [
    '3: acknowledged 1',
    '3: payload pay\r\nad',
    'sends binary PONG\r\n',
    '3: payload ',
    '3: payload MSG 1 2 33\r\n',
  ];

  it('reads several messages of the protocol in one WebSocket message', () => {
    const reader = new Reader(nats.createDialect(TOPICS));
    reader.open();
    reader.read(STREAM, IS_BINARY);
    expect(events).toEqual(READ);
  });

  it('reads the same wherever the stream is split', () => {
    for (let first = 0; first <= STREAM.length; first++) {
      for (const second of [first, first + 1, Math.ceil((first + STREAM.length) / 2)]) {
        events = [];
        const reader = new Reader(nats.createDialect(TOPICS));
        reader.open();
        for (const part of [STREAM.slice(0, first), STREAM.slice(first, second), STREAM.slice(second)]) {
          reader.read(part, IS_BINARY);
        }
        expect(events, `split at ${first} and ${second}`).toEqual(READ);
      }
    }
  });

  it('keeps what is split apart by connection, and forgets it when one with that number opens', () => {
    const reader = new Reader(nats.createDialect(TOPICS));
    reader.open();
    reader.read('MSG 0000001 1 7\r\npay', IS_BINARY);
    reader.open();
    reader.read('MSG 0000001 1 2\r\nab\r\n', IS_BINARY);
    expect(events).toEqual(['3: payload ab']);
  });

  it('introduces itself when the server has, and confirms a subscription by the PONG behind it', () => {
    const reader = new Reader(nats.createDialect(TOPICS));
    reader.open();
    reader.read('INFO {"server_id":"N"}\r\n', IS_BINARY);
    expect(events).toEqual([expect.stringMatching(/^sends binary CONNECT \{.*"verbose":false.*\}\r\n$/), 'ready']);
    events = [];
    reader.dialect.subscribe(reader.connection, [0, 2]);
    expect(events).toEqual(['sends binary SUB 0000000 0\r\nPING\r\nSUB 0000002 2\r\nPING\r\n']);
  });

  it('reports what the server complains about', () => {
    const reader = new Reader(nats.createDialect(TOPICS));
    reader.open();
    reader.read("-ERR 'Unknown Protocol Operation'\r\n", IS_BINARY);
    expect(events).toEqual(["3: problem -ERR 'Unknown Protocol Operation'"]);
  });

  it('publishes to a subject of fixed width', () => {
    const dialect = nats.createDialect(TOPICS);
    expect(publishFrame(dialect, 42, 'payload of 13')).toBe('PUB 0000042 13\r\npayload of 13\r\n');
    expect(publishFrame(dialect, 0, 'x')).toBe('PUB 0000000 1\r\nx\r\n');
  });
});

describe('socket-io', () => {
  const ATTACHED = '451-["message",{"_placeholder":true,"num":0}]';

  it('shakes hands: open, connect, connected', () => {
    const reader = new Reader(socketIo.createDialect(TOPICS));
    reader.open();
    expect(events).toEqual([]);
    reader.read('0{"sid":"a","upgrades":[],"pingInterval":25000}', IS_TEXT);
    reader.read('40{"sid":"b"}', IS_TEXT);
    expect(events).toEqual(['sends text 40', 'ready']);
  });

  it('reads the attachment as the payload, and nothing but its announcement beside it', () => {
    const reader = new Reader(socketIo.createDialect(TOPICS));
    reader.open();
    reader.read(ATTACHED, IS_TEXT);
    reader.read('2 looks like a ping', IS_BINARY);
    reader.read(ATTACHED, IS_TEXT);
    reader.read('451-["message",', IS_BINARY);
    expect(events).toEqual(['3: payload 2 looks like a ping', '3: payload 451-["message",']);
  });

  it('answers pings, counts confirmed subscriptions, reports what it does not expect', () => {
    const reader = new Reader(socketIo.createDialect(TOPICS));
    reader.open();
    reader.dialect.subscribe(reader.connection, [0, 2]);
    reader.read('430[2]', IS_TEXT);
    reader.read('2', IS_TEXT);
    reader.read('44{"message":"no"}', IS_TEXT);
    expect(events).toEqual([
      'sends text 420["subscribe",["0000000","0000002"]]',
      '3: acknowledged 2',
      'sends text 3',
      '3: problem unexpected: 44{"message":"no"}',
    ]);
  });

  it('publishes an event and its attachment: two masked WebSocket messages', () => {
    const frame = publishFrame(socketIo.createDialect(TOPICS), 42, 'payload');
    const event = '451-["publish","0000042",{"_placeholder":true,"num":0}]';
    expect(frame).toBe(`\x81\xb7\0\0\0\0${event}\x82\x87\0\0\0\0payload`);
    expect(event).toHaveLength(0x37);
  });
});

describe('nginx-nchan', () => {
  const ACCEPTED = 'HTTP/1.1 202 Accepted\r\nServer: nginx\r\nContent-Length: 18\r\n\r\nqueued messages: 1';
  const REFUSED = 'HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 4\r\n\r\nfull';

  it('subscribes by the path of the upgrade; greetings confirm it', () => {
    const reader = new Reader(nchan.createDialect(TOPICS));
    reader.dialect.subscribe(reader.connection, [0, 2]);
    expect(events).toEqual(['upgrades to /sub/0000000/0000002']);
    events = [];
    reader.open();
    reader.read('greeting', IS_BINARY);
    reader.read('greeting', IS_BINARY);
    reader.read('a payload of 24 bytes …', IS_BINARY);
    expect(events).toEqual(['3: acknowledged 1', '3: acknowledged 1', expect.stringContaining('3: payload a pay')]);
  });

  it('takes the first message of a channel in use for the confirmation', () => {
    const reader = new Reader(nchan.createDialect(TOPICS));
    reader.dialect.subscribe(reader.connection, [1]);
    reader.open();
    events = [];
    reader.read('old', IS_BINARY);
    reader.read('new', IS_BINARY);
    expect(events).toEqual(['3: acknowledged 1', '3: payload old', '3: payload new']);
  });

  it('cannot subscribe a connection twice, or to more channels than nchan has', () => {
    const reader = new Reader(nchan.createDialect(TOPICS));
    const many = Array.from({ length: 256 }, (_, topic) => topic);
    expect(() => reader.dialect.subscribe(reader.connection, many)).toThrow('too many channels');
    expect(
      nchan.unavailable?.({ topics: TOPICS, payloadBytes: 64, maxDelayMs: 'auto', topicsPerConnection: 256 }),
    ).toBe('nchan has at most 255 channels per connection, not 256');
    reader.dialect.subscribe(reader.connection, [1]);
    reader.open();
    expect(() => reader.dialect.subscribe(reader.connection, [2])).toThrow('subscribes once');
  });

  it('reads answers to publishes wherever they are split, and reports refusals', () => {
    const stream = `${ACCEPTED}${REFUSED}${ACCEPTED}`;
    for (let split = 0; split <= stream.length; split++) {
      events = [];
      const reader = new Reader(nchan.createDialect(TOPICS));
      reader.read(stream.slice(0, split), IS_BINARY);
      reader.read(stream.slice(split), IS_BINARY);
      expect(events).toEqual(['3: problem publish refused: HTTP/1.1 507 Insufficient Storage']);
    }
  });

  it('publishes by POST', () => {
    expect(publishFrame(nchan.createDialect(TOPICS), 42, 'payload')).toBe(
      'POST /pub/0000042 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\nContent-Length: 7\r\n\r\npayload',
    );
  });
});
