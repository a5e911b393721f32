/**
 * Intake: how much of what arrives is handled at once. The rest waits for later turns of the event loop.
 *
 * uWebSockets.js reads from a socket on and on, without a turn, for as long as each read fills its buffer (512 KiB), and
 * has no way to pause it. So a turn has a budget of time: within it messages are handled as they come, beyond it they are
 * held back, which costs little more than the copy, and handled in turns, a little of each connection in turn. Whoever
 * sends so many messages that even this takes too long, or more bytes than may wait, is closed.
 */

import { HELD_BACK_TOTAL_MAX_BYTES } from '../limits.js';
import type { Loop } from '../time/loop.js';

/** What of a turn may go into handling messages as they are read, and, after that, those that wait (ms). */
const TURN_MAX_MS = 5;
/** What of it one connection gets before the next one has its turn (ms). */
const QUANTUM_MS = 1;
/**
 * A connection that has sent so many messages when a turn has been read in for so long is a flooder. The longer the turn, by
 * whomever, the fewer: it takes fewer of each when many flood at once. Of the time between two messages no more than
 * STEP_MAX_MS counts, so that a pause of the process makes nobody a flooder.
 */
export const FLOOD_MS = 50;
export const FLOOD_MESSAGES = 32_768;
const STEP_MAX_MS = 1;
/**
 * What may wait to be handled of one connection: more than the system buffers on both sides of it (Linux: up to 6 and
 * 4 MiB), all of which comes at once after a pause of the process. No feed is to lose its connection by that.
 */
const HELD_BACK_MAX_BYTES = 16 * 1024 * 1024;

/** What may wait to be handled of one connection. */
export function heldBackMaxBytes(messageMaxBytes: number): number {
  return Math.max(HELD_BACK_MAX_BYTES, 2 * messageMaxBytes);
}

export const HANDLE = 0;
export const HOLD_BACK = 1;
export const FLOOD = 2;

/** A connection, as the intake needs it. */
export interface Worker {
  /** It publishes: what it sends takes microseconds, and subscribers wait for it. */
  readonly isFeed: boolean;
  /** Handles what waits until `deadlineMs`. True: there is more that can be handled. */
  work(deadlineMs: number): boolean;
  /** What waits, in memory. */
  readonly heldBackBytes: number;
  /** Ends the connection: too much waits. Nothing waits afterwards. */
  overflowed(): void;
}

/** Writer and reader: the accept thread. */
export class Intake<Connection extends Worker> {
  readonly #loop: Loop;
  readonly #maxBytes: number;
  readonly #totalMaxBytes: number;
  /** Whom something waits of. */
  readonly #holders = new Set<Connection>();
  /** Those of them that wait for nothing but their turn, in its order. */
  readonly #due = new Set<Connection>();
  /** The same of feeds. They come first, for half of a turn: thousands that subscribe at once take some tenths of a second. */
  readonly #dueFeeds = new Set<Connection>();
  #totalBytes = 0;
  /** Whom the newest message of this turn came from; null: there has been none. */
  #sender: Connection | null = null;
  #senderMessages = 0;
  /** How long this turn has been read in, and when the newest message came. */
  #readMs = 0;
  #readAtMs = 0;
  #turnEndMs = 0;
  #isTurnBegun = false;
  readonly #nextTurn = (): void => this.#runTurn();

  constructor(loop: Loop, messageMaxBytes: number) {
    this.#loop = loop;
    this.#maxBytes = heldBackMaxBytes(messageMaxBytes);
    this.#totalMaxBytes = Math.max(HELD_BACK_TOTAL_MAX_BYTES, this.#maxBytes);
  }

  /** What waits of all connections, in memory. */
  get heldBackBytes(): number {
    return this.#totalBytes;
  }

  /** When this turn's budget is used up. */
  get deadlineMs(): number {
    return this.#turnEndMs;
  }

  /** Hot path: per message or ping. HANDLE it until `deadlineMs`, HOLD_BACK, or end the connection: FLOOD. */
  judge(sender: Connection, nowMs: number): typeof HANDLE | typeof HOLD_BACK | typeof FLOOD {
    if (!this.#isTurnBegun) this.#beginTurn(nowMs);
    if (this.#sender === null) {
      this.#readMs = 0;
      this.#readAtMs = nowMs;
    }
    if (sender !== this.#sender) {
      this.#sender = sender;
      this.#senderMessages = 0;
    }
    this.#senderMessages++;
    this.#readMs += Math.min(nowMs - this.#readAtMs, STEP_MAX_MS);
    this.#readAtMs = nowMs;
    if (nowMs < this.#turnEndMs) return HANDLE;
    const isLong = this.#readMs > FLOOD_MS;
    return isLong && this.#senderMessages * this.#readMs > FLOOD_MESSAGES * FLOOD_MS ? FLOOD : HOLD_BACK;
  }

  /** What waits of the connection has changed by so many bytes. Ends it, or whoever has the most, if that is too much. */
  held(connection: Connection, changeBytes: number): void {
    this.#totalBytes += changeBytes;
    if (connection.heldBackBytes === 0) {
      this.#holders.delete(connection);
      this.#due.delete(connection);
      this.#dueFeeds.delete(connection);
      return;
    }
    this.#holders.add(connection);
    if (connection.heldBackBytes > this.#maxBytes) connection.overflowed();
    else if (this.#totalBytes > this.#totalMaxBytes) this.#largest().overflowed();
  }

  /** The connection waits for nothing but its turn. It comes at once if this turn's budget allows. */
  resume(connection: Connection): void {
    const nowMs = this.#loop.nowMs();
    if (!this.#isTurnBegun) this.#beginTurn(nowMs);
    if (nowMs >= this.#turnEndMs || connection.work(this.#turnEndMs)) this.#add(connection);
  }

  /** The same, but not within this call. */
  resumeLater(connection: Connection): void {
    if (!this.#isTurnBegun) this.#beginTurn(this.#loop.nowMs());
    this.#add(connection);
  }

  #add(connection: Connection): void {
    if (connection.isFeed) this.#dueFeeds.add(connection);
    else this.#due.add(connection);
  }

  #beginTurn(nowMs: number): void {
    this.#isTurnBegun = true;
    this.#turnEndMs = nowMs + TURN_MAX_MS;
    this.#loop.soon(this.#nextTurn);
  }

  #runTurn(): void {
    this.#isTurnBegun = false;
    this.#sender = null;
    if (this.#due.size + this.#dueFeeds.size === 0) return;
    const startMs = this.#loop.nowMs();
    this.#beginTurn(startMs);
    const feedsMs = this.#due.size === 0 ? this.#turnEndMs : startMs + TURN_MAX_MS / 2;
    const nowMs = this.#serve(this.#due, this.#serve(this.#dueFeeds, startMs, feedsMs), this.#turnEndMs);
    // What is read next has a budget of its own: who was not served by now must not keep all others waiting.
    this.#turnEndMs = nowMs + TURN_MAX_MS;
  }

  /** Returns when it was through with all of them, or with its time. */
  #serve(due: Set<Connection>, nowMs: number, endMs: number): number {
    // In the order of insertion: whoever is added again comes last.
    for (const connection of due) {
      due.delete(connection);
      if (connection.work(Math.min(nowMs + QUANTUM_MS, endMs))) this.#add(connection);
      nowMs = this.#loop.nowMs();
      if (nowMs >= endMs) break;
    }
    return nowMs;
  }

  #largest(): Connection {
    let largest: Connection | null = null;
    for (const holder of this.#holders) {
      if (largest === null || holder.heldBackBytes > largest.heldBackBytes) largest = holder;
    }
    return largest as Connection;
  }
}
