/** The load process's side of `ringcast.v1.json`: as much of it as subscribing and counting take. */
import type { ReceiveBuffer } from '../../load/connection.js';
import type { EventSink, ReadingDialect } from '../../load/dialect.js';
import { SUBPROTOCOL_JSON } from '../../protocol/messages.js';
import { PAYLOAD_MIN_BYTES } from './feed-port.js';

const EVENT_START = Buffer.from('{"type":"event"');
const PAYLOAD_START = Buffer.from('"payload":"');
const NOT_BASE64 = 0;
const DIGITS = new Uint8Array(128).fill(NOT_BASE64);
[...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].forEach((digit, value) => {
  DIGITS[digit.charCodeAt(0)] = value;
});

export function subscribeText(id: number, topic: string): Uint8Array {
  return Buffer.from(JSON.stringify({ type: 'subscribe', topic, request_id: id }));
}

/** Writer and reader: one thread. */
export class SizingJsonDialect implements ReadingDialect {
  readonly path = '/ws';
  readonly subprotocol = SUBPROTOCOL_JSON;
  /** Reads that held events: the messages of one write come together. */
  eventReads = 0;
  eventBytes = 0;
  readonly #buffer: ReceiveBuffer;
  #lastRead = -1;

  constructor(buffer: ReceiveBuffer) {
    this.#buffer = buffer;
  }

  /** Hot path. */
  read(connection: number, bytes: Uint8Array, _view: DataView, start: number, end: number, sink: EventSink): void {
    const whole = this.#buffer.bytes;
    if (whole.compare(EVENT_START, 0, EVENT_START.length, start, start + EVENT_START.length) !== 0) {
      this.#readOther(connection, whole.toString('utf8', start, end), sink);
      return;
    }
    const payload = whole.indexOf(PAYLOAD_START, start) + PAYLOAD_START.length;
    decodeInPlace(bytes, payload);
    if (this.#lastRead !== this.#buffer.reads) this.eventReads++;
    this.#lastRead = this.#buffer.reads;
    this.eventBytes += end - start;
    sink.payload(connection, payload, end);
  }

  #readOther(connection: number, text: string, sink: EventSink): void {
    const message = JSON.parse(text);
    if (message.type === 'ack') sink.acknowledged(connection, 1);
    else if (message.type === 'gap') sink.gap(connection, message.to_seq - message.from_seq + 1);
    else if (message.type !== 'welcome') sink.problem(connection, text.slice(0, 200));
  }
}

/** Hot path. The payload's first bytes take the place of the base64 text that they came in, which is longer. */
function decodeInPlace(bytes: Uint8Array, start: number): void {
  for (let from = start, to = start; to < start + PAYLOAD_MIN_BYTES; from += 4, to += 3) {
    const word =
      (DIGITS[bytes[from]] << 18) |
      (DIGITS[bytes[from + 1]] << 12) |
      (DIGITS[bytes[from + 2]] << 6) |
      DIGITS[bytes[from + 3]];
    bytes[to] = word >>> 16;
    bytes[to + 1] = word >>> 8;
    bytes[to + 2] = word;
  }
}
