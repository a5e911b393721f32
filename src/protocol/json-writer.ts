/** Writes JSON as UTF-8, piece by piece, into memory that is reused. */

const INITIAL_BYTES = 8 * 1024;
/** What is kept for the next text; more, after a large one, goes back. */
const KEPT_MAX_BYTES = 256 * 1024;
/** Up to here a loop is faster than TextEncoder. */
const LOOP_MAX_CHARACTERS = 64;
const UTF8_MAX_BYTES_PER_UNIT = 3;

const encoder = new TextEncoder();

/** Owner: who writes a text; nobody else meanwhile. */
export class JsonWriter {
  /** What is written so far ends at `offset`. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  offset = 0;

  /** Begins anew. */
  clear(): this {
    this.offset = 0;
    if (this.bytes.length > KEPT_MAX_BYTES) this.bytes = new Uint8Array(INITIAL_BYTES);
    return this;
  }

  /** What has been written, in memory of its own. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.offset);
  }

  /** Makes room for so many more bytes. */
  reserve(lengthBytes: number): void {
    const neededBytes = this.offset + lengthBytes;
    if (neededBytes <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(neededBytes, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.offset));
    this.bytes = larger;
  }

  /** Hot path. */
  byte(value: number): void {
    if (this.offset === this.bytes.length) this.reserve(1);
    this.bytes[this.offset++] = value;
  }

  /** A piece of JSON. */
  text(text: string): void {
    this.reserve(text.length * UTF8_MAX_BYTES_PER_UNIT);
    if (text.length > LOOP_MAX_CHARACTERS || !this.#ascii(text)) {
      this.offset += encoder.encodeInto(text, this.bytes.subarray(this.offset)).written;
    }
  }

  /** False: it is not ASCII, and nothing is written. */
  #ascii(text: string): boolean {
    const { bytes, offset } = this;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) return false;
      bytes[offset + index] = unit;
    }
    this.offset = offset + text.length;
    return true;
  }
}
