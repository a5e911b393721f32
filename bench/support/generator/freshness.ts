// How old the values are that subscribers hold: for how long after a message of a key had been due a subscriber held an older one.

import { LatencyHistogram } from '../../../dist/load/latency-histogram.js';
import type { DeliveryRecorder } from '../../../dist/load/tracker.js';

/** Keys are published to in turn, by a steady schedule: each every `intervalMs`. Writer and reader: the reading thread. */
export class Freshness implements DeliveryRecorder {
  /** Of each value that a subscriber replaced: since when it had no longer been the newest. */
  readonly ages = new LatencyHistogram();
  readonly #keys: number;
  readonly #intervalMs: number;
  readonly #fromMs: number;
  /** When what a subscriber holds of a key should have been sent; 0: it holds nothing. */
  readonly #heldMs: Float64Array;

  /** @param fromMs what should have been sent before does not count */
  constructor(connections: number, keys: number, perSecond: number, fromMs: number) {
    this.#keys = keys;
    this.#intervalMs = (keys / perSecond) * 1000;
    this.#fromMs = fromMs;
    this.#heldMs = new Float64Array(connections * keys);
  }

  /** Hot path: per delivery. */
  add(connection: number, key: number, sentMs: number, arrivedMs: number): void {
    const at = connection * this.#keys + key;
    const heldMs = this.#heldMs[at];
    this.#heldMs[at] = sentMs;
    // The first message behind the one that was held, which may have been left out.
    const newerMs = heldMs === 0 ? sentMs : heldMs + this.#intervalMs;
    if (newerMs >= this.#fromMs) this.ages.record(Math.max(0, arrivedMs - newerMs));
  }
}
