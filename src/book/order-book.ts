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

/** Prices that one message has touched, beyond which they are not noted: all levels are looked at then. */
const TOUCHED_MAX = 1000;

/** Levels of one side. */
export interface BookSide {
  readonly count: number;
  /** @param place 0: the best one */
  levelAt(place: number): BookLevel;
}

class Side implements BookSide {
  /** From the worst to the best: most of what changes is near the best, and what lies behind a place is moved. */
  readonly #levels: KeptLevel[] = [];
  /** Levels that are no more, by the price as a float. Of two prices with the same float only one is remembered. */
  readonly ended = new Map<number, EndedLevel>();
  /** What ended before this message is not all remembered. */
  knownFrom = 0;
  /** Of the levels' texts. */
  bytes = 0;
  /** Prices that messages behind `#touchedFrom` have touched: those who are told of each message need no look at all levels. */
  #touched: string[] = [];
  #touchedFrom = 0;
  #lastSeq = 0;
  readonly #direction: 1 | -1;

  readonly #remembersEnded: boolean;

  /** @param direction 1: the lowest price is best */
  constructor(direction: 1 | -1, remembersEnded: boolean) {
    this.#direction = direction;
    this.#remembersEnded = remembersEnded;
    this.forgetEnded(0);
  }

  get count(): number {
    return this.#levels.length;
  }

  levelAt(place: number): BookLevel {
    return this.#levels[this.#levels.length - 1 - place];
  }

  /** A message is about to be applied, or more of the same one. */
  begin(seq: number): void {
    if (seq === this.#lastSeq || !this.#remembersEnded) return;
    this.#touched = [];
    this.#touchedFrom = this.#lastSeq;
    this.#lastSeq = seq;
  }

  #touch(price: string): void {
    if (this.#touched.length < TOUCHED_MAX) this.#touched.push(price);
    else this.#touchedFrom = Number.POSITIVE_INFINITY;
  }

  set(price: string, quantity: string, seq: number): void {
    const levels = this.#levels;
    const value = Number(price);
    const index = this.#indexOf(price, value);
    const level = levels[index];
    const isThere = index < levels.length && level.value === value && compareExactly(level.price, price) === 0;
    if (isZero(quantity)) {
      if (isThere) {
        this.#noteEnd(level, seq);
        levels.splice(index, 1);
      }
      return;
    }
    if (this.#remembersEnded) this.#touch(price);
    if (isThere) {
      this.bytes += price.length + quantity.length - level.price.length - level.quantity.length;
      level.price = price;
      level.quantity = quantity;
      level.seq = seq;
      return;
    }
    levels.splice(index, 0, { price, quantity, value, seq });
    this.bytes += price.length + quantity.length + LEVEL_BYTES;
    if (!this.#remembersEnded) return;
    const ended = this.ended.get(value);
    if (ended !== undefined && compareExactly(ended.price, price) === 0) this.ended.delete(value);
  }

  /** @param count of levels that end */
  removeWorst(count: number, seq: number): void {
    for (let index = 0; index < count; index++) this.#noteEnd(this.#levels[index], seq);
    this.#levels.splice(0, count);
  }

  #noteEnd({ price, quantity, value }: KeptLevel, seq: number): void {
    this.bytes -= price.length + quantity.length + LEVEL_BYTES;
    if (!this.#remembersEnded) return;
    this.#touch(price);
    if (this.ended.has(value)) this.knownFrom = seq;
    this.ended.set(value, { price, seq });
  }

  clear(seq: number): void {
    this.#levels.length = 0;
    this.bytes = 0;
    this.forgetEnded(seq);
  }

  forgetEnded(seq: number): void {
    this.ended.clear();
    this.knownFrom = this.#remembersEnded ? seq : Number.POSITIVE_INFINITY;
  }

  /** From the best to the worst. */
  pairs(depth: number): Level[] {
    const levels = this.#levels;
    const count = Math.min(depth, levels.length);
    const found: Level[] = new Array(count);
    for (let place = 0, index = levels.length - 1; place < count; place++, index--)
      found[place] = [levels[index].price, levels[index].quantity];
    return found;
  }

  changedSince(seq: number): Level[] {
    return seq >= this.#touchedFrom ? this.#touchedSince(seq) : this.#foundSince(seq);
  }

  #touchedSince(seq: number): Level[] {
    const changed: Level[] = [];
    for (const price of new Set(this.#touched)) {
      const value = Number(price);
      const level = this.#levels[this.#indexOf(price, value)];
      const ended = this.ended.get(value);
      // It may have been touched again, in another form too.
      if (level !== undefined && level.price === price && level.seq > seq) changed.push([price, level.quantity]);
      else if (ended !== undefined && ended.price === price && ended.seq > seq) changed.push([price, ZERO]);
    }
    return changed;
  }

  #foundSince(seq: number): Level[] {
    const changed: Level[] = [];
    const levels = this.#levels;
    for (let index = levels.length - 1; index >= 0; index--)
      if (levels[index].seq > seq) changed.push([levels[index].price, levels[index].quantity]);
    for (const { price, seq: endedSeq } of this.ended.values()) if (endedSeq > seq) changed.push([price, ZERO]);
    return changed;
  }

  /** Of the first level that is not worse. */
  #indexOf(price: string, value: number): number {
    const levels = this.#levels;
    let [low, high] = [0, levels.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = levels[middle];
      const order = other.value === value ? compareExactly(other.price, price) : other.value < value ? -1 : 1;
      if (order * this.#direction > 0) low = middle + 1;
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
  readonly #bids: Side;
  readonly #asks: Side;

  /** @param remembersEnded false: nobody asks it what has changed, and it knows of no message */
  constructor(limits: BookLimits = NO_LIMITS, remembersEnded = true) {
    this.#limits = limits;
    this.#bids = new Side(-1, remembersEnded);
    this.#asks = new Side(1, remembersEnded);
  }

  /** From the best to the worst. @param depth of each side; by default all */
  levels(depth = Number.POSITIVE_INFINITY): { readonly bids: Level[]; readonly asks: Level[] } {
    return { bids: this.#bids.pairs(depth), asks: this.#asks.pairs(depth) };
  }

  /** The same, as they are kept: good until it changes. */
  get sides(): { readonly bids: BookSide; readonly asks: BookSide } {
    return { bids: this.#bids, asks: this.#asks };
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
    this.#bids.begin(seq);
    this.#asks.begin(seq);
    this.#setSide(this.#bids, bids, seq);
    this.#setSide(this.#asks, asks, seq);
    this.#trim(seq);
  }

  /** While a message is applied there may be more levels than may stay: it may delete some. But not any number. */
  #setSide(side: Side, levels: readonly Level[], seq: number): void {
    const most = 2 * this.#limits.maxLevels + SLACK_LEVELS;
    for (const [price, quantity] of levels) {
      side.set(price, quantity, seq);
      if (side.count > most) side.removeWorst(1, seq);
    }
  }

  /** The worst levels go when there are more than may be. */
  #trim(seq: number): void {
    const { maxLevels, maxBytes } = this.#limits;
    for (const side of [this.#bids, this.#asks])
      if (side.count > maxLevels) side.removeWorst(side.count - maxLevels, seq);
    while (this.#bids.bytes + this.#asks.bytes > maxBytes) {
      const larger = this.#bids.bytes > this.#asks.bytes ? this.#bids : this.#asks;
      larger.removeWorst(1, seq);
    }
  }
}
