/** Log memory: where the index and the data of one frame log lie, and copying frames from one such place to another. */

import { DATA_MIN_BYTES, ENTRY_BYTES, ENTRY_FIELDS, FRAMES_MIN, POSITION_FIELD } from './layout.js';
import { type LogSlabs, slotDataBase, slotEntryBase } from './log-slabs.js';

export interface LogMemory {
  readonly index: Float64Array;
  readonly bytes: Uint8Array;
  /** Where the log begins in `index` and `bytes`: 0 unless it lives in a slab. */
  readonly entryBase: number;
  readonly dataBase: number;
  /** Sizes − 1. */
  readonly frameMask: number;
  readonly dataMask: number;
}

/** Memory of a plain log: a slot of a slab for the smallest, a buffer of its own, index first, for all others. */
export function plainMemory(dataBytes: number, frames: number, slabs: LogSlabs | undefined): LogMemory {
  const frameMask = frames - 1;
  const dataMask = dataBytes - 1;
  if (slabs !== undefined && dataBytes === DATA_MIN_BYTES && frames === FRAMES_MIN) {
    const slab = slabs.slabWithRoom();
    const slot = slab.take();
    const { index, bytes } = slab;
    return {
      ...{ index, bytes, entryBase: slotEntryBase(slot), dataBase: slotDataBase(slot) },
      ...{ frameMask, dataMask },
    };
  }
  const indexBytes = frames * ENTRY_BYTES;
  const memory = new ArrayBuffer(indexBytes + dataBytes);
  const index = new Float64Array(memory, 0, frames * ENTRY_FIELDS);
  const bytes = new Uint8Array(memory, indexBytes, dataBytes);
  return { index, bytes, entryBase: 0, dataBase: 0, frameMask, dataMask };
}

/** Copies the frames `first … until − 1` and their entries, and the entry of `until`. The target has room. */
export function copyFrames(source: LogMemory, target: LogMemory, first: number, until: number): void {
  for (let index = first; index <= until; ) {
    const from = index & source.frameMask;
    const to = index & target.frameMask;
    const count = Math.min(until + 1 - index, source.frameMask + 1 - from, target.frameMask + 1 - to);
    const at = source.entryBase + from * ENTRY_FIELDS;
    const entries = source.index.subarray(at, at + count * ENTRY_FIELDS);
    target.index.set(entries, target.entryBase + to * ENTRY_FIELDS);
    index += count;
  }
  const end = positionIn(source, until);
  for (let position = positionIn(source, first); position < end; ) {
    const from = position & source.dataMask;
    const to = position & target.dataMask;
    const length = Math.min(end - position, source.dataMask + 1 - from, target.dataMask + 1 - to);
    const at = source.dataBase + from;
    target.bytes.set(source.bytes.subarray(at, at + length), target.dataBase + to);
    position += length;
  }
}

function positionIn(memory: LogMemory, index: number): number {
  return memory.index[memory.entryBase + (index & memory.frameMask) * ENTRY_FIELDS + POSITION_FIELD];
}
