/**
 * Meter: how much a row may be sent: so many messages before an ACK of one, so many bytes a second, or both. While it may be
 * sent nothing it *rests*, in no list but its stream's set of resting rows, and costs nobody anything until it is woken.
 */

import type { Acking } from './acking.js';
import type { Consumer } from './consumer.js';
import { NONE } from './subscription-table.js';

/** What a row may be ahead of its rate, and as much of it as one slice brings (ms). */
const BURST_MS = 100;

/** Writer and reader: the accept thread. */
export class Meter {
  /** Whose row it is; it goes with a subscription from row to row. NONE: that has ended. */
  readonly consumer: Consumer;
  row = NONE;
  acking: Acking | null = null;
  /** 0: any number. */
  bytesPerSecond = 0;
  /** When what has been sent is paid for, at the rate. */
  #paidUntilMs = 0;
  /** Calls off that it is woken. */
  cancelWake: (() => void) | null = null;

  constructor(consumer: Consumer) {
    this.consumer = consumer;
  }

  /** It has nothing to measure. */
  get isOff(): boolean {
    return this.acking === null && this.bytesPerSecond === 0;
  }

  /** What one slice may bring, but for a single frame, which may be any size. */
  get sliceMaxBytes(): number {
    return this.bytesPerSecond === 0 ? Number.POSITIVE_INFINITY : (this.bytesPerSecond * BURST_MS) / 1000;
  }

  /** In how many ms the next byte may be sent; 0: now. */
  waitMs(nowMs: number): number {
    return this.bytesPerSecond === 0 ? 0 : Math.max(0, this.#paidUntilMs - nowMs);
  }

  pay(bytes: number, nowMs: number): void {
    if (this.bytesPerSecond === 0) return;
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs - BURST_MS) + (bytes * 1000) / this.bytesPerSecond;
  }

  /** What has been sent already is paid for at the new rate. */
  setRate(bytesPerSecond: number, nowMs: number): void {
    const unpaidBytes = this.waitMs(nowMs) * this.bytesPerSecond;
    this.bytesPerSecond = bytesPerSecond;
    this.#paidUntilMs = nowMs + (bytesPerSecond === 0 ? 0 : unpaidBytes / bytesPerSecond);
  }

  end(): void {
    this.row = NONE;
    this.cancelWake?.();
    this.acking?.end();
  }
}
