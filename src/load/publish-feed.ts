/**
 * The messages of one publishing connection, by schedule. Open loop: a message counts as sent when it should have been, whatever
 * holds it up. The next burst is built before it is due, so that sending it is one system call.
 */
import type { Connection } from './connection.js';
import type { LatencyHistogram } from './latency-histogram.js';
import type { LoadDialect, PublishFrame } from './load-dialect.js';
import type { PayloadForm } from './payload.js';
import { clientHeadBytes, writeClientHead } from './websocket.js';

const SEND_BUFFERED_MAX_BYTES = 1024 * 1024;
/** Of a feed that catches up: so much at a time. */
const WRITE_MAX_MESSAGES = 500;
const BUFFER_MIN_BYTES = 4096;

export interface FeedOptions {
  readonly connection: Connection;
  readonly dialect: LoadDialect;
  readonly form: PayloadForm;
  /** Bytes that the form writes. */
  readonly formBytes: number;
  /** Topics that are published in turn: offset, offset + step … */
  readonly topics: number;
  readonly offset: number;
  readonly step: number;
  /** Number of the topic in payloads: topic + firstNumber. */
  readonly firstNumber: number;
  /** Messages published, per number of a topic. Writer: the publishing thread. */
  readonly published: Int32Array;
  /** One word: messages published in all. */
  readonly total: Int32Array;
  readonly late: LatencyHistogram;
}

/** Writer and reader: the publishing thread. */
export class PublishFeed {
  /** Bursts that are to be sent, and that have been. */
  bursts = 0;
  sentBursts = 0;
  readonly connection: Connection;
  readonly #options: FeedOptions;
  readonly #frames: PublishFrame[] = [];
  #burst = 1;
  #intervalMs = 0;
  #startMs = 0;
  #builtBursts = 0;
  #topic: number;
  #bytes: Buffer = Buffer.alloc(BUFFER_MIN_BYTES);
  #view = viewOf(this.#bytes);
  #end = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.connection = options.connection;
    this.#topic = options.offset;
  }

  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** From startMs on a burst every intervalMs. */
  start(startMs: number, intervalMs: number, burst: number, bursts: number): void {
    this.#startMs = startMs;
    this.#intervalMs = intervalMs;
    this.#burst = burst;
    this.bursts = bursts;
    this.sentBursts = this.#builtBursts = 0;
  }

  nextMs(): number {
    if (this.connection.closed || this.sentBursts === this.bursts) return Number.POSITIVE_INFINITY;
    return this.#intendedMs(this.sentBursts);
  }

  prepare(): void {
    if (this.#builtBursts === this.sentBursts && this.sentBursts < this.bursts) this.#build(1);
  }

  /** Publishes what is due. False when the socket has to be flushed before more can go. */
  publishDue(nowMs: number): boolean {
    if (this.connection.closed) return true;
    const dueBursts = Math.min(this.bursts, Math.floor((nowMs - this.#startMs) / this.#intervalMs) + 1);
    if (dueBursts <= this.sentBursts) return true;
    if (this.connection.socket.writableLength > SEND_BUFFERED_MAX_BYTES) return false;
    this.prepare();
    this.#send(nowMs);
    const missed = Math.min(dueBursts - this.sentBursts, Math.floor(WRITE_MAX_MESSAGES / this.#burst));
    if (missed <= 0) return true;
    this.#build(missed);
    this.#send(nowMs);
    return this.sentBursts >= dueBursts;
  }

  /** Sends what has been built: it counts as published. */
  finish(nowMs: number): void {
    if (this.#builtBursts > this.sentBursts && !this.connection.closed) this.#send(nowMs);
  }

  /** A probe to every topic. Resolves when the socket has taken them. */
  async probe(nowMs: number): Promise<void> {
    const { topics, offset, step } = this.#options;
    for (let topic = offset; topic < topics && !this.connection.closed; topic += step) {
      this.#message(topic, 0, nowMs);
      if (this.#end < SEND_BUFFERED_MAX_BYTES / 16) continue;
      this.#flush();
      while (this.connection.socket.writableLength > 0 && !this.connection.closed) await turnLater();
    }
    this.#flush();
  }

  #intendedMs(burst: number): number {
    return this.#startMs + burst * this.#intervalMs;
  }

  #build(bursts: number): void {
    const { topics, offset, step, firstNumber, published } = this.#options;
    for (let index = 0; index < bursts; index++) {
      const intendedMs = this.#intendedMs(this.#builtBursts++);
      for (let message = 0; message < this.#burst; message++) {
        const topic = this.#topic;
        this.#message(topic, ++published[firstNumber + topic]!, intendedMs);
        this.#topic = topic + step < topics ? topic + step : offset;
      }
    }
    this.#options.total[0]! += bursts * this.#burst;
  }

  #send(nowMs: number): void {
    this.#flush();
    while (this.sentBursts < this.#builtBursts) this.#options.late.record(nowMs - this.#intendedMs(this.sentBursts++));
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

  /** Hot path: appends one publish message. */
  #message(topic: number, seq: number, intendedMs: number): void {
    const { dialect, form, formBytes, firstNumber } = this.#options;
    this.#frames[topic] ??= dialect.publishFrame(topic);
    const frame = this.#frames[topic]!;
    frame.renew?.();
    const { head, tail } = frame;
    const bodyBytes = head.length + formBytes + tail.length;
    this.#reserve(clientHeadBytes(bodyBytes) + bodyBytes);
    const bytes = this.#bytes;
    const body = writeClientHead(bytes, this.#end, dialect.opcode, bodyBytes);
    bytes.set(head, body);
    const payload = body + head.length;
    const payloadEnd = payload + formBytes;
    form.fill(bytes, payload, payloadEnd);
    form.write(bytes, this.#view, payload, payloadEnd, firstNumber + topic, seq, intendedMs);
    bytes.set(tail, payloadEnd);
    this.#end = payloadEnd + tail.length;
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

export function turnLater(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
