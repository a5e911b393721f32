/** Skipping a MessagePack value undecoded. Hostile bytes meet this first: it bounds lengths and nesting. */

import { NESTING_MAX } from './messages.js';

export const SKIP_INCOMPLETE = -1;
export const SKIP_INVALID = -2;

const BIN8 = 0xc4;
const STR8 = 0xd9;

/**
 * Offset behind the value that starts at `offset`, or SKIP_INCOMPLETE, or SKIP_INVALID (0xc1, or nested deeper than
 * `nestingMax`, which is at most NESTING_MAX).
 */
export function skipValue(bytes: Uint8Array, offset: number, end: number, nestingMax = NESTING_MAX): number {
  // Most payloads are one short bin or str.
  const type = bytes[offset];
  if ((type === BIN8 || type === STR8) && offset + 1 < end) {
    const next = offset + 2 + bytes[offset + 1];
    return next <= end ? next : SKIP_INCOMPLETE;
  }
  return walk(bytes, offset, end, nestingMax);
}

/**
 * By type − 0xc0: how the bytes behind the type byte are counted. 0–17: that many bytes of body.
 * 0x21, 0x22, 0x24: a length of 1, 2, 4 bytes, then the body; with 0x40 added, one byte of extension type between.
 */
// biome-ignore format: one row per eight types
const BODY = new Uint8Array([
  0, 0xff, 0, 0, 0x21, 0x22, 0x24, 0x61, // nil, (never used), false, true, bin8, bin16, bin32, ext8
  0x62, 0x64, 4, 8, 1, 2, 4, 8, //          ext16, ext32, float32, float64, uint8–uint64
  1, 2, 4, 8, 2, 3, 5, 9, //                int8–int64, fixext1, 2, 4, 8
  17, 0x21, 0x22, 0x24, 0, 0, 0, 0, //      fixext16, str8, str16, str32, array16, array32, map16, map32 (handled apart)
]);

/** Items still to be read of each container that encloses the current one. Scratch of walk(), which never re-enters. */
const openItems = new Float64Array(NESTING_MAX);

/** Hot path: per published message; allocates nothing, no recursion. */
function walk(bytes: Uint8Array, offset: number, end: number, nestingMax: number): number {
  let depth = 0;
  let items = 1; // still to be read in the innermost container
  for (;;) {
    if (offset >= end) return SKIP_INCOMPLETE;
    const type = bytes[offset++];
    let children = 0;
    if (type >= 0x80 && type < 0xe0) {
      if (type < 0xa0) children = type < 0x90 ? (type & 15) * 2 : type & 15;
      else if (type < 0xc0) offset += type & 31;
      else if (type >= 0xdc) {
        const lengthBytes = type & 1 ? 4 : 2;
        if (offset + lengthBytes > end) return SKIP_INCOMPLETE;
        children = readLength(bytes, offset, lengthBytes) * (type >= 0xde ? 2 : 1);
        offset += lengthBytes;
      } else {
        const body = BODY[type - 0xc0];
        if (body < 0x20) offset += body;
        else if (body === 0xff) return SKIP_INVALID;
        else {
          const lengthBytes = body & 7;
          if (offset + lengthBytes > end) return SKIP_INCOMPLETE;
          const bodyBytes = readLength(bytes, offset, lengthBytes);
          offset += lengthBytes + (body >= 0x40 ? 1 : 0) + bodyBytes;
        }
      }
      if (offset > end) return SKIP_INCOMPLETE;
    }
    items -= 1;
    if (children > 0) {
      // Every item takes at least a byte, so a length that the rest cannot hold needs no walk to its end.
      if (children > end - offset) return SKIP_INCOMPLETE;
      if (depth >= nestingMax) return SKIP_INVALID;
      openItems[depth++] = items;
      items = children;
    }
    while (items === 0) {
      if (depth === 0) return offset;
      items = openItems[--depth];
    }
  }
}

function readLength(bytes: Uint8Array, offset: number, lengthBytes: number): number {
  if (lengthBytes === 1) return bytes[offset];
  const high = (bytes[offset] << 8) | bytes[offset + 1];
  if (lengthBytes === 2) return high;
  return high * 0x1_0000 + ((bytes[offset + 2] << 8) | bytes[offset + 3]);
}
