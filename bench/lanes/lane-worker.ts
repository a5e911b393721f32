// Worker entry of a lane whose clock stands still, and which notes no waits, while the measurement of load is off.

import type { RecordableHistogram } from 'node:perf_hooks';
import { receiveMessageOnPort } from 'node:worker_threads';
import { Lane } from '../../dist/lane/lane.js';
import type { LaneParcel } from '../../dist/lane/parcels.js';
import { type LaneTask, threadClock } from '../../dist/lane/worker.js';
import type { OrderedLaneStart } from './ordered-lanes.js';

/** Returns when the lane was asked to stop. */
export default function runLane({ port, isMeasuring, ...start }: LaneTask & OrderedLaneStart): void {
  const isOn = (): boolean => isMeasuring[0] === 1;
  const startMs = threadClock.nowMs();
  const clock = { nowMs: () => (isOn() ? threadClock.nowMs() : startMs) };
  const waits = {
    record: (micros: number) => {
      if (isOn()) start.memory.waits.record(micros);
    },
  } as RecordableHistogram;
  const receive = (): LaneParcel | undefined => receiveMessageOnPort(port)?.message as LaneParcel | undefined;
  new Lane({ ...start, memory: { ...start.memory, waits } }, receive, clock).run();
}
