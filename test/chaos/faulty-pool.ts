// Threads of lanes that fail when the test says so, and an engine that runs on them.
import { afterEach } from 'vitest';
import { parseConfig } from '#src/config.js';
import { Engine, type EngineOptions, type LaneEvent, type PoisonEvent } from '#src/index.js';
import type { LaneMemory, LaneStart } from '#src/lane/lane.js';
import { LanePool, type RunningLane } from '#src/lane/pool.js';
import { FaultSwitch } from './faults.mjs';

const WORKER_URL = new URL('./faulty-worker.mjs', import.meta.url);
const HEAP_BYTES = 32 * 2 ** 20;
/** Longer than any test: who wants a lane to be seen as hung, sets less. */
const STALL_MS = 60_000;

/** One lane, whichever of its threads is at work. */
export interface FaultyLane {
  readonly memory: LaneMemory;
  readonly faults: FaultSwitch;
  /** Null: none is. */
  running: RunningLane | null;
  starts: number;
}

export class FaultyPool extends LanePool {
  /** By their numbers. */
  readonly lanes: FaultyLane[] = [];

  constructor(workerUrl: URL = WORKER_URL, heapBytes = HEAP_BYTES) {
    super(heapBytes, workerUrl);
  }

  override start(start: LaneStart, onEnded: (fault: unknown) => void): RunningLane {
    const lane = this.#laneOf(start.memory);
    const withFaults: LaneStart & { readonly faults: SharedArrayBuffer } = { ...start, faults: lane.faults.memory };
    const running = super.start(withFaults, (fault) => {
      if (lane.running === running) lane.running = null;
      onEnded(fault);
    });
    lane.running = running;
    lane.starts++;
    return running;
  }

  /** Lanes are started in the order of their numbers, and keep their memory. */
  #laneOf(memory: LaneMemory): FaultyLane {
    let lane = this.lanes.find((known) => known.memory === memory);
    if (lane === undefined) {
      lane = { memory, faults: new FaultSwitch(), running: null, starts: 0 };
      this.lanes.push(lane);
    }
    return lane;
  }
}

export interface FaultyEngine {
  readonly engine: Engine;
  readonly pool: FaultyPool;
  readonly events: LaneEvent[];
  readonly poisoned: PoisonEvent[];
  readonly faults: unknown[];
}

const running: FaultyEngine[] = [];

/** An engine whose lanes can be made to fail. It is closed after the test, and must not have had a fault itself. */
export async function startFaultyEngine(options: EngineOptions, pool = new FaultyPool()): Promise<FaultyEngine> {
  const engine = new Engine(parseConfig({ port: 0, lanes: 1, laneStallMs: STALL_MS, ...options }), {}, pool);
  const faulty: FaultyEngine = { engine, pool, events: [], poisoned: [], faults: [] };
  engine.on('lane', (event) => faulty.events.push(event));
  engine.on('poison', (event) => faulty.poisoned.push(event));
  engine.on('fault', (fault) => faulty.faults.push(fault));
  engine.on('warning', () => {});
  running.push(faulty);
  await engine.start();
  return faulty;
}

afterEach(async () => {
  const ended = running.splice(0);
  await Promise.all(ended.map(({ engine }) => engine.close()));
  const fault = ended.flatMap(({ faults }) => faults)[0];
  if (fault !== undefined) throw new Error('an engine had a fault', { cause: fault });
});
