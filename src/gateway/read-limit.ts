/**
 * Read limit: ends connections that send faster than the server reads.
 *
 * uWebSockets.js reads from a socket on and on, without a turn of the event loop, for as long as each read fills its
 * buffer (512 KiB). A client that sends faster than its messages are handled keeps it there: nobody else is read from,
 * nothing is delivered, no timer and no signal comes through. It cannot be paused, only closed.
 */

import type { Scheduler } from '../delivery/delivery.js';

/** Both have to be exceeded: a few slow messages are no flood, nor is what the kernel gathered during a pause. */
export const READ_MAX_MS = 1000;
export const READ_MAX_BYTES = 4 * 1024 * 1024;

/** Writer and reader: the accept thread. */
export class ReadLimit<Target> {
  readonly #scheduler: Scheduler;
  /** Whom the newest message of this turn came from; null: there has been none. */
  #target: Target | null = null;
  #sinceMs = 0;
  #bytes = 0;
  #isTurnWatched = false;
  readonly #turnEnded = (): void => {
    this.#isTurnWatched = false;
    this.#target = null;
  };

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Hot path: per message. True: messages of this target and of nobody else have come for too long. */
  isExceededBy(target: Target, messageBytes: number, nowMs: number): boolean {
    if (target === this.#target) {
      this.#bytes += messageBytes;
      return this.#bytes > READ_MAX_BYTES && nowMs - this.#sinceMs > READ_MAX_MS;
    }
    this.#target = target;
    this.#sinceMs = nowMs;
    this.#bytes = messageBytes;
    if (!this.#isTurnWatched) {
      this.#isTurnWatched = true;
      this.#scheduler.soon(this.#turnEnded);
    }
    return false;
  }
}
