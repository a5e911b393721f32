// Sections of plots that scenarios leave as series: placed where the report knows their names, else under their scenario.

import type { Axis } from '../../support/results.js';
import type { ChartLine, LineChart } from '../chart/chart.js';
import type { Dataset } from '../dataset.js';
import { finding } from '../findings.js';
import { upperFirst } from '../format.js';
import { groupBy } from '../groups.js';
import { type MergedSeries, mergeSeries } from '../merge.js';
import type { Block, Figure, Section } from '../section.js';
import { warningsOf } from '../warnings.js';
import { ALONE, BESIDE } from './isolation.js';

const DELIVERIES = 'deliveries by load';
const BY_LOAD = [DELIVERIES, 'latency p50 by load', 'latency p99 by load', 'latency p99.9 by load'];
const BY_RATE = ['CPU by rate'];
const BY_CONNECTIONS = ['memory by connections'];
const PLACED = [...BY_LOAD, ...BY_RATE, ...BY_CONNECTIONS, ALONE, BESIDE];

export function linesOf(dataset: Dataset, series: MergedSeries): ChartLine[] {
  return series.lines.map(({ label, points }) => ({ label, points, style: dataset.styleOf(label) }));
}

function figureOf(dataset: Dataset, series: MergedSeries): Figure {
  const lines = linesOf(dataset, series);
  const chart: LineChart = { kind: 'lines', x: series.x, y: series.y, lines };
  return { title: upperFirst(series.name), finding: finding(series.x, series.y, lines), chart };
}

/** A knee is a bend on linear axes; only latencies, which span powers of ten, are drawn on a logarithmic one. */
const linear = (axis: Axis): Axis => ({ ...axis, log: false });
const linearKnee = (series: MergedSeries): MergedSeries => ({
  ...series,
  x: linear(series.x),
  y: series.name === DELIVERIES ? linear(series.y) : series.y,
});

function blocksOf(
  dataset: Dataset,
  names: readonly string[],
  adapt: (series: MergedSeries) => MergedSeries = (series) => series,
): Block[] {
  const byScenario = groupBy(
    names.flatMap((name) => mergeSeries(dataset, name)).map(adapt),
    ({ scenario }) => scenario,
  );
  return [...byScenario].map(([heading, series]) => ({
    heading,
    warnings: [...warningsOf(dataset, heading), ...absent(dataset, series)],
    figures: series.map((one) => figureOf(dataset, one)),
  }));
}

/** Servers that ran in the scenario, but have no line. */
export function absent(dataset: Dataset, series: readonly MergedSeries[]): string[] {
  const [{ scenario }] = series as [MergedSeries];
  const drawn = new Set(series.flatMap(({ lines }) => lines.map(({ label }) => label)));
  const names = [...dataset.byLabel(dataset.runsOf(scenario)).keys()].filter((label) => !drawn.has(label));
  return names.length > 0 ? [`Not measured here: ${names.join(', ')}`] : [];
}

export const loadSection = (dataset: Dataset): Section => ({
  id: 'load',
  title: 'Deliveries and latency by load',
  lead: 'The knee: load is raised in steps until the server cannot follow. Deliveries stop growing there, and latencies leave.',
  blocks: blocksOf(dataset, BY_LOAD, linearKnee),
  missing: 'No run raised the load in steps.',
});

export const rateSection = (dataset: Dataset): Section => ({
  id: 'rate',
  title: 'CPU by rate',
  lead: 'CPU time of the whole server process, user and system, all threads.',
  blocks: blocksOf(dataset, BY_RATE),
  missing: 'No run measured CPU at several rates.',
});

export const memorySection = (dataset: Dataset): Section => ({
  id: 'memory',
  title: 'Memory by connections',
  lead: 'Resident memory of the server process, read after a forced garbage collection, for all servers alike.',
  blocks: blocksOf(dataset, BY_CONNECTIONS),
  missing: 'No run measured memory at several numbers of connections.',
});

/** Every series that has no place of its own. */
export function otherSection(dataset: Dataset): Section | null {
  const names = new Set(dataset.runs.flatMap((run) => Object.keys(run.series ?? {})));
  const blocks = blocksOf(
    dataset,
    [...names].filter((name) => !PLACED.includes(name)),
  );
  if (blocks.length === 0) return null;
  return { id: 'other', title: 'Further plots', lead: 'By scenario.', blocks, missing: '' };
}
