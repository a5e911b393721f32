// Several runs become one line: medians, and the range that the runs span.

import type { Axis } from '../support/results.js';
import { median } from '../support/results.js';
import type { Dataset, SourcedRun } from './dataset.js';
import { groupBy } from './groups.js';

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

type Points = readonly (readonly [number, number])[];

/** How far the x of one step may differ between runs whose steps follow from a measurement: of its median. */
const SAME_STEP = 0.3;

/**
 * Repetitions of one line. Where all have the same steps, the n-th points become one, at the median of their x, in the order
 * in which they were taken: in a knee the load follows from what the run itself found to be saturation, and beyond it a
 * delivered rate does not grow any more. Otherwise points of the same x become one, sorted by x. Values that are no number
 * count as not measured.
 */
export function mergePoints(repetitions: readonly Points[]): Point[] {
  const lines = repetitions.map((points) => points.filter(([x]) => Number.isFinite(x)));
  return haveSameSteps(lines) ? mergeSteps(lines) : mergeByX(lines.flat());
}

function haveSameSteps(lines: readonly Points[]): boolean {
  const [first, ...others] = lines;
  if (first === undefined || others.some(({ length }) => length !== first.length)) return false;
  return first.every((_, step) => {
    const xs = lines.map((line) => line[step][0]);
    const middle = median(xs);
    return xs.every((x) => Math.abs(x - middle) <= SAME_STEP * Math.abs(middle));
  });
}

function mergeSteps(lines: readonly Points[]): Point[] {
  return lines[0].map((_, step) =>
    pointOf(median(lines.map((line) => line[step][0])), lines.map((line) => line[step][1]).filter(Number.isFinite)),
  );
}

function mergeByX(points: Points): Point[] {
  const valuesByX = new Map<number, number[]>();
  for (const [x, y] of points) {
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
      // The first runs of all variants together are the first repetition of a sweep, the second ones the next.
      const repetitions = [...groupBy(own, (run) => String(run.run)).values()];
      const points = mergePoints(repetitions.map((runs) => runs.flatMap((run) => run.series![name].points)));
      return points.some(({ y }) => y !== null) ? [{ label, points, runs: own }] : [];
    });
    if (lines.length === 0) return [];
    const { x, y } = runs[0].series![name];
    return [{ scenario, name, x, y, lines }];
  });
}
