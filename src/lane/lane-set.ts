/** Lane set: all lanes of an engine, as the accept thread has them. */

import { createHistogram } from 'node:perf_hooks';
import { allocateLaneCounters } from '../counters/lane-counters.js';
import { allocateTopicBusy } from '../counters/topic-busy.js';
import type { LaneHomes } from '../home/homes.js';
import type { LinkEvents } from '../home/link.js';
import { SPARE_LOGS_MAX } from '../limits.js';
import type { LogSizes } from '../log/frame-log.js';
import { allocateDoorbell, Doorbell } from '../ring/doorbell.js';
import { allocateLaneRings, type LaneMemory } from './lane.js';
import { LaneLink } from './lane-link.js';
import { LaneLoad } from './lane-load.js';
import { SharedLogs } from './shared-logs.js';
import { type LaneWorld, SupervisedLane } from './supervised-lane.js';

export interface LaneSetOptions {
  readonly lanes: number;
  readonly ringBytes: number;
  /** A lane that does not move for so long is ended and replaced (ms). */
  readonly stallMs: number;
  readonly logSizes: LogSizes;
  /** Topics that may be open in one lane. */
  readonly maxHotTopics: number;
}

/** Waits are told from a microsecond to a minute, with two digits. */
const WAITS = { lowest: 1, highest: 60_000_000, figures: 2 };

/** Writer and reader: the accept thread. */
export class LaneSet implements LaneHomes {
  readonly lanes: readonly SupervisedLane[];
  readonly links: readonly LaneLink[];
  readonly sharedLogs: SharedLogs;
  /** By the numbers of the lanes. */
  readonly loads: readonly LaneLoad[];
  readonly #bell: Doorbell;

  constructor(options: LaneSetOptions, handlers: LinkEvents, world: LaneWorld) {
    const { lanes, ringBytes, stallMs, logSizes, maxHotTopics } = options;
    const acceptBell = allocateDoorbell();
    this.#bell = new Doorbell(acceptBell);
    this.sharedLogs = new SharedLogs(logSizes);
    const memories = Array.from({ length: lanes }, (): LaneMemory => {
      const counters = allocateLaneCounters();
      const topicBusy = allocateTopicBusy(maxHotTopics);
      return { ...allocateLaneRings(ringBytes), acceptBell, counters, topicBusy, waits: createHistogram(WAITS) };
    });
    this.links = memories.map((memory) => new LaneLink(memory, this.sharedLogs, world.loop, handlers));
    this.lanes = memories.map((memory, lane) => {
      const link = this.links[lane];
      return new SupervisedLane(lane, memory, link, stallMs, world);
    });
    this.loads = memories.map(({ waits }, lane) => {
      const { counters } = this.lanes[lane];
      return new LaneLoad(counters, waits, world.clock.nowMs());
    });
  }

  get surplusLogs(): number {
    const endedLogs = this.links.reduce((sum, link) => sum + link.endedLogs, 0);
    return Math.max(0, endedLogs - SPARE_LOGS_MAX);
  }

  isUsable(lane: number): boolean {
    return this.lanes[lane]?.isUsable === true;
  }

  /** Starts all lanes and listens to them. Resolves when each has run. */
  async start(): Promise<void> {
    this.#bell.listen(
      () => this.links.every((link) => !link.hasEvents()),
      () => this.drain(),
    );
    for (const lane of this.lanes) lane.start();
    await Promise.all(this.lanes.map(({ ready }) => ready));
  }

  /** Takes in what the lanes have reported. */
  drain(): void {
    for (const link of this.links) if (link.hasEvents()) link.drainEvents();
  }

  /** Asks the lanes to stop; each deals with everything in its ring first. Resolves when they have, and all is taken in. */
  async stop(): Promise<void> {
    for (const lane of this.lanes) lane.stop();
    await Promise.all(this.lanes.map(({ stopped }) => stopped));
  }

  /** Ends all that is done here; threads are left to whoever gave them. */
  close(): void {
    this.#bell.close();
    for (const lane of this.lanes) lane.close();
  }
}
