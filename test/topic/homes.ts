// The homes of topics: the accept thread, a lane that the test steps by hand, and a lane in a thread of its own.

import { DirectLink } from '#src/home/direct-link.js';
import type { LinkEvents } from '#src/home/link.js';
import type { LaneLink } from '#src/lane/lane-link.js';
import { LaneSet } from '#src/lane/lane-set.js';
import { LanePool } from '#src/lane/pool.js';
import type { LaneEvents } from '#src/lane/supervised-lane.js';
import { encode } from '#src/protocol/msgpack.js';
import type { Scheduler } from '#src/time/loop.js';
import { createMonotonicClock } from '#src/time/monotonic.js';
import { FakeScheduler } from '../support/fake-scheduler.js';
import { outgoing } from '../support/outgoing.js';
import { SteppedThreads, testClock } from '../support/stepped-threads.js';
import type { HomeSizes, OpenHome, TopicHome } from './topic-home.js';

const STALL_MS = 60_000;
const HEAP_BYTES = 64 * 2 ** 20;

export const openDirect: OpenHome = async ({ dataBytes, frames }) => {
  const sizes = { dataMaxBytes: dataBytes, framesMax: frames, logsMaxBytes: 2 ** 30 };
  const link = new DirectLink(
    { ...sizes, retention: { ms: 3_600_000, messages: 0, bytes: 0 } },
    new FakeScheduler(),
    () => {},
  );
  return { link, nowMs: testClock.nowMs, settle: async () => {}, close: async () => {} };
};

/** A lane that dies ends the test. */
export const noDeaths: LaneEvents = {
  onDeath: ({ fault }) => {
    throw new Error('the lane died', { cause: fault });
  },
  onRecovered: () => {},
  onPoison: () => {},
  onDegraded: () => {},
};

function laneSetOptions(ringBytes: number, logSizes: HomeSizes) {
  return { lanes: 1, ringBytes, stallMs: STALL_MS, logSizes, maxHotTopics: 100 };
}

/** A lane without a thread: it runs when the test says so. */
export class SteppedLane {
  readonly threads = new SteppedThreads();
  readonly set: LaneSet;
  #soon: (() => void)[] = [];

  constructor(ringBytes: number, sizes: HomeSizes, events: LinkEvents, laneEvents: LaneEvents = noDeaths) {
    const loop: Scheduler = {
      soon: (callback) => {
        this.#soon.push(callback);
      },
      // The only timers are those of late messages, which may as well go at once, and the watch, which is not tested here.
      after: (delayMs, callback) => {
        if (delayMs < STALL_MS / 4) this.#soon.push(callback);
        return () => {};
      },
    };
    this.set = new LaneSet(laneSetOptions(ringBytes, sizes), events, {
      threads: this.threads,
      loop,
      clock: testClock,
      events: laneEvents,
    });
    for (const lane of this.set.lanes) lane.start();
  }

  get link(): LaneLink {
    return this.set.links[0];
  }

  /** One turn of the accept thread's event loop, without the lane. */
  turn(): void {
    for (const callback of this.#soon.splice(0)) callback();
  }

  /** Lane and accept thread, until there is nothing left to do. */
  settle(): void {
    for (let isBusy = true; isBusy; ) {
      this.turn();
      isBusy = this.threads.step();
      this.link.drainEvents();
      isBusy ||= this.#soon.length > 0;
    }
  }

  close(): void {
    this.set.close();
  }
}

export function openSteppedLane(ringBytes: number): OpenHome {
  return async (sizes, events) => {
    const stepped = new SteppedLane(ringBytes, sizes, events);
    const { link } = stepped;
    return { link, nowMs: testClock.nowMs, settle: async () => stepped.settle(), close: async () => stepped.close() };
  };
}

/** A lane in a thread of its own, through the pool. */
export class ThreadedLane implements TopicHome {
  readonly set: LaneSet;
  readonly pool = new LanePool(HEAP_BYTES);
  readonly nowMs = createMonotonicClock();
  readonly #probe = 0xffff_ffff;
  #probed: (() => void)[] = [];

  constructor(ringBytes: number, sizes: HomeSizes, events: LinkEvents, laneEvents: LaneEvents = noDeaths) {
    const handlers: LinkEvents = {
      onHead: (alias) => {
        if (alias !== this.#probe) events.onHead(alias);
      },
      onAck: (request, seq, outcome) => {
        if (request === this.#probe) this.#probed.shift()?.();
        else events.onAck(request, seq, outcome);
      },
      onPutAside: (request) => events.onPutAside(request),
    };
    const loop: Scheduler = {
      soon: (callback) => {
        setImmediate(callback);
      },
      after: (delayMs, callback) => {
        const timer = setTimeout(callback, delayMs);
        return () => clearTimeout(timer);
      },
    };
    this.set = new LaneSet(laneSetOptions(ringBytes, sizes), handlers, {
      threads: this.pool,
      loop,
      clock: testClock,
      events: laneEvents,
    });
  }

  get link(): LaneLink {
    return this.set.links[0];
  }

  async ready(): Promise<this> {
    await this.set.start();
    this.link.openTopic({
      alias: this.#probe,
      topic: 'probe',
      epoch: '',
      historyMessages: 0,
      historyBytes: 0,
    });
    return this;
  }

  /** The lane takes requests in their order: when it has acknowledged this one, it is done with those before. */
  async settle(): Promise<void> {
    const message = outgoing(encode(null), { request: this.#probe });
    while (this.link.publish(this.#probe, message) < 0) await new Promise((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => this.#probed.push(resolve));
  }

  async close(): Promise<void> {
    await this.set.stop();
    this.set.close();
    await this.pool.destroy();
  }
}

export function openThreadedLane(ringBytes: number): OpenHome {
  return (sizes, events) => new ThreadedLane(ringBytes, sizes, events).ready();
}
