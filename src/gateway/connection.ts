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
  /** The answer is queued with the connection's replies: a WELCOME. */
  openSession(connection: Connection, request: ConnectionRequest, codec: Codec): Session;
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
/** What a message that waits takes beside its bytes, rounded up: there may be none. */
const HELD_BACK_OVERHEAD_BYTES = 256;

/** What is known of a connection when it is upgraded; forgotten once its session has begun. */
export interface ConnectionRequest {
  readonly connectionId: string;
  /** Null: the first frame decides. */
  readonly codec: Codec | null;
  /** Topics to subscribe at once. */
  readonly topics: readonly string[];
  /** What `onConnect` returned. */
  readonly context: unknown;
}

/** Messages that wait for a hook's answer. */
interface HeldBack {
  readonly messages: { readonly bytes: Uint8Array; readonly isBinary: boolean }[];
  totalBytes: number;
}

/**
 * Writer and reader: the accept thread. There may be 100,000 of them: what is only needed now and then is in objects of
 * its own, and times are int32, which V8 keeps in the object.
 */
export class Connection implements Sink, HeartbeatTarget {
  session: Session | null = null;
  isOpen = false;
  lastReceivedMs = 0;
  lastPingMs = 0;
  heartbeatIndex = 0;

  readonly #host: ConnectionHost;
  #request: ConnectionRequest | null;
  #isText = false;
  #ws: WebSocket<unknown> | null = null;
  /** Answers that wait to share a write. */
  #replies: Uint8Array[] | null = null;
  #isHandling = false;
  #heldBack: HeldBack | null = null;

  constructor(host: ConnectionHost, request: ConnectionRequest) {
    this.#host = host;
    this.#request = request;
  }

  // ---- socket events -----------------------------------------------------------------------------------------------

  opened(ws: WebSocket<unknown>, nowMs: number): void {
    this.#ws = ws;
    this.isOpen = true;
    this.lastReceivedMs = nowMs | 0;
    this.lastPingMs = nowMs | 0;
    const { codec, topics } = this.#request as ConnectionRequest;
    if (codec === null) return;
    const session = this.#sessionFor(codec);
    this.#host.beginBatch();
    this.#isHandling = true;
    this.#subscribeByUrl(session, topics);
    this.#isHandling = false;
    this.flushReplies();
  }

  /** Hot path: per message. `message` is lent. */
  received(message: ArrayBuffer, isBinary: boolean, nowMs: number): void {
    this.lastReceivedMs = nowMs | 0;
    if (this.#heldBack !== null) this.#holdBack(this.#heldBack, new Uint8Array(message.slice(0)), isBinary);
    else this.#handle(new Uint8Array(message), isBinary);
  }

  /** What has just come is not read, and nothing that comes after it. */
  refuseToRead(reason: string): void {
    this.#fail(this.#sessionFor('msgpack'), 'RATE_LIMITED', reason);
  }

  /** The socket is gone. */
  closed(): void {
    this.isOpen = false;
    this.#ws = null;
    this.#replies = null;
    this.#heldBack = null;
  }

  /** Bytes that wait in user space because the peer does not read. */
  get bufferedBytes(): number {
    return this.#ws?.getBufferedAmount() ?? 0;
  }

  // ---- reading -----------------------------------------------------------------------------------------------------

  #handle(bytes: Uint8Array, isBinary: boolean): void {
    const session = this.#sessionFor(isBinary ? 'msgpack' : 'json');
    this.#isHandling = true;
    this.#host.beginBatch();
    if (bytes.length > this.#host.maxPayloadBytes) {
      this.#host.badFrame();
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

  /** The session; begun with this codec if there is none yet. */
  #sessionFor(codec: Codec): Session {
    if (this.session !== null) return this.session;
    const request = this.#request as ConnectionRequest;
    this.#request = null;
    this.#isText = codec === 'json';
    this.session = this.#host.openSession(this, request, codec);
    return this.session;
  }

  #subscribeByUrl(session: Session, topics: readonly string[]): void {
    for (const [index, topic] of topics.entries()) {
      if (!this.isOpen) return;
      const pending = this.#host.subscribeByUrl(session, topic);
      if (pending === undefined) continue;
      this.#waitFor(this.#subscribeRest(session, pending, topics.slice(index + 1)), []);
      return;
    }
  }

  async #subscribeRest(session: Session, pending: Promise<void>, topics: readonly string[]): Promise<void> {
    await pending;
    for (const topic of topics) if (this.isOpen) await this.#host.subscribeByUrl(session, topic);
  }

  #waitFor(pending: Promise<void>, messages: HeldBack['messages']): void {
    this.#heldBack = { messages, totalBytes: bytesOf(messages) };
    void pending.then(() => this.#resume());
  }

  #holdBack(heldBack: HeldBack, bytes: Uint8Array, isBinary: boolean): void {
    heldBack.totalBytes += bytes.length + HELD_BACK_OVERHEAD_BYTES;
    if (heldBack.totalBytes > this.#host.maxPayloadBytes * HELD_BACK_MAX_MESSAGES) {
      this.end(1008, 'LIMIT_EXCEEDED too many frames while an authorisation is pending');
      return;
    }
    heldBack.messages.push({ bytes, isBinary });
  }

  /** The hook has answered: goes on with what came meanwhile, until the next frame that has to wait. */
  #resume(): void {
    const messages = this.#heldBack?.messages ?? [];
    this.#heldBack = null;
    while (this.isOpen && messages.length > 0) {
      const { bytes, isBinary } = messages.shift() as HeldBack['messages'][number];
      this.#handle(bytes, isBinary);
      const later = this.#heldBack as HeldBack | null;
      if (later === null) continue;
      later.messages.push(...messages);
      later.totalBytes = bytesOf(later.messages);
      return;
    }
  }

  /** Answers with an error that costs the connection. */
  #fail(session: Session, code: ErrorCode, message: string): void {
    session.reply(session.consumer.encoder.error(null, code, message));
    this.flushReplies();
    this.end(ERROR_TABLE[code].closeCode ?? ERROR_TABLE.INTERNAL.closeCode, `${code} ${message}`);
  }

  // ---- answers -----------------------------------------------------------------------------------------------------

  /** Queues an answer; all that are queued in one turn share a write. */
  reply(message: Uint8Array): void {
    if (!this.isOpen) return;
    if (this.#replies !== null) {
      this.#replies.push(message);
      return;
    }
    this.#replies = [message];
    if (!this.#isHandling) this.#host.scheduleReplies(this);
  }

  flushReplies(): void {
    const replies = this.#replies;
    if (replies === null || !this.isOpen || this.session === null) return;
    this.#replies = null;
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
    const result = ws.send(message, !this.#isText);
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

function bytesOf(messages: HeldBack['messages']): number {
  return messages.reduce((sum, { bytes }) => sum + bytes.length + HELD_BACK_OVERHEAD_BYTES, 0);
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
