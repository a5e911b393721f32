// Lane threads that can be ended from outside, and whose timing samples can be switched off.

import type { LaneStart } from '../../dist/lane/lane.js';
import { LanePool, type RunningLane } from '../../dist/lane/pool.js';

const WORKER_URL = new URL('./lane-worker.js', import.meta.url);

/** What the threads of OrderedLanes are started with. */
export interface OrderedLaneStart extends LaneStart {
  /** One word: 1 while the lane takes samples. Writer: the accept thread. Readers: the lanes. */
  readonly isMeasuring: Int32Array<SharedArrayBuffer>;
}

/** Writer and reader: the accept thread. */
export class OrderedLanes extends LanePool {
  readonly #isMeasuring = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  /** The memory of a lane stays the same, whichever thread runs it. In the order of their first starts: of their numbers. */
  readonly #threads = new Map<LaneStart['memory'], RunningLane>();

  constructor(heapBytes: number) {
    super(heapBytes, WORKER_URL);
  }

  override start(start: LaneStart, onEnded: (fault: unknown) => void): RunningLane {
    const ordered: OrderedLaneStart = { ...start, isMeasuring: this.#isMeasuring };
    const thread = super.start(ordered, onEnded);
    this.#threads.set(start.memory, thread);
    return thread;
  }

  end(lane: number): void {
    [...this.#threads.values()][lane].terminate();
  }

  switchMeasurement(isOn: boolean): void {
    Atomics.store(this.#isMeasuring, 0, isOn ? 1 : 0); // read by the lanes without more ado: a message sooner or later is all one
  }
}
