/**
 * Checksum of a book: CRC32 over its ten best levels of each side, as Kraken publishes it
 * (https://docs.kraken.com/exchange/guides/websockets/book-checksum-v2): asks from the lowest price up, then bids from the highest
 * down; of each level price and quantity, without the point and leading zeros, one behind the other.
 */

import type { Levels } from './order-book.js';

export const CHECKSUM_LEVELS = 10;

/** CRC-32 of ISO 3309, reflected. */
const POLYNOMIAL = 0xedb88320;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/** @param book its levels from the best to the worst; at least the ten best */
export function bookChecksum({ bids, asks }: Levels): number {
  let crc = 0xffff_ffff;
  for (const side of [asks, bids]) {
    for (const [price, quantity] of side.slice(0, CHECKSUM_LEVELS)) crc = addDigits(addDigits(crc, price), quantity);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

function addDigits(before: number, decimal: string): number {
  let crc = before;
  let isLeading = true;
  for (let index = 0; index < decimal.length; index++) {
    const code = decimal.charCodeAt(index);
    if (code === 0x2e || (isLeading && code === 0x30)) continue;
    isLeading = false;
    crc = TABLE[(crc ^ code) & 0xff] ^ (crc >>> 8);
  }
  return crc;
}
