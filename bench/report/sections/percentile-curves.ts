// Full percentile curves, from the histograms that runs keep.

import type { ChartLine, LineChart } from '../chart/chart.js';
import { styleAt } from '../chart/line-style.js';
import type { Dataset, SourcedRun } from '../dataset.js';
import { findingAt, stepFinding } from '../findings.js';
import { MEDIAN_NINES, percentileCurve } from '../percentiles.js';
import type { Block, Figure, Section } from '../section.js';
import { warningsOf } from '../warnings.js';
import { classesOf, isSweep, phaseOf, type Stage, stageName, stagesOf } from './phases.js';

/** More lines than this cannot be told apart: then the first, the last and some between are drawn. */
const STEPS_MAX = 5;
const X = { label: 'percentile', unit: '' };
const Y = { label: 'latency', unit: 'ms', log: true };
const PLACES: readonly [string, number][] = [
  ['p50', MEDIAN_NINES],
  ['p99', 2],
  ['p99.9', 3],
];

function curveOf(runs: readonly SourcedRun[], stage: Stage, topicClass: string) {
  return percentileCurve(runs.flatMap((run) => phaseOf(run, stage)?.latency[topicClass]?.hdr ?? []));
}

function figureOf(title: string, lines: readonly ChartLine[], describe: (drawn: ChartLine[]) => string): Figure[] {
  const drawn = lines.filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return [];
  const chart: LineChart = { kind: 'lines', x: X, y: Y, lines: drawn, nines: true };
  return [{ title, finding: describe(drawn), chart }];
}

const titleOf = (...parts: string[]): string => parts.filter((part) => part !== '').join(', ');

/** One drawing for each stage, one line for each peer. */
function comparisons(dataset: Dataset, stages: readonly Stage[]): Figure[] {
  return stages.flatMap((stage) =>
    classesOf(stage).flatMap((topicClass) => {
      const lines = [...dataset.byLabel(stage.runs)].map(([label, runs]) => ({
        label,
        style: dataset.styleOf(label),
        points: curveOf(runs, stage, topicClass),
      }));
      return figureOf(titleOf(stageName(stage, stages), `${topicClass} topics`), lines, (drawn) =>
        findingAt(PLACES, Y.unit, drawn),
      );
    }),
  );
}

/** One drawing for each peer, one line for each step. */
function sweeps(dataset: Dataset, stages: readonly Stage[]): Figure[] {
  const labels = dataset.byLabel(stages.flatMap(({ runs }) => runs)).keys();
  return [...labels].flatMap((label) => {
    const classes = [...new Set(stages.flatMap(classesOf))];
    return classes.flatMap((topicClass) => {
      const own = (stage: Stage): SourcedRun[] => stage.runs.filter((run) => dataset.labelOf(run) === label);
      const steps = stages.filter((stage) =>
        own(stage).some((run) => phaseOf(run, stage)?.latency[topicClass]?.hdr !== undefined),
      );
      const lines = evenly(steps, STEPS_MAX).map((stage, index) => ({
        label: stageName(stage, stages),
        points: curveOf(own(stage), stage, topicClass),
        style: styleAt(index),
      }));
      const some = lines.length < steps.length ? `${lines.length} of ${steps.length} steps` : '';
      return figureOf(titleOf(label, `${topicClass} topics`, some), lines, (drawn) =>
        stepFinding(['p99', 2], Y.unit, drawn),
      );
    });
  });
}

export function evenly<T>(values: readonly T[], countMax: number): T[] {
  if (values.length <= countMax) return [...values];
  const stride = (values.length - 1) / (countMax - 1);
  return Array.from({ length: countMax }, (_, index) => values[Math.round(index * stride)]);
}

export function percentileSection(dataset: Dataset): Section {
  const blocks = dataset.scenarios.flatMap((heading): Block[] => {
    const stages = stagesOf(dataset, heading);
    const figures = isSweep(stages) ? sweeps(dataset, stages) : comparisons(dataset, stages);
    return figures.length > 0 ? [{ heading, warnings: warningsOf(dataset, heading), figures }] : [];
  });
  return {
    id: 'percentiles',
    title: 'Latency percentiles',
    lead:
      'Every delivery counts, from the time at which its message should have been sent. Each step to the right has ten times ' +
      'fewer deliveries above it; a curve ends where a single delivery decides.',
    blocks,
    missing: 'No run kept its histograms.',
  };
}
