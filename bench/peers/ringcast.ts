// ringcast itself, embedded as a user would, with one lane; spoken to in ringcast.v1.msgpack.

import { decodeValue, encodeText, encodeUint32 } from '../support/msgpack.js';
import {
  type Dialect,
  type EventSink,
  type OpenConnection,
  type Peer,
  type RunningServer,
  type ServerOptions,
  type TopicPlan,
  topicName,
} from '../support/peer.js';

const SUBSCRIBE = 2;
const UNSUBSCRIBE = 3;
const PUBLISH = 4;
const OK = 33;
const ERROR = 34;
const EVENT = 35;
const GAP = 37;
const UNSUBSCRIBED = 40;
const EVENT_HEAD_BYTES = 21;
const PUBLISH_HEAD_BYTES = 8;
/** Request ids: a subscription's is its topic, an opening's and an unsubscription's lie above, and one id asks for the last publish's answer. */
const OPEN_ID = 0x1000000;
const UNSUBSCRIBE_ID = 0x2000000;
const PUBLISHED_ID = 0x7fffffff;

/** @param entry the package's own, or that of another build of it */
export async function startRingcast(
  { createEngine }: Pick<typeof import('ringcast'), 'createEngine'>,
  options: ServerOptions,
): Promise<RunningServer> {
  const engine = createEngine({
    port: 0,
    lanes: 1,
    topics: [{ match: 'hot:*', home: 'hot' }],
    maxDelayMs: options.maxDelayMs,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...options.engine,
  });
  await engine.start();
  return { port: Number(new URL(engine.url).port), close: () => engine.close() };
}

async function startServer(options: ServerOptions): Promise<RunningServer> {
  return startRingcast(await import('ringcast'), options);
}

class RingcastDialect implements Dialect {
  readonly path = '/ws';
  readonly subprotocol = 'ringcast.v1.msgpack';
  readonly #topics: TopicPlan;
  readonly #aliases: Uint32Array;

  constructor(topics: TopicPlan) {
    this.#topics = topics;
    this.#aliases = new Uint32Array(topics.hot + topics.cold);
  }

  subscribe(connection: OpenConnection, topics: readonly number[]): void {
    this.#send(connection, topics, (topic) => [
      ...[0x93, SUBSCRIBE, ...encodeUint32(topic)],
      ...encodeText(topicName(this.#topics, topic)),
    ]);
  }

  unsubscribe(connection: OpenConnection, topics: readonly number[]): void {
    this.#send(connection, topics, (topic) => [
      ...[0x93, UNSUBSCRIBE, ...encodeUint32(UNSUBSCRIBE_ID + topic)],
      ...encodeText(topicName(this.#topics, topic)),
    ]);
  }

  open(connection: OpenConnection, topics: readonly number[]): void {
    this.#send(connection, topics, (topic) => [
      ...[0x95, PUBLISH, ...encodeUint32(OPEN_ID + topic), ...encodeText(topicName(this.#topics, topic)), 0xc0],
      ...[0x81, ...encodeText('open'), 0xc3],
    ]);
  }

  #send(connection: OpenConnection, topics: readonly number[], frame: (topic: number) => number[]): void {
    connection.send(Uint8Array.from(topics.flatMap(frame)));
  }

  publishBytes(payloadBytes: number): number {
    return PUBLISH_HEAD_BYTES + binHeadBytes(payloadBytes) + payloadBytes;
  }

  writePublish(bytes: Uint8Array, offset: number, topic: number, payloadBytes: number): number {
    const alias = this.#aliases[topic]!;
    bytes[offset] = 0x94;
    bytes[offset + 1] = PUBLISH;
    bytes[offset + 2] = 0xc0;
    bytes[offset + 3] = 0xce;
    bytes[offset + 4] = alias >>> 24;
    bytes[offset + 5] = alias >>> 16;
    bytes[offset + 6] = alias >>> 8;
    bytes[offset + 7] = alias;
    return writeBinHead(bytes, offset + PUBLISH_HEAD_BYTES, payloadBytes);
  }

  publishAcknowledged(topic: number, payload: Uint8Array): Uint8Array {
    const binHead = new Uint8Array(binHeadBytes(payload.length));
    writeBinHead(binHead, 0, payload.length);
    const head = [0x94, PUBLISH, ...encodeUint32(PUBLISHED_ID), ...encodeUint32(this.#aliases[topic]!)];
    return Uint8Array.from([...head, ...binHead, ...payload]);
  }

  read(connection: number, bytes: Uint8Array, view: DataView, start: number, end: number, sink: EventSink): void {
    while (start < end) {
      const payloadHead = start + EVENT_HEAD_BYTES;
      const isPlainEvent = bytes[start] === 0x95 && bytes[start + 1] === EVENT && bytes[start + 7] === 0xce;
      if (isPlainEvent && bytes[payloadHead] === 0xc4) {
        const payloadStart = payloadHead + 2;
        start = payloadStart + bytes[payloadHead + 1]!;
        sink.payload(connection, payloadStart, start);
      } else if (isPlainEvent && bytes[payloadHead] === 0xc5) {
        const payloadStart = payloadHead + 3;
        start = payloadStart + view.getUint16(payloadHead + 1);
        sink.payload(connection, payloadStart, start);
      } else if (isPlainEvent && bytes[payloadHead] === 0xc6) {
        const payloadStart = payloadHead + 5;
        start = payloadStart + view.getUint32(payloadHead + 1);
        sink.payload(connection, payloadStart, start);
      } else {
        const cursor = { offset: start };
        this.#readOther(connection, decodeValue(bytes, view, cursor), sink);
        start = cursor.offset;
      }
    }
    if (start > end) sink.problem(connection, 'a frame reaches beyond its message');
  }

  #readOther(connection: number, frame: unknown, sink: EventSink): void {
    if (!Array.isArray(frame)) {
      sink.problem(connection, `a frame that is no array: ${JSON.stringify(frame)}`);
      return;
    }
    const [operation, id, result] = frame as [number, number, { alias: number; seq: number }];
    if (operation === OK && id === PUBLISHED_ID) {
      sink.published(connection, result.seq);
    } else if (operation === OK) {
      if (id >= OPEN_ID && id < UNSUBSCRIBE_ID) this.#aliases[id - OPEN_ID] = result.alias;
      sink.acknowledged(connection, 1);
    } else if (operation === GAP) {
      sink.gap(connection, Number(frame[3]) - Number(frame[2]) + 1);
    } else if (operation === ERROR || operation === UNSUBSCRIBED || operation === EVENT) {
      sink.problem(connection, JSON.stringify(frame).slice(0, 200));
    }
  }
}

function binHeadBytes(payloadBytes: number): number {
  return payloadBytes < 256 ? 2 : payloadBytes < 65536 ? 3 : 5;
}

function writeBinHead(bytes: Uint8Array, offset: number, payloadBytes: number): number {
  if (payloadBytes < 256) {
    bytes[offset] = 0xc4;
    bytes[offset + 1] = payloadBytes;
    return offset + 2;
  }
  if (payloadBytes < 65536) {
    bytes[offset] = 0xc5;
    bytes[offset + 1] = payloadBytes >>> 8;
    bytes[offset + 2] = payloadBytes & 0xff;
    return offset + 3;
  }
  bytes[offset] = 0xc6;
  bytes[offset + 1] = payloadBytes >>> 24;
  bytes[offset + 2] = payloadBytes >>> 16;
  bytes[offset + 3] = payloadBytes >>> 8;
  bytes[offset + 4] = payloadBytes & 0xff;
  return offset + 5;
}

export const createDialect = (topics: TopicPlan): Dialect => new RingcastDialect(topics);

export const peer: Peer = { name: 'ringcast', startServer, createDialect };
