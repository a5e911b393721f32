/**
 * How many writes a client gets, and how many of its subscriptions have something in them.
 *
 * Delivery collects what comes for a connection until its oldest message has waited for `maxDelayMs`; then everything
 * goes out as one WebSocket message, which is one write, if it is not larger than a slice. Messages come at random times.
 */
import {
  AUTO_DELAY_COLD_FROM,
  AUTO_DELAY_HOT_FROM,
  AUTO_DELAY_MAX_MS,
  BLOCK_CONNECTIONS,
  COHORT_MEMBERS_MIN,
  SLICE_MAX_BYTES,
  TEXT_FRAMES_MAX,
} from '../limits.js';
import type { Coefficients } from './calibration.js';
import { burstOf, type ClientClass, type TopicGroup } from './workload.js';

/** EVENT head of 21 bytes, and the head of a binary payload of at least 256 bytes. */
export const FRAME_HEAD_BYTES = 24;
/** Of an event as JSON: names and quotes, seq, time, and a topic of 20 characters. */
const JSON_HEAD_BYTES = 112;
/** Of a payload as JSON: base64, and about what the text of numbers takes beside their MessagePack. */
const JSON_GROWTH = 4 / 3;

export function frameBytes(group: TopicGroup): number {
  return FRAME_HEAD_BYTES + group.bytes;
}

export function jsonFrameBytes(group: TopicGroup): number {
  return JSON_HEAD_BYTES + JSON_GROWTH * group.bytes;
}

/** `maxDelayMs` of a group, as what `auto` comes to when the accept thread is busy for this part of the time. */
export function configuredDelayMs(group: TopicGroup, utilisation: number): number {
  if (group.maxDelayMs !== 'auto') return group.maxDelayMs;
  const from = group.home === 'hot' ? AUTO_DELAY_HOT_FROM : AUTO_DELAY_COLD_FROM;
  return (Math.max(0, Math.min(1, utilisation) - from) / (1 - from)) * AUTO_DELAY_MAX_MS;
}

export function hasFixedDelay({ maxDelayMs }: TopicGroup): boolean {
  return maxDelayMs !== 'auto' && maxDelayMs > 0;
}

/** How long messages of a group are really collected (ms). Continuous and rising in `maxDelayMs`. */
export function collectingMs(group: TopicGroup, utilisation: number, coefficients: Coefficients): number {
  const delayMs = configuredDelayMs(group, utilisation);
  const { undelayedMs, delaySlackMs, hotDelayShare } = coefficients;
  if (delayMs === 0) return undelayedMs;
  const share = group.home === 'hot' ? hotDelayShare : 1;
  // The slack is that of whole milliseconds and timers: it is there from the first millisecond of delay on.
  return undelayedMs + delayMs * share + Math.min(1, delayMs) * delaySlackMs;
}

/** What a busy thread is late by, in turns of about a millisecond, which is also what timers count in. */
const TURN_MS = 1;
const UTILISATION_MAX = 0.98;

/** How much longer messages are collected because the thread has other things to do (ms): rises with its utilisation. */
export function busyWaitMs(utilisation: number): number {
  const busy = Math.min(UTILISATION_MAX, Math.max(0, utilisation));
  return (TURN_MS * busy) / (1 - busy);
}

/** Messages that come for one client from a group of topics. */
export interface Arrivals {
  readonly perSecond: number;
  readonly collectingMs: number;
}

/**
 * Mean time between two writes to a client (s), Infinity without arrivals. A write happens when the first arrival of any
 * group since the last write has been collected for that group's time: F = min over groups of (A + d), A exponential with
 * the group's rate. The mean of F is the integral of P(F > t) = Π exp(−rate × max(0, t − d)): between two neighbouring d an
 * exponential, so exact. Never longer for a higher rate.
 */
export function writeIntervalSeconds(arrivals: readonly Arrivals[]): number {
  const groups = arrivals
    .filter(({ perSecond }) => perSecond > 0)
    .map(({ perSecond, collectingMs }) => ({ perSecond, seconds: collectingMs / 1000 }))
    .sort((left, right) => left.seconds - right.seconds);
  if (groups.length === 0) return Number.POSITIVE_INFINITY;
  let interval = groups[0].seconds;
  let survival = 1;
  let rate = 0;
  groups.forEach(({ perSecond, seconds }, index) => {
    rate += perSecond;
    const until = groups[index + 1]?.seconds ?? Number.POSITIVE_INFINITY;
    const atEnd = survival * Math.exp(-rate * (until - seconds));
    interval += (survival - atEnd) / rate;
    survival = atEnd;
  });
  return interval;
}

export interface ClientTraffic {
  /** All per second and client. */
  readonly messages: number;
  readonly writes: number;
  /** Subscriptions that had something in a write, over all writes. */
  readonly rows: number;
  /** Of frames. */
  readonly bytes: number;
  /** Of frames that are larger than a slice: they are copied for each subscriber. */
  readonly largeBytes: number;
  /** Messages that are a WebSocket message each: those of JSON clients. */
  readonly texts: number;
  /** Of writes, those that waited for a delay. Not for an automatic one: that is there only when the thread is busy anyway. */
  readonly delayedWrites: number;
}

/**
 * How long a client waits on average for the writes to others of the same fan-out (ms): half of it. What comes meanwhile
 * shares its write. Of several groups the shortest fan-out counts, and no more than the mean time between two messages:
 * both so that more load never needs fewer writes.
 */
export function fanOutWaitMs(subscribers: number, messagesPerSecond: number, writeMicros: number): number {
  return messagesPerSecond === 0 ? 0 : Math.min((subscribers * writeMicros) / 2000, 1000 / messagesPerSecond);
}

/**
 * The part of subscriptions that are in cohorts, where a block has so many of a topic on average: it takes COHORT_MEMBERS_MIN,
 * and how many there are is Poisson's.
 */
export function cohortShare(membersMean: number): number {
  let exactly = Math.exp(-membersMean);
  let fewer = 0;
  for (let members = 0; members < COHORT_MEMBERS_MIN; members++) {
    fewer += exactly;
    exactly *= membersMean / (members + 1);
  }
  return 1 - fewer;
}

/**
 * What comes per second that may make a client's write due: what comes for itself, and for its block, which is written to
 * when the first message for any of its cohorts is due.
 */
export function dueArrivals(group: TopicGroup, subscriptions: number, subscribers: number): number {
  const bursts = group.ratePerSecond / burstOf(group);
  const own = subscriptions * bursts;
  const perBlock = BLOCK_CONNECTIONS * Math.min(1, subscriptions / group.count);
  const share = cohortShare(Math.min(subscribers, perBlock));
  return Math.max(own, (1 - share) * own + share * share * group.count * bursts);
}

/**
 * Of the times at which something is due for its block, the part at which something is for the client: what made it due, or what
 * came until then. @param interval from one such time to the next (s). `own` and `due` are per second
 */
export function partForClient(own: number, due: number, interval: number): number {
  return 1 - (1 - own / due) * Math.exp(-own * (interval - 1 / due));
}

/** Of a class that reads. @param subscribersOf of a topic of the group, in this process */
export function clientTraffic(
  clientClass: ClientClass,
  groups: readonly TopicGroup[],
  utilisation: number,
  coefficients: Coefficients,
  subscribersOf: (group: TopicGroup) => number = () => 0,
): ClientTraffic {
  const isJson = clientClass.json === true;
  const sizeOf = isJson ? jsonFrameBytes : frameBytes;
  const shares = groups.map((group) => {
    const subscriptions = clientClass.topics[group.name] ?? 0;
    return { group, subscriptions, collectingMs: collectingMs(group, utilisation, coefficients) };
  });
  const perSecond = (test: (group: TopicGroup) => number): number =>
    shares.reduce((sum, { group, subscriptions }) => sum + subscriptions * group.ratePerSecond * test(group), 0);
  const messages = perSecond(() => 1);
  const bytes = perSecond(sizeOf);
  // A frame beyond a slice travels alone.
  const isAlone = (group: TopicGroup): boolean => sizeOf(group) > SLICE_MAX_BYTES;
  const alone = perSecond((group) => (isAlone(group) ? 1 : 0));
  const aloneBytes = perSecond((group) => (isAlone(group) ? sizeOf(group) : 0));
  const arrivals = shares.map(({ group, subscriptions, collectingMs }) => ({
    perSecond: subscriptions === 0 ? 0 : dueArrivals(group, subscriptions, subscribersOf(group)),
    collectingMs,
  }));
  const fromText = isJson ? messages / TEXT_FRAMES_MAX : 0;
  const read = shares.filter(({ subscriptions, group }) => subscriptions * group.ratePerSecond > 0);
  const bursts = perSecond((group) => 1 / burstOf(group));
  const due = arrivals.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const subscribers = Math.min(...read.map(({ group }) => subscribersOf(group)));
  const waitMs = fanOutWaitMs(subscribers, bursts, coefficients.perWriteMicros) + busyWaitMs(utilisation);
  const interval = writeIntervalSeconds(arrivals) + waitMs / 1000;
  const writes = Math.max(
    messages === 0 ? 0 : partForClient(bursts, due, interval) / interval,
    (bytes - aloneBytes) / SLICE_MAX_BYTES + alone,
    fromText,
  );
  const shortestMs = Math.min(
    ...arrivals.filter(({ perSecond }) => perSecond > 0).map(({ collectingMs }) => collectingMs),
  );
  const rows = shares.reduce((sum, { group, subscriptions }) => {
    const burstsPerSecond = group.ratePerSecond / burstOf(group);
    return sum + (subscriptions * burstsPerSecond) / (1 + (burstsPerSecond * (shortestMs + waitMs)) / 1000);
  }, 0);
  const isDelayed = shares.some(({ group, subscriptions }) => subscriptions > 0 && hasFixedDelay(group));
  return {
    messages,
    writes,
    rows: messages === 0 ? 0 : rows,
    bytes,
    largeBytes: aloneBytes,
    texts: isJson ? messages : 0,
    delayedWrites: isDelayed ? writes : 0,
  };
}
