/** Received: what a subscription brings to a program, and what has become of its messages, as its events and gaps say. */

import type { GapReason, SnapshotEntry } from './messages.js';

/** The newest message of a key, of a snapshot. */
export interface KeyValue {
  /** Null where the topic is not keyed. */
  readonly key: string | null;
  readonly seq: number;
  readonly time: number;
  readonly payload: unknown;
  readonly version?: number;
}

export function keyValueOf([key, seq, time, payload, version]: SnapshotEntry): KeyValue {
  return { key, seq, time, payload, ...(version === undefined ? {} : { version }) };
}

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
