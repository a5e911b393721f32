/**
 * Shared logs: where the memory of the lanes' logs comes from and goes to.
 *
 * Memory that came back is used again. V8 does not count a SharedArrayBuffer's bytes as pressure: streams that come and go
 * would leave hundreds of megabytes to a collection that has no reason to come soon.
 */

import { SPARE_LOGS_MAX } from '../limits.js';
import type { FrameLog, LogSizes } from '../log/frame-log.js';
import { sharedSizesFor } from '../log/log-sizes.js';
import { SharedLog } from '../log/shared-log.js';
import { allocateSharedLog, resetSharedLog } from '../log/shared-memory.js';

/** Writer and reader: the accept thread. */
export class SharedLogs {
  readonly #sizes: LogSizes;
  readonly #memoryBytes: number;
  readonly #spare: SharedArrayBuffer[] = [];

  constructor(sizes: LogSizes) {
    this.#sizes = sizes;
    this.#spare.push(allocateSharedLog(sizes, 1));
    this.#memoryBytes = this.#spare[0].byteLength;
  }

  get spareCount(): number {
    return this.#spare.length;
  }

  /** Memory of an empty log that begins with `firstSeq`. */
  take(firstSeq: number): SharedArrayBuffer {
    const spare = this.#spare.pop();
    if (spare === undefined) return allocateSharedLog(this.#sizes, firstSeq);
    resetSharedLog(spare, firstSeq);
    return spare;
  }

  /** An empty log that begins with `firstSeq`. @param sizes by default the usual ones */
  open(firstSeq: number, sizes = this.#sizes): SharedLog {
    return new SharedLog(sizes === this.#sizes ? this.take(firstSeq) : allocateSharedLog(sizes, firstSeq));
  }

  /** The same log if it is shared, else one with its frames. A log that retains much gets more than `least`, the usual size. */
  sharedFrom(log: FrameLog, least = this.#sizes): SharedLog {
    if (log instanceof SharedLog) return log;
    const sizes = sharedSizesFor(log, least);
    const isUsual = sizes.dataBytes === this.#sizes.dataBytes && sizes.frames === this.#sizes.frames;
    const memory = isUsual ? this.take(log.tailSeq) : allocateSharedLog(sizes, log.tailSeq);
    const shared = new SharedLog(memory);
    shared.takeOver(log);
    return shared;
  }

  /** Gives a log's memory back, of either kind. Nobody reads or writes it any more. */
  give(log: FrameLog): void {
    log.dispose();
    if (!(log instanceof SharedLog)) return;
    const { memory } = log;
    if (memory.byteLength === this.#memoryBytes && this.#spare.length < SPARE_LOGS_MAX) this.#spare.push(memory);
  }
}
