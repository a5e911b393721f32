/** Received: what has become of a subscription's messages, as its events and gaps say. */

import type { GapReason } from './messages.js';

export interface SubscriptionCounts {
  /** Events. What snapshots bring is none. */
  readonly received: number;
  /** Messages that newer ones took the place of, as was asked for; that had expired; that were lost. By the numbers that gaps name. */
  readonly merged: number;
  readonly expired: number;
  readonly lost: number;
}

/** Writer: whoever reads the subscription's frames. Readers: the application. */
export class Received implements SubscriptionCounts {
  received = 0;
  merged = 0;
  expired = 0;
  lost = 0;

  countGap(fromSeq: number, toSeq: number, reason: GapReason): void {
    this[reason === 'merged' || reason === 'expired' ? reason : 'lost'] += toSeq - fromSeq + 1;
  }
}
