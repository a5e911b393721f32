// Writes publish messages into one buffer and hands it to the socket. Every message gets the next number of its topic.

import type { Connection } from '../../../dist/load/connection.js';
import type { PayloadForm } from '../../../dist/load/payload.js';
import { clientHeadBytes, OPCODE_BINARY, writeClientHead } from '../../../dist/load/websocket.js';
import type { Dialect } from '../peer.js';
import { RECORDED_CHECK_BYTES, RECORDED_HEAD_BYTES } from './recorded-payload.js';

export interface BatchOptions {
  dialect: Dialect;
  form: PayloadForm;
  /** Of generated payloads. */
  payloadBytes: number;
  /** Messages published so far, per topic. Reader: the tracker, when it counts what to expect. */
  published: Int32Array<SharedArrayBuffer>;
}

/** Writer and reader: the publishing thread. */
export class Batch {
  readonly #options: BatchOptions;
  readonly #frameBytes: number;
  #bytes = Buffer.alloc(0);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  constructor(options: BatchOptions) {
    this.#options = options;
    this.#frameBytes = options.dialect.publishBytes(options.payloadBytes);
  }

  /** For that many messages of generated payloads. */
  start(messages: number, framesPerMessage: number): void {
    const messageBytes = framesPerMessage * this.#frameBytes;
    this.#allocate(messages * (clientHeadBytes(messageBytes) + messageBytes));
  }

  /** For recorded messages of so many bytes each. */
  startRecorded(messagesBytes: readonly number[]): void {
    let bytes = 0;
    for (const messageBytes of messagesBytes) {
      const body = this.#options.dialect.publishBytes(recordedBytes(messageBytes));
      bytes += clientHeadBytes(body) + body;
    }
    this.#allocate(bytes);
  }

  #allocate(bytes: number): void {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
    this.#options.form.fill(this.#bytes, 0, bytes);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    this.#end = 0;
  }

  message(frames: number): void {
    this.#writeMessageHead(frames * this.#frameBytes);
  }

  #writeMessageHead(bodyBytes: number): void {
    if (this.#options.dialect.writesMessages) return;
    this.#end = writeClientHead(this.#bytes, this.#end, OPCODE_BINARY, bodyBytes);
  }

  /** Hot path: the next message of `topic`. */
  frame(topic: number, intendedMs: number): void {
    const { dialect, payloadBytes } = this.#options;
    const start = dialect.writePublish(this.#bytes, this.#end, topic, payloadBytes);
    this.#end += this.#frameBytes;
    this.stamp(this.#bytes, this.#view, start, start + payloadBytes, topic, intendedMs);
  }

  /** Hot path: a recorded message, in a WebSocket message of its own. */
  recorded(topic: number, intendedMs: number, source: Buffer, sourceStart: number, sourceEnd: number): void {
    const { dialect } = this.#options;
    const bytes = recordedBytes(sourceEnd - sourceStart);
    const frameBytes = dialect.publishBytes(bytes);
    this.#writeMessageHead(frameBytes);
    const start = dialect.writePublish(this.#bytes, this.#end, topic, bytes);
    source.copy(this.#bytes, start + RECORDED_HEAD_BYTES, sourceStart, sourceEnd);
    this.#end += frameBytes;
    this.stamp(this.#bytes, this.#view, start, start + bytes, topic, intendedMs);
  }

  /** Hot path: makes a payload the next one of its topic. */
  stamp(bytes: Uint8Array, view: DataView, start: number, end: number, topic: number, intendedMs: number): void {
    const seq = Atomics.add(this.#options.published, topic, 1) + 1; // read by the tracker
    this.#options.form.write(bytes, view, start, end, topic, seq, intendedMs);
  }

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#end);
  }

  send(connection: Connection): void {
    connection.sendNow(this.written());
  }
}

function recordedBytes(messageBytes: number): number {
  return RECORDED_HEAD_BYTES + messageBytes + RECORDED_CHECK_BYTES;
}
