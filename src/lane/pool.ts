/** Lane pool: starts and ends the threads of lanes. All that ringcast knows of Piscina is here. */

import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { LaneStart } from './lane.js';
import type { LaneParcel } from './parcels.js';
import type { LaneTask } from './worker.js';

/** One thread of a lane, from its start until its end. */
export interface RunningLane {
  post(parcel: LaneParcel): void;
  /** Ends the thread, whatever it does. `onEnded` follows. */
  terminate(): void;
}

/** Where the threads of lanes come from. */
export interface LaneThreads {
  /** @param onEnded called once, when the thread is really gone: with null after a stop, else with what it died of. */
  start(start: LaneStart, onEnded: (fault: unknown) => void): RunningLane;
}

/** What the system says when it has no descriptors, no memory or no threads left. */
const WANT_CODES = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ERR_WORKER_INIT_FAILED']);

/** Whether a thread that ended with this could not be started for want of something that may be there later. */
export function isWant(fault: unknown): boolean {
  return fault instanceof Error && WANT_CODES.has(String((fault as NodeJS.ErrnoException).code));
}

const WORKER_URL = new URL('./worker.js', import.meta.url);

export class LanePool implements LaneThreads {
  readonly #heapBytes: number;
  readonly #workerUrl: URL;
  readonly #running = new Set<Piscina>();

  /** @param heapBytes V8's limit for a thread's heap. @param workerUrl the thread's entry, another one for fault injection. */
  constructor(heapBytes: number, workerUrl: URL = WORKER_URL) {
    this.#heapBytes = heapBytes;
    this.#workerUrl = workerUrl;
  }

  /**
   * A Piscina of one thread with one endless task: it starts, limits and ends the thread, and is not on any message's way.
   * A lane's next thread gets a Piscina of its own, so that nothing of a thread that died is left in it.
   */
  start(start: LaneStart, onEnded: (fault: unknown) => void): RunningLane {
    const piscina = new Piscina({
      filename: this.#workerUrl.href,
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      resourceLimits: heapLimits(this.#heapBytes),
    });
    this.#running.add(piscina);
    // Piscina reports a thread that dies outside its task here as well; the task's end is all that counts.
    piscina.on('error', () => {});
    const worker = piscina.threads[0];
    const { port1: port, port2: lanePort } = new MessageChannel();
    // The port must not keep a process alive that has closed everything else.
    port.unref();
    const task: LaneTask = { ...start, port: lanePort };
    const ended = async (fault: unknown): Promise<void> => {
      port.close();
      // Not when the task has ended but when the thread has: until then it could touch the shared memory.
      await Promise.all([worker?.terminate(), piscina.destroy()]);
      this.#running.delete(piscina);
      onEnded(fault);
    };
    piscina.run(task, { transferList: [lanePort] }).then(
      () => ended(null),
      (fault: unknown) => ended(fault),
    );
    return {
      post: (parcel) => port.postMessage(parcel),
      terminate: () => void piscina.destroy(),
    };
  }

  /** Ends all threads, also those that did not stop by themselves. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#running].map((piscina) => piscina.destroy()));
  }
}

/** V8 allows a heap of the old generation and 1.5 times the young one. */
function heapLimits(heapBytes: number): { maxOldGenerationSizeMb: number; maxYoungGenerationSizeMb: number } {
  const heapMb = heapBytes / 2 ** 20;
  return { maxOldGenerationSizeMb: Math.floor((heapMb * 13) / 16), maxYoungGenerationSizeMb: Math.floor(heapMb / 8) };
}
