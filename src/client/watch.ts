/**
 * Watch: finds out whether the server is still there. A network that swallows everything closes nothing, and platforms
 * hide the server's own pings; so whoever has heard nothing for a heartbeat asks, and hangs up after another one.
 *
 * It counts ticks, not time: a process (or a hidden page) that stood still hears one tick, with the answer still to be
 * read, and must not take its own pause for the server's.
 */

import { TIMER_MAX_MS } from './call.js';

const TICKS_PER_HEARTBEAT = 4;
/** A busy process may take so long to come round to reading. */
const HEARTBEAT_MIN_MS = 1000;
/** An answer waits behind what was sent before. A link as slow as this is still a link. */
const SLOW_LINK_BYTES_PER_MS = 10;

export interface Watched {
  /** Asks for a sign of life; settles with it, or at the end. */
  ask(): Promise<unknown>;
  /** Bytes sent whose arrival no answer has shown yet. */
  unconfirmedBytes(): number;
  dead(silentMs: number): void;
}

/** Writer: the connection that owns it. */
export class Watch {
  readonly #watched: Watched;
  #timer: ReturnType<typeof setInterval> | undefined;
  #silentTicks = 0;
  /** One question is enough: as long as it is on its way, another one would be behind it. */
  #isAsked = false;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  start(heartbeatMs: number): void {
    this.stop();
    const tickMs = Math.min(Math.max(heartbeatMs, HEARTBEAT_MIN_MS) / TICKS_PER_HEARTBEAT, TIMER_MAX_MS);
    this.#timer = setInterval(() => this.#tick(tickMs), tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Hot path: per message. Whatever it is, the server is there. */
  received(): void {
    this.#silentTicks = 0;
  }

  #tick(tickMs: number): void {
    this.#silentTicks += 1;
    if (this.#silentTicks === TICKS_PER_HEARTBEAT) this.#ask();
    const sendingTicks = Math.floor(this.#watched.unconfirmedBytes() / (SLOW_LINK_BYTES_PER_MS * tickMs));
    if (this.#silentTicks >= 2 * TICKS_PER_HEARTBEAT + sendingTicks) this.#watched.dead(this.#silentTicks * tickMs);
  }

  #ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    const answered = (): void => {
      this.#isAsked = false;
    };
    this.#watched.ask().then(answered, answered);
  }
}
