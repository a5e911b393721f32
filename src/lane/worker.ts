/** Worker entry of a lane: one endless task. */

import { performance } from 'node:perf_hooks';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Lane, type LaneClock, type LaneStart } from './lane.js';
import type { LaneParcel } from './parcels.js';

/** What the pool hands to the thread. */
export interface LaneTask extends LaneStart {
  readonly port: MessagePort;
}

export const threadClock: LaneClock = {
  nowMs: () => performance.now(),
  epochMs: () => performance.timeOrigin + performance.now(),
};

/** Returns when the lane was asked to stop. */
export default function runLane({ port, ...start }: LaneTask): void {
  new Lane(start, () => receiveMessageOnPort(port)?.message as LaneParcel | undefined, threadClock).run();
}
