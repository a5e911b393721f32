/** Worker entry of a lane: one endless task. */

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Clock } from '../time/loop.js';
import { createMonotonicClock } from '../time/monotonic.js';
import { Lane, type LaneStart } from './lane.js';
import type { LaneParcel } from './parcels.js';

/** What the pool hands to the thread. */
export interface LaneTask extends LaneStart {
  readonly port: MessagePort;
}

export const threadClock: Clock = {
  nowMs: createMonotonicClock(),
};

/** Returns when the lane was asked to stop. */
export default function runLane({ port, ...start }: LaneTask): void {
  new Lane(start, () => receiveMessageOnPort(port)?.message as LaneParcel | undefined, threadClock).run();
}
