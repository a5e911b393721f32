/** Paced work: what would hold up the event loop is done a part per turn of it. */

import { WorkQueue } from '../delivery/work-queue.js';
import type { Loop } from '../time/loop.js';

/** What a turn spends on each of the queues (ms). */
const TURN_MAX_MS = 1;

/** Works until about the deadline. True: that was the rest. */
export type PacedTask = (deadlineMs: number) => boolean;

interface Queued {
  readonly task: PacedTask;
}

/** Writer and reader: the accept thread. */
export class PacedWork {
  readonly #loop: Pick<Loop, 'nowMs' | 'soon'>;
  readonly #onFault: (fault: unknown) => void;
  /** One after the other. */
  readonly #ordered = new WorkQueue<Queued>();
  /** Long ones, in turn. */
  readonly #long = new WorkQueue<Queued>();
  #isScheduled = false;
  readonly #turn = (): void => this.#runTurn();

  /** @param onFault takes what a task throws, which ends it */
  constructor(loop: Pick<Loop, 'nowMs' | 'soon'>, onFault: (fault: unknown) => void) {
    this.#loop = loop;
    this.#onFault = onFault;
  }

  /** Begins when all tasks that were added so before are done. */
  addOrdered(task: PacedTask): void {
    this.#ordered.push({ task });
    this.#schedule();
  }

  addLong(task: PacedTask): void {
    this.#long.push({ task });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#loop.soon(this.#turn);
  }

  #runTurn(): void {
    this.#isScheduled = false;
    this.#runOrdered(this.#loop.nowMs() + TURN_MAX_MS);
    this.#runLong(this.#loop.nowMs() + TURN_MAX_MS);
    if (this.#ordered.length + this.#long.length > 0) this.#schedule();
  }

  #runOrdered(deadlineMs: number): void {
    while (this.#ordered.length > 0) {
      if (!this.#isDone(this.#ordered.first, deadlineMs)) return;
      this.#ordered.shift();
      if (this.#loop.nowMs() >= deadlineMs) return;
    }
  }

  #runLong(deadlineMs: number): void {
    while (this.#long.length > 0) {
      const queued = this.#long.shift();
      if (!this.#isDone(queued, deadlineMs)) this.#long.push(queued);
      if (this.#loop.nowMs() >= deadlineMs) return;
    }
  }

  #isDone({ task }: Queued, deadlineMs: number): boolean {
    try {
      return task(deadlineMs);
    } catch (fault) {
      this.#onFault(fault);
      return true;
    }
  }
}
