/**
 * Sweeps: periodic work over all topics, cut into turns of the event loop: with a million of them a sweep takes as long as
 * it takes, and delays nobody.
 */

import type { Loop } from '../time/loop.js';

/** Does a part of the work, well below a millisecond of it. True: that was the rest. */
export type SweepStep = () => boolean;

/** Writer and reader: the accept thread. */
export class Sweeps {
  readonly #loop: Pick<Loop, 'soon' | 'after'>;
  readonly #everyMs: number;
  readonly #steps: readonly SweepStep[];
  /** Index of the step that is under way. */
  #current = 0;
  #cancelTimer: (() => void) | null = null;
  #isStopped = false;

  /** @param everyMs from the end of one round to the begin of the next one */
  constructor(loop: Pick<Loop, 'soon' | 'after'>, everyMs: number, steps: readonly SweepStep[]) {
    this.#loop = loop;
    this.#everyMs = everyMs;
    this.#steps = steps;
  }

  start(): void {
    this.#cancelTimer = this.#loop.after(this.#everyMs, () => {
      this.#current = 0;
      this.#continue();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #continue(): void {
    if (this.#isStopped) return;
    if (this.#steps[this.#current]?.() !== false) this.#current++;
    if (this.#current < this.#steps.length) this.#loop.soon(() => this.#continue());
    else this.start();
  }
}
