// What one run yields, and how several runs are read together: plain data that travels over IPC and into the JSON file.

import type { Percentiles } from '../../dist/load/latency-histogram.js';
import type { Verification } from '../../dist/load/verification.js';

export type { Percentiles, Verification };

/** The state of the load generator during a phase: figures of a generator that was busy are not figures of the server. */
export interface GeneratorHealth {
  cpuPercent: number;
  /** Share of the reading thread's time in which it had something to do. */
  readerBusyPercent: number;
  readerLagP99Ms: number;
  /** How late messages left, against their schedule. */
  publisherLateP99Ms: number;
  publisherLateMaxMs: number;
  readsPerSecond: number;
  saturated: boolean;
}

export interface PhaseLatency extends Percentiles {
  /** The whole histogram, as LatencyHistogram.encode() writes it. */
  hdr?: string;
}

export interface Axis {
  label: string;
  unit: string;
  log?: boolean;
}

/** Points of a plot. Runs of one scenario and peer that have a series of the same name contribute to one line. */
export interface Series {
  x: Axis;
  y: Axis;
  points: [number, number][];
}

export interface Phase {
  seconds: number;
  /** Messages that the schedule wanted to be sent, where there was one that gives up at its end. */
  offered?: number;
  published: number;
  /** More may have been offered than the server can take, on purpose: then skipping and saying so is the right answer. */
  mayOverload?: true;
  deliveriesPerSecond: number;
  /** Absent when the server delivered to a companion, too. */
  cpuMicrosPerDelivery?: number;
  serverCpuMicros: number;
  serverUserMicros: number;
  serverSystemMicros: number;
  serverCpuPercent: number;
  rssBytes: number;
  /** In buffers of all TCP sockets of the machine, at the phase's end and at most during it; null where it is not known. */
  kernelSocketBytes: number | null;
  kernelSocketPeakBytes: number | null;
  latency: Record<string, PhaseLatency>;
  verification: Verification;
  generator: GeneratorHealth;
}

/** What a scenario's driver returns. */
export interface Outcome {
  phases: Record<string, Phase>;
  /** Figures that are not a phase's own, such as bytes per connection. */
  figures: Record<string, number>;
  series?: Record<string, Series>;
  problems: string[];
}

export interface RunResult extends Outcome {
  scenario: string;
  variant: string;
  peer: string;
  run: number;
  /** Not all of the run took place: its figures count for nothing. */
  failed: string | null;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Reads one figure over all runs of a variant and peer. */
export class Results {
  readonly runs: RunResult[] = [];

  #of(scenario: string, variant: string, peer: string): RunResult[] {
    return this.runs.filter(
      (run) => run.scenario === scenario && run.variant === variant && run.peer === peer && run.failed === null,
    );
  }

  spread(scenario: string, variant: string, peer: string, pick: (run: RunResult) => number | undefined): Spread | null {
    const values = this.#of(scenario, variant, peer)
      .map(pick)
      .filter((value): value is number => value !== undefined && Number.isFinite(value));
    if (values.length === 0) return null;
    return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
  }

  /** Deliveries that are missing (or wrong) over all runs, or null when there was no run. */
  incomplete(scenario: string, variant: string, peer: string): number | null {
    const runs = this.#of(scenario, variant, peer);
    if (runs.length === 0) return null;
    return runs.reduce((sum, run) => sum + wrongDeliveries(run), 0);
  }
}

/** Lost without a word, or announced as skipped and delivered all the same. */
export function unannounced({ lost, gapMessages }: Verification): number {
  return Math.abs(lost - gapMessages);
}

/** Where the server was overloaded on purpose, what it skips and says so is not wrong. */
export function wrongDeliveries(run: RunResult): number {
  let wrong = run.problems.length;
  for (const { verification: v, mayOverload } of Object.values(run.phases)) {
    wrong += (mayOverload ? unannounced(v) : v.lost) + v.doubled + v.reordered + v.corrupt;
  }
  return wrong;
}
