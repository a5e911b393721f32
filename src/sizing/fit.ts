/** From measurements to coefficients. Pure: the same measurements always give the same. */
import type { Coefficients } from './calibration.js';
import { median, nonNegativeLeastSquares } from './least-squares.js';
import type { Measurement } from './measure/session.js';
import {
  type Activity,
  activityOf,
  cpuOf,
  DELAY_ENDS_MAX,
  farShare,
  laneWaitMs,
  wakeUpsOf,
  wakingCpu,
  wakingEvents,
} from './model-cpu.js';
import { coldLogBytes, processMemory, touchedRingBytes } from './model-memory.js';
import { busyWaitMs, dueArrivals, fanOutWaitMs, partForClient } from './model-writes.js';
import type { Point } from './points.js';
import { burstOf, type Workload, type WorkloadSettings } from './workload.js';

export interface Observation {
  readonly point: Point;
  readonly measured: Measurement;
}

export interface MemoryObservation extends Observation {
  readonly uptimeSeconds: number;
}

export interface Observations {
  readonly idle: readonly Measurement[];
  readonly cpu: readonly Observation[];
  readonly large: readonly Observation[];
  readonly json: readonly Observation[];
  readonly tls: readonly Observation[];
  readonly memory: readonly MemoryObservation[];
  readonly jsonMemory: readonly MemoryObservation[];
  readonly tlsMemory: readonly MemoryObservation[];
  /** RSS of servers that have just started, without a lane and with one. */
  readonly startedBytes: { readonly lanes: number; readonly rssBytes: number }[];
  readonly settings: WorkloadSettings;
}

export interface FittedCalibration {
  readonly coefficients: Coefficients;
  readonly spreads: Record<string, number>;
  readonly fitResidual: number;
}

const WAKE_UP_MS_CANDIDATES = [0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5];
/** Columns of the fit that count only while the thread has nothing else to do. */
const WAKE_UPS = 4;
const FAN_OUTS = 6;
const WAKING_ROUNDS = 12;
/** Of the bisection that finds an interval. */
const INTERVAL_STEPS = 40;
/** Messages per client from which on the time between two writes tells how long they were collected. */
const FREQUENT_PER_SECOND = 20 * 0.9;
/** Socket, inode, dentry, file, and its entry in epoll (bytes): in /proc/slabinfo of Linux 6.18 on x86-64 together 3.8 KiB. */
const KERNEL_USUAL_BYTES = 3900;
const KERNEL_PLAUSIBLE_BYTES = [2000, 12_000] as const;

export function fitCoefficients(observations: Observations): FittedCalibration {
  const idleCpu = median(observations.idle.map(({ acceptCpu }) => acceptCpu));
  const accept = fitAccept(observations.cpu, idleCpu);
  const timing = fitTiming(observations.cpu, accept.values.perWriteMicros);
  const lane = fitLane(observations.cpu, accept.wakeUpMs);
  const memory = fitMemory(observations);
  const extras = {
    jsonEventMicros: 0,
    jsonMessageMicros: 0,
    jsonByteNanos: 0,
    tlsRecordMicros: 0,
    tlsByteNanos: 0,
    tlsConnectionBytes: 0,
    jsonProcessBytes: 0,
    perLargeByteNanos: 0,
    helperLargeByteNanos: 0,
  };
  const helperCpu = observations.cpu.reduce((sum, { measured }) => sum + measured.helpersCpu, 0);
  const acceptCpu = observations.cpu.reduce((sum, { measured }) => sum + measured.acceptCpu, 0);
  const helperShares = observations.cpu.map(({ measured }) => measured.helpersCpu / measured.acceptCpu);
  const plain: Coefficients = {
    ...timing.values,
    ...accept.values,
    ...lane.values,
    ...memory.values,
    ...latencies(observations.cpu),
    ...extras,
    idleCpu,
    // Collections come seldom and cost much: only over all points do they have a mean.
    helperShare: helperCpu / acceptCpu,
    wakeUpMs: accept.wakeUpMs,
  };
  const large = fitLarge(observations, plain);
  const json = fitJson(observations, plain);
  const tls = fitTls(observations, plain);
  return {
    coefficients: {
      ...plain,
      ...large,
      ...json.values,
      ...tls.values,
      jsonProcessBytes: Math.max(0, median(memoryRest(observations.jsonMemory, observations.settings, plain))),
      tlsConnectionBytes: tlsConnectionBytes(observations, plain),
    },
    spreads: {
      ...json.spreads,
      ...tls.spreads,
      ...timing.spreads,
      ...accept.spreads,
      ...lane.spreads,
      ...memory.spreads,
      helperShare: halfRange(helperShares),
    },
    fitResidual: accept.residual,
  };
}

// ---- how long messages are collected ----------------------------------------------------------------------------------

/** How long what is due together is collected: by the interval between two such times from which the measured writes follow. */
function collectedMs({ point, measured }: Observation): number {
  const [group] = point.topics;
  const own = measured.deliveries / measured.clients / burstOf(group);
  const subscriptions = measured.subscriptions / measured.clients;
  const due = Math.max(own, dueArrivals(group, subscriptions, measured.subscriptions / group.count));
  const writes = measured.writes / measured.clients;
  let low = 1 / due;
  let high = Math.max(low, 1 / writes);
  for (let step = 0; step < INTERVAL_STEPS; step++) {
    const middle = (low + high) / 2;
    if (partForClient(own, due, middle) > writes * middle) low = middle;
    else high = middle;
  }
  return 1000 * (high - 1 / due);
}

function fitTiming(observations: readonly Observation[], perWriteMicros: number) {
  /** Less the wait for the fan-out, which the model knows. */
  const collectedAloneMs = (observation: Observation): number => {
    const { point, measured } = observation;
    const perClient = measured.deliveries / measured.clients / burstOf(point.topics[0]);
    const subscribers = measured.subscriptions / point.topics[0].count;
    return Math.max(
      0,
      collectedMs(observation) - fanOutWaitMs(subscribers, perClient, perWriteMicros) - busyWaitMs(measured.acceptCpu),
    );
  };
  const values = (home: 'cold' | 'hot', isDelayed: boolean) =>
    observations
      .filter(({ point, measured }) => {
        const [group] = point.topics;
        const isFrequent = measured.clients > 0 && measured.deliveries / measured.clients >= FREQUENT_PER_SECOND;
        return group.home === home && (group.maxDelayMs as number) > 0 === isDelayed && isFrequent;
      })
      .map((observation) => ({
        delayMs: observation.point.topics[0].maxDelayMs as number,
        ms: collectedAloneMs(observation),
      }));
  const undelayed = values('cold', false).map(({ ms }) => ms);
  const undelayedMs = median(undelayed);
  const slacks = values('cold', true).map(({ delayMs, ms }) => Math.max(0, ms - delayMs - undelayedMs));
  const delaySlackMs = median(slacks);
  const shares = values('hot', true).map(({ delayMs, ms }) => (ms - undelayedMs - delaySlackMs) / delayMs);
  return {
    values: {
      undelayedMs,
      delaySlackMs,
      hotDelayShare: shares.length === 0 ? 1 : Math.min(1.5, Math.max(0.5, median(shares))),
    },
    spreads: {
      undelayedMs: halfRange(undelayed),
      delaySlackMs: halfRange(slacks),
      hotDelayShare: halfRange(shares),
    },
  };
}

// ---- the accept thread ------------------------------------------------------------------------------------------------

interface Work {
  readonly cpu: number;
  readonly writes: number;
  readonly rows: number;
  readonly bytes: number;
  readonly messages: number;
  readonly events: number;
  readonly fanOuts: number;
  readonly farWrites: number;
  readonly hotMessages: number;
  readonly hotCollectedMs: number;
}

function workOf({ point, measured }: Observation): Work {
  const [group] = point.topics;
  const delayMs = group.maxDelayMs as number;
  const perSubscription = measured.deliveries / Math.max(1, measured.subscriptions);
  const collected = measured.clients === 0 || measured.writes === 0 ? 0 : collectedMs({ point, measured });
  const delayEnds = delayMs > 0 ? Math.min(DELAY_ENDS_MAX, measured.writes) : 0;
  const bursts = measured.published / burstOf(group);
  return {
    cpu: measured.acceptCpu,
    writes: measured.writes,
    farWrites: measured.writes * farShare(measured.clients),
    fanOuts: Math.min(measured.writes, delayMs > 0 ? delayEnds : bursts),
    rows: measured.deliveries / (1 + (perSubscription * collected) / 1000),
    bytes: measured.deliveredBytes,
    messages: measured.published,
    events: wakingEvents(bursts, delayEnds),
    hotMessages: group.home === 'hot' ? measured.published : 0,
    hotCollectedMs: laneWaitMs(delayMs),
  };
}

function hotWakeUps({ hotMessages, hotCollectedMs }: Work, wakeUpMs: number): number {
  return wakeUpsOf(hotMessages, Math.max(wakeUpMs, hotCollectedMs));
}

/** Each row is divided by what was measured, so that a small load counts as much as a large one. */
function fitAccept(observations: readonly Observation[], idleCpu: number) {
  const work = observations.map(workOf);
  const fits = WAKE_UP_MS_CANDIDATES.map((wakeUpMs) => ({ wakeUpMs, ...fitAcceptAt(work, idleCpu, wakeUpMs) }));
  const best = fits.reduce((left, right) => (right.fit.residual < left.fit.residual ? right : left));
  const names = [
    'perWriteMicros',
    'perRowMicros',
    'perByteNanos',
    'perMessageMicros',
    'perWakeUpMicros',
    'perHotWakeUpMicros',
    'perFanOutMicros',
    'perFarWriteMicros',
  ] as const;
  const named = (values: readonly number[]) =>
    Object.fromEntries(names.map((name, index) => [name, values[index]])) as Record<(typeof names)[number], number>;
  return {
    wakeUpMs: best.wakeUpMs,
    values: named(best.fit.coefficients),
    spreads: named(best.fit.standardErrors),
    residual: best.fit.residual,
  };
}

function fitAcceptAt(work: readonly Work[], idleCpu: number, wakeUpMs: number) {
  // What wakes a thread that is busy anyway costs nothing more: how busy with other things each was is known only when the
  // costs are, so both are found in turns.
  let wakingCpu = work.map(() => 0);
  for (let round = 0; ; round++) {
    const rows = work.map((each, index) => {
      const free = 1 - Math.max(0, each.cpu - wakingCpu[index]);
      const features = [
        each.writes / 1e6,
        each.rows / 1e6,
        each.bytes / 1e9,
        each.messages / 1e6,
        (free * wakeUpsOf(each.events, wakeUpMs)) / 1e6,
        hotWakeUps(each, wakeUpMs) / 1e6,
        (free * wakeUpsOf(each.fanOuts, wakeUpMs)) / 1e6,
        each.farWrites / 1e6,
      ];
      return features.map((feature) => feature / each.cpu);
    });
    const fit = nonNegativeLeastSquares(
      rows,
      work.map(({ cpu }) => Math.max(0, cpu - idleCpu) / cpu),
    );
    if (round === WAKING_ROUNDS) return { fit };
    wakingCpu = rows.map((row, index) => {
      return (
        work[index].cpu * (row[WAKE_UPS] * fit.coefficients[WAKE_UPS] + row[FAN_OUTS] * fit.coefficients[FAN_OUTS])
      );
    });
  }
}

// ---- lanes ------------------------------------------------------------------------------------------------------------

function fitLane(observations: readonly Observation[], wakeUpMs: number) {
  const hot = observations
    .map((each) => ({ cpu: each.measured.lanesCpu, work: workOf(each) }))
    .filter(({ work }) => work.hotMessages > 0);
  const rows = hot.map(({ cpu, work }) => [work.hotMessages / 1e6 / cpu, hotWakeUps(work, wakeUpMs) / 1e6 / cpu]);
  const { coefficients, standardErrors } = nonNegativeLeastSquares(
    rows,
    hot.map(() => 1),
  );
  return {
    values: { laneMessageMicros: coefficients[0] ?? 0, laneWakeUpMicros: coefficients[1] ?? 0 },
    spreads: { laneMessageMicros: standardErrors[0] ?? 0, laneWakeUpMicros: standardErrors[1] ?? 0 },
  };
}

// ---- JSON and TLS -----------------------------------------------------------------------------------------------------

/** What is left of the accept thread's time when the coefficients so far have been taken off it, as a sum of two or three. */
function fitRest(
  observations: readonly Observation[],
  settings: WorkloadSettings,
  plain: Coefficients,
  featuresOf: (activity: Activity) => readonly number[],
) {
  const each = observations.map(({ point, measured }) => {
    const workload: Workload = { ...point, settings };
    const { acceptCpu } = measured;
    const activity = activityOf(workload, 1, acceptCpu, plain);
    // The busier a thread is with this, the less often it has to be woken.
    const awake = 1 - wakingCpu(activity, 0, plain);
    const row = featuresOf(activity).map((feature) => (awake * feature) / acceptCpu);
    return { row, rest: (acceptCpu - cpuOf(activity, plain).accept) / acceptCpu };
  });
  return nonNegativeLeastSquares(
    each.map(({ row }) => row),
    each.map(({ rest }) => rest),
  );
}

/** What frames cost that are larger than a slice, beyond the bytes of others: of this thread and of the collectors. */
function fitLarge({ large, settings }: Observations, plain: Coefficients) {
  const each = large.map(({ point, measured }) => {
    const activity = activityOf({ ...point, settings }, 1, 0, plain);
    const { acceptCpu, helpersCpu } = measured;
    const awake = 1 - wakingCpu(activity, 0, plain);
    return {
      accept: (1e9 * (acceptCpu - cpuOf(activity, plain).accept)) / (awake * activity.largeBytes),
      helpers: (1e9 * (helpersCpu - acceptCpu * plain.helperShare)) / activity.largeBytes,
    };
  });
  return {
    perLargeByteNanos: Math.max(0, median(each.map(({ accept }) => accept))),
    helperLargeByteNanos: Math.max(0, median(each.map(({ helpers }) => helpers))),
  };
}

function fitJson({ json, settings }: Observations, plain: Coefficients) {
  const { coefficients, standardErrors } = fitRest(json, settings, plain, ({ texts, transcoded }) => [
    texts / 1e6,
    transcoded.messages / 1e6,
    transcoded.bytes / 1e9,
  ]);
  const named = ([jsonEventMicros = 0, jsonMessageMicros = 0, jsonByteNanos = 0]: readonly number[]) => {
    return { jsonEventMicros, jsonMessageMicros, jsonByteNanos };
  };
  return { values: named(coefficients), spreads: named(standardErrors) };
}

function fitTls({ tls, settings }: Observations, plain: Coefficients) {
  const encrypted = { ...settings, tls: true };
  const { coefficients, standardErrors } = fitRest(tls, encrypted, plain, ({ tlsRecords, tlsBytes }) => [
    tlsRecords / 1e6,
    tlsBytes / 1e9,
  ]);
  const named = ([tlsRecordMicros = 0, tlsByteNanos = 0]: readonly number[]) => ({ tlsRecordMicros, tlsByteNanos });
  return { values: named(coefficients), spreads: named(standardErrors) };
}

// ---- latency ----------------------------------------------------------------------------------------------------------

function latencies(observations: readonly Observation[]) {
  const quiet = (home: 'cold' | 'hot') =>
    median(
      observations
        .filter(({ point }) => point.name.startsWith('one client a') && point.topics[0].home === home)
        .map(({ measured }) => measured.latencyMs.p99),
    );
  const coldLatencyMs = quiet('cold');
  return { coldLatencyMs, hotLatencyMs: Math.max(coldLatencyMs, quiet('hot')) };
}

// ---- memory -----------------------------------------------------------------------------------------------------------

/** The logs are computed, and so is what they hold; everything else is fitted to what is left. */
function fitMemory({ memory, startedBytes, settings }: Observations) {
  const startedWith = (lanes: number): number =>
    median(startedBytes.filter((each) => each.lanes === lanes).map(({ rssBytes }) => rssBytes));
  const laneBytes = Math.max(0, startedWith(1) - startedWith(0));
  const rows = memory.map(({ point, measured }) => {
    const topics = point.topics.reduce((sum, { count }) => sum + count, 0);
    return [1e6, measured.clients, measured.subscriptions, topics];
  });
  const targets = memory.map(({ point, measured, uptimeSeconds }) => {
    const logs = point.topics.reduce(
      (sum, group) => sum + group.count * coldLogBytes(group, settings, uptimeSeconds),
      0,
    );
    return (
      measured.rssBytes - logs - laneBytes - touchedRingBytes({ topics: point.topics, settings }, 1, uptimeSeconds)
    );
  });
  const { coefficients, standardErrors } = nonNegativeLeastSquares(rows, targets);
  const many = memory.filter(({ measured }) => measured.clients >= 500);
  const kernel = many.map(({ measured }) => measured.kernelObjectBytes / measured.clients);
  return {
    values: {
      processBytes: (coefficients[0] ?? 0) * 1e6,
      laneBytes,
      connectionBytes: coefficients[1] ?? 0,
      subscriptionBytes: coefficients[2] ?? 0,
      topicBytes: coefficients[3] ?? 0,
      kernelConnectionBytes: kernelConnectionBytes(median(kernel)),
    },
    spreads: {
      processBytes: (standardErrors[0] ?? 0) * 1e6,
      connectionBytes: standardErrors[1] ?? 0,
      subscriptionBytes: standardErrors[2] ?? 0,
      topicBytes: standardErrors[3] ?? 0,
      kernelConnectionBytes: halfRange(kernel),
    },
  };
}

/** What RSS is beyond what is known so far. */
function memoryRest(
  observations: readonly MemoryObservation[],
  settings: WorkloadSettings,
  plain: Coefficients,
): number[] {
  return observations.map(({ point, measured, uptimeSeconds }) => {
    const workload: Workload = { ...point, settings };
    const input = { workload, share: 1, lanes: 1, deliveredBytes: 0, roundTripMs: 0, uptimeSeconds };
    return measured.rssBytes - processMemory(input, plain).processBytes;
  });
}

function tlsConnectionBytes({ tlsMemory, settings }: Observations, plain: Coefficients): number {
  const rest = memoryRest(tlsMemory, settings, plain);
  return Math.max(0, median(rest.map((bytes, index) => bytes / tlsMemory[index].measured.clients)));
}

/** The kernel's memory is that of the whole machine: where others disturb it too much, what Linux 6 takes stands in for it. */
function kernelConnectionBytes(measured: number): number {
  return measured >= KERNEL_PLAUSIBLE_BYTES[0] && measured <= KERNEL_PLAUSIBLE_BYTES[1] ? measured : KERNEL_USUAL_BYTES;
}

function halfRange(values: readonly number[]): number {
  return values.length === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / 2;
}
