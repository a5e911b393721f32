/** FIFO of consumers to be flushed, of streams to be looked at: a circular array that doubles when it is full. */

const INITIAL_CAPACITY = 256;

/** Writer and reader: the accept thread. */
export class WorkQueue<T extends object> {
  #entries: (T | null)[] = new Array(INITIAL_CAPACITY).fill(null);
  #mask = INITIAL_CAPACITY - 1;
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Hot path. */
  push(item: T): void {
    if (this.#length > this.#mask) this.#double();
    this.#entries[(this.#head + this.#length) & this.#mask] = item;
    this.#length++;
  }

  /** What `shift` would take. The queue must not be empty. */
  get first(): T {
    return this.#entries[this.#head] as T;
  }

  /** Hot path. The queue must not be empty. */
  shift(): T {
    const item = this.#entries[this.#head] as T;
    this.#entries[this.#head] = null;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length--;
    return item;
  }

  #double(): void {
    const old = this.#entries;
    const entries: (T | null)[] = new Array(old.length * 2).fill(null);
    for (let i = 0; i < this.#length; i++) entries[i] = old[(this.#head + i) & this.#mask];
    this.#entries = entries;
    this.#mask = entries.length - 1;
    this.#head = 0;
  }
}
