// Threads of lanes without threads: each runs when the test says so, and dies when the test says so.

import { Lane, type LaneStart } from '#src/lane/lane.js';
import type { LaneParcel } from '#src/lane/parcels.js';
import type { LaneThreads, RunningLane } from '#src/lane/pool.js';
import type { Clock } from '#src/time/loop.js';

export const testClock: Clock = { nowMs: () => performance.now() };

export class SteppedThreads implements LaneThreads {
  /** All that were ever started. */
  readonly started: SteppedThread[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock = testClock) {
    this.#clock = clock;
  }

  start(start: LaneStart, onEnded: (fault: unknown) => void): RunningLane {
    const thread = new SteppedThread(start, onEnded, this.#clock);
    this.started.push(thread);
    return thread;
  }

  get alive(): SteppedThread[] {
    return this.started.filter(({ isAlive }) => isAlive);
  }

  /** A step of each. False: nobody had anything to do. */
  step(): boolean {
    return this.alive.map((thread) => thread.step()).includes(true);
  }
}

export class SteppedThread implements RunningLane {
  isAlive = true;
  readonly #posted: LaneParcel[] = [];
  readonly #start: LaneStart;
  readonly #onEnded: (fault: unknown) => void;
  readonly #clock: Clock;
  #lane: Lane | null = null;
  #isTerminated = false;

  constructor(start: LaneStart, onEnded: (fault: unknown) => void, clock: Clock) {
    this.#start = start;
    this.#onEnded = onEnded;
    this.#clock = clock;
  }

  post(parcel: LaneParcel): void {
    if (this.isAlive) this.#posted.push(parcel);
  }

  /** Takes effect with the next step, as a thread takes a moment to end. */
  terminate(): void {
    this.#isTerminated = true;
  }

  /** Begins, or deals with one batch. True: it did something. What it throws ends it. */
  step(): boolean {
    if (!this.isAlive) return false;
    if (this.#isTerminated) {
      this.die(new Error('terminated'));
      return true;
    }
    try {
      if (this.#lane === null) {
        this.#lane = new Lane(this.#start, () => this.#posted.shift(), this.#clock);
        this.#lane.begin();
        return true;
      }
      const hasWorked = this.#lane.step();
      if (this.#lane.isStopped) this.die(null);
      return hasWorked;
    } catch (fault) {
      this.die(fault);
      return true;
    }
  }

  /** Ends it between two steps; null: as after a stop. */
  die(fault: unknown): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.#onEnded(fault);
  }
}
