// The homes of topics: the accept thread, a lane that the test steps by hand, and a lane in a thread of its own.

import { MessageChannel } from 'node:worker_threads';
import { DirectLink } from '#src/lane/direct-link.js';
import { EVENT_RING_MIN_BYTES, Lane, type LaneMemory } from '#src/lane/lane.js';
import { LaneLink } from '#src/lane/lane-link.js';
import type { LinkEvents } from '#src/lane/link.js';
import { LanePool } from '#src/lane/pool.js';
import { encode } from '#src/protocol/msgpack.js';
import { allocateDoorbell, Doorbell } from '#src/ring/doorbell.js';
import { allocateRing } from '#src/ring/ring.js';
import type { HomeSizes, OpenHome, TopicHome } from './topic-home.js';

export const openDirect: OpenHome = async ({ dataBytes, frames }) => {
  const link = new DirectLink({
    dataMaxBytes: dataBytes,
    framesMax: frames,
    logsMaxBytes: 2 ** 30,
    retainMs: 3_600_000,
  });
  return { link, settle: async () => {}, close: async () => {} };
};

/** A lane without a thread: it runs when the test says so. */
export class SteppedLane {
  readonly link: LaneLink;
  readonly lane: Lane;
  readonly #lanePort: LaneMemory['port'];
  #soon: (() => void)[] = [];

  constructor(ringBytes: number, sizes: HomeSizes, events: LinkEvents) {
    const { port1, port2 } = new MessageChannel();
    const memory: LaneMemory = {
      requests: allocateRing(ringBytes),
      events: allocateRing(2 ** Math.ceil(Math.log2(EVENT_RING_MIN_BYTES))),
      laneBell: allocateDoorbell(),
      acceptBell: allocateDoorbell(),
      port: port2,
    };
    this.#lanePort = port2;
    this.lane = new Lane(memory);
    const soon = (callback: () => void): void => {
      this.#soon.push(callback);
    };
    const after = (_delayMs: number, callback: () => void): (() => void) => {
      soon(callback);
      return () => {};
    };
    this.link = new LaneLink(memory, port1, sizes, { soon, after }, events);
  }

  /** One turn of the accept thread's event loop, without the lane. */
  turn(): void {
    for (const callback of this.#soon.splice(0)) callback();
  }

  /** Lane and accept thread, until there is nothing left to do. */
  settle(): void {
    for (let isBusy = true; isBusy; ) {
      this.turn();
      isBusy = this.lane.step();
      this.link.drainEvents();
      isBusy ||= this.#soon.length > 0;
    }
  }

  close(): void {
    this.link.close();
    this.#lanePort.close();
  }
}

export function openSteppedLane(ringBytes: number): OpenHome {
  return async (sizes, events) => {
    const stepped = new SteppedLane(ringBytes, sizes, events);
    return { link: stepped.link, settle: async () => stepped.settle(), close: async () => stepped.close() };
  };
}

/** A lane in a thread of its own, through the pool. */
export class ThreadedLane implements TopicHome {
  readonly link: LaneLink;
  readonly pool: LanePool;
  readonly #bell: Doorbell;
  readonly #probe: number;
  #probed: (() => void)[] = [];

  constructor(ringBytes: number, sizes: HomeSizes, events: LinkEvents) {
    this.pool = new LanePool(1, ringBytes);
    const { memory, port } = this.pool.threads[0]!;
    this.#probe = 0xffff_ffff;
    const handlers: LinkEvents = {
      onHead: (alias) => {
        if (alias !== this.#probe) events.onHead(alias);
      },
      onAck: (request, seq) => {
        if (request === this.#probe) this.#probed.shift()?.();
        else events.onAck(request, seq);
      },
    };
    const soon = (callback: () => void): void => {
      setImmediate(callback);
    };
    const after = (delayMs: number, callback: () => void): (() => void) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    };
    this.link = new LaneLink(memory, port, sizes, { soon, after }, handlers);
    this.#bell = new Doorbell(this.pool.acceptBell);
    this.#bell.listen(
      () => !this.link.hasEvents(),
      () => this.link.drainEvents(),
    );
  }

  async ready(): Promise<this> {
    await this.link.ready;
    this.link.openTopic({ alias: this.#probe, topic: 'probe', epoch: '', historyMessages: 0, historyBytes: 0 });
    return this;
  }

  /** The lane takes requests in their order: when it has acknowledged this one, it is done with those before. */
  async settle(): Promise<void> {
    const payload = encode(null);
    const message = {
      bytes: payload,
      start: 0,
      end: 1,
      tail: null,
      timeMs: 0,
      origin: 0,
      mayWaitMs: 0,
      request: this.#probe,
    };
    while (this.link.publish(this.#probe, message) < 0) await new Promise((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => this.#probed.push(resolve));
  }

  async close(): Promise<void> {
    this.link.stop();
    await this.pool.threads[0]!.ended;
    this.#bell.close();
    this.link.close();
    await this.pool.destroy();
  }
}

export function openThreadedLane(ringBytes: number): OpenHome {
  return (sizes, events) => new ThreadedLane(ringBytes, sizes, events).ready();
}
