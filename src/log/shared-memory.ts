/** Shared memory of logs: making it, and making it that of an empty log again. */

import type { LogSizes } from './frame-log.js';
import {
  DATA_CAPACITY_INDEX,
  ENTRY_BYTES,
  ENTRY_FIELDS,
  FIRST_SEQ_FIELD,
  FRAMES_CAPACITY_INDEX,
  FRAMES_MIN,
  HEAD_WORD,
  HEADER_BYTES,
  INGRESS_FIELD,
  isPowerOfTwo,
  POSITION_FIELD,
  TAIL_WORD,
} from './layout.js';

/** Allocates the memory of a shared log whose first frame will be `firstSeq`. */
export function allocateSharedLog(sizes: LogSizes, firstSeq: number): SharedArrayBuffer {
  if (!isPowerOfTwo(sizes.dataBytes) || !isPowerOfTwo(sizes.frames) || sizes.frames < FRAMES_MIN) {
    throw new RangeError(`log sizes must be powers of two: ${sizes.dataBytes} bytes, ${sizes.frames} frames`);
  }
  const memory = new SharedArrayBuffer(HEADER_BYTES + sizes.frames * ENTRY_BYTES + sizes.dataBytes);
  const fixed = new Float64Array(memory, 0, HEADER_BYTES / Float64Array.BYTES_PER_ELEMENT);
  fixed[DATA_CAPACITY_INDEX] = sizes.dataBytes;
  fixed[FRAMES_CAPACITY_INDEX] = sizes.frames;
  resetSharedLog(memory, firstSeq);
  return memory;
}

/** Makes a shared log's memory that of an empty log again. No thread may use it as the old one any more. */
export function resetSharedLog(memory: SharedArrayBuffer, firstSeq: number): void {
  const fixed = new Float64Array(memory, 0, HEADER_BYTES / Float64Array.BYTES_PER_ELEMENT);
  const frames = fixed[FRAMES_CAPACITY_INDEX];
  const index = new Float64Array(memory, HEADER_BYTES, frames * ENTRY_FIELDS);
  index[ENTRY_FIELDS + POSITION_FIELD] = 0;
  index[ENTRY_FIELDS + FIRST_SEQ_FIELD] = firstSeq;
  index[ENTRY_FIELDS + INGRESS_FIELD] = 0;
  const words = new Int32Array(memory, 0, HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT);
  words[HEAD_WORD] = 0;
  words[TAIL_WORD] = 1;
}
