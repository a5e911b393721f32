/**
 * One raw WebSocket connection of a load generator. All connections of a thread read into one shared buffer; a message that
 * arrives in pieces is carried over in front of the next read, so that every message is parsed where the kernel put it.
 */
import { writeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import type { EventSink, ReadingDialect } from './dialect.js';
import {
  clientFrame,
  OPCODE_BINARY,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  upgradeRequest,
} from './websocket.js';

const CARRY_MAX_BYTES = 2 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
const MALFORMED = -1;
const HEADER_END = Buffer.from('\r\n\r\n');

/** Writer: the kernel, one read at a time. Readers: the connections of this thread, within their read callback. */
export class ReceiveBuffer {
  readonly bytes = Buffer.alloc(CARRY_MAX_BYTES + READ_BYTES);
  readonly view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  readonly target = this.bytes.subarray(CARRY_MAX_BYTES);
  reads = 0;
  /** Called before the events of a read are reported. */
  onRead: () => void = () => {};
}

export interface Endpoint {
  /** Default: 127.0.0.1. */
  readonly host?: string;
  readonly port: number;
  /** Present: the connection is encrypted. */
  readonly tls?: TlsOptions;
  /** Source address, so that the ports of one address do not run out. Absent: the system chooses. */
  readonly localAddress?: string;
  readonly dialect: ReadingDialect;
}

/** Writer and reader: the thread that opened it. */
export class Connection {
  readonly index: number;
  readonly socket: Socket;
  closed = false;
  readonly #buffer: ReceiveBuffer;
  readonly #dialect: ReadingDialect;
  readonly #sink: EventSink;
  #carry: Buffer | null = null;
  #carryBytes = 0;
  #fd = -1;
  #upgraded = false;
  #leaving = false;
  #onUpgraded: (() => void) | null = null;
  #onFailed: ((error: Error) => void) | null = null;

  constructor(index: number, endpoint: Endpoint, buffer: ReceiveBuffer, sink: EventSink) {
    this.index = index;
    this.#buffer = buffer;
    this.#dialect = endpoint.dialect;
    this.#sink = sink;
    const { host = '127.0.0.1', port, localAddress, tls } = endpoint;
    const options = {
      host,
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
      noDelay: true,
      onread: {
        buffer: buffer.target,
        callback: (count: number): boolean => {
          this.#read(count);
          return true;
        },
      },
    };
    this.socket = tls === undefined ? connect(options) : connectTls({ ...options, ...tls });
    this.socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      // What is encrypted has to pass through the TLS socket.
      if (tls === undefined) this.#fd = (this.socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
      const { path, subprotocol } = endpoint.dialect;
      this.socket.write(upgradeRequest(path, `${host}:${port}`, subprotocol), 'latin1');
    });
    this.socket.on('error', (error) => this.#fail(error.message));
    this.socket.on('close', () => this.#fail('closed by the server'));
  }

  upgraded(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onUpgraded = resolve;
      this.#onFailed = reject;
    });
  }

  /** Sends one message. */
  send(body: Uint8Array, opcode = OPCODE_BINARY): void {
    this.socket.write(clientFrame(opcode, body));
  }

  /** Hot path: sends bytes that are WebSocket frames already, past Node's streams while nothing waits in them. */
  sendNow(frames: Uint8Array): void {
    let sentBytes = 0;
    if (this.#fd >= 0 && this.socket.writableLength === 0) {
      try {
        sentBytes = writeSync(this.#fd, frames);
      } catch {
        sentBytes = 0; // the kernel's buffer is full, or the socket is gone: the stream below waits, or reports it
      }
    }
    if (sentBytes < frames.length) this.socket.write(frames.subarray(sentBytes));
  }

  /** Ends it by RST, so that no port stays in TIME_WAIT. */
  destroy(): void {
    this.#leaving = true;
    this.#fd = -1;
    this.socket.resetAndDestroy();
  }

  #fail(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#fd = -1;
    this.#onFailed?.(new Error(`connection ${this.index}: ${reason}`));
    if (!this.#leaving && this.#upgraded) this.#sink.problem(this.index, reason);
  }

  /** Hot path: per read of a socket; allocates only for a message that arrived in part. */
  #read(count: number): void {
    const buffer = this.#buffer;
    buffer.reads++;
    buffer.onRead();
    let start = CARRY_MAX_BYTES;
    const end = CARRY_MAX_BYTES + count;
    if (this.#carryBytes > 0) {
      start -= this.#carryBytes;
      this.#carry!.copy(buffer.bytes, start, 0, this.#carryBytes);
      this.#carryBytes = 0;
    }
    if (!this.#upgraded) {
      start = this.#readUpgrade(start, end);
      if (!this.#upgraded) {
        this.#keep(start, end);
        return;
      }
    }
    const rest = this.#readFrames(start, end);
    if (rest === MALFORMED) {
      this.#sink.problem(this.index, 'malformed WebSocket frame from the server');
      this.destroy();
    } else if (rest < end) {
      this.#keep(rest, end);
    }
  }

  #keep(start: number, end: number): void {
    const bytes = end - start;
    if (bytes > CARRY_MAX_BYTES) {
      this.#sink.problem(this.index, `message of more than ${CARRY_MAX_BYTES} bytes`);
      this.destroy();
      return;
    }
    if (this.#carry === null || this.#carry.length < bytes) {
      this.#carry = Buffer.allocUnsafeSlow(Math.max(1024, 2 ** Math.ceil(Math.log2(bytes))));
    }
    this.#buffer.bytes.copy(this.#carry, 0, start, end);
    this.#carryBytes = bytes;
  }

  #readUpgrade(start: number, end: number): number {
    const headers = this.#buffer.bytes.subarray(start, end);
    const headersEnd = headers.indexOf(HEADER_END);
    if (headersEnd < 0) return start;
    const text = headers.toString('latin1', 0, headersEnd);
    const subprotocol = /^sec-websocket-protocol: *(.*)$/im.exec(text)?.[1]?.trim() ?? null;
    if (!text.startsWith('HTTP/1.1 101') || subprotocol !== this.#dialect.subprotocol) {
      this.#onFailed?.(new Error(`no upgrade: ${text.split('\r\n')[0]}, subprotocol ${subprotocol}`));
      this.destroy();
      return start;
    }
    this.#upgraded = true;
    this.#onUpgraded?.();
    this.#onUpgraded = this.#onFailed = null;
    return start + headersEnd + HEADER_END.length;
  }

  /** Hot path. Returns where the first incomplete frame starts, or MALFORMED. */
  #readFrames(start: number, end: number): number {
    const { bytes, view } = this.#buffer;
    while (end - start >= 2) {
      const first = bytes[start]!;
      let length = bytes[start + 1]!;
      let body = start + 2;
      if (length === 126) {
        if (end - body < 2) return start;
        length = view.getUint16(body);
        body += 2;
      } else if (length === 127) {
        if (end - body < 8) return start;
        if (view.getUint32(body) !== 0) return MALFORMED;
        length = view.getUint32(body + 4);
        body += 8;
      } else if (length > 127) {
        return MALFORMED;
      }
      if (end - body < length) return start;
      if (first === (0x80 | OPCODE_BINARY) || first === (0x80 | OPCODE_TEXT)) {
        this.#dialect.read(this.index, bytes, view, body, body + length, this.#sink);
      } else if (!this.#readControl(first, body, body + length)) {
        return MALFORMED;
      }
      start = body + length;
    }
    return start;
  }

  #readControl(first: number, start: number, end: number): boolean {
    if (first === (0x80 | OPCODE_PING)) {
      this.socket.write(clientFrame(OPCODE_PONG, this.#buffer.bytes.subarray(start, end)));
      return true;
    }
    if (first === (0x80 | OPCODE_CLOSE)) {
      const code = end - start >= 2 ? this.#buffer.view.getUint16(start) : 1005;
      this.#sink.problem(this.index, `closed by the server with ${code}`);
      this.destroy();
      return true;
    }
    return first === (0x80 | OPCODE_PONG);
  }
}

/** Opens connections a batch at a time, so that no listen queue overflows. */
export async function openConnections(
  count: number,
  open: (index: number) => Connection,
  batch = 100,
): Promise<Connection[]> {
  const connections: Connection[] = [];
  while (connections.length < count) {
    const size = Math.min(batch, count - connections.length);
    const opening = Array.from({ length: size }, (_, index) => open(connections.length + index));
    await Promise.all(opening.map((connection) => connection.upgraded()));
    connections.push(...opening);
  }
  return connections;
}

/** Spreads source addresses: 4,000 connections each, another range for every generator process. */
export function localAddress(index: number, salt: number): string {
  return `127.${1 + (salt % 250)}.${Math.floor(salt / 250) % 250}.${1 + Math.floor(index / 4000)}`;
}
