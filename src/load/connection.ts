/**
 * One raw WebSocket connection of a load generator. All connections of a thread read into one shared buffer; a message that
 * arrives in pieces is carried over in front of the next read, so that every message is parsed where the kernel put it.
 */
import { writeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket, type ConnectionOptions as TlsOptions } from 'node:tls';
import type { EventSink, OpenConnection, ReadingDialect } from './dialect.js';
import {
  clientFrame,
  OPCODE_BINARY,
  OPCODE_CLOSE,
  OPCODE_CONTINUATION,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  upgradeRequest,
} from './websocket.js';

const CARRY_MAX_BYTES = 2 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
/** Where a message that came in fragments is put together. */
const ASSEMBLY_START = CARRY_MAX_BYTES + READ_BYTES;
const ASSEMBLY_MAX_BYTES = CARRY_MAX_BYTES;
const MALFORMED = -1;
const HEADER_END = Buffer.from('\r\n\r\n');

/** Writer: the kernel, one read at a time. Readers: the connections of this thread, within their read callback. */
export class ReceiveBuffer {
  readonly bytes = Buffer.alloc(ASSEMBLY_START + ASSEMBLY_MAX_BYTES);
  readonly view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  readonly target = this.bytes.subarray(CARRY_MAX_BYTES, ASSEMBLY_START);
  reads = 0;
  /** Bytes that came through sockets, after decryption. */
  readBytes = 0;
  /** WebSocket messages. */
  messages = 0;
  /** Called before the events of a read are reported. */
  onRead: () => void = () => {};
}

/** Where a connection leads: plain data. */
export interface Place {
  /** Default: 127.0.0.1. */
  readonly host?: string;
  readonly port: number;
  /** Present: the connection is encrypted. */
  readonly tls?: TlsOptions;
  /** Name and port in the Host header. Default: host and port. */
  readonly authority?: string;
  /** Further headers of the upgrade, as `Name: value`. */
  readonly headers?: readonly string[];
  /** Source address, so that the ports of one address do not run out. Absent: the system chooses. */
  readonly localAddress?: string;
}

export interface Endpoint extends Place {
  readonly dialect: ReadingDialect;
}

/** A connection could not be opened. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  /** Of the operating system (ECONNREFUSED) or of Node (DEPTH_ZERO_SELF_SIGNED_CERT); or what the server did instead. */
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** Writer and reader: the thread that opened it. */
export class LoadConnection implements OpenConnection {
  readonly index: number;
  readonly socket: Socket;
  closed = false;
  /** Called once when the server, or a fault, ends the connection after it was ready. */
  onLost: (() => void) | null = null;
  readonly #buffer: ReceiveBuffer;
  readonly #dialect: ReadingDialect;
  readonly #sink: EventSink;
  #carry: Buffer | null = null;
  #carryBytes = 0;
  #fd = -1;
  readonly #endpoint: Endpoint;
  /** Plain TCP: no upgrade has been asked for. */
  #isPlain = false;
  #upgraded = false;
  #leaving = false;
  /** Bytes of a message of which fragments have come, −1 while there is none; they wait in #fragments. */
  #fragmentBytes = -1;
  #fragments: Buffer[] = [];
  #fragmentsAreText = false;
  #onUpgraded: (() => void) | null = null;
  #onFailed: ((error: Error) => void) | null = null;

  constructor(index: number, endpoint: Endpoint, buffer: ReceiveBuffer, sink: EventSink) {
    this.index = index;
    this.#buffer = buffer;
    this.#dialect = endpoint.dialect;
    this.#endpoint = endpoint;
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
      const { path } = endpoint.dialect;
      this.#isPlain = path === null;
      if (path === null) this.ready();
      else this.upgrade(path);
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(error.message, error.code ?? 'ERROR'));
    this.socket.on('close', () => this.#fail('closed by the server', 'CLOSED'));
  }

  upgraded(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onUpgraded = resolve;
      this.#onFailed = reject;
    });
  }

  ready(): void {
    this.#onUpgraded?.();
    this.#onUpgraded = this.#onFailed = null;
  }

  upgrade(path: string): void {
    const { host = '127.0.0.1', port, dialect } = this.#endpoint;
    const { authority = `${host}:${port}`, headers = [] } = this.#endpoint;
    this.#isPlain = false;
    this.socket.write(upgradeRequest(path, authority, dialect.subprotocol, headers), 'latin1');
  }

  /** Sends one message. */
  send(body: Uint8Array, opcode = OPCODE_BINARY): void {
    this.socket.write(clientFrame(opcode, body));
  }

  /**
   * Hot path: sends bytes that are WebSocket frames already, past Node's streams while nothing waits in them. True when all
   * of them are with the kernel, and their memory may be used again.
   */
  sendNow(frames: Uint8Array): boolean {
    let sentBytes = 0;
    if (this.#fd >= 0 && this.socket.writableLength === 0) {
      try {
        sentBytes = writeSync(this.#fd, frames);
      } catch {
        sentBytes = 0; // the kernel's buffer is full, or the socket is gone: the stream below waits, or reports it
      }
    }
    if (sentBytes === frames.length) return true;
    this.socket.write(frames.subarray(sentBytes));
    return false;
  }

  /** Ends it by RST, so that no port stays in TIME_WAIT; what is encrypted ends without, for Node.js cannot. */
  destroy(): void {
    this.#leaving = true;
    this.#fd = -1;
    if (this.socket instanceof TLSSocket) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  #fail(reason: string, code: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#fd = -1;
    const wasReady = this.#onFailed === null;
    this.#onFailed?.(new ConnectError(`connection ${this.index}: ${reason}`, code));
    if (!wasReady || this.#leaving) return;
    this.#sink.problem(this.index, reason);
    this.onLost?.();
  }

  /** Ends what cannot go on. */
  #give(problem: string): void {
    this.#sink.problem(this.index, problem);
    this.destroy();
    this.onLost?.();
  }

  /** Hot path: per read of a socket; allocates only for a message that arrived in part. */
  #read(count: number): void {
    const buffer = this.#buffer;
    buffer.reads++;
    buffer.readBytes += count;
    buffer.onRead();
    let start = CARRY_MAX_BYTES;
    const end = CARRY_MAX_BYTES + count;
    if (this.#carryBytes > 0) {
      start -= this.#carryBytes;
      this.#carry!.copy(buffer.bytes, start, 0, this.#carryBytes);
      this.#carryBytes = 0;
    }
    if (this.#isPlain) {
      this.#dialect.read(this.index, buffer.bytes, buffer.view, start, end, this.#sink, false);
      return;
    }
    if (!this.#upgraded) {
      start = this.#readUpgrade(start, end);
      if (!this.#upgraded) {
        if (start < end) this.#keep(start, end);
        return;
      }
    }
    const rest = this.#readFrames(start, end);
    if (rest === MALFORMED) {
      this.#give('malformed WebSocket frame from the server');
    } else if (rest < end) {
      this.#keep(rest, end);
    }
  }

  #keep(start: number, end: number): void {
    const bytes = end - start;
    if (bytes > CARRY_MAX_BYTES) {
      this.#give(`message of more than ${CARRY_MAX_BYTES} bytes`);
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
    if (headersEnd < 0 && headers.toString('latin1', 0, 5) === 'HTTP/'.slice(0, headers.length)) return start;
    const text = headers.toString('latin1', 0, Math.max(0, headersEnd));
    const subprotocol = /^sec-websocket-protocol: *(.*)$/im.exec(text)?.[1]?.trim() ?? null;
    if (!text.startsWith('HTTP/1.1 101') || subprotocol !== this.#dialect.subprotocol) {
      const error = noUpgrade(text.split('\r\n')[0], subprotocol);
      // Nobody waits for an upgrade that the dialect asked for.
      if (this.#onFailed === null) this.#sink.problem(this.index, error.message);
      else this.#onFailed(error);
      this.destroy();
      return end;
    }
    this.#upgraded = true;
    if (this.#dialect.opened === undefined) this.ready();
    else this.#dialect.opened(this);
    return start + headersEnd + HEADER_END.length;
  }

  /** Hot path. Returns where the first incomplete frame starts, or MALFORMED. */
  #readFrames(start: number, end: number): number {
    const { bytes, view } = this.#buffer;
    while (end - start >= 2) {
      const first = bytes[start];
      let length = bytes[start + 1];
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
        this.#buffer.messages++;
        const isText = (first & 0x0f) === OPCODE_TEXT;
        this.#dialect.read(this.index, bytes, view, body, body + length, this.#sink, isText);
      } else if ((first & 0x0f) <= OPCODE_BINARY) {
        if (!this.#readFragment(first, body, body + length)) return MALFORMED;
      } else if (!this.#readControl(first, body, body + length)) {
        return MALFORMED;
      }
      start = body + length;
    }
    return start;
  }

  /** A message that its server sends in parts: they are put together where the dialect can read them. */
  #readFragment(first: number, start: number, end: number): boolean {
    const isFirst = (first & 0x0f) !== OPCODE_CONTINUATION;
    if (isFirst !== this.#fragmentBytes < 0 || (first & 0x70) !== 0) return false;
    if (isFirst) this.#fragmentsAreText = (first & 0x0f) === OPCODE_TEXT;
    const { bytes, view } = this.#buffer;
    this.#fragments.push(Buffer.from(bytes.subarray(start, end)));
    this.#fragmentBytes = Math.max(0, this.#fragmentBytes) + end - start;
    if (this.#fragmentBytes > ASSEMBLY_MAX_BYTES) return false;
    if ((first & 0x80) === 0) return true;
    let offset = ASSEMBLY_START;
    for (const fragment of this.#fragments) offset += fragment.copy(bytes, offset);
    this.#fragments = [];
    this.#fragmentBytes = -1;
    this.#buffer.messages++;
    this.#dialect.read(this.index, bytes, view, ASSEMBLY_START, offset, this.#sink, this.#fragmentsAreText);
    return true;
  }

  #readControl(first: number, start: number, end: number): boolean {
    if (first === (0x80 | OPCODE_PING)) {
      this.socket.write(clientFrame(OPCODE_PONG, this.#buffer.bytes.subarray(start, end)));
      return true;
    }
    if (first === (0x80 | OPCODE_CLOSE)) {
      const code = end - start >= 2 ? this.#buffer.view.getUint16(start) : 1005;
      const reason = this.#buffer.bytes.toString('utf8', Math.min(start + 2, end), end);
      this.#give(`closed by the server with ${code}${reason === '' ? '' : ` (${reason})`}`);
      return true;
    }
    return first === (0x80 | OPCODE_PONG);
  }
}

function noUpgrade(statusLine: string, subprotocol: string | null): ConnectError {
  if (statusLine === '') return new ConnectError('what answers there does not speak HTTP', 'NO_HTTP');
  if (!statusLine.startsWith('HTTP/1.1 101')) return new ConnectError(`no upgrade: ${statusLine}`, 'NO_UPGRADE');
  return new ConnectError(`no upgrade: the server chose ${subprotocol ?? 'no'} subprotocol`, 'NO_SUBPROTOCOL');
}

/** Opens connections a batch at a time, so that no listen queue overflows. */
export async function openConnections(
  count: number,
  open: (index: number) => LoadConnection,
  batch = 100,
): Promise<LoadConnection[]> {
  const connections: LoadConnection[] = [];
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
