// Several runs become one line: medians, and the range that the runs span.

import type { Axis } from '../support/results.js';
import { median } from '../support/results.js';
import type { Dataset, SourcedRun } from './dataset.js';

/** One x of a line, over all runs that have it. */
export interface Point {
  x: number;
  /** Median of the runs; null where none has a value: there the line is interrupted. */
  y: number | null;
  min: number;
  max: number;
  runs: number;
}

export interface MergedLine {
  /** The peer, and where several files have the scenario, the file's letter. */
  label: string;
  points: Point[];
  /** The runs that contributed. */
  runs: SourcedRun[];
}

export interface MergedSeries {
  scenario: string;
  name: string;
  x: Axis;
  y: Axis;
  lines: MergedLine[];
}

/** Points of the same x become one; sorted by x. Values that are no number count as not measured. */
export function mergePoints(series: readonly (readonly (readonly [number, number])[])[]): Point[] {
  const valuesByX = new Map<number, number[]>();
  for (const [x, y] of series.flat()) {
    if (!Number.isFinite(x)) continue;
    const values = valuesByX.get(x) ?? [];
    if (Number.isFinite(y)) values.push(y);
    valuesByX.set(x, values);
  }
  return [...valuesByX].sort(([a], [b]) => a - b).map(([x, values]) => pointOf(x, values));
}

export function pointOf(x: number, values: readonly number[]): Point {
  if (values.length === 0) return { x, y: null, min: Number.NaN, max: Number.NaN, runs: 0 };
  return { x, y: median(values), min: Math.min(...values), max: Math.max(...values), runs: values.length };
}

/** Every scenario's series of this name: one line for each peer. Lines and series without a single value are left out. */
export function mergeSeries(dataset: Dataset, name: string): MergedSeries[] {
  return dataset.scenarios.flatMap((scenario) => {
    const runs = dataset.runsOf(scenario).filter((run) => run.series?.[name] !== undefined);
    const lines = [...dataset.byLabel(runs)].flatMap(([label, own]): MergedLine[] => {
      const points = mergePoints(own.map((run) => run.series![name]!.points));
      return points.some(({ y }) => y !== null) ? [{ label, points, runs: own }] : [];
    });
    if (lines.length === 0) return [];
    const { x, y } = runs[0]!.series![name]!;
    return [{ scenario, name, x, y, lines }];
  });
}
