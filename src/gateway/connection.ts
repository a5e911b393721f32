/**
 * Connection: one client. Reads its frames for the router, and answers them.
 *
 * Bytes that uWebSockets.js lends are used up or copied before its callback returns. Messages wait in a backlog while a
 * hook is asked, while the peer does not read its answers, and while others have their turn; they are handled in order.
 */

import { type GroupSink, SEND_BLOCKED, SEND_REFUSED } from '../delivery/sink.js';
import { ERROR_TABLE, type ErrorCode } from '../errors.js';
import type { FrameEncoder } from '../protocol/encoder.js';
import { type FrameReader, OP, READ_END, READ_FRAME, READ_MALFORMED } from '../protocol/messages.js';
import type { Session } from '../router/session.js';
import { Backlog } from './backlog.js';
import type { HeartbeatTarget } from './heartbeat.js';
import { HANDLE, type Intake, type Worker } from './intake.js';
import { CLOSED, entered, type LifeState, NEW, OPEN, SERVING } from './life-cycle.js';
import { Socket, type SocketHost } from './socket.js';
import type { Reader } from './unread-answers.js';
import type { Codec, UrlSubscription } from './upgrade-url.js';
import type { WebSocket } from './uws.js';

/** What connections share; one per gateway. */
export interface ConnectionHost extends SocketHost {
  readonly maxPayloadBytes: number;
  readonly readers: Readonly<Record<Codec, FrameReader>>;
  readonly encoders: Readonly<Record<Codec, FrameEncoder>>;
  readonly intake: Intake<Connection>;
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

/** Unread answers from which on a connection's further messages wait until it has read. */
export const UNREAD_MAX_BYTES = 64 * 1024;
/** PUBLISH frames between two looks at the clock; all others may cost more than a look. */
const PUBLISHES_PER_CLOCK_READ = 16;

/** Flags. One of its messages is being handled. */
const IS_HANDLING = 1;
/** Its messages wait for a hook's answer. */
const AWAITS_HOOK = 2;
/** Its messages wait until it has read its answers. */
const AWAITS_READING = 4;

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

/**
 * Writer and reader: the accept thread. There may be 100,000 of them: what is only needed now and then is in objects of
 * its own.
 */
export class Connection extends Socket implements GroupSink, HeartbeatTarget, Worker, Reader {
  session: Session | null = null;
  heartbeatIndex = 0;
  /** What of its answers was unread at most when the host was told last; events, of which there is one message, do not count. */
  unreadBytes = 0;

  readonly #host: ConnectionHost;
  #request: ConnectionRequest | null;
  #life: LifeState = NEW;
  #flags = 0;
  /** Answers that wait to share a write, and their bytes. */
  #replies: Uint8Array[] | null = null;
  #replyBytes = 0;
  /** What waits to be handled. */
  #backlog: Backlog | null = null;

  constructor(host: ConnectionHost, request: ConnectionRequest) {
    super(host);
    this.#host = host;
    this.#request = request;
  }

  get isOpen(): boolean {
    return this.#life === SERVING || this.#life === OPEN;
  }

  // ---- socket events -----------------------------------------------------------------------------------------------

  opened(ws: WebSocket<unknown>, nowMs: number): void {
    this.#life = entered(OPEN, this.#life);
    this.attach(ws);
    this.lastReceivedMs = nowMs | 0;
    this.lastPingMs = nowMs | 0;
    const { codec, topics } = this.#request as ConnectionRequest;
    if (codec === null) return;
    try {
      const session = this.#sessionFor(codec);
      this.#host.beginBatch();
      this.#flags |= IS_HANDLING;
      this.#subscribeByUrl(session, topics);
      this.#flags &= ~IS_HANDLING;
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
      if (bytes === 0 && !this.isWindowFull && this.session !== null) this.#host.drained(this.session);
      if ((this.#flags & AWAITS_READING) === 0 || bytes > UNREAD_MAX_BYTES) return;
      this.#flags &= ~AWAITS_READING;
      this.#host.intake.resumeLater(this);
    } catch (fault) {
      this.#failed(fault);
    }
  }

  get isFeed(): boolean {
    return this.session !== null && this.session.lastPublished !== null;
  }

  /** The peer has read what was sent ahead of a ping. */
  ponged(): void {
    this.windowPonged();
    this.drained();
  }

  /** The socket is gone. */
  closed(): void {
    this.#life = entered(CLOSED, this.#life);
    this.detach();
    this.#request = null;
    this.#replies = null;
    this.#forgetBacklog();
    if (this.unreadBytes > 0) this.#host.unread(this, 0);
  }

  // ---- reading -----------------------------------------------------------------------------------------------------

  /** Returns how many of the bytes need not be handled again: less than all when the rest has to wait. */
  #handle(bytes: Uint8Array, isBinary: boolean, deadlineMs: number): number {
    const session = this.#sessionFor(isBinary ? 'msgpack' : 'json');
    this.#flags |= IS_HANDLING;
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
    this.#flags &= ~IS_HANDLING;
    if (!this.isOpen) return handled;
    // What a full home refused is told once per message, also when its last part comes a turn later.
    if (handled === bytes.length || (this.#flags & AWAITS_HOOK) !== 0) this.#host.endBatch(session);
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
    this.#life = entered(SERVING, this.#life);
    const request = this.#request as ConnectionRequest;
    this.#request = null;
    this.isText = codec === 'json';
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
    if ((this.#flags & (AWAITS_HOOK | AWAITS_READING)) !== 0) return true;
    if (this.unreadBytes <= UNREAD_MAX_BYTES || this.bufferedBytes <= UNREAD_MAX_BYTES) return false;
    this.#flags |= AWAITS_READING;
    return true;
  }

  #awaitHook(pending: Promise<void>): void {
    this.#flags |= AWAITS_HOOK;
    const settled = (): void => {
      this.#flags &= ~AWAITS_HOOK;
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
    this.#flags &= ~IS_HANDLING;
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
    if ((this.#flags & IS_HANDLING) === 0) this.#host.scheduleReplies(this);
  }

  flushReplies(): void {
    const replies = this.#replies;
    if (replies === null || !this.isOpen || this.session === null) return;
    const bytes = this.#replyBytes;
    this.#replies = null;
    this.#replyBytes = 0;
    const result = this.isText
      ? this.sendAll(replies)
      : this.send(replies.length === 1 ? replies[0] : concatenated(replies));
    if (result === SEND_BLOCKED) {
      this.#host.blocked(this.session);
      this.#host.unread(this, this.unreadBytes + bytes);
    } else if (result === SEND_REFUSED)
      this.end(ERROR_TABLE.SLOW_CONSUMER.closeCode, 'SLOW_CONSUMER answers are not read');
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
