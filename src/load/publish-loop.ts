/** Carries out schedules: naps until shortly before a message is due, spins for the rest, sends. */
import { clockMs, sleep } from './clock.js';
import type { PublishFeed } from './publish-feed.js';
import type { Schedule } from './schedule.js';
import type { Settled } from './settled.js';

const NAP_MAX_MS = 20;
const SPIN_MAX_MS = 0.15;
const SPIN_SHARE = 0.04;

/**
 * Publishes until nothing is left, or until `endMs` with what is sent by then. Returns for how long the server did not take what was
 * due (ms).
 */
export async function publishAll(
  feeds: readonly PublishFeed[],
  endMs: number,
  settled: Settled,
  isStopped: () => boolean,
): Promise<number> {
  // The last bit of a wait is spent spinning: sleeping alone is some 60 µs late. At most 4 % of a core.
  const burstsPerMs = feeds.reduce((sum, { schedule }) => sum + 1 / schedule.intervalMs, 0);
  const spinMs = Math.min(SPIN_MAX_MS, SPIN_SHARE / burstsPerMs);
  const pausing = feeds.map(({ schedule }) => schedule).find(canPause);
  let heldUpMs = 0;
  let nowMs = clockMs();
  while (!isStopped() && nowMs < endMs) {
    settled.look();
    let isFlushed = true;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const feed of feeds) {
      if (!feed.publishDue(nowMs)) isFlushed = false;
      nextMs = Math.min(nextMs, feed.nextMs(nowMs));
    }
    if (nextMs > endMs || nextMs === Number.POSITIVE_INFINITY) break;
    for (const feed of feeds) feed.prepare();
    await turnLater();
    if (!isFlushed || feeds.some(({ connection }) => connection.socket.writableLength > 0)) {
      await sleep(1);
      if (!isFlushed) heldUpMs += clockMs() - nowMs;
    } else {
      const waitMs = Math.min(nextMs - clockMs() - spinMs, NAP_MAX_MS);
      if (waitMs > 0) {
        if (pausing === undefined) settled.nap(waitMs);
        else await pausing.pause();
      }
      while (nextMs - clockMs() > 0 && nextMs - clockMs() <= spinMs);
    }
    nowMs = clockMs();
  }
  for (const feed of feeds) feed.finish(nowMs);
  await turnLater();
  return heldUpMs;
}

function canPause(schedule: Schedule): schedule is Required<Schedule> {
  return schedule.pause !== undefined;
}

function turnLater(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
