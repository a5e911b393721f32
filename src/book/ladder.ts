/** Ladder: the levels of one side of a book, added up at the steps of coarser prices. */

import { compareExactly, DecimalSum, type PriceTick } from './decimal.js';
import type { BookLevel, BookSide, Level } from './order-book.js';

/** Bound to one side of a book: 1 where the lowest price is best. */
export class Ladder {
  readonly #tick: PriceTick;
  readonly #direction: 1 | -1;
  /** Quantities that are known of, by step. */
  readonly #known = new Map<string, string>();

  constructor(tick: PriceTick, direction: 1 | -1) {
    this.#tick = tick;
    this.#direction = direction;
  }

  /** The steps from the best one on. */
  steps(levels: BookSide, depth = Number.POSITIVE_INFINITY): Level[] {
    const steps: Level[] = [];
    for (let at = 0; at < levels.count && steps.length < depth; ) {
      const step = this.#tick.round(levels.levelAt(at).price, this.#direction > 0);
      const sum = new DecimalSum();
      at = this.#addUp(levels, at, step, sum);
      steps.push([step, sum.text]);
    }
    return steps;
  }

  /** From here on `changed` says what is other than it is now. */
  know(levels: BookSide): void {
    this.#known.clear();
    for (const [step, quantity] of this.steps(levels)) this.#known.set(step, quantity);
  }

  /** Steps that are other than they were known to be, as levels at these prices have changed. */
  changed(levels: BookSide, changes: readonly Level[]): Level[] {
    const direction = this.#direction;
    const touched = [...new Set(changes.map(([price]) => this.#tick.round(price, direction > 0)))];
    const changed: Level[] = [];
    let at = 0;
    for (const step of touched.sort((a, b) => (Number(a) - Number(b)) * direction)) {
      at = this.#startOf(levels, at, step);
      const sum = new DecimalSum();
      at = this.#addUp(levels, at, step, sum);
      const [before = '0', now] = [this.#known.get(step), sum.text];
      if (now === before) continue;
      changed.push([step, now]);
      if (now === '0') this.#known.delete(step);
      else this.#known.set(step, now);
    }
    return changed;
  }

  /** The first level from `at` on that belongs to no step before this one. */
  #startOf(levels: BookSide, at: number, step: string): number {
    const stepValue = Number(step);
    let [low, high] = [at, levels.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBetter(levels.levelAt(middle), step, stepValue)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Adds what levels from `at` on have up to the step. Returns the first one behind it. */
  #addUp(levels: BookSide, at: number, step: string, sum: DecimalSum): number {
    const direction = this.#direction;
    const stepValue = Number(step);
    let index = at;
    for (; index < levels.count; index++) {
      const { price, quantity, value } = levels.levelAt(index);
      const behind = (value === stepValue ? compareExactly(price, step) : value - stepValue) * direction;
      if (behind > 0) break;
      sum.add(quantity);
    }
    return index;
  }

  /** It belongs to a step before this one. */
  #isBetter({ price, value }: BookLevel, step: string, stepValue: number): boolean {
    const direction = this.#direction;
    const ahead = (stepValue - value) * direction;
    // Rounded only where floats do not tell.
    if (ahead >= 2 * this.#tick.value) return true;
    return ahead > 0 && this.#tick.round(price, direction > 0) !== step;
  }
}
