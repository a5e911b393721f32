/**
 * The messages of one schedule on their way to one publishing connection. Open loop: a message counts as sent when it should have
 * been, whatever holds it up. The next burst is built before it is due, so that sending it is one system call.
 */
import type { LoadConnection } from './connection.js';
import type { LatencyHistogram } from './latency-histogram.js';
import type { LoadDialect } from './load-dialect.js';
import { BINARY_AROUND_BYTES, BINARY_HEAD_BYTES, type PayloadForm } from './payload.js';
import type { MessageWriter, Schedule } from './schedule.js';
import { clientHeadBytes, OPCODE_BINARY, writeClientHead } from './websocket.js';

const SEND_BUFFERED_MAX_BYTES = 1024 * 1024;
/** Of a feed that catches up: so much at a time. */
const WRITE_MAX_MESSAGES = 500;
const BUFFER_MIN_BYTES = 4096;
const NOTHING_BUILT = Number.NaN;

export interface FeedOptions {
  readonly connection: LoadConnection;
  readonly dialect: LoadDialect;
  readonly form: PayloadForm;
  /** Of payloads that carry filler. */
  readonly payloadBytes: number;
  /** Number of the topic in payloads: topic + firstNumber. */
  readonly firstNumber: number;
  /** Messages published, per number of a topic. Writer: the publishing thread. */
  readonly published: Int32Array;
  /** One word: messages published in all. */
  readonly total: Int32Array;
  readonly late: LatencyHistogram;
}

/** Writer and reader: the publishing thread. */
export class PublishFeed implements MessageWriter {
  readonly connection: LoadConnection;
  readonly schedule: Schedule;
  /** Messages that ask for an answer. */
  asked = 0;
  readonly #options: FeedOptions;
  readonly #opcode: number;
  /** When the burst that has been built before its time should leave. */
  #builtMs = NOTHING_BUILT;
  #messages = 0;
  #bytes: Buffer = Buffer.alloc(BUFFER_MIN_BYTES);
  #view = viewOf(this.#bytes);
  #end = 0;

  constructor(options: FeedOptions, schedule: Schedule) {
    this.#options = options;
    this.connection = options.connection;
    this.schedule = schedule;
    this.#opcode = options.dialect.opcode ?? OPCODE_BINARY;
  }

  /** When it has to be asked again what is due. */
  nextMs(nowMs: number): number {
    if (this.connection.closed) return Number.POSITIVE_INFINITY;
    return Number.isNaN(this.#builtMs) ? this.schedule.nextMs(nowMs) : this.#builtMs;
  }

  /** Builds the next burst, where it is known when that leaves. */
  prepare(): void {
    const { schedule } = this;
    if (schedule.intervalMs === 0 || !Number.isNaN(this.#builtMs)) return;
    const nextMs = schedule.nextMs(0);
    if (nextMs === Number.POSITIVE_INFINITY) return;
    schedule.write(this, nextMs);
    this.#builtMs = nextMs;
  }

  /** Publishes what is due. False when the socket has to be flushed before more can go. */
  publishDue(nowMs: number): boolean {
    if (this.nextMs(nowMs) > nowMs) return true;
    if (this.connection.socket.writableLength > SEND_BUFFERED_MAX_BYTES) return false;
    this.finish(nowMs);
    const { schedule } = this;
    this.#messages = 0;
    while (this.#messages < WRITE_MAX_MESSAGES) {
      const nextMs = schedule.nextMs(nowMs);
      if (nextMs > nowMs) break;
      schedule.write(this, nowMs);
      if (schedule.intervalMs > 0) this.#options.late.record(nowMs - nextMs);
    }
    this.#flush();
    return true;
  }

  /** Sends what has been built: it counts as published. */
  finish(nowMs: number): void {
    if (Number.isNaN(this.#builtMs) || this.connection.closed) return;
    this.#flush();
    this.#options.late.record(nowMs - this.#builtMs);
    this.#builtMs = NOTHING_BUILT;
  }

  #flush(): void {
    if (this.#end === 0) return;
    const isFree = this.connection.sendNow(this.#bytes.subarray(0, this.#end));
    this.#end = 0;
    if (isFree) return;
    // The socket still needs it.
    this.#bytes = Buffer.alloc(this.#bytes.length);
    this.#view = viewOf(this.#bytes);
  }

  /** Hot path. */
  message(topic: number, intendedMs: number, source?: Uint8Array): void {
    const { dialect, payloadBytes } = this.#options;
    const bytes = source === undefined ? payloadBytes : BINARY_AROUND_BYTES + source.length;
    this.#head(dialect.publishBytes(bytes, topic));
    this.#frame(topic, this.#nextSeq(topic), intendedMs, bytes, false, source);
  }

  acknowledgedMessages(topic: number, intendedMs: number, count: number): void {
    const { dialect, payloadBytes } = this.#options;
    if (dialect.acknowledges !== true) throw new Error('this peer does not acknowledge publishes');
    const plainBytes = dialect.publishBytes(payloadBytes, topic);
    this.#head((count - 1) * plainBytes + dialect.publishBytes(payloadBytes, topic, true));
    this.asked++;
    for (let left = count; left > 0; left--) {
      this.#frame(topic, this.#nextSeq(topic), intendedMs, payloadBytes, left === 1);
    }
  }

  probe(topic: number, intendedMs: number): void {
    const { dialect, payloadBytes } = this.#options;
    this.#head(dialect.publishBytes(payloadBytes, topic));
    this.#frame(topic, 0, intendedMs, payloadBytes, false);
  }

  #nextSeq(topic: number): number {
    this.#options.total[0]++;
    return ++this.#options.published[this.#options.firstNumber + topic];
  }

  /** Hot path: room for a message whose body has so many bytes, and its head. */
  #head(bodyBytes: number): void {
    this.#messages++;
    this.#reserve(clientHeadBytes(bodyBytes) + bodyBytes);
    if (this.#options.dialect.writesMessages === true) return;
    this.#end = writeClientHead(this.#bytes, this.#end, this.#opcode, bodyBytes);
  }

  /** Hot path: one publish frame, for which there is room. */
  #frame(
    topic: number,
    seq: number,
    intendedMs: number,
    payloadBytes: number,
    isAcknowledged: boolean,
    source?: Uint8Array,
  ): void {
    const { dialect, form, firstNumber } = this.#options;
    const bytes = this.#bytes;
    const start = dialect.writePublish(bytes, this.#end, topic, payloadBytes, isAcknowledged);
    const end = start + payloadBytes;
    if (source === undefined) form.fill(bytes, start, end);
    else bytes.set(source, start + BINARY_HEAD_BYTES);
    form.write(bytes, this.#view, start, end, firstNumber + topic, seq, intendedMs);
    this.#end += dialect.publishBytes(payloadBytes, topic, isAcknowledged);
  }

  #reserve(neededBytes: number): void {
    if (this.#end + neededBytes <= this.#bytes.length) return;
    const larger = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#end + neededBytes));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
