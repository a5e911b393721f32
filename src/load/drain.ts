/** The end of a phase: what has been published is still under way. */
import { clockMs, sleep } from './clock.js';
import type { Tracker } from './tracker.js';

const STALL_MS = 3_000;
const MAX_MS = 15_000;

/** Waits for it, as long as anything arrives. @param isOver nothing can arrive any more */
export async function drain(
  tracker: Tracker,
  published: ArrayLike<number>,
  isOver: () => boolean = () => false,
): Promise<void> {
  const startMs = clockMs();
  const expected = tracker.expectedDeliveries(published);
  let progressMs = startMs;
  let { settled } = tracker;
  while (tracker.settled < expected && !isOver()) {
    await sleep(5);
    const nowMs = clockMs();
    if (tracker.settled !== settled) progressMs = nowMs;
    settled = tracker.settled;
    if (nowMs - progressMs > STALL_MS || nowMs - startMs > MAX_MS) return;
  }
}
