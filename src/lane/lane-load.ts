/** Lane load: how busy a lane is and how long messages wait for it, from what it counts in shared memory. */

import type { RecordableHistogram } from 'node:perf_hooks';
import type { LaneCounters } from '../counters/lane-counters.js';
import type { WaitFigures } from '../counters/report.js';
import { RingWait } from '../counters/ring-wait.js';

/** Time constant of the mean (ms). */
const TAU_MS = 1000;

/** Writer and reader: the accept thread. */
export class LaneLoad {
  /** Part of the time that the lane is busy, 0–1: an exponentially weighted mean. */
  utilisation = 0;
  /** Of the last whole interval (see `endInterval`), as are the waits. */
  messagesPerSecond = 0;
  ringWaitMs: WaitFigures = { p50: 0, p99: 0, max: 0 };
  readonly #counters: LaneCounters;
  readonly #ringWait: RingWait;
  #busyMs: number;
  #sampledAtMs: number;
  #messages: number;
  #intervalStartMs: number;

  constructor(counters: LaneCounters, waits: RecordableHistogram, nowMs: number) {
    this.#counters = counters;
    this.#ringWait = new RingWait(waits);
    this.#busyMs = counters.busyMs;
    this.#sampledAtMs = nowMs;
    this.#messages = counters.messages;
    this.#intervalStartMs = nowMs;
  }

  /** Takes a sample; at any times, not too close. */
  update(nowMs: number): void {
    const elapsedMs = nowMs - this.#sampledAtMs;
    if (elapsedMs <= 0) return;
    const { busyMs } = this.#counters;
    const sample = Math.min(1, Math.max(0, busyMs - this.#busyMs) / elapsedMs);
    this.utilisation += (sample - this.utilisation) * (1 - Math.exp(-elapsedMs / TAU_MS));
    this.#busyMs = busyMs;
    this.#sampledAtMs = nowMs;
  }

  /** What came since the last call becomes the figures of the last interval. */
  endInterval(nowMs: number): void {
    this.ringWaitMs = this.#ringWait.take();
    const elapsedMs = nowMs - this.#intervalStartMs;
    if (elapsedMs <= 0) return;
    const { messages } = this.#counters;
    this.messagesPerSecond = ((messages - this.#messages) * 1000) / elapsedMs;
    this.#messages = messages;
    this.#intervalStartMs = nowMs;
  }
}
