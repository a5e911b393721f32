/** Topic counters: what became of a topic's messages on the way to its subscribers, over all its streams and their lives. */

import type { GapReason } from '../protocol/messages.js';

const NO_GAPS: Readonly<Record<string, number>> = Object.freeze({});

/** Writer and reader: the accept thread. */
export class TopicCounters {
  deliveredMessages = 0;
  deliveredBytes = 0;
  /** Messages that subscribers were told they missed. */
  lostMessages = 0;
  /** How often they were told, by reason; most topics never have a gap. */
  #gaps: Record<string, number> = NO_GAPS;

  countGaps(reason: GapReason, count: number, lostMessages: number): void {
    if (this.#gaps === NO_GAPS) this.#gaps = {};
    this.#gaps[reason] = this.gapsOf(reason) + count;
    this.lostMessages += lostMessages;
  }

  gapsOf(reason: GapReason): number {
    return this.#gaps[reason] ?? 0;
  }
}
