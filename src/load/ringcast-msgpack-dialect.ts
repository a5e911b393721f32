/** ringcast.v1.msgpack, as a load generator speaks it. */
import { encodeClientFrame } from '../protocol/client-frames.js';
import { EventView } from '../protocol/event.js';
import { OP, SUBPROTOCOL_MSGPACK } from '../protocol/messages.js';
import { decode, skipValue } from '../protocol/msgpack.js';
import type { EventSink } from './dialect.js';
import type { LoadDialect, PublishFrame } from './load-dialect.js';
import { OPCODE_BINARY } from './websocket.js';

/** Request ids: that of a subscription is its topic, that of an opening lies above. */
const OPEN_ID = 0x4000_0000;
const GREETING_ID = 0x7fff_ffff;
/** Frames that share a message: far below what a server takes at once. */
const FRAMES_PER_MESSAGE = 100;

const EVENT_HEAD_BYTES = 21;
const ARRAY_5 = 0x95;
const UINT32 = 0xce;
const BIN8 = 0xc4;
const BIN16 = 0xc5;
const BIN32 = 0xc6;
const NO_BYTES = new Uint8Array(0);

export interface RingcastOptions {
  readonly path: string;
  readonly topics: readonly string[];
  readonly payloadBytes: number;
  readonly token?: string | undefined;
}

/** Writer and reader: one thread. Aliases are the same on all connections of a server. */
export class RingcastMsgpackDialect implements LoadDialect {
  readonly path: string;
  readonly subprotocol = SUBPROTOCOL_MSGPACK;
  readonly opcode = OPCODE_BINARY;
  readonly confirms = true;
  readonly greeting: Uint8Array | null;
  readonly remarks: readonly string[] = [];
  readonly #topics: readonly string[];
  readonly #payloadBytes: number;
  readonly #aliases: Uint32Array;
  readonly #event = new EventView();

  constructor({ path, topics, payloadBytes, token }: RingcastOptions) {
    this.path = path;
    this.#topics = topics;
    this.#payloadBytes = payloadBytes;
    this.#aliases = new Uint32Array(topics.length);
    this.greeting =
      token === undefined ? null : encodeClientFrame({ type: 'connect', id: GREETING_ID, options: { token } });
  }

  subscribe(topics: readonly number[]): Uint8Array[] {
    return inMessages(topics, (topic) => encodeClientFrame({ type: 'subscribe', id: topic, topic: this.#name(topic) }));
  }

  open(topics: readonly number[]): Uint8Array[] {
    return inMessages(topics, (topic) =>
      encodeClientFrame({
        type: 'publish',
        id: OPEN_ID + topic,
        topic: this.#name(topic),
        payload: null,
        options: { open: true },
      }),
    );
  }

  publishFrame(topic: number): PublishFrame {
    const alias = new DataView(new ArrayBuffer(4));
    alias.setUint32(0, this.#aliases[topic]!);
    const head = [0x94, OP.PUBLISH, 0xc0, UINT32, ...new Uint8Array(alias.buffer), ...binHead(this.#payloadBytes)];
    return { head: Uint8Array.from(head), tail: NO_BYTES };
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
        payloadBytes = bytes[payloadHead + 1]!;
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
    if (typeof id !== 'number') return 'a message';
    if (id === GREETING_ID) return 'the token';
    const topic = this.#topics[id >= OPEN_ID ? id - OPEN_ID : id];
    return `${id >= OPEN_ID ? 'publishing' : 'subscribing'} to ${JSON.stringify(topic)}`;
  }

  #name(topic: number): string {
    return this.#topics[topic]!;
  }
}

function binHead(bytes: number): number[] {
  if (bytes < 0x100) return [BIN8, bytes];
  if (bytes < 0x1_0000) return [BIN16, bytes >>> 8, bytes & 0xff];
  return [BIN32, bytes >>> 24, (bytes >>> 16) & 0xff, (bytes >>> 8) & 0xff, bytes & 0xff];
}

function inMessages(topics: readonly number[], encode: (topic: number) => Uint8Array): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  for (let start = 0; start < topics.length; start += FRAMES_PER_MESSAGE) {
    bodies.push(Buffer.concat(topics.slice(start, start + FRAMES_PER_MESSAGE).map(encode)));
  }
  return bodies;
}
