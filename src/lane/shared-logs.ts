/**
 * Shared logs: the memory of a lane's logs on the accept thread's side, from a stream's opening until the lane has let go.
 *
 * Memory that came back is used again. V8 does not count a SharedArrayBuffer's bytes as pressure: streams that come and go
 * would leave hundreds of megabytes to a collection that has no reason to come soon.
 */

import { allocateSharedLog, type LogSizes, resetSharedLog } from '../log/frame-log.js';

/** Logs kept for the next stream; the rest is left to the collector. */
const SPARE_MAX = 8;

/** Writer and reader: the accept thread. */
export class SharedLogs {
  readonly #sizes: LogSizes;
  readonly #open = new Map<number, SharedArrayBuffer[]>();
  /** What the lane was asked to close, in the order in which it will say that it has. */
  readonly #closing: SharedArrayBuffer[][] = [];
  readonly #spare: SharedArrayBuffer[] = [];

  constructor(sizes: LogSizes) {
    this.#sizes = sizes;
  }

  get spareCount(): number {
    return this.#spare.length;
  }

  /** Memory of an empty log that begins with `firstSeq`: the canonical log of a topic, or a further one of it. */
  take(alias: number, firstSeq: number): SharedArrayBuffer {
    const spare = this.#spare.pop();
    const memory = spare ?? allocateSharedLog(this.#sizes, firstSeq);
    if (spare !== undefined) resetSharedLog(spare, firstSeq);
    const logs = this.#open.get(alias);
    if (logs === undefined) this.#open.set(alias, [memory]);
    else logs.push(memory);
    return memory;
  }

  /** The lane is about to be asked to close the log that was taken last for this topic. */
  closeLast(alias: number): void {
    const memory = this.#open.get(alias)?.pop();
    this.#closing.push(memory === undefined ? [] : [memory]);
  }

  /** The lane is about to be asked to close the topic. */
  closeAll(alias: number): void {
    this.#closing.push(this.#open.get(alias) ?? []);
    this.#open.delete(alias);
  }

  /** The lane has let go of what it was asked first. */
  closed(): void {
    const logs = this.#closing.shift();
    if (logs === undefined) throw new Error('a lane has closed logs that it was not asked to close');
    for (const memory of logs) if (this.#spare.length < SPARE_MAX) this.#spare.push(memory);
  }
}
