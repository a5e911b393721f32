/** ringcast.v1.msgpack, as a load generator speaks it. */
import { encodeClientFrame } from '../protocol/client-frames.js';
import { EventView } from '../protocol/event.js';
import { OP, SUBPROTOCOL_MSGPACK } from '../protocol/messages.js';
import { decode, skipValue } from '../protocol/msgpack.js';
import type { EventSink, OpenConnection } from './dialect.js';
import type { LoadDialect } from './load-dialect.js';

/** Request ids: that of a subscription is its topic, those of unsubscriptions and openings lie above. */
const UNSUBSCRIBE_ID = 0x2000_0000;
const OPEN_ID = 0x4000_0000;
const PUBLISHED_ID = 0x7fff_fffe;
const GREETING_ID = 0x7fff_ffff;
/** Frames that share a message: far below what a server takes at once. */
const FRAMES_PER_MESSAGE = 100;

const EVENT_HEAD_BYTES = 21;
/** Of a PUBLISH by alias, in front of the payload's head: with nil for a request id, and with one. */
const PUBLISH_HEAD_BYTES = 8;
const ACKNOWLEDGED_HEAD_BYTES = 12;
const ARRAY_4 = 0x94;
const NIL = 0xc0;
const ARRAY_5 = 0x95;
const UINT32 = 0xce;
const BIN8 = 0xc4;
const BIN16 = 0xc5;
const BIN32 = 0xc6;

export interface RingcastOptions {
  readonly path: string;
  readonly topics: readonly string[];
  readonly token?: string | undefined;
}

/** Writer and reader: one thread. Aliases are the same on all connections of a server. */
export class RingcastMsgpackDialect implements LoadDialect {
  readonly path: string;
  readonly subprotocol = SUBPROTOCOL_MSGPACK;
  readonly acknowledges = true;
  readonly greeting: Uint8Array | null;
  readonly #topics: readonly string[];
  readonly #aliases: Uint32Array;
  readonly #event = new EventView();

  constructor({ path, topics, token }: RingcastOptions) {
    this.path = path;
    this.#topics = topics;
    this.#aliases = new Uint32Array(topics.length);
    this.greeting =
      token === undefined ? null : encodeClientFrame({ type: 'connect', id: GREETING_ID, options: { token } });
  }

  subscribe(connection: OpenConnection, topics: readonly number[]): void {
    this.#send(connection, topics, (id, topic) => encodeClientFrame({ type: 'subscribe', id, topic }), 0);
  }

  unsubscribe(connection: OpenConnection, topics: readonly number[]): void {
    this.#send(
      connection,
      topics,
      (id, topic) => encodeClientFrame({ type: 'unsubscribe', id, topic }),
      UNSUBSCRIBE_ID,
    );
  }

  open(connection: OpenConnection, topics: readonly number[]): void {
    const options = { open: true };
    const encode = (id: number, topic: string) =>
      encodeClientFrame({ type: 'publish', id, topic, payload: null, options });
    this.#send(connection, topics, encode, OPEN_ID);
  }

  #send(
    connection: OpenConnection,
    topics: readonly number[],
    encode: (id: number, topic: string) => Uint8Array,
    firstId: number,
  ): void {
    for (let start = 0; start < topics.length; start += FRAMES_PER_MESSAGE) {
      const some = topics.slice(start, start + FRAMES_PER_MESSAGE);
      connection.send(Buffer.concat(some.map((topic) => encode(firstId + topic, this.#topics[topic]))));
    }
  }

  publishBytes(payloadBytes: number, _topic: number, isAcknowledged = false): number {
    const headBytes = isAcknowledged ? ACKNOWLEDGED_HEAD_BYTES : PUBLISH_HEAD_BYTES;
    return headBytes + binHeadBytes(payloadBytes) + payloadBytes;
  }

  writePublish(bytes: Uint8Array, offset: number, topic: number, payloadBytes: number, isAcknowledged = false): number {
    bytes[offset++] = ARRAY_4;
    bytes[offset++] = OP.PUBLISH;
    if (isAcknowledged) offset = writeUint32(bytes, offset, PUBLISHED_ID);
    else bytes[offset++] = NIL;
    offset = writeUint32(bytes, offset, this.#aliases[topic]);
    return writeBinHead(bytes, offset, payloadBytes);
  }

  /** Hot path: an EVENT with a bin payload takes some nanoseconds and allocates nothing. */
  read(connection: number, bytes: Uint8Array, view: DataView, start: number, end: number, sink: EventSink): void {
    while (start < end) {
      const payloadHead = start + EVENT_HEAD_BYTES;
      const isEvent = bytes[start] === ARRAY_5 && bytes[start + 1] === OP.EVENT && bytes[start + 7] === UINT32;
      const type = isEvent && payloadHead < end ? bytes[payloadHead] : 0;
      let payloadStart = 0;
      let payloadBytes = 0;
      if (type === BIN8) {
        payloadStart = payloadHead + 2;
        payloadBytes = bytes[payloadHead + 1];
      } else if (type === BIN16) {
        payloadStart = payloadHead + 3;
        payloadBytes = view.getUint16(payloadHead + 1);
      } else if (type === BIN32) {
        payloadStart = payloadHead + 5;
        payloadBytes = view.getUint32(payloadHead + 1);
      } else {
        start = this.#readOther(connection, bytes, start, end, sink);
        continue;
      }
      start = payloadStart + payloadBytes;
      if (start > end) {
        sink.problem(connection, 'a frame reaches beyond its message');
        return;
      }
      sink.payload(connection, payloadStart, start);
    }
  }

  /** Returns where the next frame begins. */
  #readOther(connection: number, bytes: Uint8Array, start: number, end: number, sink: EventSink): number {
    const event = this.#event;
    if (event.read(bytes, start, end)) {
      sink.payload(connection, event.payloadStart, event.payloadEnd);
      return event.frameEnd;
    }
    const next = skipValue(bytes, start, end);
    try {
      if (next < 0) throw new Error('it is no complete MessagePack');
      this.#readFrame(connection, decode(bytes, start, next), sink);
      return next;
    } catch (error) {
      sink.problem(connection, `a frame from the server cannot be read: ${(error as Error).message}`);
      return end;
    }
  }

  #readFrame(connection: number, frame: unknown, sink: EventSink): void {
    if (!Array.isArray(frame)) throw new Error('it is no array');
    const [op, first, second, third] = frame;
    switch (op) {
      case OP.OK:
        if (first === PUBLISHED_ID) {
          sink.published(connection, second.seq);
          break;
        }
        if (first >= OPEN_ID && first !== GREETING_ID) this.#aliases[first - OPEN_ID] = second.alias;
        sink.acknowledged(connection, 1);
        break;
      case OP.GAP:
        sink.gap(connection, Number(third) - Number(second) + 1);
        break;
      case OP.ERROR:
        sink.problem(connection, `${this.#request(first)} was refused: ${third} (${second})`);
        break;
      case OP.UNSUBSCRIBED:
        sink.problem(connection, `the server ended a subscription: ${third} (${second})`);
        break;
    }
  }

  #request(id: unknown): string {
    if (typeof id !== 'number' || id === PUBLISHED_ID) return 'a message';
    if (id === GREETING_ID) return 'the token';
    if (id >= OPEN_ID) return `publishing to ${JSON.stringify(this.#topics[id - OPEN_ID])}`;
    return `subscribing to ${JSON.stringify(this.#topics[id])}`;
  }
}

function writeUint32(bytes: Uint8Array, offset: number, value: number): number {
  bytes[offset] = UINT32;
  bytes[offset + 1] = value >>> 24;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 8;
  bytes[offset + 4] = value;
  return offset + 5;
}

function binHeadBytes(bytes: number): number {
  return bytes < 0x100 ? 2 : bytes < 0x1_0000 ? 3 : 5;
}

function writeBinHead(bytes: Uint8Array, offset: number, payloadBytes: number): number {
  if (payloadBytes < 0x100) {
    bytes[offset++] = BIN8;
  } else if (payloadBytes < 0x1_0000) {
    bytes[offset++] = BIN16;
    bytes[offset++] = payloadBytes >>> 8;
  } else {
    bytes[offset++] = BIN32;
    bytes[offset++] = payloadBytes >>> 24;
    bytes[offset++] = payloadBytes >>> 16;
    bytes[offset++] = payloadBytes >>> 8;
  }
  bytes[offset++] = payloadBytes;
  return offset;
}
