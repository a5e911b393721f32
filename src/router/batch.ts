/** Batch: the frames of one WebSocket message. They were accepted together, and what of them was not is told once. */

import type { Loop } from '../time/loop.js';
import type { Session } from './session.js';

/** Writer and reader: the accept thread. One for all connections: their messages are handled one after the other. */
export class Batch {
  /** When the frames were accepted, as subscribers are told (ms since the epoch). */
  timeMs = 0;
  /** The same moment on the monotonic clock. */
  monotonicMs = 0;
  readonly #clock: Pick<Loop, 'nowMs' | 'epochMs'>;

  constructor(clock: Pick<Loop, 'nowMs' | 'epochMs'>) {
    this.#clock = clock;
  }

  /** The frames handled from here on were received together. */
  begin(): void {
    this.monotonicMs = this.#clock.nowMs();
    this.timeMs = this.#clock.epochMs(this.monotonicMs);
  }

  /** Tells a publisher that waits for no answers what was refused, once per batch and not once per message. */
  end(session: Session): void {
    session.overloadedTopics = null;
    if (session.untold === null) return;
    const { count, first } = session.untold;
    session.untold = null;
    const details = { ...(first.details as object), count };
    const message = `${count} messages were not accepted; of the first: ${first.message}`;
    session.reply(session.consumer.encoder.error(null, first.code, message, details));
  }
}
