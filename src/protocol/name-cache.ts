/** Recent topic names by their bytes, so that a name that keeps coming is neither decoded nor checked again. */

import { NONE } from './byte-cursor.js';

/** Slots; each holds a name of at most 255 bytes, so a cache holds at most about 130 KB. */
const SLOTS = 512;

/** Direct-mapped. Owner: the reader that contains it. Only good, pure ASCII names are put in. */
export class NameCache {
  readonly #names: (string | undefined)[] = new Array<string | undefined>(SLOTS).fill(undefined);
  #slot = NONE;

  /** Hot path: per PUBLISH by name; allocates nothing. The name in [start, end) if it is known. */
  get(bytes: Uint8Array, start: number, end: number): string | undefined {
    let hash = end - start;
    let bits = 0;
    for (let index = start; index < end; index++) {
      const byte = bytes[index];
      hash = Math.imul(hash ^ byte, 0x0100_0193);
      bits |= byte;
    }
    if (bits >= 0x80) {
      this.#slot = NONE;
      return undefined;
    }
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    this.#slot = slot;
    const name = this.#names[slot];
    if (name === undefined || name.length !== end - start) return undefined;
    for (let index = 0; index < name.length; index++) {
      if (name.charCodeAt(index) !== bytes[start + index]) return undefined;
    }
    return name;
  }

  /** Keeps a good name that the last get() did not know. */
  put(name: string): void {
    if (this.#slot !== NONE) this.#names[this.#slot] = name;
  }
}
