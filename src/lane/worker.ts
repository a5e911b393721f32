/** Worker entry of a lane: one endless task. */

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Lane, type LaneClock, type LaneStart } from './lane.js';
import { createMonotonicClock } from './monotonic.js';
import type { LaneParcel } from './parcels.js';

/** What the pool hands to the thread. */
export interface LaneTask extends LaneStart {
  readonly port: MessagePort;
}

export const threadClock: LaneClock = {
  nowMs: createMonotonicClock(),
};

/** Returns when the lane was asked to stop. */
export default function runLane({ port, ...start }: LaneTask): void {
  new Lane(start, () => receiveMessageOnPort(port)?.message as LaneParcel | undefined, threadClock).run();
}
