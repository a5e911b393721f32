/**
 * Connection: one WebSocket. Reads frames for the router, and is the sink that delivery sends through.
 *
 * Bytes that uWebSockets.js lends are used up or copied before its callback returns. Messages wait in a backlog while a
 * hook is asked, while the peer does not read its answers, and while others have their turn; they are handled in order.
 */

import { SEND_BLOCKED, SEND_OK, SEND_REFUSED, type SendResult, type Sink } from '../delivery/sink.js';
import { ERROR_TABLE, type ErrorCode } from '../errors.js';
import type { FrameEncoder } from '../protocol/encoder.js';
import { type FrameReader, OP, READ_END, READ_FRAME, READ_MALFORMED } from '../protocol/messages.js';
import type { Session } from '../router/session.js';
import { peerAddress } from './address.js';
import { Backlog } from './backlog.js';
import type { HeartbeatTarget } from './heartbeat.js';
import { HANDLE, type Intake, type Worker } from './intake.js';
import type { Codec, UrlSubscription } from './upgrade-url.js';
import { UWS_BACKPRESSURE, UWS_SENT, type WebSocket } from './uws.js';

/** What connections share; one per gateway. */
export interface ConnectionHost {
  readonly maxPayloadBytes: number;
  /** Behind so many bytes a ping is sent (idle-timer.ts). */
  readonly pingEveryBytes: number;
  /** From so many unsent bytes on, uWebSockets.js refuses what is sent. */
  readonly unsentMaxBytes: number;
  readonly readers: Readonly<Record<Codec, FrameReader>>;
  readonly encoders: Readonly<Record<Codec, FrameEncoder>>;
  readonly intake: Intake<Connection>;
  nowMs(): number;
  /** The answer is queued with the connection's replies: a WELCOME. */
  openSession(connection: Connection, request: ConnectionRequest, codec: Codec): Session;
  beginBatch(): void;
  handle(session: Session, frame: FrameReader): Promise<void> | undefined;
  endBatch(session: Session): void;
  subscribeByUrl(session: Session, topic: UrlSubscription): Promise<void> | undefined;
  /** The transport is full although delivery sent nothing. */
  blocked(session: Session): void;
  /** The transport has taken everything. */
  drained(session: Session): void;
  /** Answers wait in the transport because the peer does not read; `bytes` of them at most. */
  unread(connection: Connection, bytes: number): void;
  /** Replies wait that were not made while a message of this connection was handled. */
  scheduleReplies(connection: Connection): void;
  badFrame(): void;
  /** The connection is ended because it sends more than can be handled. */
  flooded(connection: Connection): void;
  /** Something threw that must not. */
  fault(fault: unknown): void;
}

/** Close reasons are at most 123 bytes (RFC 6455, 5.5). */
const REASON_MAX_BYTES = 123;
/** Unread answers from which on a connection's further messages wait until it has read. */
export const UNREAD_MAX_BYTES = 64 * 1024;
/** PUBLISH frames between two looks at the clock; all others may cost more than a look. */
const PUBLISHES_PER_CLOCK_READ = 16;

/** Flags of a connection's state. */
const IS_TEXT = 1;
const IS_HANDLING = 2;
/** Its messages wait for a hook's answer. */
const AWAITS_HOOK = 4;
/** Its messages wait until it has read its answers. */
const AWAITS_READING = 8;

/** What is known of a connection when it is upgraded; forgotten once its session has begun. */
export interface ConnectionRequest {
  readonly connectionId: string;
  /** Null: the first frame decides. */
  readonly codec: Codec | null;
  /** Topics to subscribe at once. */
  readonly topics: readonly UrlSubscription[];
  /** What `onConnect` returned. */
  readonly context: unknown;
}

/** What the package's types leave out. */
interface FragmentSender {
  sendFirstFragment(part: Uint8Array, isBinary: boolean): number;
  sendFragment(part: Uint8Array): number;
  sendLastFragment(part: Uint8Array): number;
}

/**
 * Writer and reader: the accept thread. There may be 100,000 of them: what is only needed now and then is in objects of
 * its own, and times are int32, which V8 keeps in the object.
 */
export class Connection implements Sink, HeartbeatTarget, Worker {
  session: Session | null = null;
  isOpen = false;
  lastReceivedMs = 0;
  lastPingMs = 0;
  heartbeatIndex = 0;
  /** What of its answers was unread at most when the host was told last; events, of which there is one message, do not count. */
  unreadBytes = 0;

  readonly #host: ConnectionHost;
  #request: ConnectionRequest | null;
  #state = 0;
  #bytesSincePing = 0;
  #ws: WebSocket<unknown> | null = null;
  /** Answers that wait to share a write, and their bytes. */
  #replies: Uint8Array[] | null = null;
  #replyBytes = 0;
  /** What waits to be handled. */
  #backlog: Backlog | null = null;

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
    try {
      const session = this.#sessionFor(codec);
      this.#host.beginBatch();
      this.#state |= IS_HANDLING;
      this.#subscribeByUrl(session, topics);
      this.#state &= ~IS_HANDLING;
      this.flushReplies();
    } catch (fault) {
      this.#failed(fault);
    }
  }

  /** Hot path: per message, which is lent. `verdict` is the intake's. */
  received(message: ArrayBuffer, isBinary: boolean, verdict: number): void {
    try {
      const bytes = new Uint8Array(message);
      if (verdict !== HANDLE || this.#backlog !== null || this.#mustWait()) {
        this.#holdBack(bytes, isBinary);
        return;
      }
      const handled = this.#handle(bytes, isBinary, this.#host.intake.deadlineMs);
      if (handled < bytes.length && this.isOpen) this.#holdBack(bytes.subarray(handled), isBinary);
    } catch (fault) {
      this.#failed(fault);
    }
  }

  /** More comes than can be handled. What has just come is not read, and nothing that comes after it. */
  refuseToRead(reason: string): void {
    this.#host.flooded(this);
    this.#fail(this.#sessionFor('msgpack'), 'RATE_LIMITED', reason);
    this.#forgetBacklog();
  }

  /**
   * The transport has taken something, perhaps all. Nothing may be sent within this call: when uSockets' `us_socket_write2`,
   * by which large messages go, cannot write all, it does not set `last_write_failed`, and once the drain handler is through,
   * the socket is no longer watched for being writable.
   */
  drained(): void {
    try {
      const bytes = this.bufferedBytes;
      if (this.unreadBytes > 0) this.#host.unread(this, Math.min(this.unreadBytes, bytes));
      if (bytes === 0 && this.session !== null) this.#host.drained(this.session);
      if ((this.#state & AWAITS_READING) === 0 || bytes > UNREAD_MAX_BYTES) return;
      this.#state &= ~AWAITS_READING;
      this.#host.intake.resumeLater(this);
    } catch (fault) {
      this.#failed(fault);
    }
  }

  /** The socket is gone. */
  closed(): void {
    this.isOpen = false;
    this.#ws = null;
    this.#replies = null;
    this.#forgetBacklog();
    if (this.unreadBytes > 0) this.#host.unread(this, 0);
  }

  /** Bytes that wait in user space because the peer does not read. */
  get bufferedBytes(): number {
    return this.#ws?.getBufferedAmount() ?? 0;
  }

  /** Text form of the peer's address; empty when the socket is gone. */
  get remoteAddress(): string {
    return this.#ws === null ? '' : peerAddress(this.#ws.getRemoteAddressAsText());
  }

  // ---- reading -----------------------------------------------------------------------------------------------------

  /** Returns how many of the bytes need not be handled again: less than all when the rest has to wait. */
  #handle(bytes: Uint8Array, isBinary: boolean, deadlineMs: number): number {
    const session = this.#sessionFor(isBinary ? 'msgpack' : 'json');
    this.#state |= IS_HANDLING;
    this.#host.beginBatch();
    let handled = bytes.length;
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
      handled = this.#readFrames(session, bytes, deadlineMs);
    }
    this.#state &= ~IS_HANDLING;
    if (!this.isOpen) return handled;
    // What a full home refused is told once per message, also when its last part comes a turn later.
    if (handled === bytes.length || (this.#state & AWAITS_HOOK) !== 0) this.#host.endBatch(session);
    this.flushReplies();
    return handled;
  }

  /** Hot path: per message. Stops where it has to wait, at the deadline for one. */
  #readFrames(session: Session, bytes: Uint8Array, deadlineMs: number): number {
    const reader = this.#host.readers[session.consumer.encoder.codec];
    reader.reset(bytes, 0, bytes.length);
    for (let frames = 1; this.isOpen; frames++) {
      const result = reader.next();
      const { offset } = reader;
      if (result === READ_FRAME) {
        const { op } = reader;
        const pending = this.#host.handle(session, reader);
        if (pending !== undefined) {
          this.#awaitHook(pending);
          return offset;
        }
        if (op === OP.PUBLISH && frames % PUBLISHES_PER_CLOCK_READ !== 0 && !this.#hasManyReplies) continue;
      } else if (result === READ_END) {
        return offset;
      } else {
        this.#host.badFrame();
        if (result === READ_MALFORMED) {
          this.#fail(session, 'BAD_REQUEST', reader.problem);
          return bytes.length;
        }
        session.reply(session.consumer.encoder.error(reader.id, 'BAD_REQUEST', reader.problem));
      }
      if (this.#hasManyReplies) this.flushReplies();
      if (this.#mustWait() || this.#host.nowMs() >= deadlineMs) return offset;
    }
    return bytes.length;
  }

  /** Whether more answers would exceed what may be unread. */
  get #hasManyReplies(): boolean {
    return this.#replyBytes + this.unreadBytes >= UNREAD_MAX_BYTES;
  }

  /** The session; begun with this codec if there is none yet. */
  #sessionFor(codec: Codec): Session {
    if (this.session !== null) return this.session;
    const request = this.#request as ConnectionRequest;
    this.#request = null;
    if (codec === 'json') this.#state |= IS_TEXT;
    this.session = this.#host.openSession(this, request, codec);
    return this.session;
  }

  #subscribeByUrl(session: Session, topics: readonly UrlSubscription[]): void {
    for (const [index, topic] of topics.entries()) {
      if (!this.isOpen) return;
      const pending = this.#host.subscribeByUrl(session, topic);
      if (pending === undefined) continue;
      this.#awaitHook(this.#subscribeRest(session, pending, topics.slice(index + 1)));
      return;
    }
  }

  async #subscribeRest(session: Session, pending: Promise<void>, topics: readonly UrlSubscription[]): Promise<void> {
    await pending;
    for (const topic of topics) if (this.isOpen) await this.#host.subscribeByUrl(session, topic);
  }

  // ---- waiting -----------------------------------------------------------------------------------------------------

  /** Whether the next frame has to wait for something else than its turn. */
  #mustWait(): boolean {
    if ((this.#state & (AWAITS_HOOK | AWAITS_READING)) !== 0) return true;
    if (this.unreadBytes <= UNREAD_MAX_BYTES || this.bufferedBytes <= UNREAD_MAX_BYTES) return false;
    this.#state |= AWAITS_READING;
    return true;
  }

  #awaitHook(pending: Promise<void>): void {
    this.#state |= AWAITS_HOOK;
    const settled = (): void => {
      this.#state &= ~AWAITS_HOOK;
      if (this.isOpen && this.#backlog !== null) this.#host.intake.resume(this);
    };
    pending.then(settled, (fault: unknown) => {
      this.#failed(fault);
      settled();
    });
  }

  #holdBack(bytes: Uint8Array, isBinary: boolean): void {
    const isFirst = this.#backlog === null;
    this.#backlog ??= new Backlog();
    const bytesBefore = this.#backlog.bytes;
    this.#backlog.push(bytes, isBinary);
    const { intake } = this.#host;
    if (isFirst && !this.#mustWait()) intake.resumeLater(this);
    intake.held(this, this.#backlog.bytes - bytesBefore);
  }

  get heldBackBytes(): number {
    return this.#backlog?.bytes ?? 0;
  }

  work(deadlineMs: number): boolean {
    try {
      return this.#work(deadlineMs);
    } catch (fault) {
      this.#failed(fault);
      return false;
    }
  }

  #work(deadlineMs: number): boolean {
    while (this.isOpen && this.#backlog !== null && !this.#mustWait()) {
      const backlog = this.#backlog;
      const { message, bytes: bytesBefore } = backlog;
      const handled = this.#handle(message, backlog.isBinary, deadlineMs);
      // The connection may have ended meanwhile, and what waited with it.
      if (this.#backlog !== backlog) return false;
      if (handled < message.length) backlog.advance(handled);
      else backlog.drop();
      if (backlog.isEmpty) this.#backlog = null;
      if (backlog.bytes !== bytesBefore) this.#host.intake.held(this, backlog.bytes - bytesBefore);
      if (this.#host.nowMs() >= deadlineMs) break;
    }
    return this.isOpen && this.#backlog !== null && !this.#mustWait();
  }

  overflowed(): void {
    this.refuseToRead(`${this.heldBackBytes} bytes wait to be handled: send no more than is answered`);
  }

  #forgetBacklog(): void {
    const bytes = this.heldBackBytes;
    this.#backlog = null;
    if (bytes > 0) this.#host.intake.held(this, -bytes);
  }

  // ---- ends --------------------------------------------------------------------------------------------------------

  /** Answers with an error that costs the connection. */
  #fail(session: Session, code: ErrorCode, message: string): void {
    session.reply(session.consumer.encoder.error(null, code, message));
    this.flushReplies();
    this.end(ERROR_TABLE[code].closeCode ?? ERROR_TABLE.INTERNAL.closeCode, `${code} ${message}`);
  }

  /** The boundary around everything that a peer can cause: whatever throws costs this connection, and nobody else anything. */
  #failed(fault: unknown): void {
    this.#state &= ~IS_HANDLING;
    this.#host.fault(fault);
    if (!this.isOpen) return;
    try {
      this.#fail(this.#sessionFor('msgpack'), 'INTERNAL', 'a fault of the server');
    } catch {
      // What answers is broken too. The close code says the same.
      this.end(ERROR_TABLE.INTERNAL.closeCode, 'INTERNAL');
    }
    this.#forgetBacklog();
  }

  // ---- answers -----------------------------------------------------------------------------------------------------

  /** Queues an answer; all that are queued in one turn share a write. */
  reply(message: Uint8Array): void {
    if (!this.isOpen) return;
    this.#replyBytes += message.length;
    if (this.#replies !== null) {
      this.#replies.push(message);
      return;
    }
    this.#replies = [message];
    if ((this.#state & IS_HANDLING) === 0) this.#host.scheduleReplies(this);
  }

  flushReplies(): void {
    const replies = this.#replies;
    if (replies === null || !this.isOpen || this.session === null) return;
    const bytes = this.#replyBytes;
    this.#replies = null;
    this.#replyBytes = 0;
    const isText = this.session.consumer.encoder.isText;
    const result = isText
      ? this.#sendTexts(replies)
      : this.send(replies.length === 1 ? replies[0] : concatenated(replies));
    if (result === SEND_BLOCKED) {
      this.#host.blocked(this.session);
      this.#host.unread(this, this.unreadBytes + bytes);
    } else if (result === SEND_REFUSED)
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
    const isText = (this.#state & IS_TEXT) !== 0;
    this.#bytesSincePing += message.length;
    if (this.#bytesSincePing < this.#host.pingEveryBytes) return resultOf(ws.send(message, !isText));
    this.#bytesSincePing = 0;
    this.lastPingMs = this.#host.nowMs() | 0;
    const result = this.#sendInParts(ws, message, isText);
    ws.ping();
    return resultOf(result);
  }

  /** With pings between the parts of a large message: a slow link takes minutes for it, and answers nothing before its end. */
  #sendInParts(ws: WebSocket<unknown>, message: Uint8Array, isText: boolean): number {
    const { pingEveryBytes, unsentMaxBytes } = this.#host;
    const isWhole = message.length <= pingEveryBytes;
    // A part in the middle must not be refused.
    if (isWhole || ws.getBufferedAmount() + message.length > unsentMaxBytes) return ws.send(message, !isText);
    const parts = ws as unknown as FragmentSender;
    parts.sendFirstFragment(message.subarray(0, pingEveryBytes), !isText);
    let start = pingEveryBytes;
    for (; start + pingEveryBytes < message.length; start += pingEveryBytes) {
      ws.ping();
      parts.sendFragment(message.subarray(start, start + pingEveryBytes));
    }
    ws.ping();
    return parts.sendLastFragment(message.subarray(start));
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

function resultOf(status: number): SendResult {
  if (status === UWS_SENT) return SEND_OK;
  return status === UWS_BACKPRESSURE ? SEND_BLOCKED : SEND_REFUSED;
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
