// Points of plots: how scenarios add to the series of a run. The report knows some of the names, see the README.

import type { Axis, Outcome, Percentiles, Phase } from './results.js';

export const OFFERED: Axis = { label: 'offered', unit: 'deliveries/s', log: true };
export const DELIVERED: Axis = { label: 'delivered', unit: 'deliveries/s', log: true };
export const LATENCY: Axis = { label: 'latency', unit: 'ms', log: true };
export const CPU: Axis = { label: 'server CPU', unit: '% of a core' };
export const CPU_PER_DELIVERY: Axis = { label: 'server CPU per delivery', unit: 'µs', log: true };
export const MEMORY: Axis = { label: 'memory', unit: 'MiB' };

/** Adds a point to a series of the run; the first one makes the series. Values that are none (NaN, infinite) are left out. */
export function addPoint(outcome: Outcome, name: string, axes: [Axis, Axis], x: number, y: number): void {
  outcome.series ??= {};
  outcome.series[name] ??= { x: axes[0], y: axes[1], points: [] };
  if (Number.isFinite(x) && Number.isFinite(y)) outcome.series[name].points.push([x, y]);
}

const PERCENTILES: [string, keyof Percentiles][] = [
  ['p50', 'p50Micros'],
  ['p99', 'p99Micros'],
  ['p99.9', 'p999Micros'],
];

/** One sweep's points of a phase: latencies, CPU and CPU per delivery by `axis`. */
export function addSweepPoints(
  outcome: Outcome,
  by: string,
  axis: Axis,
  x: number,
  phase: Phase,
  topicClass: 'hot' | 'cold',
): void {
  const latency = phase.latency[topicClass];
  for (const [name, figure] of latency === undefined ? [] : PERCENTILES) {
    addPoint(outcome, `latency ${name} by ${by}`, [axis, LATENCY], x, latency![figure] / 1000);
  }
  addPoint(outcome, `CPU by ${by}`, [axis, CPU], x, phase.serverCpuPercent);
  if (phase.cpuMicrosPerDelivery !== undefined && phase.verification.delivered > 0) {
    addPoint(outcome, `CPU per delivery by ${by}`, [axis, CPU_PER_DELIVERY], x, phase.cpuMicrosPerDelivery);
  }
}

/**
 * The highest value of each window of `windowMs`, as points [seconds since fromMs, value]; windows without values yield none.
 * @param atMs when each value was taken; @param values one per time; @param count how many there are
 */
export function windowMaxima(
  atMs: ArrayLike<number>,
  values: (index: number) => number,
  count: number,
  fromMs: number,
  windowMs: number,
): [number, number][] {
  const highest = new Map<number, number>();
  for (let index = 0; index < count; index++) {
    const window = Math.floor((atMs[index] - fromMs) / windowMs);
    const value = values(index);
    if (window >= 0 && value > (highest.get(window) ?? Number.NEGATIVE_INFINITY)) highest.set(window, value);
  }
  return [...highest]
    .sort(([left], [right]) => left - right)
    .map(([window, value]) => [(window * windowMs) / 1000, value]);
}
