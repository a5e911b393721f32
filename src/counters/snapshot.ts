/**
 * Snapshot: the newest version of some bytes, from one thread to any others, whole or not at all.
 *
 *   byte 0            64              128                       128 + slot
 *   +-----------------+---------------+-------------------------+-------------------------+
 *   | version (i32)   | bytes used    | slot 0: even versions   | slot 1: odd versions    |
 *   | (own line)      | (i32 per slot)|                         |                         |
 *   +-----------------+---------------+-------------------------+-------------------------+
 *
 * Version n lies in slot n mod 2, so the writer fills the slot that nobody is told to read and readers never wait for
 * it. What a reader copied is whole if version n is still the newest after the copy: the writer begins to overwrite slot
 * n mod 2 only for version n + 2, which is after n + 1 was published.
 *
 * The version word orders the copies before the overwriting, as the tail does in the frame log: the writer's exchange in
 * `publish` and the reader's add in `read` are read-modify-write operations on one word, so one of them comes first. If
 * it is the reader's, all it copied happens before everything that the writer does after that exchange; if it is the
 * writer's, the reader sees a newer version and copies again.
 */

const VERSION_I32 = 0;
const USED_BYTES_I32 = 16;
const SLOTS_AT = 128;
const SLOT_ALIGN = 8;

/** Tries of a reader before it gives up: the writer would have to publish twice within each of so many copies. */
const TRIES_MAX = 100;

/** @param maxBytes of one version, a multiple of 8 */
export function allocateSnapshot(maxBytes: number): SharedArrayBuffer {
  if (!(maxBytes > 0) || maxBytes % SLOT_ALIGN !== 0) throw new RangeError(`a snapshot of ${maxBytes} bytes`);
  return new SharedArrayBuffer(SLOTS_AT + 2 * maxBytes);
}

function slotBytes(memory: SharedArrayBuffer): number {
  return (memory.byteLength - SLOTS_AT) / 2;
}

/** Writer: one thread. */
export class SnapshotWriter {
  readonly #words: Int32Array;
  readonly #slots: readonly [Uint8Array, Uint8Array];
  #version = 0;

  constructor(memory: SharedArrayBuffer) {
    const size = slotBytes(memory);
    this.#words = new Int32Array(memory, 0, SLOTS_AT / 4);
    this.#slots = [new Uint8Array(memory, SLOTS_AT, size), new Uint8Array(memory, SLOTS_AT + size, size)];
  }

  /** Where the next version is to be written, from its first byte on. Another one after each `publish`. */
  get target(): Uint8Array {
    return this.#slots[((this.#version + 1) & 1) as 0 | 1];
  }

  /** Shows the readers the first `bytes` bytes of `target`. */
  publish(bytes: number): void {
    const { target } = this;
    if (bytes > target.length) throw new RangeError(`${bytes} bytes in a snapshot of ${target.length}`);
    this.#version = (this.#version + 1) | 0;
    this.#words[USED_BYTES_I32 + (this.#version & 1)] = bytes;
    // Pairs with the load in `read`, which then sees the bytes, and with its add, before which no byte is overwritten.
    Atomics.exchange(this.#words, VERSION_I32, this.#version);
  }
}

/** Reader: any thread, any number of them. */
export class SnapshotReader {
  readonly #words: Int32Array;
  readonly #slots: readonly [Uint8Array, Uint8Array];

  constructor(memory: SharedArrayBuffer) {
    const size = slotBytes(memory);
    this.#words = new Int32Array(memory, 0, SLOTS_AT / 4);
    this.#slots = [new Uint8Array(memory, SLOTS_AT, size), new Uint8Array(memory, SLOTS_AT + size, size)];
  }

  /** A copy of the newest version; null when there is none yet, or the writer was faster in each of many tries. */
  read(): Uint8Array | null {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      // Pairs with the exchange in `publish`: the slot of this version is complete.
      const version = Atomics.load(this.#words, VERSION_I32);
      if (version === 0) return null;
      const slot = this.#slots[(version & 1) as 0 | 1];
      // An overwritten length may be any other version's: it is within the slot, and the copy is thrown away.
      const copy = slot.slice(0, this.#words[USED_BYTES_I32 + (version & 1)]);
      // Pairs with the exchange in `publish` (see above).
      if (Atomics.add(this.#words, VERSION_I32, 0) === version) return copy;
    }
    return null;
  }
}
