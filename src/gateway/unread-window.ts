/**
 * Unread window: how much may be on its way to a peer that wants the newest only. Megabytes can lie in the kernels of both
 * sides, and whoever reads slower than it is sent to would be that far behind, however little waits here. How far it has read
 * its pongs tell. What is ahead of a ping should take it `QUEUE_MS` longer than the way alone, at most, at the rate at
 * which it reads (the idea of TCP Vegas and BBR: Brakmo and Peterson, 1995; Cardwell and others, 2016). As much
 * again lies behind the ping.
 */

/** How long what waits ahead of a ping may take (ms). */
const QUEUE_MS = 50;
const WINDOW_MIN_BYTES = 32 * 1024;
const WINDOW_MAX_BYTES = 4 * 1024 * 1024;
/** One fast answer may be chance. */
const GROWTH_MAX = 1.25;
/** A ping is sent behind so much, if none is on its way. */
const PING_EVERY_BYTES = 16 * 1024;

/** Writer and reader: the accept thread. */
export class UnreadWindow {
  /** Where the peer must stop being sent to until it has read some. */
  #windowBytes = WINDOW_MIN_BYTES;
  /** Not known to be read: up to the ping that is on its way, and behind it. */
  #aheadBytes = 0;
  #behindBytes = 0;
  /** When that ping was sent; 0: none is on its way. */
  #pingMs = 0;
  /** Of the ping before. */
  #lastBytes = 0;
  #lastTookMs = 0;
  /** The fastest answer: what the way alone takes. */
  #wayMs = Number.POSITIVE_INFINITY;

  get isFull(): boolean {
    return this.#aheadBytes + this.#behindBytes >= this.#windowBytes;
  }

  /** Returns whether a ping is to be sent behind it. */
  sent(bytes: number, nowMs: number): boolean {
    this.#behindBytes += bytes;
    return this.#pingMs === 0 && this.#isPingDue(nowMs);
  }

  /** Returns the same. */
  ponged(nowMs: number): boolean {
    if (this.#pingMs === 0) return false;
    const tookMs = Math.max(1, nowMs - this.#pingMs);
    this.#wayMs = Math.min(this.#wayMs, tookMs);
    // Of two rounds: a small one and a large one take turns.
    const perMs = (this.#aheadBytes + this.#lastBytes) / (tookMs + this.#lastTookMs);
    this.#lastBytes = this.#aheadBytes;
    this.#lastTookMs = tookMs;
    const bytes = 2 * perMs * (this.#wayMs + QUEUE_MS);
    const mostBytes = Math.min(WINDOW_MAX_BYTES, this.#windowBytes * GROWTH_MAX);
    this.#windowBytes = Math.max(WINDOW_MIN_BYTES, Math.min(mostBytes, bytes));
    this.#aheadBytes = 0;
    this.#pingMs = 0;
    return this.#isPingDue(nowMs);
  }

  #isPingDue(nowMs: number): boolean {
    if (this.#behindBytes < PING_EVERY_BYTES) return false;
    this.#aheadBytes = this.#behindBytes;
    this.#behindBytes = 0;
    this.#pingMs = nowMs;
    return true;
  }
}
