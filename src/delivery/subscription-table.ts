/**
 * Subscription table: one subscription is one row in parallel typed arrays, no object each.
 *
 * Bytes per row: connection 4 + stream 4 + cursor 8 + asked 8 + delay 2 + flags 2 + two pairs of list links 16 = 44, and
 * 8 to 16 in the hash that finds the row of a (connection, stream): about 55 of the 96 that the design allows.
 *
 * A row is in exactly one *place list*: the idle list of its stream (it is up to date) or the cold or the hot pending list
 * of its connection; or it is a member of a cohort (`cohorts.ts`), whose row is in such a list in its place; or it *rests*, as
 * it may not be sent anything now (`meter.ts`), in its stream's set of those. `next`/`previous` are the links of the place
 * list; `nextOfConnection`/`previousOfConnection` chain all rows of a connection.
 */

export const NONE = -1;

/** Delay that means "as the stream says". */
export const DELAY_OF_STREAM = -1;

/** Of a policy's number (`slow-consumer.ts`). */
const POLICY_MASK = 0b0011;
const PENDING_BIT = 0b0100;
/** Of a pending row: it is in the hot list. Kept here, because the stream may have become cold since. */
const HOT_BIT = 0b1000;
/** A member of a cohort: in no list; `cursor` is the row of the cohort. */
const MEMBER_BIT = 0b10000;
/** May join a cohort once it is up to date. */
const JOINS_BIT = 0b100000;
/** How much it is sent is measured: it is never in a cohort. */
const METERED_BIT = 0b1000000;
const RESTING_BIT = 0b10000000;
/** It is a part of a subscription to a pattern. */
const PART_BIT = 0b100000000;
/** What a row keeps wherever it is. */
const KEPT_BITS = POLICY_MASK | JOINS_BIT | METERED_BIT | PART_BIT;

const INITIAL_ROWS = 64;
/** Two float64, six int32, an int16 and a uint16. */
const ROW_BYTES = 44;

/** Writer and reader: the accept thread. */
export class SubscriptionTable {
  connection!: Int32Array;
  stream!: Int32Array;
  /** The seq wanted next. */
  cursor!: Float64Array;
  /** The newest message that there was when the subscription began: what it gets up to here, it asked for. */
  askedUntil!: Float64Array;
  delayMs!: Int16Array;
  next!: Int32Array;
  previous!: Int32Array;
  nextOfConnection!: Int32Array;
  previousOfConnection!: Int32Array;
  #flags!: Uint16Array;

  #count = 0;
  #freeRow = NONE;
  /** Rows from here on have never been used. */
  #unusedRow = 0;
  /** Open addressing with linear probing; a slot holds row + 1, 0 is empty; at most half full. */
  #slots = new Int32Array(INITIAL_ROWS * 2);

  constructor() {
    this.#allocate(INITIAL_ROWS);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of the typed arrays, used or not. */
  get allocatedBytes(): number {
    const rows = this.connection.length;
    return rows * ROW_BYTES + this.#slots.byteLength;
  }

  /** Hot path: per SUBSCRIBE. Returns the new row, or NONE when the pair has one already. */
  add(connection: number, stream: number): number {
    if (this.find(connection, stream) !== NONE) return NONE;
    let row = this.#freeRow;
    if (row !== NONE) {
      this.#freeRow = this.next[row];
    } else {
      if (this.#unusedRow === this.connection.length) this.#growRows();
      row = this.#unusedRow++;
    }
    this.connection[row] = connection;
    this.stream[row] = stream;
    this.cursor[row] = 0;
    this.askedUntil[row] = 0;
    this.delayMs[row] = DELAY_OF_STREAM;
    this.#flags[row] = 0;
    this.next[row] = NONE;
    this.previous[row] = NONE;
    this.#count++;
    if (this.#count * 2 > this.#slots.length) this.#growSlots();
    this.#insertSlot(row);
    return row;
  }

  /** Frees a row that is in no list any more. */
  remove(row: number): void {
    this.#removeSlot(row);
    this.connection[row] = NONE;
    this.next[row] = this.#freeRow;
    this.#freeRow = row;
    this.#count--;
  }

  /** The row of a connection's subscription to a stream, or NONE. */
  find(connection: number, stream: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hash(connection, stream) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const row = slots[slot] - 1;
      if (this.stream[row] === stream && this.connection[row] === connection) return row;
    }
    return NONE;
  }

  policy(row: number): number {
    return this.#flags[row] & POLICY_MASK;
  }

  setPolicy(row: number, policy: number): void {
    this.#flags[row] = (this.#flags[row] & ~POLICY_MASK) | policy;
  }

  isPart(row: number): boolean {
    return (this.#flags[row] & PART_BIT) !== 0;
  }

  setPart(row: number, isPart: boolean): void {
    if (isPart) this.#flags[row] |= PART_BIT;
    else this.#flags[row] &= ~PART_BIT;
  }

  isPending(row: number): boolean {
    return (this.#flags[row] & PENDING_BIT) !== 0;
  }

  /** Whether a pending row is in the hot list of its connection. */
  isHot(row: number): boolean {
    return (this.#flags[row] & HOT_BIT) !== 0;
  }

  setIdle(row: number): void {
    this.#flags[row] &= KEPT_BITS;
  }

  /** The row is in no list: it is in its stream's set of resting rows. */
  setResting(row: number): void {
    this.#flags[row] = (this.#flags[row] & KEPT_BITS) | RESTING_BIT;
  }

  isResting(row: number): boolean {
    return (this.#flags[row] & RESTING_BIT) !== 0;
  }

  /** There is something that it has not been sent. */
  isBehind(row: number): boolean {
    return (this.#flags[row] & (PENDING_BIT | RESTING_BIT)) !== 0;
  }

  isMetered(row: number): boolean {
    return (this.#flags[row] & METERED_BIT) !== 0;
  }

  setMetered(row: number, isMetered: boolean): void {
    if (isMetered) this.#flags[row] |= METERED_BIT;
    else this.#flags[row] &= ~METERED_BIT;
  }

  /** Whether it may be sent what others are sent, when they are. */
  isOrdinary(row: number): boolean {
    return this.delayMs[row] === DELAY_OF_STREAM && !this.isMetered(row);
  }

  joins(row: number): boolean {
    return (this.#flags[row] & JOINS_BIT) !== 0;
  }

  setJoins(row: number, joins: boolean): void {
    if (joins) this.#flags[row] |= JOINS_BIT;
    else this.#flags[row] &= ~JOINS_BIT;
  }

  isMember(row: number): boolean {
    return (this.#flags[row] & MEMBER_BIT) !== 0;
  }

  /** The row, which is in no list, follows a cohort from here on. */
  setMember(row: number, cohort: number): void {
    this.#flags[row] = (this.#flags[row] & (POLICY_MASK | PART_BIT)) | MEMBER_BIT;
    this.cursor[row] = cohort;
  }

  /** Seq of the next message that a subscription gets. */
  cursorOf(row: number): number {
    return this.isMember(row) ? this.cursor[this.cursor[row]] : this.cursor[row];
  }

  setPending(row: number, isHot: boolean): void {
    this.#flags[row] = (this.#flags[row] & KEPT_BITS) | (isHot ? PENDING_BIT | HOT_BIT : PENDING_BIT);
  }

  #growRows(): void {
    const { connection, stream, cursor, askedUntil, delayMs, next, previous, nextOfConnection, previousOfConnection } =
      this;
    const flags = this.#flags;
    // Half as much again and not double: the arrays are half of what a subscription costs.
    this.#allocate(Math.ceil((connection.length * 3) / 16) * 8);
    this.connection.set(connection);
    this.stream.set(stream);
    this.cursor.set(cursor);
    this.askedUntil.set(askedUntil);
    this.delayMs.set(delayMs);
    this.next.set(next);
    this.previous.set(previous);
    this.nextOfConnection.set(nextOfConnection);
    this.previousOfConnection.set(previousOfConnection);
    this.#flags.set(flags);
  }

  /**
   * One buffer for all columns, the widest first: it is larger than any before it, so that the C library takes it from the
   * system and gives it back whole, and what has not been written to takes no memory. Of ten arrays holes would remain.
   * @param rows a multiple of 8
   */
  #allocate(rows: number): void {
    const buffer = new ArrayBuffer(rows * ROW_BYTES);
    this.cursor = new Float64Array(buffer, 0, rows);
    this.askedUntil = new Float64Array(buffer, 8 * rows, rows);
    this.connection = new Int32Array(buffer, 16 * rows, rows);
    this.stream = new Int32Array(buffer, 20 * rows, rows);
    this.next = new Int32Array(buffer, 24 * rows, rows);
    this.previous = new Int32Array(buffer, 28 * rows, rows);
    this.nextOfConnection = new Int32Array(buffer, 32 * rows, rows);
    this.previousOfConnection = new Int32Array(buffer, 36 * rows, rows);
    this.delayMs = new Int16Array(buffer, 40 * rows, rows);
    this.#flags = new Uint16Array(buffer, 42 * rows, rows);
  }

  #growSlots(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    for (const entry of old) if (entry !== 0) this.#insertSlot(entry - 1);
  }

  #insertSlot(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash(this.connection[row], this.stream[row]) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = row + 1;
  }

  /** Backward-shift deletion: no tombstones, so a table that churns for weeks stays as fast as a new one. */
  #removeSlot(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = hash(this.connection[row], this.stream[row]) & mask;
    while (slots[hole] !== row + 1) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const other = slots[slot] - 1;
      const home = hash(this.connection[other], this.stream[other]) & mask;
      // `other` may move to the hole unless its home lies (cyclically) behind the hole.
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot];
        hole = slot;
      }
    }
    slots[hole] = 0;
  }
}

/** Mixes both numbers (multipliers of Knuth's multiplicative hashing and of xxHash32's finish). */
function hash(connection: number, stream: number): number {
  let mixed = Math.imul(connection, 0x9e3779b1) ^ Math.imul(stream, 0x85ebca77);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0xc2b2ae3d);
  return (mixed ^ (mixed >>> 13)) & 0x7fffffff;
}
