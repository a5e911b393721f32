/** Memory of one process, and of the kernel for its connections. Sizes as the engine computes them; prices as measured. */
import { RETAIN_MS_DEFAULT, SLICE_MAX_BYTES } from '../limits.js';
import { DATA_MIN_BYTES, ENTRY_BYTES, FRAMES_MIN } from '../log/layout.js';
import { RECORD_HEAD_BYTES } from '../ring/layout.js';
import type { Coefficients } from './calibration.js';
import { frameBytes, jsonFrameBytes } from './model-writes.js';
import {
  jsonTopics,
  subscriptionsPerClient,
  type TopicGroup,
  type Workload,
  type WorkloadSettings,
} from './workload.js';

/** What is written to a client that does not read: the kernel takes so much (tcp_wmem's usual maximum), and the engine a slice. */
const UNREAD_KERNEL_BYTES = 4 * 2 ** 20;
/** What the kernel takes for a byte that waits in a socket. */
const BUFFER_OVERHEAD = 2;

/** The part of the kernel's memory that connections take as such. */
export const SOCKETS = 'sockets (kernel)';

type FrameBytes = (group: TopicGroup) => number;

export interface MemoryPart {
  readonly what: string;
  readonly bytes: number;
}

export interface Memory {
  readonly processBytes: number;
  readonly kernelBytes: number;
  /** Of both, the largest first. */
  readonly parts: readonly MemoryPart[];
}

export interface MemoryInput {
  readonly workload: Workload;
  /** Part of each class's clients that this process serves. */
  readonly share: number;
  readonly lanes: number;
  /** Of all its frames, per second. */
  readonly deliveredBytes: number;
  /** How long bytes are under way, unacknowledged. */
  readonly roundTripMs: number;
  /** How long the server has run: logs and rings fill with time. Infinity: full. */
  readonly uptimeSeconds: number;
}

export function processMemory(input: MemoryInput, c: Coefficients): Memory {
  const { workload, share, lanes, deliveredBytes, roundTripMs, uptimeSeconds } = input;
  const { settings } = workload;
  const clients = share * workload.clients.reduce((sum, { clients }) => sum + clients, 0);
  const subscriptions =
    share * workload.clients.reduce((sum, each) => sum + each.clients * subscriptionsPerClient(each), 0);
  const topics = workload.topics.reduce((sum, { count }) => sum + count, 0);
  const hasJson = workload.clients.some(({ json, clients }) => json === true && clients > 0);
  const unread = share * workload.clients.reduce((sum, { clients, reads }) => sum + (reads === false ? clients : 0), 0);
  const logsOf = (home: 'cold' | 'hot', logBytes: typeof coldLogBytes): number =>
    workload.topics
      .filter((group) => group.home === home)
      .reduce((sum, group) => {
        const events = group.count * logBytes(group, settings, uptimeSeconds, frameBytes);
        // JSON clients have a log of their own.
        return sum + events + jsonTopics(workload, group) * logBytes(group, settings, uptimeSeconds, jsonFrameBytes);
      }, 0);
  const own = [
    { what: 'Node.js and the engine', bytes: c.processBytes },
    { what: 'transcoding', bytes: hasJson ? c.jsonProcessBytes : 0 },
    { what: 'lanes', bytes: lanes * c.laneBytes + touchedRingBytes(workload, lanes, uptimeSeconds) },
    {
      what: 'connections',
      bytes:
        clients * (c.connectionBytes + (settings.tls === true ? c.tlsConnectionBytes : 0)) + unread * SLICE_MAX_BYTES,
    },
    { what: 'subscriptions', bytes: subscriptions * c.subscriptionBytes },
    { what: 'topics', bytes: topics * c.topicBytes },
    { what: 'logs of cold topics', bytes: logsOf('cold', coldLogBytes) },
    { what: 'logs of hot topics', bytes: logsOf('hot', hotLogBytes) },
  ];
  const kernel = [
    { what: SOCKETS, bytes: clients * c.kernelConnectionBytes },
    { what: 'what is not read (kernel)', bytes: unread * UNREAD_KERNEL_BYTES },
    { what: 'bytes under way (kernel)', bytes: BUFFER_OVERHEAD * deliveredBytes * (roundTripMs / 1000) },
  ];
  const sum = (parts: readonly MemoryPart[]): number => parts.reduce((total, { bytes }) => total + bytes, 0);
  const parts = [...own, ...kernel].filter(({ bytes }) => bytes > 0).sort((left, right) => right.bytes - left.bytes);
  return { processBytes: sum(own), kernelBytes: sum(kernel), parts };
}

function powerOfTwoFrom(needed: number, smallest: number): number {
  return Math.max(smallest, 2 ** Math.ceil(Math.log2(Math.max(1, needed))));
}

/**
 * Beyond the smallest log, which is part of what a topic costs. It doubles until it holds what it is to keep. The index is
 * as large as for messages that are small enough to be kept all: larger ones need less of it, which is no saving to count on.
 */
export function coldLogBytes(
  group: TopicGroup,
  settings: WorkloadSettings,
  uptimeSeconds: number,
  frameOf: FrameBytes = frameBytes,
): number {
  const frame = frameOf(group);
  const published = group.ratePerSecond === 0 ? 0 : group.ratePerSecond * uptimeSeconds;
  const recent = group.ratePerSecond * (RETAIN_MS_DEFAULT / 1000);
  const keptBytes = Math.min(
    published * frame,
    Math.max(Math.min(settings.historyMessages * frame, settings.historyBytes), recent * frame),
  );
  const kept = Math.min(published, Math.max(settings.historyMessages, recent));
  const dataBytes = Math.min(powerOfTwoFrom(keptBytes, DATA_MIN_BYTES), settings.coldLogMaxBytes);
  const frames = Math.min(powerOfTwoFrom(kept + 1, FRAMES_MIN), settings.coldLogMaxFrames);
  if (dataBytes <= DATA_MIN_BYTES && frames <= FRAMES_MIN) return 0;
  return dataBytes + frames * ENTRY_BYTES;
}

/** Memory that a hot topic's log has touched: a ring of bytes that its writer goes round. */
export function hotLogBytes(
  group: TopicGroup,
  settings: WorkloadSettings,
  uptimeSeconds: number,
  frameOf: FrameBytes = frameBytes,
): number {
  const published = group.ratePerSecond === 0 ? 0 : group.ratePerSecond * uptimeSeconds;
  return (
    Math.min(settings.hotLogBytes, published * frameOf(group)) +
    Math.min(settings.hotLogFrames, published) * ENTRY_BYTES
  );
}

/** What has been touched of the two rings of each lane. */
export function touchedRingBytes(
  { topics, settings }: Pick<Workload, 'topics' | 'settings'>,
  lanes: number,
  uptimeSeconds: number,
): number {
  if (lanes === 0) return 0;
  let requests = 0;
  let events = 0;
  for (const { home, count, ratePerSecond, bytes } of topics) {
    if (home === 'cold' || ratePerSecond === 0) continue;
    const published = count * ratePerSecond * uptimeSeconds;
    requests += published * (RECORD_HEAD_BYTES + bytes);
    events += published * RECORD_HEAD_BYTES;
  }
  return Math.min(lanes * settings.ringBytes, requests) + Math.min(lanes * settings.ringBytes, events);
}
