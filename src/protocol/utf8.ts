/** UTF-8 on bytes that may lie in shared memory: strict decoding and byte lengths. Runs in Node and browsers. */

/** `ignoreBOM` keeps a leading U+FEFF: it is part of the text like any other. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** How many bytes an ASCII string may have to be decoded without TextDecoder: `apply` takes that many arguments. */
const ASCII_MAX_BYTES = 256;

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    if (bytes[index] >= 0x80) return false;
  }
  return true;
}

const SHORT_MAX_BYTES = 32;
/** Scratch by length, so that a short string leaves nothing behind but itself. */
const codes = Array.from({ length: SHORT_MAX_BYTES + 1 }, (_, length) => new Array<number>(length).fill(0));

/** Hot path: keys, symbols. Null: it is longer, or not ASCII. */
export function shortAscii(bytes: Uint8Array, start: number, end: number): string | null {
  return end - start <= SHORT_MAX_BYTES && isAscii(bytes, start, end) ? shortLatin1(bytes, start, end) : null;
}

/** A unit per byte, whatever they mean; null: it is longer. */
export function shortLatin1(bytes: Uint8Array, start: number, end: number): string | null {
  const lengthBytes = end - start;
  if (lengthBytes > SHORT_MAX_BYTES) return null;
  const units = codes[lengthBytes];
  for (let index = 0; index < lengthBytes; index++) units[index] = bytes[start + index];
  return String.fromCharCode.apply(null, units);
}

/** The string in [start, end), or null when it is not valid UTF-8. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | null {
  const short = shortAscii(bytes, start, end);
  if (short !== null) return short;
  if (end - start <= ASCII_MAX_BYTES && isAscii(bytes, start, end)) {
    return String.fromCharCode.apply(null, bytes.subarray(start, end) as unknown as number[]);
  }
  try {
    // slice() copies: TextDecoder refuses views of shared memory.
    return decoder.decode(bytes.slice(start, end));
  } catch {
    return null; // the only failure of a fatal decoder is invalid UTF-8
  }
}

/** The string in [start, end) of memory that is not shared; what is not UTF-8 becomes U+FFFD. */
export function decodeLenient(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= ASCII_MAX_BYTES && isAscii(bytes, start, end)) {
    return String.fromCharCode.apply(null, bytes.subarray(start, end) as unknown as number[]);
  }
  return lenientDecoder.decode(bytes.subarray(start, end));
}

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Bytes that the string has in UTF-8; −1 when it contains half a surrogate pair and has no UTF-8 form. */
export function utf8Length(text: string): number {
  let lengthBytes = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) lengthBytes += 1;
    else if (unit < 0x800) lengthBytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) lengthBytes += 3;
    else {
      const low = unit < 0xdc00 && index + 1 < text.length ? text.charCodeAt(index + 1) : 0;
      if (low < 0xdc00 || low > 0xdfff) return -1;
      lengthBytes += 4;
      index++;
    }
  }
  return lengthBytes;
}
