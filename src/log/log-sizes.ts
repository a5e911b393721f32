/** Log sizes: what a log needs to hold what another one retains. Sizes are powers of two and grow by doubling. */

import type { FrameLog, LogSizes } from './frame-log.js';
import { DATA_MIN_BYTES, ENTRY_BYTES, FRAMES_MIN } from './layout.js';

export const SMALLEST: LogSizes = { dataBytes: DATA_MIN_BYTES, frames: FRAMES_MIN };

/** Bytes of index and data. */
export function memoryOf({ dataBytes, frames }: LogSizes): number {
  return frames * ENTRY_BYTES + dataBytes;
}

/** The smallest doubling of `capacity` that holds `needed`. */
export function sizeFor(needed: number, capacity: number): number {
  let size = capacity;
  while (size < needed) size *= 2;
  return size;
}

/** Sizes that hold the frames of `from` beginning with `tail`: those given, doubled where that is not enough. */
export function sizesFor(from: FrameLog, tail: number, sizes: LogSizes): LogSizes {
  const until = from.head + 1;
  return {
    dataBytes: sizeFor(from.sliceBytes(tail, until), sizes.dataBytes),
    frames: sizeFor(until - tail + 1, sizes.frames),
  };
}

/** Sizes of a shared log that loses nothing when it takes over from `from`. */
export function sharedSizesFor(from: FrameLog, sizes: LogSizes): LogSizes {
  from.refresh();
  return sizesFor(from, from.tail, sizes);
}

/** Half of these sizes, but not less than the smallest. */
export function halfOf({ dataBytes, frames }: LogSizes): LogSizes {
  return { dataBytes: Math.max(DATA_MIN_BYTES, dataBytes / 2), frames: Math.max(FRAMES_MIN, frames / 2) };
}
