/** What the three processes of a measurement say to each other. */
import type { ClientClass, TopicGroup } from '../workload.js';

/** One stretch of load against a running server. */
export interface PointJob {
  /** Of this job alone, so that its topics are its own. */
  readonly number: number;
  readonly port: number;
  readonly tls: boolean;
  readonly topics: readonly TopicGroup[];
  readonly clients: readonly ClientClass[];
  /** Before the measurement, under the same load (ms). */
  readonly settleMs: number;
  readonly measureMs: number;
  readonly seed: number;
}

/** Where the load process is: each step is reported, and the readings of the server are taken in between. */
export type FromLoad =
  | { readonly type: 'connected' }
  | { readonly type: 'measuring' }
  | { readonly type: 'counted' }
  | { readonly type: 'done'; readonly result: PointResult }
  | { readonly type: 'failed'; readonly reason: string };

export type ToLoad = { readonly type: 'publish' } | { readonly type: 'count' } | { readonly type: 'leave' };

/** What the load process counted from `measuring` to `counted`; what was lost and how long it took, of all that it published then. */
export interface PointResult {
  readonly seconds: number;
  readonly published: number;
  readonly deliveries: number;
  /** Reads in which messages with events ended, one for each write: it may hold several messages. */
  readonly writes: number;
  /** Of the messages, without WebSocket heads. */
  readonly deliveredBytes: number;
  readonly lost: number;
  readonly problems: readonly string[];
  /** From the intended time of publishing on. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  /** How late messages left, 99th percentile. */
  readonly feedLateMs: number;
  readonly cpuPercent: number;
}

export interface ServerSettings {
  readonly lanes: number;
  /** Every delay that topics of this server have. */
  readonly delaysMs: readonly (number | 'auto')[];
  readonly tls?: boolean;
  /** Further keys of the engine's configuration. */
  readonly engine: Readonly<Record<string, number>>;
}

export type ToServer = { readonly type: 'read' } | { readonly type: 'stop' };

export type FromServer =
  | { readonly type: 'ready'; readonly port: number }
  | { readonly type: 'reading'; readonly reading: ServerReading }
  | { readonly type: 'failed'; readonly reason: string };

/** The server process at one moment. Times since its start. */
export interface ServerReading {
  readonly atMs: number;
  /** CPU time of the accept thread, of the lanes, and of all other threads (compilers, garbage collectors). */
  readonly acceptCpuMs: number;
  readonly lanesCpuMs: number;
  readonly helpersCpuMs: number;
  readonly rssBytes: number;
}

/** The name carries what the server's rules need to know. */
export function topicPrefix(home: 'cold' | 'hot', maxDelayMs: number | 'auto'): string {
  return `${home}:${maxDelayMs}:`;
}

export function topicName(job: number, group: TopicGroup, index: number): string {
  return `${topicPrefix(group.home, group.maxDelayMs)}${job}:${group.name}:${index}`;
}
