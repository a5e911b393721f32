/** For somebody else's feed: whatever arrives is counted, nothing is verified or timed. */
import type { EventSink } from './dialect.js';
import type { Tracker } from './tracker.js';

/** Writer and reader: the reading thread. Counts where the tracker does, so that figures are found in one place. */
export class CountingSink implements EventSink {
  readonly #tracker: Tracker;

  constructor(tracker: Tracker) {
    this.#tracker = tracker;
  }

  payload(_connection: number, start: number, end: number): void {
    this.#tracker.delivered++;
    this.#tracker.payloadBytes += end - start;
  }

  acknowledged(connection: number, count: number): void {
    this.#tracker.acknowledged(connection, count);
  }

  published(): void {}

  gap(connection: number, messages: number): void {
    this.#tracker.gap(connection, messages);
  }

  problem(connection: number, text: string): void {
    this.#tracker.problem(connection, text);
  }
}
