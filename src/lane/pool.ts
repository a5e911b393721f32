/** Lane pool: starts and ends the lanes' threads. All that ringcast knows of Piscina is here. */

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { allocateDoorbell } from '../ring/doorbell.js';
import { allocateRing } from '../ring/ring.js';
import { EVENT_RING_MIN_BYTES, type LaneMemory } from './lane.js';

export interface LaneThread {
  readonly memory: LaneMemory;
  /** The accept thread's end of the lane's port. */
  readonly port: MessagePort;
  /** Settles when the lane has ended: fulfilled after a stop, rejected after a fault. */
  readonly ended: Promise<void>;
}

export class LanePool {
  readonly threads: readonly LaneThread[];
  /** Rung by the lanes, listened to by the accept thread. */
  readonly acceptBell: SharedArrayBuffer;
  readonly #piscina: Piscina | null;

  constructor(lanes: number, ringBytes: number) {
    this.acceptBell = allocateDoorbell();
    if (lanes === 0) {
      this.#piscina = null;
      this.threads = [];
      return;
    }
    // One endless task per thread: Piscina starts, names and ends the threads, and is not on any message's way.
    this.#piscina = new Piscina({
      filename: new URL('./worker.js', import.meta.url).href,
      minThreads: lanes,
      maxThreads: lanes,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
    });
    this.threads = Array.from({ length: lanes }, () => this.#start(ringBytes));
  }

  /** Ends the threads, also those that did not stop by themselves. */
  async destroy(): Promise<void> {
    await this.#piscina?.destroy();
  }

  #start(ringBytes: number): LaneThread {
    const { port1: port, port2: lanePort } = new MessageChannel();
    // The port must not keep a process alive that has closed everything else.
    port.unref();
    const memory: LaneMemory = {
      requests: allocateRing(ringBytes),
      events: allocateRing(Math.max(ringBytes, powerOfTwoFrom(EVENT_RING_MIN_BYTES))),
      laneBell: allocateDoorbell(),
      acceptBell: this.acceptBell,
      port: lanePort,
    };
    const ended = (this.#piscina as Piscina).run(memory, { transferList: [lanePort] }) as Promise<void>;
    return { memory, port, ended };
  }
}

function powerOfTwoFrom(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}
