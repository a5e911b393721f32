/** From publishing to the subscriber's machine: what 99 of 100 deliveries stay below. Rough: see bench/SIZING.md. */
import type { Coefficients } from './calibration.js';
import { type Cpu, farShare } from './model-cpu.js';
import { collectingMs, configuredDelayMs, frameBytes } from './model-writes.js';
import { burstOf, clientCount, subscriptionsTo, type TopicGroup, type Workload } from './workload.js';

/** ln(100): of a wait that is exponential, the 99th percentile in means. */
const P99_IN_MEANS = 4.6;

/** The work that the messages of a group that come at once cause at once: a write to each subscriber of its topic (s). */
function fanOutSeconds(workload: Workload, group: TopicGroup, share: number, c: Coefficients): number {
  const subscribers = (share * subscriptionsTo(workload, group)) / group.count;
  const write = c.perWriteMicros + c.perFarWriteMicros * farShare(clientCount(workload));
  const perSubscriber = (write + c.perRowMicros) / 1e6 + (burstOf(group) * frameBytes(group) * c.perByteNanos) / 1e9;
  return subscribers * perSubscriber;
}

/**
 * The slowest group's: its delay, the time of its own fan-out (of whose writes the last ones are late by all of it), the wait
 * for fan-outs that are under way (Pollaczek–Khinchine), and what a single message takes on an idle server. Infinity: the
 * accept thread cannot keep up.
 */
export function p99Ms(workload: Workload, share: number, cpu: Cpu, c: Coefficients): number {
  if (cpu.accept >= 1) return Number.POSITIVE_INFINITY;
  let squares = 0;
  for (const group of workload.topics) {
    // What is collected goes out together.
    const bursts = group.ratePerSecond / burstOf(group);
    const fanOuts = bursts / (1 + (bursts * collectingMs(group, cpu.accept, c)) / 1000);
    squares += group.count * fanOuts * fanOutSeconds(workload, group, share, c) ** 2;
  }
  const waitMs = (1000 * squares) / (2 * Math.max(0.01, 1 - cpu.accept));
  const read = workload.topics.filter((group) => group.ratePerSecond > 0 && subscriptionsTo(workload, group) > 0);
  return read.reduce((slowest, group) => {
    const delayMs = configuredDelayMs(group, cpu.accept);
    const slackMs = Math.min(1, delayMs) * c.delaySlackMs;
    const ownMs = 1000 * fanOutSeconds(workload, group, share, c);
    const quietMs = group.home === 'hot' ? c.hotLatencyMs : c.coldLatencyMs;
    return Math.max(slowest, delayMs + slackMs + ownMs + quietMs + P99_IN_MEANS * waitMs);
  }, 0);
}
