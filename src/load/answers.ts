/** Answers to publishes that asked for one. */
import { clockMs } from './clock.js';

/** Nobody waits for longer: the run may be over. */
const WAIT_MAX_MS = 20;

/** Writer and reader: the publishing thread. */
export class PublishAnswers {
  count = 0;
  /** The number in the last one, and when it came. */
  seq = 0;
  atMs = 0;
  #wake: () => void = () => {};

  add(seq: number): void {
    this.count++;
    this.seq = seq;
    this.atMs = clockMs();
    this.#wake();
  }

  /** Resolves with the next one, or after a while without. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, WAIT_MAX_MS);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
    });
  }
}
