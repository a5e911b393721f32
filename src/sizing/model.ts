/**
 * The size model: what a workload needs on the machine of a calibration. Pure; formulas and limits are in bench/SIZING.md.
 *
 * More load never needs less: every term is continuous and rises with clients, topics per client, rate and bytes.
 */
import type { Calibration, Coefficients } from './calibration.js';
import { type Activity, activityOf, type Cpu, processCpu } from './model-cpu.js';
import { p99Ms } from './model-latency.js';
import { type MemoryPart, processMemory } from './model-memory.js';
import { frameBytes } from './model-writes.js';
import { clientCount, type Workload } from './workload.js';

/** config/schema.ts: the default of `maxConnections`, and the most lanes. */
const CONNECTIONS_MAX = 100_000;
const LANES_MAX = 64;
/** Ethernet, IPv4 and TCP with time stamps; what of a frame is left for TCP's payload; head of a WebSocket message. */
const SEGMENT_HEAD_BYTES = 14 + 20 + 32;
const SEGMENT_PAYLOAD_BYTES = 1448;
const WEBSOCKET_HEAD_BYTES = 4;
/** Masked head of a client's message, head of a PUBLISH by alias. */
const PUBLISH_HEAD_BYTES = 8 + 8;
const PROCESSES_MAX = 100_000;

export interface Conditions {
  /** Part of its core that an accept thread may use on average; the rest is for bursts. */
  readonly targetUtilisation: number;
  /** Between server and clients. */
  readonly roundTripMs: number;
  readonly networkBitsPerSecond: number;
  /** After how long memory is told a second time: logs and rings fill with time. */
  readonly uptimeSeconds: number;
  /** Given, so many processes; else as many as it takes. */
  readonly processes: number | null;
}

export const CONDITIONS_DEFAULT: Conditions = {
  targetUtilisation: 0.7,
  roundTripMs: 50,
  networkBitsPerSecond: 10e9,
  uptimeSeconds: 10,
  processes: null,
};

export interface Network {
  /** On the wire, to the clients. */
  readonly outBytesPerSecond: number;
  /** On the wire, from the feed: each process gets all of it. */
  readonly inBytesPerSecond: number;
  readonly segmentsPerSecond: number;
}

export interface ProcessNeeds {
  readonly cpu: Cpu;
  readonly lanes: number;
  /** When every log is full. */
  readonly memoryBytes: number;
  /** After `uptimeSeconds`. */
  readonly earlyMemoryBytes: number;
  readonly kernelBytes: number;
  readonly memoryParts: readonly MemoryPart[];
  readonly p99Ms: number;
}

export interface Bottleneck {
  readonly what: string;
  /** Used part of what there is; above 1: more than there is. */
  readonly used: number;
}

/** All processes together, but for `process`. */
export interface Sizing {
  /** Infinity: no number of processes is enough, as each has to take the whole feed in. */
  readonly processes: number;
  readonly cores: number;
  /** Parts of cores that are really used. */
  readonly cpu: number;
  readonly memoryBytes: number;
  readonly earlyMemoryBytes: number;
  readonly kernelBytes: number;
  readonly network: Network;
  readonly p99Ms: number;
  /** One of the processes; null where no number of them is enough. */
  readonly process: ProcessNeeds | null;
  /** Of one process; the first first. */
  readonly bottlenecks: readonly Bottleneck[];
}

/** What one process needs that serves this share of the clients. */
export function processNeeds(workload: Workload, share: number, c: Coefficients, conditions: Conditions): ProcessNeeds {
  const cpu = processCpu(workload, share, c);
  const lanes = lanesOf(workload, cpu, conditions.targetUtilisation);
  const { roundTripMs, uptimeSeconds } = conditions;
  const deliveredBytes = cpu.activity.bytes;
  const input = { workload, share, lanes, deliveredBytes, roundTripMs };
  const memory = processMemory({ ...input, uptimeSeconds: Number.POSITIVE_INFINITY }, c);
  return {
    cpu,
    lanes,
    memoryBytes: memory.processBytes,
    earlyMemoryBytes: processMemory({ ...input, uptimeSeconds }, c).processBytes,
    kernelBytes: memory.kernelBytes,
    memoryParts: memory.parts,
    p99Ms: p99Ms(workload, share, cpu, c),
  };
}

function lanesOf(workload: Workload, cpu: Cpu, target: number): number {
  const { lanes } = workload.settings;
  if (lanes !== 'auto') return lanes;
  if (!workload.topics.some(({ home, count }) => home === 'hot' && count > 0)) return 0;
  return Math.min(LANES_MAX, Math.max(1, Math.ceil(cpu.lanes / target)));
}

export function sizeOf(
  workload: Workload,
  { coefficients }: Pick<Calibration, 'coefficients'>,
  given: Conditions,
): Sizing {
  const processes = given.processes ?? processesFor(workload, coefficients, given);
  const network = networkOf(workload, processes, coefficients);
  if (processes === Number.POSITIVE_INFINITY) return unlimited(workload, network, coefficients, given);
  const process = processNeeds(workload, 1 / processes, coefficients, given);
  const perProcess = process.cpu.accept + process.cpu.lanes + process.cpu.helpers;
  return {
    processes,
    cores: Math.max(processes, Math.ceil((processes * perProcess) / given.targetUtilisation - 1e-9)),
    cpu: processes * perProcess,
    memoryBytes: processes * process.memoryBytes,
    earlyMemoryBytes: processes * process.earlyMemoryBytes,
    kernelBytes: processes * process.kernelBytes,
    network,
    p99Ms: process.p99Ms,
    process,
    bottlenecks: bottlenecksOf(workload, processes, process, network, given),
  };
}

/** Feed and topics alone are too much for a process. */
function unlimited(workload: Workload, network: Network, c: Coefficients, conditions: Conditions): Sizing {
  const { accept } = processCpu(workload, 0, c);
  const infinite = Number.POSITIVE_INFINITY;
  return {
    ...{ processes: infinite, cores: infinite, cpu: infinite },
    ...{ memoryBytes: infinite, earlyMemoryBytes: infinite, kernelBytes: infinite },
    network,
    p99Ms: infinite,
    process: null,
    bottlenecks: [
      { what: 'taking the feed in, which every process has to', used: accept / conditions.targetUtilisation },
    ],
  };
}

/** The fewest processes whose accept threads stay within the target: clients are split among them, the feed is not. */
function processesFor(workload: Workload, c: Coefficients, { targetUtilisation }: Conditions): number {
  const isEnough = (processes: number): boolean =>
    processCpu(workload, 1 / processes, c).accept <= targetUtilisation &&
    clientCount(workload) / processes <= CONNECTIONS_MAX;
  if (processCpu(workload, 0, c).accept > targetUtilisation || !isEnough(PROCESSES_MAX))
    return Number.POSITIVE_INFINITY;
  let enough = 1;
  while (!isEnough(enough)) enough *= 2;
  let tooFew = Math.floor(enough / 2);
  while (enough - tooFew > 1) {
    const middle = (tooFew + enough) >> 1;
    if (isEnough(middle)) enough = middle;
    else tooFew = middle;
  }
  return enough;
}

/**
 * As if the thread were idle and no automatic delay collected anything, which is an upper bound: what grows with the load
 * would make heads fewer as messages become more.
 */
function networkOf(workload: Workload, processes: number, c: Coefficients): Network {
  const activity = activityWithoutAutoDelay(workload, c);
  const segments = activity.writes + activity.bytes / SEGMENT_PAYLOAD_BYTES;
  const feed = workload.topics.reduce((sum, group) => {
    const messageBytes = frameBytes(group) + PUBLISH_HEAD_BYTES;
    return sum + group.count * group.ratePerSecond * (messageBytes + SEGMENT_HEAD_BYTES);
  }, 0);
  return {
    outBytesPerSecond: activity.bytes + activity.writes * WEBSOCKET_HEAD_BYTES + segments * SEGMENT_HEAD_BYTES,
    inBytesPerSecond: (processes === Number.POSITIVE_INFINITY ? 1 : processes) * feed,
    segmentsPerSecond: segments,
  };
}

function activityWithoutAutoDelay(workload: Workload, c: Coefficients): Activity {
  const topics = workload.topics.map((group) => (group.maxDelayMs === 'auto' ? { ...group, maxDelayMs: 0 } : group));
  return activityOf({ ...workload, topics }, 1, 0, c);
}

function bottlenecksOf(
  workload: Workload,
  processes: number,
  { cpu, lanes }: ProcessNeeds,
  network: Network,
  conditions: Conditions,
): Bottleneck[] {
  const candidates: Bottleneck[] = [
    { what: `the accept thread, by ${cpu.parts[0].what}`, used: cpu.accept },
    { what: 'the lanes', used: lanes === 0 ? 0 : cpu.lanes / lanes },
    { what: 'the network', used: (8 * network.outBytesPerSecond) / processes / conditions.networkBitsPerSecond },
    { what: 'maxConnections', used: clientCount(workload) / processes / CONNECTIONS_MAX },
  ];
  return candidates.sort((left, right) => right.used - left.used);
}

/** The largest multiple of all client classes that fits, by bisection; 0: not even the feed does. */
export function largestFactor(fits: (factor: number) => boolean): number {
  let high = 1;
  while (fits(high) && high < 2 ** 40) high *= 2;
  let low = 0;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

export function withClients(workload: Workload, factor: number): Workload {
  const clients = workload.clients.map((each) => ({ ...each, clients: each.clients * factor }));
  return { ...workload, clients };
}

/** How many such clients one process carries, and how many the machine of the calibration. */
export function capacityOf(workload: Workload, { coefficients, machine }: Calibration, given: Conditions) {
  const clients = clientCount(workload);
  const oneProcess = { ...given, processes: null };
  const inOneProcess = (factor: number): boolean =>
    clients * factor <= CONNECTIONS_MAX &&
    processCpu(withClients(workload, factor), 1, coefficients).accept <= given.targetUtilisation;
  const onMachine = (factor: number): boolean => {
    const sizing = sizeOf(withClients(workload, factor), { coefficients }, oneProcess);
    return sizing.cores <= machine.cores && sizing.memoryBytes + sizing.kernelBytes <= machine.memoryBytes;
  };
  return {
    clientsPerProcess: Math.floor(clients * largestFactor(inOneProcess)),
    clientsPerMachine: Math.floor(clients * largestFactor(onMachine)),
  };
}
