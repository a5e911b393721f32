/** Acking: what of a durable subscription has been sent and not acknowledged. As many messages as that may be its subscriber gets. */

import type { Meter } from './meter.js';

/** Messages that are gone from the front of the list until they are taken out of it. */
const COMPACT_FROM = 256;

/** Writer and reader: the accept thread. One per subscription; whoever comes back under its name gets another one. */
export class Acking {
  readonly maxUnacked: number;
  /** Processed up to here; NONE: nothing has been acknowledged, and the subscription began with a snapshot. */
  ackedSeq: number;
  /** Of the subscription; null: it has not begun, or has ended. */
  meter: Meter | null = null;
  /** What has been sent since, in order, from `#first` on. Announcements are no messages. */
  #seqs: number[] = [];
  #first = 0;

  constructor(maxUnacked: number, ackedSeq: number) {
    this.maxUnacked = maxUnacked;
    this.ackedSeq = ackedSeq;
  }

  /** So many messages may be sent before the next ACK. */
  get room(): number {
    return this.maxUnacked - (this.#seqs.length - this.#first);
  }

  /** The last message that was sent and not acknowledged, or the last that was acknowledged. */
  get sentSeq(): number {
    return this.#seqs.at(-1) ?? this.ackedSeq;
  }

  /** Hot path: per message of a durable subscription. */
  sent(seq: number): void {
    this.#seqs.push(seq);
  }

  /** Whether there is more room by it. Of two ACKs the larger counts. */
  ack(seq: number): boolean {
    if (seq <= this.ackedSeq) return false;
    this.ackedSeq = seq;
    const seqs = this.#seqs;
    const first = this.#first;
    while (this.#first < seqs.length && seqs[this.#first] <= seq) this.#first++;
    const hasFreed = this.#first > first;
    if (this.#first === seqs.length || this.#first >= COMPACT_FROM) {
      seqs.splice(0, this.#first);
      this.#first = 0;
    }
    return hasFreed;
  }

  end(): void {
    this.meter = null;
    this.#seqs = [];
    this.#first = 0;
  }
}
