// Do cold topics wait for a hot one? Their latency over time, one drawing for each server, all on the same scale.

import { median } from '../../support/results.js';
import type { ChartLine, LineChart } from '../chart/chart.js';
import { REFERENCE_STYLE } from '../chart/line-style.js';
import type { Dataset } from '../dataset.js';
import { withUnit } from '../format.js';
import { type MergedSeries, mergeSeries } from '../merge.js';
import type { Block, Figure, Section } from '../section.js';
import { warningsOf } from '../warnings.js';

export const ALONE = 'cold latency over time, alone';
export const BESIDE = 'cold latency over time, beside';

const yValues = ({ points }: ChartLine): number[] => points.flatMap(({ y }) => (y === null ? [] : [y]));

/** What all drawings of the scenario have room for, the range of their runs included. */
function rangeOf(series: readonly MergedSeries[]): { min: number; max: number } {
  const points = series.flatMap(({ lines }) => lines.flatMap((line) => line.points));
  const isLog = series.some(({ y }) => y.log);
  const values = points.flatMap(({ min, max }) => [min, max]).filter((value) => value > 0);
  return { min: isLog ? Math.min(...values) : 0, max: Math.max(...values) };
}

function figureOf(dataset: Dataset, label: string, both: readonly MergedSeries[]): Figure {
  const lines = both.flatMap((series): ChartLine[] => {
    const line = series.lines.find((candidate) => candidate.label === label);
    if (line === undefined) return [];
    const isAlone = series.name === ALONE;
    const style = isAlone ? REFERENCE_STYLE : { ...dataset.styleOf(label), dash: [] };
    return [{ label: isAlone ? 'alone' : 'beside the hot topic', points: line.points, style }];
  });
  const { x, y } = both[0];
  const medians = lines.map((line) => `${line.label} ${withUnit(median(yValues(line)), y.unit)}`);
  const worst = lines.map((line) => `${line.label} ${withUnit(Math.max(...yValues(line)), y.unit)}`);
  const yRange = rangeOf(both);
  const chart: LineChart = { kind: 'lines', x, y, lines, yRange };
  return {
    title: `${label}: cold latency over time`,
    finding: `Median over time: ${medians.join(', ')}; worst: ${worst.join(', ')}.`,
    chart,
  };
}

export function isolationSection(dataset: Dataset): Section {
  const series = [...mergeSeries(dataset, ALONE), ...mergeSeries(dataset, BESIDE)];
  const scenarios = [...new Set(series.map(({ scenario }) => scenario))];
  const blocks = scenarios.map((heading): Block => {
    const both = series.filter(({ scenario }) => scenario === heading);
    const lines = both.flatMap((one) => one.lines);
    return {
      heading,
      warnings: warningsOf(dataset, heading),
      figures: [...dataset.byLabel(lines.flatMap(({ runs }) => runs)).keys()].map((label) =>
        figureOf(dataset, label, both),
      ),
    };
  });
  return {
    id: 'isolation',
    title: 'Isolation: cold topics beside a hot one',
    lead: 'Latency of the cold topics by time, with and without the hot topic. All drawings of a scenario have the same scale.',
    blocks,
    missing: 'No run measured the latency of cold topics over time.',
  };
}
