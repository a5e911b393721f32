/**
 * One WebSocket that speaks ringcast.v1 in MessagePack: sends frames, matches answers to requests, hands on the rest.
 * opening → open at the socket's `open` → closing when the client ends it → closed. After `closing` nothing is sent;
 * after `closed` nothing is read, and every request, pending or new, fails with the reason. A socket whose peer does not
 * answer is not waited for.
 */

import { ERROR_TABLE, type ErrorCode, RingcastError, reasonOf, refusalOf } from '../errors.js';
import { decodeServerFrames, encodeClientFrame } from '../protocol/client-frames.js';
import { type ClientMessage, type RequestId, type ServerMessage, SUBPROTOCOL_MSGPACK } from '../protocol/messages.js';
import { CallLimits, type CallOptions } from './call.js';
import { checkMessage } from './fields.js';
import { Outbox } from './outbox.js';
import { onRefusal } from './refusal.js';
import type {
  CloseEventLike,
  ErrorEventLike,
  MessageEventLike,
  WebSocketConstructor,
  WebSocketLike,
} from './socket.js';
import { Watch } from './watch.js';

/** Close code that a client sends when it cannot read what the server sent. */
const CLOSE_UNREADABLE = 4007;
/** Close code of a connection that ended without a close frame (RFC 6455, 7.1.5). */
const CLOSE_ABNORMAL = 1006;
/** How long a close waits for the server's, while nothing leaves. `ws` itself would wait for 30 s. */
const CLOSE_TIMEOUT_MS = 2000;

/** What the server sends without being asked. */
export type PushedMessage = Exclude<ServerMessage, { type: 'ok' | 'pong' | 'error' }>;

export interface ConnectionHandlers {
  onPush(message: PushedMessage): void;
  /** An error that answers no request. */
  onError(error: RingcastError): void;
  onClose(closed: ClosedInfo): void;
}

export interface ConnectionOptions {
  /** How long a request waits for its answer when it says nothing else. */
  readonly requestTimeoutMs: number;
  /** Null: what the server announces. 0: the server is not watched. */
  readonly heartbeatMs: number | null;
}

export interface ClosedInfo {
  /**
   * WebSocket close code: 1000 after close(), 1001 the server stops, 1006 the connection broke or the server is silent,
   * 1013 too slow, 4007 the server sent what cannot be read, …
   */
  readonly code: number;
  readonly reason: string;
}

interface PendingRequest {
  /** Called while the message is read, that is before any frame behind the answer is handled. Throws at odd results. */
  readonly accept: (result: Record<string, unknown>) => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly limits: CallLimits;
  /** Of the outbox, when the request was in it: what an answer shows to have arrived. */
  readonly pushedBytes: number;
}

/** Writers: the client's calls, the socket's events and timers, all in one thread. */
export class ClientConnection {
  readonly #socket: WebSocketLike;
  readonly #handlers: ConnectionHandlers;
  readonly #options: ConnectionOptions;
  readonly #outbox: Outbox;
  readonly #watch: Watch;
  readonly #pending = new Map<number, PendingRequest>();
  readonly #opened: Promise<void>;
  readonly #closed: Promise<ClosedInfo>;
  #settleOpened!: { resolve: () => void; reject: (error: RingcastError) => void };
  #settleClosed!: (info: ClosedInfo) => void;
  #state: 'opening' | 'open' | 'closing' | 'closed' = 'opening';
  /** Why nothing can be sent any more; null before `closing`. */
  #ending: RingcastError | null = null;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;
  #lastId = 0;
  #confirmedBytes = 0;
  #socketProblem = '';
  /** The last error that answered no request: when its close code follows, it is the reason. */
  #lastError: RingcastError | null = null;
  #frameMaxBytes = Number.POSITIVE_INFINITY;

  constructor(url: string, WebSocket: WebSocketConstructor, options: ConnectionOptions, handlers: ConnectionHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#opened = new Promise((resolve, reject) => {
      this.#settleOpened = { resolve, reject };
    });
    this.#opened.catch(() => {}); // whoever waits for it gets the error; nobody has to wait
    this.#closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#watch = new Watch({
      ask: () => this.request({ type: 'ping' }, () => undefined, { timeoutMs: 0 }),
      unconfirmedBytes: () => this.#outbox.pushedBytes - this.#confirmedBytes,
      dead: (silentMs) => this.#cut(`nothing came from the server for ${silentMs} ms`),
    });
    this.#socket = openSocket(url, WebSocket);
    this.#outbox = new Outbox((message) => this.#transmit(message));
    this.#listen();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      if (this.#state !== 'opening') return;
      this.#state = 'open';
      this.#settleOpened.resolve();
    };
    socket.onmessage = (event: MessageEventLike) => this.#read(event.data);
    socket.onerror = (event: ErrorEventLike) => {
      this.#socketProblem = event.message || (event.error?.code ?? '');
      // Node's own WebSocket has no `close` for a connection that never was.
      if (this.#state === 'opening') this.#finish({ code: CLOSE_ABNORMAL, reason: this.#socketProblem });
    };
    socket.onclose = (event: CloseEventLike) => {
      clearTimeout(this.#closeTimer);
      this.#finish({ code: event.code, reason: event.reason });
    };
    onRefusal(socket, (error) => {
      this.#ending ??= error;
      this.#cut(error.message);
    });
  }

  /** Resolves when the socket is open, rejects when it closes before. */
  get opened(): Promise<void> {
    return this.#opened;
  }

  /**
   * Sends a frame that wants no answer. False: it is not sent, because the connection has ended, or for a reason that
   * `onError` is told: also when `make` throws, which looks at what the program gave.
   */
  send(make: () => ClientMessage): boolean {
    if (this.#ending !== null) return false;
    try {
      this.#outbox.push(this.#encode(make()));
      return true;
    } catch (error) {
      this.#handlers.onError(refusalOf(error, 'the frame cannot be encoded'));
      return false;
    }
  }

  /**
   * Sends a frame and gives its answer. `accept` runs as soon as the answer is read, before the frames behind it, and
   * makes the result; an alias, say, has to be known before the first event that carries it.
   */
  request<Result>(
    message: ClientMessage,
    accept: (result: Record<string, unknown>) => Result,
    { signal, timeoutMs = this.#options.requestTimeoutMs }: CallOptions = {},
  ): Promise<Result> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#ending !== null) throw this.#ending;
      this.#lastId += 1;
      const id = this.#lastId;
      const frame = this.#encode({ ...message, id });
      const limits = new CallLimits(message.type, { signal, timeoutMs }, (reason) => {
        this.#pending.delete(id);
        reject(reason);
      });
      const pushedBytes = this.#outbox.pushedBytes + frame.length;
      this.#pending.set(id, { accept, resolve, reject, limits, pushedBytes });
      this.#outbox.push(frame);
    }) as Promise<Result>;
  }

  /**
   * Ends the connection; what was sent before still reaches the server, as long as it takes bytes. Resolves when the
   * server has confirmed it, or is not waited for any longer. Later calls wait for the same end.
   */
  close(): Promise<ClosedInfo> {
    if (this.#state === 'open') this.#outbox.flush();
    if (this.#ending === null) {
      this.#ending = new RingcastError('CONFLICT', 'the client was closed');
      this.#hangUp(1000, '');
    }
    return this.#closed;
  }

  // ---- sending -----------------------------------------------------------------------------------------------------

  /** Throws RingcastError only. */
  #encode(message: ClientMessage): Uint8Array {
    let frame: Uint8Array;
    try {
      frame = encodeClientFrame(message);
    } catch (error) {
      throw refusalOf(error, 'the frame cannot be encoded');
    }
    if (frame.length > this.#frameMaxBytes) {
      throw new RingcastError('TOO_LARGE', `the frame has ${frame.length} bytes, at most ${this.#frameMaxBytes}`);
    }
    return frame;
  }

  /** A socket that cannot send any more says so by its `close`, some of them by an exception as well. */
  #transmit(message: Uint8Array): void {
    try {
      this.#socket.send(message);
    } catch (error) {
      this.#cut(`cannot send: ${reasonOf(error)}`);
    }
  }

  // ---- reading -----------------------------------------------------------------------------------------------------

  /** User code is called from here by callUser() only: what is thrown is about the message. */
  #read(data: unknown): void {
    if (this.#state === 'closed') return;
    this.#watch.received();
    try {
      if (!(data instanceof ArrayBuffer)) throw new TypeError('not a binary message');
      for (const message of decodeServerFrames(new Uint8Array(data))) this.#dispatch(message);
    } catch (error) {
      const problem = `the server sent what is no ringcast.v1: ${reasonOf(error)}`;
      this.#ending ??= new RingcastError('INTERNAL', problem);
      this.#hangUp(CLOSE_UNREADABLE, 'unreadable frame');
      // What follows may build on what was lost, so nothing more is read.
      this.#finish({ code: CLOSE_UNREADABLE, reason: problem });
    }
  }

  #dispatch(message: ServerMessage): void {
    if (message.type === 'event') {
      this.#handlers.onPush(message);
      return;
    }
    if (message.type === 'ok') {
      this.#answer(message.id, message.result);
      return;
    }
    checkMessage(message);
    switch (message.type) {
      case 'pong':
        this.#answer(message.id, { time: message.time });
        break;
      case 'error':
        this.#onErrorFrame(message.id, new RingcastError(message.code, message.message, message.details));
        break;
      case 'welcome':
        // A larger message would cost the connection, so it is refused here.
        this.#frameMaxBytes = message.limits.maxPayloadBytes;
        this.#outbox.messageMaxBytes = message.limits.maxPayloadBytes;
        if (this.#state === 'open') this.#watchServer(message.heartbeatMs);
        this.#handlers.onPush(message);
        break;
      default:
        this.#handlers.onPush(message);
    }
  }

  #watchServer(announcedMs: number): void {
    const heartbeatMs = this.#options.heartbeatMs ?? announcedMs;
    if (heartbeatMs > 0) this.#watch.start(heartbeatMs);
  }

  #onErrorFrame(id: RequestId, error: RingcastError): void {
    this.#answer(id, error);
    if (id !== null) return;
    this.#lastError = error;
    this.#handlers.onError(error);
  }

  /** An answer that nobody waits for any more is left alone. One that cannot be read stays pending, and fails with the rest. */
  #answer(id: RequestId, answer: Record<string, unknown> | RingcastError): void {
    const request = this.#pending.get(id as number);
    if (request === undefined) return;
    this.#confirmedBytes = Math.max(this.#confirmedBytes, request.pushedBytes);
    if (answer instanceof RingcastError) request.reject(answer);
    else request.resolve(request.accept(answer));
    request.limits.end();
    this.#pending.delete(id as number);
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  /** Asks the peer to close. */
  #hangUp(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closing';
    this.#watch.stop();
    this.#socket.close(code, reason);
    this.#awaitClose(Number.POSITIVE_INFINITY);
  }

  #awaitClose(unsentBytes: number): void {
    clearTimeout(this.#closeTimer);
    this.#closeTimer = setTimeout(() => {
      const { bufferedAmount } = this.#socket;
      if (bufferedAmount > 0 && bufferedAmount < unsentBytes) this.#awaitClose(bufferedAmount);
      else this.#cut('the server did not confirm the close');
    }, CLOSE_TIMEOUT_MS);
  }

  /** Ends without asking the peer. */
  #cut(reason: string): void {
    clearTimeout(this.#closeTimer);
    this.#finish({ code: CLOSE_ABNORMAL, reason });
    if (this.#socket.terminate === undefined) this.#socket.close();
    else this.#socket.terminate();
  }

  #finish(info: ClosedInfo): void {
    if (this.#state === 'closed') return;
    this.#ending ??= this.#reasonOf(info);
    this.#state = 'closed';
    this.#watch.stop();
    this.#outbox.clear();
    this.#settleOpened.reject(this.#ending);
    for (const { limits, reject } of this.#pending.values()) {
      limits.end();
      reject(this.#ending);
    }
    this.#pending.clear();
    this.#settleClosed(info);
    this.#handlers.onClose(info);
  }

  #reasonOf(info: ClosedInfo): RingcastError {
    if (this.#state === 'opening') {
      const problem = this.#socketProblem || 'no server, or it refused; this WebSocket does not say which';
      return new RingcastError('INTERNAL', `cannot connect: ${problem}`, info);
    }
    const cause = this.#lastError !== null && closeCodeOf(this.#lastError.code) === info.code ? this.#lastError : null;
    const why = cause?.message ?? info.reason;
    const message = `the connection was closed (${info.code})${why === '' ? '' : `: ${why}`}`;
    return new RingcastError(cause?.code ?? codeOfClose(info.code), message, info);
  }
}

/** Constructors throw at addresses that are none. */
function openSocket(url: string, WebSocket: WebSocketConstructor): WebSocketLike {
  try {
    return new WebSocket(url, SUBPROTOCOL_MSGPACK);
  } catch (error) {
    throw new RingcastError('BAD_REQUEST', `cannot connect: ${reasonOf(error)}`);
  }
}

/** Undefined for a code that a later version of the server has. */
function closeCodeOf(code: string): number | null | undefined {
  return Object.hasOwn(ERROR_TABLE, code) ? ERROR_TABLE[code as ErrorCode].closeCode : undefined;
}

/** The first error code that closes connections with this WebSocket code; INTERNAL for a connection that broke. */
function codeOfClose(closeCode: number): ErrorCode {
  const codes = Object.keys(ERROR_TABLE) as ErrorCode[];
  return codes.find((code) => ERROR_TABLE[code].closeCode === closeCode) ?? 'INTERNAL';
}
