/**
 * What a run of `ringcast load` does, as plain data, and how it is divided: over machines, and over the processes of each.
 *
 * A topic has one publisher per source, and every source publishes all topics, so that numbers can be checked: a *source* is a
 * machine that publishes. Machines have different clocks, so latencies are those of messages whose source is the subscriber's
 * own machine; verified is everything.
 */
import type { Protocol } from './dialects.js';
import type { JsonTemplates } from './json-templates.js';
import type { Choice } from './topics.js';

export interface LoadJob {
  readonly url: string;
  readonly protocol: Protocol;
  readonly templates?: JsonTemplates | undefined;
  readonly subprotocol?: string | undefined;
  readonly token?: string | undefined;
  /** Of the upgrade, as `Name: value`. */
  readonly headers: readonly string[];
  /** TLS certificates are taken as they come. */
  readonly insecure: boolean;
  readonly connections: number;
  /** See parseTopics. */
  readonly topics: string;
  readonly topicsPerConnection: number;
  readonly choice: Choice;
  readonly seed: number;
  /** Messages per second, over all topics. 0: nothing is published, what arrives is counted. */
  readonly rate: number;
  /** Messages that leave at once. */
  readonly burst: number;
  readonly payloadBytes: number;
  readonly publishers: number;
  /** New connections per second; 0: as fast as they are accepted. */
  readonly rampPerSecond: number;
  readonly warmupMs: number;
  readonly durationMs: number;
  readonly allowFewer: boolean;
  /** Told apart from other runs by this number. */
  readonly run: number;
}

/** Which part of the job a process does. */
export interface JobPart {
  readonly machine: number;
  readonly machines: number;
  readonly process: number;
  readonly processes: number;
}

/** A run of numbers: first … first + count − 1. */
export interface Span {
  readonly first: number;
  readonly count: number;
}

/** What one publishing connection sends. */
export interface PublisherPlan {
  readonly publisher: number;
  readonly source: number;
  /** It publishes topics offset, offset + step, offset + 2 step … */
  readonly offset: number;
  readonly step: number;
}

/** The part of `whole` that falls to the index-th of `parts`. */
export function share(whole: Span, index: number, parts: number): Span {
  const start = Math.floor((whole.count * index) / parts);
  return { first: whole.first + start, count: Math.floor((whole.count * (index + 1)) / parts) - start };
}

export function sourcesOf(job: LoadJob, machines: number): number {
  return job.rate === 0 ? 0 : Math.min(machines, job.publishers);
}

export function connectionsOf(job: LoadJob, part: JobPart): Span {
  return share(share({ first: 0, count: job.connections }, part.machine, part.machines), part.process, part.processes);
}

export function publishersOf(job: LoadJob, part: JobPart): PublisherPlan[] {
  const sources = sourcesOf(job, part.machines);
  const plans: PublisherPlan[] = [];
  if (part.machine >= sources) return plans;
  const step = Math.floor((job.publishers - 1 - part.machine) / sources) + 1;
  for (let offset = part.process; offset < step; offset += part.processes) {
    plans.push({ publisher: part.machine + offset * sources, source: part.machine, offset, step });
  }
  return plans;
}

/** The most publishers that one source has: no more than there are topics. */
export function publishersPerSource(job: LoadJob, machines: number): number {
  return Math.ceil(job.publishers / Math.max(1, sourcesOf(job, machines)));
}
