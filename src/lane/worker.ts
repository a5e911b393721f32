/** Worker entry of a lane: one endless task. */

import { Lane, type LaneMemory } from './lane.js';

/** Returns when the lane was asked to stop. */
export default function runLane(memory: LaneMemory): void {
  new Lane(memory).run();
}
