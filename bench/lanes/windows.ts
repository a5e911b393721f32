// What is read from a short recording of deliveries: who has got something again, and how long the longest silence was.

import { clockMs, sleep } from '../../dist/load/clock.js';
import type { Recording } from '../support/generator/recording.js';

const POLL_MS = 2;

/** When the first message that was sent after a certain time came to each connection, or of each topic. */
export class FirstArrivals {
  /** NaN: none yet. */
  readonly arrivedMs: Float64Array;
  missing: number;
  readonly #recording: Recording;
  readonly #by: 'connections' | 'topics';
  readonly #sentAfterMs: number;
  #position = 0;

  constructor(recording: Recording, by: 'connections' | 'topics', count: number, sentAfterMs: number) {
    this.#recording = recording;
    this.#by = by;
    this.#sentAfterMs = sentAfterMs;
    this.arrivedMs = new Float64Array(count).fill(Number.NaN);
    this.missing = count;
  }

  /** Waits until there is one everywhere. */
  async complete(giveUpMs: number): Promise<void> {
    const deadlineMs = clockMs() + giveUpMs;
    while (this.#look() > 0) {
      if (clockMs() > deadlineMs) throw new Error(`${this.missing} ${this.#by} got nothing for ${giveUpMs} ms`);
      await sleep(POLL_MS);
    }
  }

  #look(): number {
    const { count, sentMs, arrivedMs, [this.#by]: keys } = this.#recording;
    for (; this.#position < count; this.#position++) {
      const key = keys[this.#position];
      if (!Number.isNaN(this.arrivedMs[key]) || sentMs[this.#position] <= this.#sentAfterMs) continue;
      this.arrivedMs[key] = arrivedMs[this.#position];
      this.missing--;
    }
    return this.missing;
  }
}

/** The times between successive deliveries to the same connection that ended after `fromMs`. Those read together are one. */
export function gapsMs(
  { count, connections, arrivedMs }: Recording,
  connectionCount: number,
  fromMs: number,
): number[] {
  const lastMs = new Float64Array(connectionCount).fill(Number.NaN);
  const gaps: number[] = [];
  for (let index = 0; index < count; index++) {
    const connection = connections[index];
    const nowMs = arrivedMs[index];
    const gapMs = nowMs - lastMs[connection]; // NaN for the first one, which is nothing
    if (gapMs > 0 && nowMs > fromMs) gaps.push(gapMs);
    lastMs[connection] = nowMs;
  }
  return gaps;
}
