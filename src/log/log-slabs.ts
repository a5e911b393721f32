/**
 * Log slabs: the memory of the smallest plain logs, many in one buffer.
 *
 * A buffer and its views cost some 450 bytes of their own, more than the smallest log holds. 100,000 cold topics, of
 * which most never grow, have to fit in 100 MB.
 */

import { DATA_MIN_BYTES, ENTRY_FIELDS, FRAMES_MIN } from './layout.js';

const SLOTS_PER_SLAB = 512;
const SLOT_FIELDS = FRAMES_MIN * ENTRY_FIELDS;

/** One buffer: the indexes of all its logs, then their data. */
export class LogSlab {
  readonly index: Float64Array;
  readonly bytes: Uint8Array;
  readonly #free: Uint16Array = Uint16Array.from({ length: SLOTS_PER_SLAB }, (_, i) => SLOTS_PER_SLAB - 1 - i);
  #freeCount = SLOTS_PER_SLAB;

  constructor() {
    const indexFields = SLOTS_PER_SLAB * SLOT_FIELDS;
    const indexBytes = indexFields * Float64Array.BYTES_PER_ELEMENT;
    const memory = new ArrayBuffer(indexBytes + SLOTS_PER_SLAB * DATA_MIN_BYTES);
    this.index = new Float64Array(memory, 0, indexFields);
    this.bytes = new Uint8Array(memory, indexBytes);
  }

  get isFull(): boolean {
    return this.#freeCount === 0;
  }

  get isEmpty(): boolean {
    return this.#freeCount === SLOTS_PER_SLAB;
  }

  /** A free slot, its index entries cleared. The slab must not be full. */
  take(): number {
    const slot = this.#free[--this.#freeCount];
    this.index.fill(0, slot * SLOT_FIELDS, (slot + 1) * SLOT_FIELDS);
    return slot;
  }

  give(slot: number): void {
    this.#free[this.#freeCount++] = slot;
  }
}

/** First index field of a slot. */
export function slotEntryBase(slot: number): number {
  return slot * SLOT_FIELDS;
}

/** First data byte of a slot. */
export function slotDataBase(slot: number): number {
  return slot * DATA_MIN_BYTES;
}

/** Writer and reader: the thread whose logs these are. */
export class LogSlabs {
  /** Slabs with room. */
  readonly #open = new Set<LogSlab>();
  /** All of them, by what their logs know them by: a log has no field for it. */
  readonly #byIndex = new Map<Float64Array, LogSlab>();

  /** A slab with room: `take` a slot at once. */
  slabWithRoom(): LogSlab {
    for (const slab of this.#open) {
      if (!slab.isFull) return slab;
      this.#open.delete(slab);
    }
    const slab = new LogSlab();
    this.#open.add(slab);
    this.#byIndex.set(slab.index, slab);
    return slab;
  }

  /** A log leaves its memory; if that is a slot, it is free, and an empty slab goes, unless it is the only one with room. */
  giveBack(index: Float64Array, entryBase: number): void {
    const slab = this.#byIndex.get(index);
    if (slab === undefined) return;
    slab.give(entryBase / SLOT_FIELDS);
    this.#open.add(slab);
    if (!slab.isEmpty || this.#open.size === 1) return;
    this.#open.delete(slab);
    this.#byIndex.delete(index);
  }
}
