/** Log budget: what all plain logs of a thread may take together. A log that may not grow evicts instead. */

/** Writer and reader: the accept thread. */
export class LogBudget {
  readonly maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether a log may become so much larger. */
  allows(moreBytes: number): boolean {
    return this.#usedBytes + moreBytes <= this.maxBytes;
  }

  /** A log has become so much larger (or, negative, smaller). */
  add(bytes: number): void {
    this.#usedBytes += bytes;
  }
}
