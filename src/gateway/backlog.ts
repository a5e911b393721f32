/**
 * Backlog: messages of one connection that were received and wait to be handled, packed one behind the other.
 *
 * A record is the message's length in 4 bytes, its kind in one, and its bytes. Small messages share chunks, so that a
 * flood of them takes about what it took on the wire.
 */

const HEAD_BYTES = 5;
const CHUNK_MIN_BYTES = 512;
const CHUNK_MAX_BYTES = 64 * 1024;

/** Writer and reader: the accept thread. */
export class Backlog {
  #chunks: Uint8Array[] = [];
  /** Where the first message's record begins in the first chunk, and where the last chunk's free part does. */
  #start = 0;
  #end = 0;
  /** How much of the first message has been handled. */
  #handledBytes = 0;
  /** Ends of the chunks that are full, in the order of the chunks. */
  readonly #ends: number[] = [];
  #capacity = 0;

  /** What it takes in memory. */
  get bytes(): number {
    return this.#capacity;
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Copies a message behind the others. */
  push(message: Uint8Array, isBinary: boolean): void {
    const recordBytes = HEAD_BYTES + message.length;
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.length - this.#end < recordBytes) {
      if (chunk !== undefined) this.#ends.push(this.#end);
      const grownBytes = Math.min(CHUNK_MAX_BYTES, (chunk?.length ?? CHUNK_MIN_BYTES / 2) * 2);
      chunk = new Uint8Array(Math.max(recordBytes, grownBytes));
      this.#chunks.push(chunk);
      this.#capacity += chunk.length;
      this.#end = 0;
    }
    const at = this.#end;
    new DataView(chunk.buffer).setUint32(at, message.length);
    chunk[at + 4] = isBinary ? 1 : 0;
    chunk.set(message, at + HEAD_BYTES);
    this.#end = at + recordBytes;
  }

  /** Whether the first message is a binary one. There has to be one. */
  get isBinary(): boolean {
    return this.#chunks[0][this.#start + 4] === 1;
  }

  /** What has not been handled of the first message; valid until it is dropped. */
  get message(): Uint8Array {
    const start = this.#start + HEAD_BYTES;
    return this.#chunks[0].subarray(start + this.#handledBytes, start + this.#lengthBytes);
  }

  /** So much more of the first message has been handled. */
  advance(bytes: number): void {
    this.#handledBytes += bytes;
  }

  /** The first message has been handled. */
  drop(): void {
    this.#start += HEAD_BYTES + this.#lengthBytes;
    this.#handledBytes = 0;
    if (this.#start < (this.#ends[0] ?? this.#end)) return;
    this.#capacity -= (this.#chunks.shift() as Uint8Array).length;
    this.#ends.shift();
    this.#start = 0;
  }

  get #lengthBytes(): number {
    const [chunk] = this.#chunks;
    return new DataView((chunk as Uint8Array).buffer).getUint32(this.#start);
  }
}
