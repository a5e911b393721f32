/** What a run yields: plain data that travels between processes and machines, and how that of several becomes one. */
import type { PublisherHealth, ReaderHealth } from './health.js';
import { LatencyHistogram } from './latency-histogram.js';
import { addVerification, type Verification } from './verification.js';

/** One process of the load generator, during the measured time. */
export interface ProcessHealth extends ReaderHealth, PublisherHealth {
  /** Which one: `agent host:port, process 2`. */
  name: string;
  readsPerSecond: number;
  /** Why its figures are not to be trusted; empty: nothing speaks against them. */
  saturated: string[];
}

export interface LoadResult {
  /** Connections that were opened, and that were asked for. */
  connections: number;
  connectionsWanted: number;
  subscriptions: number;
  /** Connections that the server ended before the run did. */
  connectionsLost: number;
  /** The measured time: without warm-up, without waiting for what is late. */
  seconds: number;
  /** Of the whole run, warm-up included. */
  scheduled: number;
  published: number;
  verification: Verification;
  /** Within the measured time. */
  measured: { published: number; delivered: number; messages: number; readBytes: number };
  /** Deliveries in the histogram: without the warm-up, and those whose publisher has another clock. */
  timed: number;
  /** LatencyHistogram.encode(). */
  latencyHdr: string;
  publishLateHdr: string;
  health: ProcessHealth[];
  /** What the server said or did that it should not. */
  problems: string[];
}

/** Results of several processes as one: histograms are added, rates are those of all together. */
export function mergeResults(results: readonly LoadResult[]): LoadResult {
  const [first, ...others] = results;
  if (first === undefined) throw new Error('no results to merge');
  const latency = LatencyHistogram.decode(first.latencyHdr);
  const late = LatencyHistogram.decode(first.publishLateHdr);
  const sum: LoadResult = structuredClone(first);
  for (const other of others) {
    sum.connections += other.connections;
    sum.connectionsWanted += other.connectionsWanted;
    sum.subscriptions += other.subscriptions;
    sum.connectionsLost += other.connectionsLost;
    sum.seconds = Math.max(sum.seconds, other.seconds);
    sum.scheduled += other.scheduled;
    sum.published += other.published;
    addVerification(sum.verification, other.verification);
    sum.measured.published += other.measured.published;
    sum.measured.delivered += other.measured.delivered;
    sum.measured.messages += other.measured.messages;
    sum.measured.readBytes += other.measured.readBytes;
    sum.timed += other.timed;
    sum.health.push(...other.health);
    sum.problems.push(...other.problems);
    latency.add(LatencyHistogram.decode(other.latencyHdr));
    late.add(LatencyHistogram.decode(other.publishLateHdr));
  }
  sum.latencyHdr = latency.encode();
  sum.publishLateHdr = late.encode();
  return sum;
}
