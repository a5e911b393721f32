// A TCP peer that speaks as much of HTTP and WebSocket as a test wants, and then does what no library would do.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import { until } from './until.js';

const peers: RawPeer[] = [];

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
});

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export class RawPeer {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  isClosed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('error', () => {}); // a reset is one of the ways in which `isClosed` comes true
    socket.on('close', () => {
      this.isClosed = true;
    });
    peers.push(this);
  }

  static async connect(url: string): Promise<RawPeer> {
    const { hostname, port } = new URL(url);
    const peer = new RawPeer(connect(Number(port), hostname));
    await new Promise<void>((resolve, reject) => {
      peer.socket.once('connect', resolve);
      peer.socket.once('error', reject);
    });
    return peer;
  }

  /** Connects and gets through the upgrade; `received` then begins with the first frame. */
  static async upgraded(url: string, subprotocol = 'ringcast.v1.msgpack'): Promise<RawPeer> {
    const peer = await RawPeer.connect(url);
    peer.socket.write(upgradeRequest(url, subprotocol));
    await until(() => peer.received.includes('\r\n\r\n'), 'an answer to the upgrade');
    const end = peer.received.indexOf('\r\n\r\n') + 4;
    const head = peer.received.subarray(0, end).toString();
    if (!head.startsWith('HTTP/1.1 101')) throw new Error(head);
    peer.received = peer.received.subarray(end);
    return peer;
  }

  /** A whole, masked frame, as a client has to send it. */
  sendFrame(opcode: number, payload: Uint8Array): void {
    this.socket.write(maskedFrame(opcode, payload));
  }

  destroy(): void {
    this.socket.destroy();
  }
}

export function upgradeRequest(url: string, subprotocol: string): string {
  const { host, pathname, search } = new URL(url);
  return [
    `GET ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    `Sec-WebSocket-Protocol: ${subprotocol}`,
    '\r\n',
  ].join('\r\n');
}

/** RFC 6455, 5.2, with the mask 0, which leaves the payload as it is. */
export function maskedFrame(opcode: number, payload: Uint8Array): Buffer {
  const length = payload.length;
  const head = length < 126 ? Buffer.alloc(6) : length < 65_536 ? Buffer.alloc(8) : Buffer.alloc(14);
  head[0] = 0x80 | opcode;
  if (length < 126) head[1] = 0x80 | length;
  else if (length < 65_536) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}
