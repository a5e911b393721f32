/** The load process's side of `ringcast.v1.msgpack`: as much of it as subscribing, publishing by alias and counting take. */
import type { EventSink, ReadingDialect } from '../../load/dialect.js';
import { encodeClientFrame } from '../../protocol/client-frames.js';
import { OP } from '../../protocol/messages.js';
import { decode, skipValue } from '../../protocol/msgpack.js';

const EVENT_HEAD_BYTES = 21;
const PUBLISH_HEAD_BYTES = 8;
const FIXARRAY_4 = 0x94;
const FIXARRAY_5 = 0x95;
const NIL = 0xc0;
const BIN8 = 0xc4;
const BIN16 = 0xc5;
const UINT32 = 0xce;

/** Bytes of the head in front of a binary payload. */
export function binaryHeadBytes(bytes: number): number {
  return bytes < 256 ? 2 : 3;
}

export function publishFrameBytes(payloadBytes: number): number {
  return PUBLISH_HEAD_BYTES + binaryHeadBytes(payloadBytes) + payloadBytes;
}

/** Writes a PUBLISH by alias up to its payload; returns where that starts. Hot path. */
export function writePublishHead(bytes: Uint8Array, offset: number, alias: number, payloadBytes: number): number {
  bytes[offset++] = FIXARRAY_4;
  bytes[offset++] = OP.PUBLISH;
  bytes[offset++] = NIL;
  bytes[offset++] = UINT32;
  bytes[offset++] = alias >>> 24;
  bytes[offset++] = alias >>> 16;
  bytes[offset++] = alias >>> 8;
  bytes[offset++] = alias;
  if (payloadBytes < 256) {
    bytes[offset++] = BIN8;
  } else {
    bytes[offset++] = BIN16;
    bytes[offset++] = payloadBytes >>> 8;
  }
  bytes[offset++] = payloadBytes;
  return offset;
}

export function subscribeFrame(id: number, topic: string): Uint8Array {
  return encodeClientFrame({ type: 'subscribe', id, topic });
}

/** The certificate is the server's own, of this measurement. */
export function tlsOf({ tls }: { readonly tls: boolean }): { tls?: { rejectUnauthorized: false } } {
  return tls ? { tls: { rejectUnauthorized: false } } : {};
}

/** Asks for a topic's alias. */
export function openFrame(id: number, topic: string): Uint8Array {
  return encodeClientFrame({ type: 'publish', id, topic, payload: null, options: { open: true } });
}

/** Counts WebSocket messages, which the server writes one by one, beside what it hands to the sink. */
export class SizingDialect implements ReadingDialect {
  readonly path = '/ws';
  readonly subprotocol = 'ringcast.v1.msgpack';
  /** Messages that held events. */
  eventMessages = 0;
  /** Of those messages, without WebSocket heads. */
  eventBytes = 0;
  /** By the request id of the frame that asked. */
  readonly aliases = new Map<number, number>();

  /** Hot path. */
  read(connection: number, bytes: Uint8Array, view: DataView, start: number, end: number, sink: EventSink): void {
    const messageStart = start;
    let events = 0;
    while (start < end) {
      const payloadHead = start + EVENT_HEAD_BYTES;
      if (bytes[start] === FIXARRAY_5 && bytes[start + 1] === OP.EVENT && bytes[start + 7] === UINT32) {
        const isShort = bytes[payloadHead] === BIN8;
        const payloadStart = payloadHead + (isShort ? 2 : 3);
        start = payloadStart + (isShort ? bytes[payloadHead + 1] : view.getUint16(payloadHead + 1));
        sink.payload(connection, payloadStart, start);
        events++;
      } else {
        start = this.#readOther(connection, bytes, start, end, sink);
      }
    }
    if (events === 0) return;
    this.eventMessages++;
    this.eventBytes += end - messageStart;
  }

  /** Returns where the frame ends. */
  #readOther(connection: number, bytes: Uint8Array, start: number, end: number, sink: EventSink): number {
    const frameEnd = skipValue(bytes, start, end);
    if (frameEnd < 0) {
      sink.problem(connection, 'a frame that reaches beyond its message');
      return end;
    }
    const frame = decode(bytes, start, frameEnd) as [number, number, { alias: number }, unknown];
    const [operation, id, result] = frame;
    if (operation === OP.OK) {
      this.aliases.set(id, result.alias);
      sink.acknowledged(connection, 1);
    } else if (operation === OP.GAP) {
      sink.gap(connection, Number(frame[3]) - Number(frame[2]) + 1);
    } else if (operation === OP.ERROR || operation === OP.UNSUBSCRIBED || operation === OP.EVENT) {
      sink.problem(connection, JSON.stringify(frame).slice(0, 200));
    }
    return frameEnd;
  }
}
