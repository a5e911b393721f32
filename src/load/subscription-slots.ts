/**
 * The subscriptions of a process, each with a number of its own (its slot), found by connection and topic. An open-addressed
 * hash index, so that 15,000 connections with one topic of 100,000 each take as little as they are.
 */
const INDEX_MIN = 1024;
const WORDS = 4;
const CONNECTION = 0;
const TOPIC = 1;
const NEXT = 2;
const MARK = 3;

export const NO_SLOT = -1;
/** Value of `next` of a slot of which nothing is expected (any more). */
export const NOT_SUBSCRIBED = 0;

/** Writer and reader: the reading thread. 16 bytes a subscription and 8 to 16 of index. */
export class SubscriptionSlots {
  count = 0;
  /** Per slot: connection, topic, next seq, mark; side by side, so that a look-up meets one cache line. */
  #words = new Uint32Array((INDEX_MIN / 2) * WORDS);
  /** Slot + 1, or 0. At most half full. */
  #index = new Uint32Array(INDEX_MIN);
  #mask = INDEX_MIN - 1;

  /** Hot path: the slot of a subscription, or NO_SLOT. */
  find(connection: number, topic: number): number {
    const words = this.#words;
    const index = this.#index;
    let at = hashOf(connection, topic) & this.#mask;
    for (;;) {
      const entry = index[at];
      if (entry === 0) return NO_SLOT;
      const base = (entry - 1) * WORDS;
      if (words[base] === connection && words[base + TOPIC] === topic) return entry - 1;
      at = (at + 1) & this.#mask;
    }
  }

  /** The slot of a subscription, a new one if there is none yet. */
  add(connection: number, topic: number): number {
    const known = this.find(connection, topic);
    if (known !== NO_SLOT) return known;
    if (this.count * 2 >= this.#index.length) this.#grow();
    const slot = this.count++;
    this.#words[slot * WORDS + CONNECTION] = connection;
    this.#words[slot * WORDS + TOPIC] = topic;
    this.#enter(slot);
    return slot;
  }

  connection(slot: number): number {
    return this.#words[slot * WORDS + CONNECTION];
  }

  topic(slot: number): number {
    return this.#words[slot * WORDS + TOPIC];
  }

  /** The next seq that is expected. */
  next(slot: number): number {
    return this.#words[slot * WORDS + NEXT];
  }

  setNext(slot: number, seq: number): void {
    this.#words[slot * WORDS + NEXT] = seq;
  }

  /** Marks the slot; false when it was marked before. */
  mark(slot: number): boolean {
    const at = slot * WORDS + MARK;
    if (this.#words[at] !== 0) return false;
    this.#words[at] = 1;
    return true;
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#index = new Uint32Array(this.#index.length * 2);
    this.#mask = this.#index.length - 1;
    for (let slot = 0; slot < this.count; slot++) this.#enter(slot);
  }

  #enter(slot: number): void {
    let at = hashOf(this.connection(slot), this.topic(slot)) & this.#mask;
    while (this.#index[at] !== 0) at = (at + 1) & this.#mask;
    this.#index[at] = slot + 1;
  }
}

function hashOf(connection: number, topic: number): number {
  const mixed = Math.imul(connection, 0x9e3779b1) ^ Math.imul(topic, 0x85ebca77);
  return mixed ^ (mixed >>> 15);
}
