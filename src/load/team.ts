/**
 * What the coordinator of a run and those who generate the load say to each other. A *team* is one process, all processes of a
 * machine, or a machine behind an agent: the same commands and reports at every level.
 *
 *     start  →  opened  →  probe  →  probed  →  go  →  done  →  verify  →  result
 */
import type { JobPart, LoadJob } from './job.js';
import type { LoadResult } from './result.js';

export type TeamCommand =
  /** Connect and subscribe. `part` is a machine's (process 0 of n: all n) or a process's. */
  | { readonly type: 'start'; readonly job: LoadJob; readonly part: JobPart }
  /** Find out whether subscriptions work, where the server does not confirm them. */
  | { readonly type: 'probe' }
  /** Publish; from a moment that is so far away, so that all begin together. */
  | { readonly type: 'go'; readonly inMs: number; readonly atMs?: number }
  | { readonly type: 'stop' }
  /** Wait for what is under way, then count. `published` is encodeCounts() of what all teams have published. */
  | { readonly type: 'verify'; readonly published: string; readonly lostSources: readonly number[] };

export interface Tick {
  /** Connections that are open with all their subscriptions. */
  connections: number;
  published: number;
  delivered: number;
  wrong: number;
  lost: number;
  p99Micros: number;
}

export type TeamReport =
  | { readonly type: 'opened'; readonly notices: readonly string[] }
  | { readonly type: 'probed' }
  | { readonly type: 'tick'; readonly tick: Tick }
  | { readonly type: 'done'; readonly published: string }
  | { readonly type: 'result'; readonly result: LoadResult }
  | { readonly type: 'failed'; readonly error: string };

/** Whoever generates load, as its coordinator sees it. */
export interface Team {
  /** In messages for people. */
  readonly name: string;
  /** Messages of this machine's own publishers carry its clock. */
  send(command: TeamCommand): void;
  /** Called for every report; a team that ends before its result reports `failed`. */
  onReport: (report: TeamReport) => void;
  /** Ends it, whatever it does. */
  close(): void;
}

/** Counts per number of a topic: all of them in one short text. */
export function encodeCounts(counts: Int32Array): string {
  return Buffer.from(counts.buffer, counts.byteOffset, counts.byteLength).toString('base64');
}

export function decodeCounts(text: string): Int32Array {
  const bytes = Buffer.from(text, 'base64');
  const counts = new Int32Array(Math.floor(bytes.length / 4));
  for (let index = 0; index < counts.length; index++) counts[index] = bytes.readInt32LE(index * 4);
  return counts;
}

/** Adds counts of another team; every number is counted by one. */
export function addCounts(sum: Int32Array, other: Int32Array): void {
  for (let index = 0; index < sum.length; index++) sum[index] += other[index] ?? 0;
}

export const EMPTY_TICK: Tick = { connections: 0, published: 0, delivered: 0, wrong: 0, lost: 0, p99Micros: 0 };

export function addTick(sum: Tick, other: Tick): void {
  sum.connections += other.connections;
  sum.published += other.published;
  sum.delivered += other.delivered;
  sum.wrong += other.wrong;
  sum.lost += other.lost;
  sum.p99Micros = Math.max(sum.p99Micros, other.p99Micros);
}
