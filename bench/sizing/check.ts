// Holds what the model predicts for a workload against what the same workload takes.

import type { Calibration } from '../../dist/sizing/calibration.js';
import { median } from '../../dist/sizing/least-squares.js';
import { type Measurement, MeasuringSession } from '../../dist/sizing/measure/session.js';
import { CONDITIONS_DEFAULT, sizeOf } from '../../dist/sizing/model.js';
import { SOCKETS } from '../../dist/sizing/model-memory.js';
import type { Workload } from '../../dist/sizing/workload.js';

const MIB = 2 ** 20;

/** By name and unit, as the report shows them: those with a bar have CPU or RAM in their names. */
export type Figures = Record<string, number>;

export interface Check {
  name: string;
  predicted: Figures;
  measured: Figures;
}

export interface Times {
  settleMs: number;
  measureMs: number;
}

/** How far a prediction may be off, as a part of the measurement. */
export const BARS: Readonly<Record<string, number>> = { 'CPU, % of a core': 0.15, 'RAM, MiB': 0.15 };

const lanesOf = ({ topics }: Workload): number => (topics.some(({ home }) => home === 'hot') ? 1 : 0);

/** In a server of its own, like the one that is predicted. */
export async function measureWorkload(workload: Workload, times: Times, signal: AbortSignal): Promise<Measurement> {
  const { topics, clients, settings } = workload;
  const delaysMs = [...new Set(topics.map(({ maxDelayMs }) => maxDelayMs))];
  const session = await MeasuringSession.start(
    { lanes: lanesOf(workload), delaysMs, tls: settings.tls === true, engine: {} },
    signal,
  );
  try {
    return await session.measure({ topics, clients, ...times });
  } finally {
    await session.close();
  }
}

export function predict(workload: Workload, calibration: Calibration, { settleMs, measureMs }: Times): Figures {
  const settings = { ...workload.settings, lanes: lanesOf(workload) };
  const uptimeSeconds = (settleMs + measureMs) / 1000;
  const conditions = { ...CONDITIONS_DEFAULT, processes: 1, roundTripMs: 0, uptimeSeconds };
  const { process, p99Ms } = sizeOf({ ...workload, settings }, calibration, conditions);
  const { cpu, earlyMemoryBytes, memoryParts } = process!;
  const sockets = memoryParts.find(({ what }) => what === SOCKETS)?.bytes ?? 0;
  return {
    'CPU, % of a core': 100 * (cpu.accept + cpu.lanes + cpu.helpers),
    'accept thread, % of a core': 100 * cpu.accept,
    'lanes, % of a core': 100 * cpu.lanes,
    'RAM, MiB': (earlyMemoryBytes + sockets) / MIB,
    'in the process, MiB': earlyMemoryBytes / MIB,
    'in the kernel, MiB': sockets / MIB,
    'p99, ms': p99Ms,
    'writes, 1/s': cpu.activity.writes,
    'deliveries, 1/s': cpu.activity.deliveries,
  };
}

/** What waits in sockets is that of both ends, of which the clients' is most: only the server's objects count. */
function measuredFigures(one: Measurement): Figures {
  return {
    'CPU, % of a core': 100 * (one.acceptCpu + one.lanesCpu + one.helpersCpu),
    'accept thread, % of a core': 100 * one.acceptCpu,
    'lanes, % of a core': 100 * one.lanesCpu,
    'RAM, MiB': (one.rssBytes + one.kernelObjectBytes) / MIB,
    'in the process, MiB': one.rssBytes / MIB,
    'in the kernel, MiB': one.kernelObjectBytes / MIB,
    'p99, ms': one.latencyMs.p99,
    'writes, 1/s': one.writes,
    'deliveries, 1/s': one.deliveries,
  };
}

export function medianFigures(measurements: readonly Measurement[]): Figures {
  const all = measurements.map(measuredFigures);
  const names = Object.keys(all[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(all.map((figures) => figures[name]))]));
}

/** By how much the prediction is off, as a part of the measurement. */
export function deviation(check: Check, figure: string): number {
  const measured = check.measured[figure];
  return measured === 0 ? 0 : check.predicted[figure] / measured - 1;
}

export function isWithin(check: Check): boolean {
  return Object.entries(BARS).every(([figure, bar]) => Math.abs(deviation(check, figure)) <= bar);
}
