// Makes lanes fail at random, and remembers when which did; the choices follow from the seed alone.
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from './faults.mjs';
import type { FaultyEngine } from './faulty-pool.js';

/** `terminate`: ended from outside, wherever it is. */
export type ChaosFault = Fault | 'terminate';

export interface InjectedFault {
  readonly fault: ChaosFault;
  readonly lane: number;
  /** When it happened (ms since the epoch). */
  readonly atMs: number;
  /** Topics that lived in the lane then. */
  readonly topics: readonly string[];
}

/** How often each is chosen, of the sum. */
const WEIGHTS: Readonly<Record<ChaosFault, number>> = {
  terminate: 6,
  throw: 8,
  exit: 4,
  hang: 3,
  starve: 4,
  outOfMemory: 1,
};
const CHOICES = Object.entries(WEIGHTS).flatMap(([fault, weight]) =>
  Array<ChaosFault>(weight).fill(fault as ChaosFault),
);

const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 500;
/** A lane that is about to be replaced is hit again so often, but once: it is not to be given up. */
const HIT_AGAIN = 0.15;
/** How many sites a thread may pass before it commits the fault: several messages. */
const SITES_MAX = 60;
const STARVE_MIN_MS = 100;
const STARVE_MAX_MS = 350;
const POLL_MS = 1;
const COMMITTED_MAX_MS = 1000;

export class FaultInjector {
  readonly injected: InjectedFault[] = [];
  readonly #faulty: FaultyEngine;
  readonly #topics: readonly string[];
  readonly #random: () => number;
  /** Lanes that were hit again since they ran. */
  readonly #hitAgain = new Set<number>();
  /** By lane: messages that it had handled when it was hit. */
  readonly #messages: number[] = [];

  constructor(faulty: FaultyEngine, topics: readonly string[], random: () => number) {
    this.#faulty = faulty;
    this.#topics = topics;
    this.#random = random;
  }

  async run(endMs: number): Promise<void> {
    // Each once, then as chance has it.
    const first = Object.keys(WEIGHTS) as ChaosFault[];
    while (performance.now() < endMs || first.length > 0) {
      await pause(this.#between(PAUSE_MIN_MS, PAUSE_MAX_MS));
      const lane = this.#below(this.#faulty.pool.lanes.length);
      const fault = first[0] ?? CHOICES[this.#below(CHOICES.length)];
      const isHitAgain = this.#random() < HIT_AGAIN;
      const sites = 1 + this.#below(SITES_MAX);
      const durationMs = this.#between(STARVE_MIN_MS, STARVE_MAX_MS);
      const { state, messages } = this.#faulty.engine.stats().lanes[lane];
      if (state === 'running') {
        // One that always died before it got anywhere would be given up, and rightly so.
        if (messages <= (this.#messages[lane] ?? -1)) continue;
        this.#messages[lane] = messages;
        this.#hitAgain.delete(lane);
        if (await this.#inject(lane, fault, sites, durationMs)) first.shift();
      } else if (isHitAgain && !this.#hitAgain.has(lane)) {
        this.#hitAgain.add(lane);
        await this.#inject(lane, 'terminate', 0, 0);
      }
    }
  }

  /** False: it has not happened, or not yet. */
  async #inject(lane: number, fault: ChaosFault, sites: number, durationMs: number): Promise<boolean> {
    const { running, faults } = this.#faulty.pool.lanes[lane];
    if (fault === 'terminate') {
      if (running === null) return false;
      this.injected.push({ fault, lane, atMs: Date.now(), topics: this.#topicsOf(lane) });
      running.terminate();
      return true;
    }
    const { committed } = faults;
    const topics = this.#topicsOf(lane);
    faults.ask(fault, sites, durationMs);
    const endMs = performance.now() + COMMITTED_MAX_MS;
    // A lane without work passes no sites; then the fault waits for the next work.
    while (faults.committed === committed && performance.now() < endMs) await pause(POLL_MS);
    if (faults.committed === committed) return false;
    this.injected.push({ fault, lane, atMs: faults.committedAtMs, topics });
    return true;
  }

  #topicsOf(lane: number): string[] {
    return this.#topics.filter((topic) => this.#faulty.engine.topicStats(topic)?.home === lane);
  }

  #between(min: number, max: number): number {
    return min + this.#random() * (max - min);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}
