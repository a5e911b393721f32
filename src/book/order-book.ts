/**
 * Order book: quantities by price, bids and asks, each from the best to the worst. It knows which message changed each level
 * last, so that whoever has had all up to a message can be told the difference.
 */

import { compareExactly, isZero } from './decimal.js';

/** Price and quantity, decimals. */
export type Level = readonly [price: string, quantity: string];

/** Levels of both sides. In a difference a quantity of zero says that the level is no more. */
export interface Levels {
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
}

export interface BookLevel {
  readonly price: string;
  readonly quantity: string;
  /** Price as a float: orders levels, but for those that only digits beyond it tell apart. */
  readonly value: number;
}

interface KeptLevel extends BookLevel {
  price: string;
  quantity: string;
  /** Of the message that changed it last. */
  seq: number;
}

/** What a level takes beside its digits where it is written. */
const LEVEL_BYTES = 8;

/** Levels beyond twice those that may stay, within a message; and of ended ones that are remembered. */
export const SLACK_LEVELS = 1000;

const ZERO = '0';

interface EndedLevel {
  readonly price: string;
  /** Of the message that said so. */
  readonly seq: number;
}

class Side {
  readonly levels: KeptLevel[] = [];
  /** Levels that are no more, by the price as a float. Of two prices with the same float only one is remembered. */
  readonly ended = new Map<number, EndedLevel>();
  /** What ended before this message is not all remembered. */
  knownFrom = 0;
  /** Of the levels' texts. */
  bytes = 0;
  readonly #direction: 1 | -1;

  /** @param direction 1: the lowest price is best */
  constructor(direction: 1 | -1) {
    this.#direction = direction;
  }

  set(price: string, quantity: string, seq: number): void {
    const { levels } = this;
    const value = Number(price);
    const index = this.#indexOf(price, value);
    const level = levels[index];
    const isThere = index < levels.length && level.value === value && compareExactly(level.price, price) === 0;
    if (isZero(quantity)) {
      if (isThere) this.removeAt(index, seq);
      return;
    }
    if (isThere) {
      this.bytes += price.length + quantity.length - level.price.length - level.quantity.length;
      level.price = price;
      level.quantity = quantity;
      level.seq = seq;
      return;
    }
    levels.splice(index, 0, { price, quantity, value, seq });
    this.bytes += price.length + quantity.length + LEVEL_BYTES;
    const ended = this.ended.get(value);
    if (ended !== undefined && compareExactly(ended.price, price) === 0) this.ended.delete(value);
  }

  removeAt(index: number, seq: number): void {
    const { levels, ended } = this;
    const { price, quantity, value } = levels[index];
    levels.splice(index, 1);
    this.bytes -= price.length + quantity.length + LEVEL_BYTES;
    const other = ended.get(value);
    if (other !== undefined) this.knownFrom = seq;
    ended.set(value, { price, seq });
  }

  clear(seq: number): void {
    this.levels.length = 0;
    this.bytes = 0;
    this.forgetEnded(seq);
  }

  forgetEnded(seq: number): void {
    this.ended.clear();
    this.knownFrom = seq;
  }

  changedSince(seq: number): Level[] {
    const changed: Level[] = [];
    for (const level of this.levels) if (level.seq > seq) changed.push([level.price, level.quantity]);
    for (const { price, seq: endedSeq } of this.ended.values()) if (endedSeq > seq) changed.push([price, ZERO]);
    return changed;
  }

  /** Of the first level that is not better. */
  #indexOf(price: string, value: number): number {
    const { levels } = this;
    let [low, high] = [0, levels.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = levels[middle];
      const order = other.value === value ? compareExactly(other.price, price) : other.value < value ? -1 : 1;
      if (order * this.#direction < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export interface BookLimits {
  /** Of each side. */
  readonly maxLevels: number;
  /** Of all levels' texts together, with a few bytes for each level. */
  readonly maxBytes: number;
}

const NO_LIMITS: BookLimits = { maxLevels: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };

/** Writer: whoever applies messages to it. Readers: all others. */
export class OrderBook {
  readonly #limits: BookLimits;
  readonly #bids = new Side(-1);
  readonly #asks = new Side(1);

  constructor(limits: BookLimits = NO_LIMITS) {
    this.#limits = limits;
  }

  /** From the best to the worst. @param depth of each side; by default all */
  levels(depth = Number.POSITIVE_INFINITY): { readonly bids: Level[]; readonly asks: Level[] } {
    return { bids: pairs(this.#bids, depth), asks: pairs(this.#asks, depth) };
  }

  /** The same, as they are kept: good until it changes. */
  get sides(): { readonly bids: readonly BookLevel[]; readonly asks: readonly BookLevel[] } {
    return { bids: this.#bids.levels, asks: this.#asks.levels };
  }

  /** All levels are others from this message on. */
  replace(levels: Levels, seq: number): void {
    this.clear(seq);
    this.#set(levels, seq);
  }

  apply(levels: Levels, seq: number): void {
    this.#set(levels, seq);
    const { maxLevels } = this.#limits;
    for (const side of [this.#bids, this.#asks])
      if (side.ended.size > 2 * maxLevels + SLACK_LEVELS) side.forgetEnded(seq);
  }

  clear(seq: number): void {
    this.#bids.clear(seq);
    this.#asks.clear(seq);
  }

  /** Whether it can be said what has changed since that message. */
  knowsSince(seq: number): boolean {
    return seq >= this.#bids.knownFrom && seq >= this.#asks.knownFrom;
  }

  /** What the messages behind `seq` have changed: levels as they are now, those that are no more with a quantity of zero. */
  changedSince(seq: number): Levels {
    return { bids: this.#bids.changedSince(seq), asks: this.#asks.changedSince(seq) };
  }

  #set({ bids, asks }: Levels, seq: number): void {
    this.#setSide(this.#bids, bids, seq);
    this.#setSide(this.#asks, asks, seq);
    this.#trim(seq);
  }

  /** While a message is applied there may be more levels than may stay: it may delete some. But not any number. */
  #setSide(side: Side, levels: readonly Level[], seq: number): void {
    const most = 2 * this.#limits.maxLevels + SLACK_LEVELS;
    for (const [price, quantity] of levels) {
      side.set(price, quantity, seq);
      if (side.levels.length > most) side.removeAt(most, seq);
    }
  }

  /** The worst levels go when there are more than may be. */
  #trim(seq: number): void {
    const { maxLevels, maxBytes } = this.#limits;
    for (const side of [this.#bids, this.#asks])
      while (side.levels.length > maxLevels) side.removeAt(side.levels.length - 1, seq);
    while (this.#bids.bytes + this.#asks.bytes > maxBytes) {
      const larger = this.#bids.bytes > this.#asks.bytes ? this.#bids : this.#asks;
      larger.removeAt(larger.levels.length - 1, seq);
    }
  }
}

function pairs({ levels }: Side, depth: number): Level[] {
  const count = Math.min(depth, levels.length);
  const found: Level[] = new Array(count);
  for (let index = 0; index < count; index++) found[index] = [levels[index].price, levels[index].quantity];
  return found;
}
