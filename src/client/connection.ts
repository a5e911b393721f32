/**
 * One WebSocket that speaks ringcast.v1 in MessagePack: sends frames, matches answers to requests, hands on the rest.
 * Open: from the socket's `open` until its `close`; after that every request, pending or new, fails with the reason.
 */

import { ERROR_TABLE, type ErrorCode, RingcastError } from '../errors.js';
import { decodeServerFrames, encodeClientFrame } from '../protocol/client-frames.js';
import { type ClientMessage, type RequestId, type ServerMessage, SUBPROTOCOL_MSGPACK } from '../protocol/messages.js';
import { Outbox } from './outbox.js';
import type {
  CloseEventLike,
  ErrorEventLike,
  MessageEventLike,
  WebSocketConstructor,
  WebSocketLike,
} from './socket.js';

/** Close code that a client sends when it cannot read what the server sent. */
const CLOSE_UNREADABLE = 4007;

/** What the server sends without being asked. */
export type PushedMessage = Exclude<ServerMessage, { type: 'ok' | 'pong' | 'error' }>;

export interface ConnectionHandlers {
  onPush(message: PushedMessage): void;
  /** An error that answers no request. */
  onError(error: RingcastError): void;
  onClose(closed: ClosedInfo): void;
}

export interface ClosedInfo {
  /** WebSocket close code: 1000 after close(), 1001 the server stops, 1006 the connection broke, 1013 too slow, … */
  readonly code: number;
  readonly reason: string;
}

interface PendingRequest {
  /** Called while the message is read, that is before any frame behind the answer is handled. */
  readonly settle: (result: Record<string, unknown>) => void;
  readonly fail: (error: RingcastError) => void;
}

/** Writers: the client's calls and the socket's events, all in one thread. */
export class Connection {
  readonly #socket: WebSocketLike;
  readonly #handlers: ConnectionHandlers;
  readonly #outbox: Outbox;
  readonly #pending = new Map<number, PendingRequest>();
  readonly #opened: Promise<void>;
  readonly #closed: Promise<ClosedInfo>;
  #settleOpened!: { resolve: () => void; reject: (error: RingcastError) => void };
  #settleClosed!: (info: ClosedInfo) => void;
  #lastId = 0;
  #socketProblem = '';
  /** The last error that answered no request: when its close code follows, it is the reason. */
  #lastError: RingcastError | null = null;
  #frameMaxBytes = Number.POSITIVE_INFINITY;
  #isOpen = false;
  /** Set when nothing can be sent any more: the reason. */
  #ending: RingcastError | null = null;

  constructor(url: string, WebSocket: WebSocketConstructor, handlers: ConnectionHandlers) {
    this.#handlers = handlers;
    this.#opened = new Promise((resolve, reject) => {
      this.#settleOpened = { resolve, reject };
    });
    this.#opened.catch(() => {}); // whoever waits for it gets the error; nobody has to wait
    this.#closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#socket = openSocket(url, WebSocket);
    this.#outbox = new Outbox((message) => this.#socket.send(message));
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => {
      this.#isOpen = true;
      this.#settleOpened.resolve();
    };
    this.#socket.onmessage = (event: MessageEventLike) => this.#read(event.data);
    this.#socket.onerror = (event: ErrorEventLike) => {
      this.#socketProblem = event.message || (event.error?.code ?? '');
    };
    this.#socket.onclose = (event: CloseEventLike) => this.#onClose({ code: event.code, reason: event.reason });
  }

  /** Resolves when the socket is open, rejects when it closes before. */
  get opened(): Promise<void> {
    return this.#opened;
  }

  /** Resolves when the socket is closed. */
  get closed(): Promise<ClosedInfo> {
    return this.#closed;
  }

  /** Sends a frame that wants no answer. Throws when the connection is closed. */
  send(message: ClientMessage): void {
    if (this.#ending !== null) throw this.#ending;
    this.#outbox.push(this.#encode(message));
  }

  /**
   * Sends a frame and gives its answer. `accept` runs as soon as the answer is read, before the frames behind it, and
   * makes the result; an alias, say, has to be known before the first event that carries it.
   */
  request<Result>(message: ClientMessage, accept: (result: Record<string, unknown>) => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#ending !== null) throw this.#ending;
      this.#lastId += 1;
      const id = this.#lastId;
      this.#outbox.push(this.#encode({ ...message, id }));
      this.#pending.set(id, { settle: (result) => resolve(accept(result)), fail: reject });
    });
  }

  /** Sends what is gathered without waiting for the end of this turn. */
  flush(): void {
    this.#outbox.flush();
  }

  /** Ends the connection; what was sent before still reaches the server. Later calls wait for the same end. */
  close(
    code = 1000,
    reason = '',
    ending = new RingcastError('CONFLICT', 'the client was closed'),
  ): Promise<ClosedInfo> {
    if (this.#ending === null) {
      if (this.#isOpen) this.#outbox.flush();
      this.#ending = ending;
      this.#socket.close(code, reason);
    }
    return this.#closed;
  }

  #encode(message: ClientMessage): Uint8Array {
    const frame = encodeClientFrame(message);
    if (frame.length > this.#frameMaxBytes) {
      throw new RingcastError('TOO_LARGE', `the frame has ${frame.length} bytes, at most ${this.#frameMaxBytes}`);
    }
    return frame;
  }

  #read(data: unknown): void {
    let messages: ServerMessage[];
    try {
      if (!(data instanceof ArrayBuffer)) throw new TypeError('a text message');
      messages = decodeServerFrames(new Uint8Array(data));
    } catch (error) {
      const unreadable = new RingcastError('INTERNAL', `the server sent what is no ringcast.v1: ${messageOf(error)}`);
      void this.close(CLOSE_UNREADABLE, 'unreadable frame', unreadable);
      return;
    }
    for (const message of messages) this.#dispatch(message);
  }

  #dispatch(message: ServerMessage): void {
    switch (message.type) {
      case 'ok':
        this.#takePending(message.id)?.settle(message.result);
        break;
      case 'pong':
        this.#takePending(message.id)?.settle({ time: message.time });
        break;
      case 'error':
        this.#onErrorFrame(message.id, new RingcastError(message.code, message.message, message.details));
        break;
      case 'welcome':
        // A larger message would cost the connection, so it is refused here.
        this.#frameMaxBytes = message.limits.maxPayloadBytes;
        this.#outbox.messageMaxBytes = message.limits.maxPayloadBytes;
        this.#handlers.onPush(message);
        break;
      default:
        this.#handlers.onPush(message);
    }
  }

  #onErrorFrame(id: RequestId, error: RingcastError): void {
    const request = this.#takePending(id);
    if (request !== undefined) {
      request.fail(error);
      return;
    }
    this.#lastError = error;
    this.#handlers.onError(error);
  }

  #takePending(id: RequestId): PendingRequest | undefined {
    if (typeof id !== 'number') return undefined;
    const request = this.#pending.get(id);
    this.#pending.delete(id);
    return request;
  }

  #onClose(info: ClosedInfo): void {
    this.#ending ??= this.#reasonOf(info);
    this.#outbox.clear();
    this.#settleOpened.reject(this.#ending);
    for (const request of this.#pending.values()) request.fail(this.#ending);
    this.#pending.clear();
    this.#settleClosed(info);
    this.#handlers.onClose(info);
  }

  #reasonOf(info: ClosedInfo): RingcastError {
    if (!this.#isOpen) {
      const problem = this.#socketProblem === '' ? `close code ${info.code}` : this.#socketProblem;
      return new RingcastError('INTERNAL', `cannot connect: ${problem}`, info);
    }
    const cause =
      this.#lastError !== null && ERROR_TABLE[this.#lastError.code].closeCode === info.code ? this.#lastError : null;
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
    throw new RingcastError('BAD_REQUEST', `cannot connect: ${messageOf(error)}`);
  }
}

/** The first error code that closes connections with this WebSocket code; INTERNAL for a connection that broke. */
function codeOfClose(closeCode: number): ErrorCode {
  const codes = Object.keys(ERROR_TABLE) as ErrorCode[];
  return codes.find((code) => ERROR_TABLE[code].closeCode === closeCode) ?? 'INTERNAL';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
