/** What became of messages on the way to their subscribers: of a topic's, over all its streams and their lives, or of all. */

import type { GapCounts } from '../counters/report.js';
import { GAP_REASONS, type GapReason } from '../protocol/messages.js';

export const NO_GAPS: GapCounts = Object.freeze(
  Object.fromEntries(GAP_REASONS.map((reason) => [reason, 0])) as Record<GapReason, number>,
);

/** Writer and reader: the accept thread. */
export class DeliveryCounters {
  /** Messages × subscribers they were sent to, and the bytes of their frames. */
  deliveries = 0;
  deliveredBytes = 0;
  /** Messages that subscribers were told they missed; and those that newer ones had taken the place of, as they had asked for. */
  lostMessages = 0;
  mergedMessages = 0;
  /** Those that were too old by the time they could have been sent. */
  expiredMessages = 0;
  /** How often they were told, by reason. Most topics never have a gap, and share the object that says so. */
  gaps = NO_GAPS;

  countGaps(reason: GapReason, count: number, messages: number): void {
    this.gaps = { ...this.gaps, [reason]: this.gaps[reason] + count };
    if (reason === 'merged') this.mergedMessages += messages;
    else if (reason === 'expired') this.expiredMessages += messages;
    else this.lostMessages += messages;
  }
}
