/**
 * Connection: one WebSocket. Reads frames for the router, and is the sink that delivery sends through.
 *
 * Bytes that uWebSockets.js lends are used up or copied before its callback returns.
 */

import { SEND_BLOCKED, SEND_OK, SEND_REFUSED, type SendResult, type Sink } from '../delivery/sink.js';
import { ERROR_TABLE, type ErrorCode } from '../errors.js';
import type { FrameEncoder } from '../protocol/encoder.js';
import { type FrameReader, READ_END, READ_FRAME, READ_INVALID, READ_MALFORMED } from '../protocol/messages.js';
import type { Session } from '../router/session.js';
import type { HeartbeatTarget } from './heartbeat.js';
import type { Codec } from './upgrade-url.js';
import { UWS_BACKPRESSURE, UWS_SENT, type WebSocket } from './uws.js';

/** What connections share; one per gateway. */
export interface ConnectionHost {
  readonly maxPayloadBytes: number;
  readonly readers: Readonly<Record<Codec, FrameReader>>;
  readonly encoders: Readonly<Record<Codec, FrameEncoder>>;
  openSession(connection: Connection, codec: Codec): Session;
  beginBatch(): void;
  handle(session: Session, frame: FrameReader): Promise<void> | undefined;
  endBatch(session: Session): void;
  subscribeByUrl(session: Session, topic: string): Promise<void> | undefined;
  /** The transport is full although delivery sent nothing. */
  blocked(session: Session): void;
  /** Replies wait that were not made while a message of this connection was handled. */
  scheduleReplies(connection: Connection): void;
  badFrame(): void;
}

/** Close reasons are at most 123 bytes (RFC 6455, 5.5). */
const REASON_MAX_BYTES = 123;
/** What may wait for a hook's answer: so many messages of the largest size. */
const HELD_BACK_MAX_MESSAGES = 4;

/** Writer and reader: the accept thread. */
export class Connection implements Sink, HeartbeatTarget {
  readonly connectionId: string;
  readonly context: unknown;
  session: Session | null = null;
  isOpen = false;
  lastReceivedMs = 0;
  lastPingMs = 0;
  heartbeatIndex = 0;

  readonly #host: ConnectionHost;
  #codec: Codec | null;
  readonly #topics: readonly string[];
  #ws: WebSocket<unknown> | null = null;
  #replies: Uint8Array[] = [];
  #isHandling = false;
  /** Messages that wait for a hook's answer; null: nothing is waited for. */
  #heldBack: { bytes: Uint8Array; isBinary: boolean }[] | null = null;
  #heldBackBytes = 0;

  constructor(
    host: ConnectionHost,
    connectionId: string,
    codec: Codec | null,
    topics: readonly string[],
    context: unknown,
  ) {
    this.#host = host;
    this.connectionId = connectionId;
    this.#codec = codec;
    this.#topics = topics;
    this.context = context;
  }

  // ---- socket events -----------------------------------------------------------------------------------------------

  opened(ws: WebSocket<unknown>, nowMs: number): void {
    this.#ws = ws;
    this.isOpen = true;
    this.lastReceivedMs = nowMs;
    this.lastPingMs = nowMs;
    if (this.#codec === null) return;
    const session = this.#sessionFor(this.#codec);
    this.#host.beginBatch();
    this.#isHandling = true;
    this.#subscribeByUrl(session);
    this.#isHandling = false;
    this.flushReplies();
  }

  /** Hot path: per message. `message` is lent. */
  received(message: ArrayBuffer, isBinary: boolean, nowMs: number): void {
    this.lastReceivedMs = nowMs;
    if (this.#heldBack !== null) this.#holdBack(new Uint8Array(message.slice(0)), isBinary);
    else this.#handle(new Uint8Array(message), isBinary);
  }

  /** The socket is gone. */
  closed(): void {
    this.isOpen = false;
    this.#ws = null;
    this.#replies = [];
    this.#heldBack = null;
  }

  /** Bytes that wait in user space because the peer does not read. */
  get bufferedBytes(): number {
    return this.#ws?.getBufferedAmount() ?? 0;
  }

  // ---- reading -----------------------------------------------------------------------------------------------------

  #handle(bytes: Uint8Array, isBinary: boolean): void {
    const session = this.#sessionFor(this.#codec ?? (isBinary ? 'msgpack' : 'json'));
    this.#isHandling = true;
    this.#host.beginBatch();
    if (bytes.length > this.#host.maxPayloadBytes) {
      this.#fail(
        session,
        'TOO_LARGE',
        `${bytes.length} bytes; the limit is ${this.#host.maxPayloadBytes} (maxPayloadBytes)`,
      );
    } else if (isBinary === session.consumer.encoder.isText) {
      this.#host.badFrame();
      const expected = isBinary ? 'text (JSON)' : 'binary (MessagePack)';
      session.reply(session.consumer.encoder.error(null, 'BAD_REQUEST', `this connection takes ${expected} frames`));
    } else {
      this.#readFrames(session, bytes);
    }
    this.#isHandling = false;
    if (!this.isOpen) return;
    this.#host.endBatch(session);
    this.flushReplies();
  }

  #readFrames(session: Session, bytes: Uint8Array): void {
    const reader = this.#host.readers[session.consumer.encoder.codec];
    reader.reset(bytes, 0, bytes.length);
    for (;;) {
      const result = reader.next();
      if (result === READ_FRAME) {
        const pending = this.#host.handle(session, reader);
        if (pending === undefined) continue;
        // The rest of a buffer that is not ours is kept for later.
        const rest = bytes.slice(reader.offset);
        this.#waitFor(pending, rest.length > 0 ? [{ bytes: rest, isBinary: !session.consumer.encoder.isText }] : []);
        return;
      }
      if (result === READ_END) return;
      this.#host.badFrame();
      if (result === READ_INVALID) {
        session.reply(session.consumer.encoder.error(reader.id, 'BAD_REQUEST', reader.problem));
      } else if (result === READ_MALFORMED) {
        this.#fail(session, 'BAD_REQUEST', reader.problem);
        return;
      }
    }
  }

  #sessionFor(codec: Codec): Session {
    if (this.session !== null) return this.session;
    this.#codec = codec;
    this.session = this.#host.openSession(this, codec);
    return this.session;
  }

  #subscribeByUrl(session: Session): void {
    for (const [index, topic] of this.#topics.entries()) {
      if (!this.isOpen) return;
      const pending = this.#host.subscribeByUrl(session, topic);
      if (pending === undefined) continue;
      this.#waitFor(this.#subscribeRest(session, pending, index + 1), []);
      return;
    }
  }

  async #subscribeRest(session: Session, pending: Promise<void>, index: number): Promise<void> {
    await pending;
    for (const topic of this.#topics.slice(index)) if (this.isOpen) await this.#host.subscribeByUrl(session, topic);
  }

  #waitFor(pending: Promise<void>, heldBack: { bytes: Uint8Array; isBinary: boolean }[]): void {
    this.#heldBack = heldBack;
    this.#heldBackBytes = heldBack.reduce((sum, { bytes }) => sum + bytes.length, 0);
    void pending.then(() => this.#resume());
  }

  #holdBack(bytes: Uint8Array, isBinary: boolean): void {
    this.#heldBackBytes += bytes.length;
    if (this.#heldBackBytes > this.#host.maxPayloadBytes * HELD_BACK_MAX_MESSAGES) {
      this.end(1008, 'LIMIT_EXCEEDED too many frames while an authorisation is pending');
      return;
    }
    this.#heldBack?.push({ bytes, isBinary });
  }

  /** The hook has answered: goes on with what came meanwhile, until the next frame that has to wait. */
  #resume(): void {
    const messages = this.#heldBack ?? [];
    this.#heldBack = null;
    while (this.isOpen && messages.length > 0) {
      const { bytes, isBinary } = messages.shift() as { bytes: Uint8Array; isBinary: boolean };
      this.#handle(bytes, isBinary);
      const later = this.#heldBack as { bytes: Uint8Array; isBinary: boolean }[] | null;
      if (later === null) continue;
      later.push(...messages);
      this.#heldBackBytes = later.reduce((sum, message) => sum + message.bytes.length, 0);
      return;
    }
  }

  /** Answers with an error that costs the connection. */
  #fail(session: Session, code: ErrorCode, message: string): void {
    this.#host.badFrame();
    session.reply(session.consumer.encoder.error(null, code, message));
    this.flushReplies();
    this.end(ERROR_TABLE[code].closeCode ?? ERROR_TABLE.INTERNAL.closeCode, `${code} ${message}`);
  }

  // ---- answers -----------------------------------------------------------------------------------------------------

  /** Queues an answer; all that are queued in one turn share a write. */
  reply(message: Uint8Array): void {
    if (!this.isOpen) return;
    this.#replies.push(message);
    if (this.#replies.length === 1 && !this.#isHandling) this.#host.scheduleReplies(this);
  }

  flushReplies(): void {
    const replies = this.#replies;
    if (replies.length === 0 || !this.isOpen || this.session === null) return;
    this.#replies = [];
    const isText = this.session.consumer.encoder.isText;
    const result = isText
      ? this.#sendTexts(replies)
      : this.send(replies.length === 1 ? replies[0] : concatenated(replies));
    if (result === SEND_BLOCKED) this.#host.blocked(this.session);
    else if (result === SEND_REFUSED)
      this.end(ERROR_TABLE.SLOW_CONSUMER.closeCode, 'SLOW_CONSUMER answers are not read');
  }

  #sendTexts(messages: readonly Uint8Array[]): SendResult {
    let result: SendResult = SEND_OK;
    this.#ws?.cork(() => {
      for (const message of messages) result = Math.max(result, this.send(message)) as SendResult;
    });
    return result;
  }

  // ---- sink --------------------------------------------------------------------------------------------------------

  /** Hot path: per flush. */
  send(message: Uint8Array): SendResult {
    const ws = this.#ws;
    if (ws === null) return SEND_REFUSED;
    const result = ws.send(message, this.#codec !== 'json');
    if (result === UWS_SENT) return SEND_OK;
    return result === UWS_BACKPRESSURE ? SEND_BLOCKED : SEND_REFUSED;
  }

  sendEach(bytes: Uint8Array, ends: readonly number[]): SendResult {
    if (ends.length === 1) return this.send(bytes.subarray(0, ends[0]));
    return this.#sendTexts(ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end)));
  }

  end(closeCode: number, reason: string): void {
    this.#ws?.end(closeCode, truncated(reason));
  }

  /** Cuts the connection without a close frame. */
  cut(): void {
    this.#ws?.close();
  }

  // ---- heartbeat ---------------------------------------------------------------------------------------------------

  ping(): void {
    // A peer that does not read will not answer either: more bytes would only wait with the others.
    if (this.bufferedBytes === 0) this.#ws?.ping();
  }

  timedOut(): void {
    if (this.bufferedBytes === 0) this.end(1001, 'idle: nothing was received within idleTimeoutMs');
    else this.cut();
  }
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The longest prefix of whole characters that a close frame can carry. */
function truncated(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > REASON_MAX_BYTES) text = text.slice(0, -1);
  return text;
}
