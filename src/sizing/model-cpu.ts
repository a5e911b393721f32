/** CPU of one process: what its accept thread and its lanes do per second, times what each of it costs. */
import type { Coefficients } from './calibration.js';
import { clientTraffic, frameBytes, hasFixedDelay } from './model-writes.js';
import {
  burstOf,
  clientCount,
  jsonTopics,
  readers,
  subscriptionsTo,
  type TopicGroup,
  type Workload,
} from './workload.js';

/** Messages for a lane wait for this part of their delay, and at most so long, before it is woken (directory/topic-entry.ts). */
const LANE_WAIT_SHARE = 0.25;
const LANE_WAIT_MAX_MS = 5;
/** Delays end once in a millisecond, whatever the number of connections whose delay it is. */
export const DELAY_ENDS_MAX = 1000;
const AUTO_STEPS = 40;

/** With so many connections half of what `perFarWriteMicros` is comes on top of a write. */
const FAR_CLIENTS = 1000;

/** Everything that costs time, per second of one process. */
export interface Activity {
  readonly writes: number;
  /** The part of them that finds the caches cold. */
  readonly farWrites: number;
  readonly rows: number;
  readonly bytes: number;
  /** Of them, those of frames that are larger than a slice. */
  readonly largeBytes: number;
  /** Deliveries: messages × subscribers. */
  readonly deliveries: number;
  readonly messages: number;
  readonly hotMessages: number;
  readonly wakeUps: number;
  /** Wake-ups that lead to writes. */
  readonly fanOuts: number;
  /** Of lanes, and of the accept thread by lanes. */
  readonly hotWakeUps: number;
  /** Deliveries to JSON clients. */
  readonly texts: number;
  /** Messages that are transcoded for JSON clients, where the topic is at home. */
  readonly transcoded: Transcoded;
  readonly hotTranscoded: Transcoded;
  /** What is encrypted and decrypted: writes, and what the feed sends at once. Nothing without TLS. */
  readonly tlsRecords: number;
  readonly tlsBytes: number;
}

interface Transcoded {
  readonly messages: number;
  readonly bytes: number;
}

export interface CpuPart {
  readonly what: string;
  /** Part of a core. */
  readonly cpu: number;
}

export interface Cpu {
  /** Parts of a core. */
  readonly accept: number;
  readonly lanes: number;
  readonly helpers: number;
  /** What the accept thread's is made of, the largest first. */
  readonly parts: readonly CpuPart[];
  readonly activity: Activity;
}

/** What `perSecond` independent events come to, when those during the `busyMs` after a wake-up need none. */
export function wakeUpsOf(perSecond: number, busyMs: number): number {
  return perSecond / (1 + (perSecond * busyMs) / 1000);
}

/**
 * What wakes the accept thread: what comes in, and ends of delays in those milliseconds in which nothing else does. Rises
 * with both: a message more spares less than one end.
 */
export function wakingEvents(bursts: number, delayEnds: number): number {
  return bursts + delayEnds * Math.exp(-bursts / DELAY_ENDS_MAX);
}

export function laneWaitMs(delayMs: number): number {
  return Math.min(LANE_WAIT_MAX_MS, Math.floor(LANE_WAIT_SHARE * delayMs));
}

/** @param share part of each class's clients that this process serves */
export function activityOf(
  workload: Workload,
  share: number,
  utilisation: number,
  coefficients: Coefficients,
): Activity {
  const sums = { writes: 0, rows: 0, bytes: 0, largeBytes: 0, texts: 0, deliveries: 0, delayedWrites: 0 };
  const subscribersOf = (group: TopicGroup): number => (share * subscriptionsTo(workload, group)) / group.count;
  for (const clientClass of readers(workload)) {
    const traffic = clientTraffic(clientClass, workload.topics, utilisation, coefficients, subscribersOf);
    const clients = clientClass.clients * share;
    sums.writes += clients * traffic.writes;
    sums.rows += clients * traffic.rows;
    sums.bytes += clients * traffic.bytes;
    sums.largeBytes += clients * traffic.largeBytes;
    sums.texts += clients * traffic.texts;
    sums.deliveries += clients * traffic.messages;
    sums.delayedWrites += clients * traffic.delayedWrites;
  }
  const rateOf = (groups: readonly TopicGroup[]) =>
    groups.reduce((sum, { count, ratePerSecond }) => sum + count * ratePerSecond, 0);
  const burstsOf = (groups: readonly TopicGroup[]) =>
    groups.reduce((sum, group) => sum + rateOf([group]) / burstOf(group), 0);
  const hot = workload.topics.filter(({ home }) => home === 'hot');
  const messages = rateOf(workload.topics);
  const bursts = burstsOf(workload.topics);
  const hotWakeUps = hot.reduce((sum, group) => {
    // As if `auto` were 0: with a delay that grows with the load, lanes would have less to do as the load grows.
    const waitMs = laneWaitMs(group.maxDelayMs === 'auto' ? 0 : group.maxDelayMs);
    return sum + wakeUpsOf(burstsOf([group]), Math.max(coefficients.wakeUpMs, waitMs));
  }, 0);
  const { delayedWrites, ...rest } = sums;
  const delayEnds = Math.min(DELAY_ENDS_MAX, delayedWrites);
  const undelayed = workload.topics.filter((group) => !hasFixedDelay(group) && subscriptionsTo(workload, group) > 0);
  const fanOuts = Math.min(sums.writes, burstsOf(undelayed) + delayEnds);
  const { wakeUpMs } = coefficients;
  const isEncrypted = workload.settings.tls === true;
  const feedBytes = workload.topics.reduce((sum, group) => sum + rateOf([group]) * frameBytes(group), 0);
  return {
    ...rest,
    farWrites: sums.writes * farShare(clientCount(workload)),
    messages,
    hotMessages: rateOf(hot),
    wakeUps: wakeUpsOf(wakingEvents(bursts, delayEnds), wakeUpMs),
    fanOuts: wakeUpsOf(fanOuts, wakeUpMs),
    hotWakeUps,
    transcoded: transcodedIn(workload, 'cold'),
    hotTranscoded: transcodedIn(workload, 'hot'),
    tlsRecords: isEncrypted ? sums.writes + bursts : 0,
    tlsBytes: isEncrypted ? sums.bytes + feedBytes : 0,
  };
}

/** A topic's messages are transcoded once, while one JSON client is there, whether it reads or not. */
function transcodedIn(workload: Workload, home: 'cold' | 'hot'): Transcoded {
  const sums = { messages: 0, bytes: 0 };
  for (const group of workload.topics) {
    if (group.home !== home) continue;
    const messages = jsonTopics(workload, group) * group.ratePerSecond;
    sums.messages += messages;
    sums.bytes += messages * group.bytes;
  }
  return sums;
}

export function cpuOf(activity: Activity, coefficients: Coefficients): Cpu {
  const c = coefficients;
  const work = [
    {
      what: 'socket writes',
      cpu: (activity.writes * c.perWriteMicros + activity.farWrites * c.perFarWriteMicros) / 1e6,
    },
    { what: 'finding what each subscription gets', cpu: (activity.rows * c.perRowMicros) / 1e6 },
    {
      what: 'copying bytes',
      cpu: (activity.bytes * c.perByteNanos + activity.largeBytes * c.perLargeByteNanos) / 1e9,
    },
    { what: 'taking messages in', cpu: (activity.messages * c.perMessageMicros) / 1e6 },
    { what: 'talking to lanes', cpu: (activity.hotWakeUps * c.perHotWakeUpMicros) / 1e6 },
    { what: 'JSON', cpu: (activity.texts * c.jsonEventMicros) / 1e6 + transcodingCpu(activity.transcoded, c) },
    { what: 'TLS', cpu: (activity.tlsRecords * c.tlsRecordMicros) / 1e6 + (activity.tlsBytes * c.tlsByteNanos) / 1e9 },
    { what: 'housekeeping', cpu: c.idleCpu },
  ];
  const busy = work.reduce((sum, { cpu }) => sum + cpu, 0);
  const waking = { what: 'waking up', cpu: wakingCpu(activity, busy, c) };
  const parts = [...work, waking].sort((left, right) => right.cpu - left.cpu);
  const lanes =
    (activity.hotMessages * c.laneMessageMicros + activity.hotWakeUps * c.laneWakeUpMicros) / 1e6 +
    transcodingCpu(activity.hotTranscoded, c);
  const accept = busy + waking.cpu;
  const helpers = accept * c.helperShare + (activity.largeBytes * c.helperLargeByteNanos) / 1e9;
  return { accept, lanes, helpers, parts, activity };
}

function transcodingCpu({ messages, bytes }: Transcoded, c: Coefficients): number {
  return (messages * c.jsonMessageMicros) / 1e6 + (bytes * c.jsonByteNanos) / 1e9;
}

/** Who is busy with something else need not be woken. At most `1 − busy`, so that more work never costs less in all. */
export function wakingCpu(activity: Pick<Activity, 'wakeUps' | 'fanOuts'>, busy: number, c: Coefficients): number {
  const alone = (activity.wakeUps * c.perWakeUpMicros + activity.fanOuts * c.perFanOutMicros) / 1e6;
  return Math.min(1, alone) * Math.max(0, 1 - busy);
}

/** Of the whole workload's clients, not of one process's: so that splitting them is not a saving to count on. */
export function farShare(clients: number): number {
  return clients / (clients + FAR_CLIENTS);
}

/**
 * CPU of a process that serves this share of the clients. A busy thread collects for longer, with `auto` longer still, and
 * what is collected costs less: a longer delay never costs more and more utilisation never shortens it, so there is one
 * utilisation at which both agree, and bisection finds it.
 */
export function processCpu(workload: Workload, share: number, coefficients: Coefficients): Cpu {
  const at = (utilisation: number): Cpu => cpuOf(activityOf(workload, share, utilisation, coefficients), coefficients);
  let low = 0;
  let high = 1;
  // Beyond full utilisation the delay does not grow any more.
  if (at(1).accept >= 1) return at(1);
  for (let step = 0; step < AUTO_STEPS; step++) {
    const middle = (low + high) / 2;
    if (at(middle).accept > middle) low = middle;
    else high = middle;
  }
  return at(high);
}
