/** ringcast.v1.msgpack, as a load generator speaks it. */

import { ByteCursor, NONE } from '../protocol/byte-cursor.js';
import { encodeClientFrame } from '../protocol/client-frames.js';
import { EventView } from '../protocol/event.js';
import { OP, SUBPROTOCOL_MSGPACK, type SubscribeOptions } from '../protocol/messages.js';
import { decode, encode, skipValue } from '../protocol/msgpack.js';
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
const TRUE = 0xc3;
const UINT32 = 0xce;
const BIN8 = 0xc4;
const BIN16 = 0xc5;
const BIN32 = 0xc6;

export interface RingcastOptions {
  readonly path: string;
  /** Names by number. Where there are keys, numbers of one topic are those of its keys. */
  readonly topics: readonly string[];
  /** What the messages of a number are published with; null: without a key. */
  readonly keys?: readonly (string | null)[] | undefined;
  readonly token?: string | undefined;
}

const NO_BYTES = new Uint8Array(0);
/** Connections of a load with keys. */
const POSITIONS_MAX = 65_536;

/**
 * Writer and reader: one thread. Aliases are the same on all connections of a server. Of a keyed topic all keys are subscribed to
 * together, by whichever is named first.
 */
export class RingcastMsgpackDialect implements LoadDialect {
  readonly path: string;
  readonly subprotocol = SUBPROTOCOL_MSGPACK;
  readonly acknowledges = true;
  readonly greeting: Uint8Array | null;
  /** How subscriptions read from here on. */
  reading: SubscribeOptions | undefined;
  readonly #topics: readonly string[];
  readonly #aliases: Uint32Array;
  /** The life of each topic, as far as it is known. */
  readonly #epochs: (string | undefined)[];
  /** The options of a PUBLISH, by number; empty: it has none. */
  readonly #options: readonly Uint8Array[];
  /** Of each connection: the last message of the keyed topic that it has got, or been told that it does not get. Null: there is none. */
  #positions: Float64Array | null = null;
  readonly #newEntries = new Uint32Array(POSITIONS_MAX);
  #keyedAlias = -1;
  readonly #event = new EventView();
  readonly #cursor = new ByteCursor();

  constructor({ path, topics, keys, token }: RingcastOptions) {
    this.path = path;
    this.#topics = topics;
    this.#aliases = new Uint32Array(topics.length);
    this.#epochs = new Array<undefined>(topics.length);
    this.#options = topics.map((_, number) => (keys?.[number] == null ? NO_BYTES : encode({ key: keys[number] })));
    if (keys?.some((key) => key !== null) === true) this.#positions = new Float64Array(POSITIONS_MAX);
    this.greeting =
      token === undefined ? null : encodeClientFrame({ type: 'connect', id: GREETING_ID, options: { token } });
  }

  /** The topic's life, once a subscription or an opening has been answered. */
  epochOf(topic: number): string | undefined {
    return this.#epochs[topic];
  }

  subscribe(connection: OpenConnection, topics: readonly number[]): void {
    const more = this.reading === undefined ? {} : { options: this.reading };
    this.#send(connection, topics, (id, topic) => encodeClientFrame({ type: 'subscribe', id, topic, ...more }), 0);
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
    const asked = topics.filter((topic) => this.#leaderOf(topic) === topic);
    for (let start = 0; start < asked.length; start += FRAMES_PER_MESSAGE) {
      const some = asked.slice(start, start + FRAMES_PER_MESSAGE);
      connection.send(Buffer.concat(some.map((topic) => encode(firstId + topic, this.#topics[topic]))));
    }
  }

  /** The first number of its topic. */
  #leaderOf(topic: number): number {
    return this.#options[topic].length === 0 ? topic : this.#topics.indexOf(this.#topics[topic]);
  }

  /** How many numbers a topic has. */
  #numbersOf(leader: number): number {
    if (this.#options[leader].length === 0) return 1;
    const name = this.#topics[leader];
    return this.#topics.reduce((count, topic) => count + (topic === name ? 1 : 0), 0);
  }

  publishBytes(payloadBytes: number, topic: number, isAcknowledged = false): number {
    const headBytes = isAcknowledged ? ACKNOWLEDGED_HEAD_BYTES : PUBLISH_HEAD_BYTES;
    return headBytes + binHeadBytes(payloadBytes) + payloadBytes + this.#options[topic].length;
  }

  writePublish(bytes: Uint8Array, offset: number, topic: number, payloadBytes: number, isAcknowledged = false): number {
    const options = this.#options[topic];
    if (options.length > 0)
      bytes.set(options, offset + this.publishBytes(payloadBytes, topic, isAcknowledged) - options.length);
    bytes[offset++] = options.length === 0 ? ARRAY_4 : ARRAY_5;
    bytes[offset++] = OP.PUBLISH;
    if (isAcknowledged) offset = writeUint32(bytes, offset, PUBLISHED_ID);
    else bytes[offset++] = NIL;
    offset = writeUint32(bytes, offset, this.#aliases[topic]);
    return writeBinHead(bytes, offset, payloadBytes);
  }

  /** Hot path: an EVENT with a bin payload, or a GAP, takes some nanoseconds and allocates nothing. */
  read(connection: number, bytes: Uint8Array, view: DataView, start: number, end: number, sink: EventSink): void {
    while (start < end) {
      const payloadHead = start + EVENT_HEAD_BYTES;
      const tailElements = bytes[start] - ARRAY_5;
      const isEvent =
        tailElements >= 0 && tailElements <= 4 && bytes[start + 1] === OP.EVENT && bytes[start + 7] === UINT32;
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
      const payloadEnd = payloadStart + payloadBytes;
      if (this.#positions !== null && tailElements > 0) this.#positions[connection] = view.getUint32(start + 8);
      start = tailElements === 0 ? payloadEnd : endOfTail(bytes, payloadEnd, end, tailElements);
      if (start > end) {
        sink.problem(connection, 'a frame reaches beyond its message');
        return;
      }
      sink.payload(connection, payloadStart, payloadEnd);
    }
  }

  /** Returns where the next frame begins; 0: it is no GAP. */
  #readGap(connection: number, bytes: Uint8Array, start: number, end: number, sink: EventSink): number {
    if (bytes[start] !== ARRAY_5 || bytes[start + 1] !== OP.GAP) return 0;
    const cursor = this.#cursor;
    cursor.bytes = bytes;
    cursor.offset = start + 2;
    cursor.end = end;
    const alias = cursor.unsigned();
    const from = cursor.unsigned();
    const to = cursor.unsigned();
    const next = skipValue(bytes, cursor.offset, end);
    if (alias === NONE || from === NONE || to === NONE || next < 0) return 0;
    if (this.#positions !== null && this.#isKeyed(alias)) this.#positions[connection] = to;
    sink.gap(connection, to - from + 1);
    return next;
  }

  /** Returns where the next frame begins. */
  #readOther(connection: number, bytes: Uint8Array, start: number, end: number, sink: EventSink): number {
    const behindGap = this.#readGap(connection, bytes, start, end, sink);
    if (behindGap > 0) return behindGap;
    const event = this.#event;
    if (event.read(bytes, start, end)) {
      sink.payload(connection, event.payloadStart, event.payloadEnd);
      return event.frameEnd;
    }
    const next = skipValue(bytes, start, end);
    if (next > 0 && bytes[start + 1] === OP.SNAPSHOT) {
      this.#readSnapshot(connection, bytes, start, next, sink);
      return next;
    }
    try {
      if (next < 0) throw new Error('it is no complete MessagePack');
      this.#readFrame(connection, decode(bytes, start, next), sink);
      return next;
    } catch (error) {
      sink.problem(connection, `a frame from the server cannot be read: ${(error as Error).message}`);
      return end;
    }
  }

  #isKeyed(alias: number): boolean {
    return this.#keyedAlias === alias;
  }

  /**
   * [SNAPSHOT, alias, seq, entries, first, last]; an entry is [key, seq, time, payload, version?]. What is in it and the connection has
   * not had is reported as entries, the messages that it takes the place of as a gap.
   */
  #readSnapshot(connection: number, bytes: Uint8Array, start: number, end: number, sink: EventSink): void {
    const cursor = this.#cursor;
    cursor.bytes = bytes;
    cursor.offset = start + 2;
    cursor.end = end;
    cursor.unsigned();
    const seq = cursor.unsigned();
    const entries = cursor.arrayLength();
    const isLast = bytes[end - 1] === TRUE;
    if (sink.entry !== undefined && this.#positions !== null) {
      const had = this.#positions[connection];
      let at = cursor.offset;
      for (let left = entries; left > 0; left--) {
        cursor.offset = at;
        const elements = cursor.arrayLength();
        cursor.offset = skipValue(bytes, cursor.offset, end);
        const isNew = cursor.unsigned() > had;
        const payload = skipValue(bytes, cursor.offset, end);
        at = skipValue(bytes, payload, end);
        const type = bytes[payload];
        const headBytes = type === BIN8 ? 2 : type === BIN16 ? 3 : 5;
        if (isNew) {
          this.#newEntries[connection]++;
          sink.entry(connection, payload + headBytes, at);
        }
        for (let behind = 4; behind < elements; behind++) at = skipValue(bytes, at, end);
      }
      if (isLast) {
        if (seq > had) sink.gap(connection, seq - had - this.#newEntries[connection]);
        this.#positions[connection] = Math.max(had, seq);
        this.#newEntries[connection] = 0;
      }
    }
    sink.snapshot?.(connection, entries, isLast);
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
        sink.acknowledged(connection, first === GREETING_ID ? 1 : this.#answered(connection, first, second));
        break;
      case OP.ERROR:
        sink.problem(connection, `${this.#request(first)} was refused: ${third} (${second})`);
        break;
      case OP.UNSUBSCRIBED:
        sink.problem(connection, `the server ended a subscription: ${third} (${second})`);
        break;
    }
  }

  /** Returns for how many numbers that is an answer. */
  #answered(connection: number, id: number, result: { alias: number; epoch?: string; seq?: number }): number {
    const { alias, epoch, seq = 0 } = result;
    const topic = id % UNSUBSCRIBE_ID;
    const numbers = this.#numbersOf(topic);
    if (this.#options[topic].length > 0) {
      this.#keyedAlias = alias;
      if (id < UNSUBSCRIBE_ID && this.#positions !== null) this.#positions[connection] = seq;
    }
    if (epoch !== undefined) this.#epochs[topic] = epoch;
    if (id < OPEN_ID) return numbers;
    if (numbers === 1) this.#aliases[topic] = alias;
    else
      for (const [number, name] of this.#topics.entries())
        if (name === this.#topics[topic]) this.#aliases[number] = alias;
    return numbers;
  }

  #request(id: unknown): string {
    if (typeof id !== 'number' || id === PUBLISHED_ID) return 'a message';
    if (id === GREETING_ID) return 'the token';
    if (id >= OPEN_ID) return `publishing to ${JSON.stringify(this.#topics[id - OPEN_ID])}`;
    return `subscribing to ${JSON.stringify(this.#topics[id])}`;
  }
}

/** Behind a tail of texts, nils and numbers. */
function endOfTail(bytes: Uint8Array, offset: number, end: number, elements: number): number {
  for (let left = elements; left > 0; left--) {
    const type = bytes[offset];
    if (type === NIL) offset++;
    else if (type >= 0xa0 && type < 0xc0) offset += 1 + (type & 31);
    else {
      offset = skipValue(bytes, offset, end);
      if (offset < 0) return end + 1;
    }
  }
  return offset;
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
