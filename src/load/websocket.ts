/**
 * The client side of RFC 6455, as little of it as a load generator needs: upgrade request, frame heads, pong.
 * Client frames must be masked; the key is zero, which leaves the payload as it is.
 */
export const OPCODE_CONTINUATION = 0;
export const OPCODE_TEXT = 1;
export const OPCODE_BINARY = 2;
export const OPCODE_CLOSE = 8;
export const OPCODE_PING = 9;
export const OPCODE_PONG = 10;

/** @param host with its port, as the header names it */
export function upgradeRequest(
  path: string,
  host: string,
  subprotocol: string | null,
  headers: readonly string[] = [],
): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: cmluZ2Nhc3QgYmVuY2ggIQ==',
    'Sec-WebSocket-Version: 13',
    ...(subprotocol === null ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
    ...headers,
    '\r\n',
  ].join('\r\n');
}

export function clientHeadBytes(bodyBytes: number): number {
  return bodyBytes < 126 ? 6 : bodyBytes < 65536 ? 8 : 14;
}

/** Writes the head of a masked frame whose key is zero; returns the offset behind it. */
export function writeClientHead(bytes: Uint8Array, offset: number, opcode: number, bodyBytes: number): number {
  bytes[offset++] = 0x80 | opcode;
  if (bodyBytes < 126) {
    bytes[offset++] = 0x80 | bodyBytes;
  } else if (bodyBytes < 65536) {
    bytes[offset++] = 0x80 | 126;
    bytes[offset++] = bodyBytes >>> 8;
    bytes[offset++] = bodyBytes & 0xff;
  } else {
    bytes[offset++] = 0x80 | 127;
    bytes.fill(0, offset, offset + 4);
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(offset + 4, bodyBytes);
    offset += 8;
  }
  bytes.fill(0, offset, offset + 4);
  return offset + 4;
}

export function clientFrame(opcode: number, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(clientHeadBytes(body.length) + body.length);
  frame.set(body, writeClientHead(frame, 0, opcode, body.length));
  return frame;
}
