/**
 * Topic busy times: how much of a lane's time each of its topics takes (ms), one f64 per topic in shared memory.
 *
 * Rows are given out by the accept thread and written by the lane that has the topic open. They are estimates (the lane
 * times a sample of the messages), so plain accesses do.
 */

const ROW_BYTES = Float64Array.BYTES_PER_ELEMENT;

/** Memory for so many topics. */
export function allocateTopicBusy(topics: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.max(1, topics) * ROW_BYTES);
}

/** Writer: the lane's thread. */
export class TopicBusyWriter {
  readonly #rows: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#rows = new Float64Array(memory);
  }

  add(row: number, busyMs: number): void {
    this.#rows[row] += busyMs;
  }
}

/** Reader: the accept thread, which also says which row is whose. */
export class TopicBusyReader {
  readonly #rows: Float64Array;
  readonly #free: number[] = [];
  #unused = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#rows = new Float64Array(memory);
  }

  /** A row that nobody writes to, set to 0. Beyond the last one topics share it: figures blur, nothing breaks. */
  take(): number {
    const row = this.#free.pop() ?? Math.min(this.#unused++, this.#rows.length - 1);
    this.#rows[row] = 0;
    return row;
  }

  /** The lane has let go of the row's topic. */
  give(row: number): void {
    this.#free.push(row);
  }

  of(row: number): number {
    return this.#rows[row];
  }
}
