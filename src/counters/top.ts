/** Top: the few items with the highest scores out of any number, best first. */

/** Writer and reader: one thread. */
export class Top<T> {
  readonly #limit: number;
  readonly #items: T[] = [];
  /** Descending; score i belongs to item i. */
  readonly #scores: number[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Best first; items with equal scores in the order in which they were offered. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Whether an item with this score would be taken: who makes items only to offer them asks before. */
  takes(score: number): boolean {
    return this.#scores.length < this.#limit || score > (this.#scores.at(-1) ?? Number.POSITIVE_INFINITY);
  }

  offer(score: number, item: T): void {
    if (!this.takes(score)) return;
    const at = this.#placeOf(score);
    this.#scores.splice(at, 0, score);
    this.#items.splice(at, 0, item);
    if (this.#items.length <= this.#limit) return;
    this.#scores.pop();
    this.#items.pop();
  }

  /** Index of the first score that is lower. */
  #placeOf(score: number): number {
    let low = 0;
    let high = this.#scores.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#scores[middle] >= score) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
