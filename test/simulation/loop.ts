// The accept thread's event loop and the clock of all threads, in the hand of the simulation: nothing happens by itself.

import type { Clock } from '#src/time/loop.js';
import { ManualLoop } from '../support/manual-loop.js';
import type { TopicTree } from '../support/topic-tree.js';

/** Each look at the clock takes time: so budgets run out. */
const LOOK_MS = 0.002;

export class Loop extends ManualLoop {
  /** Part of the time that the accept thread claims to be busy. */
  readonly #busyShare: number;
  readonly #tree: TopicTree;

  constructor(busyShare: number, tree: TopicTree) {
    super();
    this.#busyShare = busyShare;
    this.#tree = tree;
  }

  /** What was published before goes out first. */
  override turn(): boolean {
    this.#tree.drainAll();
    return super.turn();
  }

  nowMs(): number {
    this.now += LOOK_MS;
    return this.now;
  }

  /** The same time for lanes, to whom a look takes `lookMs`: so they have been busy. */
  laneClock(lookMs: number): Clock {
    const nowMs = (): number => {
      this.now += lookMs;
      return this.now;
    };
    return { nowMs };
  }

  busyMs(): number {
    return this.now * this.#busyShare;
  }

  override pass(ms: number): void {
    super.pass(ms);
    this.#tree.drainAll();
  }
}
