/** Socket: what is sent over one WebSocket: the sink that delivery and answers go through. */

import { SEND_BLOCKED, SEND_OK, SEND_REFUSED, type SendResult } from '../delivery/sink.js';
import { peerAddress } from './address.js';
import { UnreadWindow } from './unread-window.js';
import { UWS_BACKPRESSURE, UWS_SENT, type WebSocket } from './uws.js';

/** What sockets share; one per gateway. */
export interface SocketHost {
  /** Behind so many bytes a ping is sent (idle-timer.ts). */
  readonly pingEveryBytes: number;
  /** From so many unsent bytes on, uWebSockets.js refuses what is sent. */
  readonly unsentMaxBytes: number;
  nowMs(): number;
}

/** Close reasons are at most 123 bytes (RFC 6455, 5.5). */
const REASON_MAX_BYTES = 123;

/** What a ping of the unread window carries, and its pong; others carry nothing. */
export const WINDOW_PING = Uint8Array.of(0);

/** What the package's types leave out. */
interface FragmentSender {
  sendFirstFragment(part: Uint8Array, isBinary: boolean): number;
  sendFragment(part: Uint8Array): number;
  sendLastFragment(part: Uint8Array): number;
}

/**
 * Writer and reader: the accept thread. A base class and not a part, because there may be 100,000 of them: times are int32,
 * which V8 keeps in the object.
 */
export abstract class Socket {
  lastReceivedMs = 0;
  lastPingMs = 0;
  /** Its messages are text frames. */
  protected isText = false;

  readonly #host: SocketHost;
  /** Null: there is none yet, or none any more. */
  #ws: WebSocket<unknown> | null = null;
  #bytesSincePing = 0;
  /** Null: whatever the system takes may be on its way. */
  #window: UnreadWindow | null = null;

  constructor(host: SocketHost) {
    this.#host = host;
  }

  protected attach(ws: WebSocket<unknown>): void {
    this.#ws = ws;
  }

  protected detach(): void {
    this.#ws = null;
  }

  /** Bytes that wait in user space because the peer does not read. */
  get bufferedBytes(): number {
    return this.#ws?.getBufferedAmount() ?? 0;
  }

  /** Text form of the peer's address; empty when the socket is gone. */
  get remoteAddress(): string {
    return this.#ws === null ? '' : peerAddress(this.#ws.getRemoteAddressAsText());
  }

  /** Hot path: per flush. */
  send(message: Uint8Array): SendResult {
    const ws = this.#ws;
    if (ws === null) return SEND_REFUSED;
    if (this.#window !== null) return this.#sendWithin(this.#window, ws, message);
    this.#bytesSincePing += message.length;
    if (this.#bytesSincePing < this.#host.pingEveryBytes) return resultOf(ws.send(message, !this.isText));
    this.#bytesSincePing = 0;
    this.lastPingMs = this.#host.nowMs() | 0;
    const result = this.#sendInParts(ws, message);
    ws.ping();
    return resultOf(result);
  }

  boundUnread(): void {
    this.#window ??= new UnreadWindow();
  }

  /** Whether as much is on its way as may be. */
  protected get isWindowFull(): boolean {
    return this.#window?.isFull === true;
  }

  /** The peer has read up to a ping of its window. */
  protected windowPonged(): void {
    if (this.#window?.ponged(this.#host.nowMs()) === true) this.#ws?.ping(WINDOW_PING);
  }

  #sendWithin(window: UnreadWindow, ws: WebSocket<unknown>, message: Uint8Array): SendResult {
    const isLarge = message.length >= this.#host.pingEveryBytes;
    const status = isLarge ? this.#sendInParts(ws, message) : ws.send(message, !this.isText);
    if (window.sent(message.length, this.#host.nowMs())) ws.ping(WINDOW_PING);
    const result = resultOf(status);
    return result === SEND_OK && window.isFull ? SEND_BLOCKED : result;
  }

  /** With pings between the parts of a large message: a slow link takes minutes for it, and answers nothing before its end. */
  #sendInParts(ws: WebSocket<unknown>, message: Uint8Array): number {
    const { pingEveryBytes, unsentMaxBytes } = this.#host;
    const isBinary = !this.isText;
    const isWhole = message.length <= pingEveryBytes;
    // A part in the middle must not be refused.
    if (isWhole || ws.getBufferedAmount() + message.length > unsentMaxBytes) return ws.send(message, isBinary);
    const parts = ws as unknown as FragmentSender;
    parts.sendFirstFragment(message.subarray(0, pingEveryBytes), isBinary);
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
    return this.sendAll(ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end)));
  }

  /** Sends several messages with one write. */
  protected sendAll(messages: readonly Uint8Array[]): SendResult {
    let result: SendResult = SEND_OK;
    this.#ws?.cork(() => {
      for (const message of messages) result = Math.max(result, this.send(message)) as SendResult;
    });
    return result;
  }

  joinGroup(group: number): void {
    this.#ws?.subscribe(groupName(group));
  }

  leaveGroup(group: number): void {
    this.#ws?.unsubscribe(groupName(group));
  }

  groupBacklogBytes(bytes: number): number {
    const window = this.#window;
    if (window !== null) {
      if (window.sent(bytes, this.#host.nowMs())) this.#ws?.ping(WINDOW_PING);
      return window.isFull ? Math.max(1, this.bufferedBytes) : this.bufferedBytes;
    }
    this.#bytesSincePing += bytes;
    if (this.#bytesSincePing >= this.#host.pingEveryBytes) {
      this.#bytesSincePing = 0;
      this.lastPingMs = this.#host.nowMs() | 0;
      this.#ws?.ping();
    }
    return this.bufferedBytes;
  }

  end(closeCode: number, reason: string): void {
    this.#ws?.end(closeCode, truncated(reason));
  }

  /** Cuts the connection without a close frame. */
  cut(): void {
    this.#ws?.close();
  }

  ping(): void {
    // A peer that does not read will not answer either: more bytes would only wait with the others.
    if (this.bufferedBytes === 0) this.#ws?.ping();
  }

  timedOut(): void {
    if (this.bufferedBytes === 0) this.end(1001, 'idle: nothing was received within idleTimeoutMs');
    else this.cut();
  }
}

/** What a group of delivery's is called in uWebSockets.js. */
export function groupName(group: number): string {
  return String(group);
}

function resultOf(status: number): SendResult {
  if (status === UWS_SENT) return SEND_OK;
  return status === UWS_BACKPRESSURE ? SEND_BLOCKED : SEND_REFUSED;
}

/** The longest prefix of whole characters that a close frame can carry. */
function truncated(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > REASON_MAX_BYTES) text = text.slice(0, -1);
  return text;
}
