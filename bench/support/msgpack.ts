// As much MessagePack as the generator needs for the few frames outside the hot path. Written apart from the engine's own
// codec on purpose: the benchmark is also a second opinion on the wire format.

export interface Cursor {
  offset: number;
}

const textDecoder = new TextDecoder();
const textEncoder = new TextEncoder();

/** Decodes the value at the cursor and moves it behind. Integers beyond 2^53 lose precision. */
export function decodeValue(bytes: Uint8Array, view: DataView, cursor: Cursor): unknown {
  const type = bytes[cursor.offset++]!;
  if (type < 0x80) return type;
  if (type >= 0xe0) return type - 256;
  if (type < 0x90) return decodeMap(bytes, view, cursor, type & 0x0f);
  if (type < 0xa0) return decodeArray(bytes, view, cursor, type & 0x0f);
  if (type < 0xc0) return decodeText(bytes, cursor, type & 0x1f);
  switch (type) {
    case 0xc0:
      return null;
    case 0xc2:
      return false;
    case 0xc3:
      return true;
    case 0xc4:
    case 0xd9:
      return decodeBytes(bytes, cursor, take(view, cursor, 1), type === 0xd9);
    case 0xc5:
    case 0xda:
      return decodeBytes(bytes, cursor, take(view, cursor, 2), type === 0xda);
    case 0xc6:
    case 0xdb:
      return decodeBytes(bytes, cursor, take(view, cursor, 4), type === 0xdb);
    case 0xcb:
      cursor.offset += 8;
      return view.getFloat64(cursor.offset - 8);
    case 0xcc:
      return take(view, cursor, 1);
    case 0xcd:
      return take(view, cursor, 2);
    case 0xce:
      return take(view, cursor, 4);
    case 0xcf:
      return take(view, cursor, 4) * 2 ** 32 + take(view, cursor, 4);
    case 0xdc:
      return decodeArray(bytes, view, cursor, take(view, cursor, 2));
    case 0xde:
      return decodeMap(bytes, view, cursor, take(view, cursor, 2));
    default:
      throw new Error(`MessagePack type 0x${type.toString(16)} is not expected here`);
  }
}

function take(view: DataView, cursor: Cursor, bytes: 1 | 2 | 4): number {
  const offset = cursor.offset;
  cursor.offset += bytes;
  if (bytes === 1) return view.getUint8(offset);
  return bytes === 2 ? view.getUint16(offset) : view.getUint32(offset);
}

function decodeBytes(bytes: Uint8Array, cursor: Cursor, length: number, isText: boolean): string | Uint8Array {
  if (isText) return decodeText(bytes, cursor, length);
  cursor.offset += length;
  return bytes.slice(cursor.offset - length, cursor.offset);
}

function decodeText(bytes: Uint8Array, cursor: Cursor, length: number): string {
  cursor.offset += length;
  return textDecoder.decode(bytes.subarray(cursor.offset - length, cursor.offset));
}

function decodeArray(bytes: Uint8Array, view: DataView, cursor: Cursor, count: number): unknown[] {
  return Array.from({ length: count }, () => decodeValue(bytes, view, cursor));
}

function decodeMap(bytes: Uint8Array, view: DataView, cursor: Cursor, count: number): Record<string, unknown> {
  const map: Record<string, unknown> = {};
  for (let index = 0; index < count; index++) {
    const key = String(decodeValue(bytes, view, cursor));
    map[key] = decodeValue(bytes, view, cursor);
  }
  return map;
}

export function encodeUint32(value: number): number[] {
  return [0xce, value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/** Text of up to 255 bytes. */
export function encodeText(text: string): number[] {
  const bytes = textEncoder.encode(text);
  return [0xd9, bytes.length, ...bytes];
}
