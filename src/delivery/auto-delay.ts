/**
 * Auto delay: how long messages wait for company when `maxDelayMs` is `auto`.
 *
 * An idle thread sends at once: waiting would only add latency. A busy one gains by fuller writes, so the delay grows
 * with its utilisation. Cold topics wait only when the thread is all but saturated: what they gain is little, and that
 * they do not wait for hot ones is what the cold class is for.
 */

import { AUTO_DELAY_COLD_FROM, AUTO_DELAY_HOT_FROM, AUTO_DELAY_MAX_MS } from '../limits.js';

const SAMPLE_MS = 50;
/** Weight of a new sample: about 0.2 s until a change of load is followed. */
const WEIGHT = 0.3;

export class AutoDelay {
  hotMs = 0;
  coldMs = 0;
  utilisation = 0;
  readonly #busyMs: () => number;
  #sampledAtMs: number;
  #sampledBusyMs: number;

  /** @param busyMs time this thread's event loop has been busy since it began (ms). */
  constructor(busyMs: () => number, nowMs: number) {
    this.#busyMs = busyMs;
    this.#sampledAtMs = nowMs;
    this.#sampledBusyMs = busyMs();
  }

  /** Called once per turn; takes a sample when the last one is old enough. */
  update(nowMs: number): void {
    const elapsedMs = nowMs - this.#sampledAtMs;
    if (elapsedMs < SAMPLE_MS) return;
    const busyMs = this.#busyMs();
    const sample = Math.min(1, Math.max(0, (busyMs - this.#sampledBusyMs) / elapsedMs));
    // After a pause without turns the old figure says nothing any more.
    const weight = Math.min(1, WEIGHT * (elapsedMs / SAMPLE_MS));
    this.utilisation += (sample - this.utilisation) * weight;
    this.#sampledAtMs = nowMs;
    this.#sampledBusyMs = busyMs;
    this.hotMs = delayAbove(AUTO_DELAY_HOT_FROM, this.utilisation);
    this.coldMs = delayAbove(AUTO_DELAY_COLD_FROM, this.utilisation);
  }
}

/** 0 up to `from`, then linearly to the longest delay at full utilisation; whole milliseconds, as the wheel has. */
function delayAbove(from: number, utilisation: number): number {
  return Math.round((Math.max(0, utilisation - from) / (1 - from)) * AUTO_DELAY_MAX_MS);
}
