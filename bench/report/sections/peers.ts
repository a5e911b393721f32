// The servers side by side, scenario by scenario: CPU per delivery, p99, and what else tells them apart.

import type { BarChart, BarGroup, ChartBar } from '../chart/chart.js';
import type { Dataset, SourcedRun } from '../dataset.js';
import { barFinding } from '../findings.js';
import { upperFirst } from '../format.js';
import { pointOf } from '../merge.js';
import type { Block, Figure, Section } from '../section.js';
import { warningsOf } from '../warnings.js';
import { classesOf, isSweep, phaseOf, type Stage, stageName, stagesOf } from './phases.js';

/** Rates that differ by less are the same: the load was given. */
const SAME_RATE = 0.02;

type Pick = (run: SourcedRun) => number | undefined;

function groupOf(
  dataset: Dataset,
  label: string,
  runs: readonly SourcedRun[],
  all: readonly SourcedRun[],
  pick: Pick,
): BarGroup {
  const bars = [...dataset.byLabel(all)].map(([name]): ChartBar => {
    const own = runs.filter((run) => dataset.labelOf(run) === name && run.failed === null);
    const values = own.map(pick).filter((value): value is number => value !== undefined && Number.isFinite(value));
    const { y, min, max } = pointOf(0, values);
    const hasFailed = all.some((run) => dataset.labelOf(run) === name && run.failed !== null);
    return {
      label: name,
      style: dataset.styleOf(name),
      value: y === null ? null : { median: y, min, max },
      ...(y === null && { note: hasFailed && own.length === 0 ? 'failed' : 'not measured' }),
    };
  });
  return { label, bars };
}

const isMeasured = ({ bars }: BarGroup): boolean => bars.some(({ value }) => value !== null);

function barFigure(title: string, label: string, unit: string, groups: readonly BarGroup[]): Figure[] {
  const measured = groups.filter(isMeasured);
  if (measured.length === 0) return [];
  const chart: BarChart = { kind: 'bars', value: { label, unit }, groups: measured };
  return [{ title, finding: barFinding(unit, measured), chart }];
}

function rateFigure(groups: readonly BarGroup[]): Figure[] {
  const differs = groups.filter(({ bars }) => {
    const rates = bars.flatMap(({ value }) => (value === null ? [] : [value.median]));
    return Math.max(...rates) > Math.min(...rates) * (1 + SAME_RATE);
  });
  return barFigure('Deliveries per second', 'deliveries', '/s', differs);
}

/** `bytes per connection, KiB` is a figure and its unit. */
export function splitUnit(name: string): { label: string; unit: string } {
  const comma = name.lastIndexOf(', ');
  return comma < 0 ? { label: name, unit: '' } : { label: name.slice(0, comma), unit: name.slice(comma + 2) };
}

function ownFigures(dataset: Dataset, runs: readonly SourcedRun[], all: readonly SourcedRun[]): Figure[] {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.figures)))];
  return names.flatMap((name) => {
    const { label, unit } = splitUnit(name);
    const variants = [...new Set(runs.filter((run) => name in run.figures).map(({ variant }) => variant))];
    const groups = variants.map((variant) =>
      groupOf(
        dataset,
        variants.length > 1 ? variant : '',
        runs.filter((run) => run.variant === variant),
        all.filter((run) => run.variant === variant),
        (run) => run.figures[name],
      ),
    );
    const isComparison = groups.some(({ bars }) => bars.filter(({ value }) => value !== null).length > 1);
    return isComparison ? barFigure(upperFirst(label), label, unit, groups) : [];
  });
}

function stageFigures(dataset: Dataset, stages: readonly Stage[], all: readonly SourcedRun[]): Figure[] {
  const groups = (pick: (run: SourcedRun, stage: Stage) => number | undefined): BarGroup[] =>
    stages.map((stage) =>
      groupOf(
        dataset,
        stageName(stage, stages),
        stage.runs,
        all.filter((run) => run.variant === stage.variant),
        (run) => pick(run, stage),
      ),
    );
  const latencies = stages.flatMap((stage) => {
    const classes = classesOf(stage);
    return classes.map((topicClass) => {
      const parts = [stageName(stage, stages), classes.length > 1 ? topicClass : ''].filter((part) => part !== '');
      const ofVariant = all.filter((run) => run.variant === stage.variant);
      const pick: Pick = (run) => {
        const micros = phaseOf(run, stage)?.latency[topicClass]?.p99Micros;
        return micros === undefined ? undefined : micros / 1000;
      };
      return groupOf(dataset, parts.join(', '), stage.runs, ofVariant, pick);
    });
  });
  return [
    ...barFigure(
      'Server CPU per delivery',
      'CPU per delivery',
      'µs',
      groups((run, stage) => phaseOf(run, stage)?.cpuMicrosPerDelivery),
    ),
    ...barFigure('p99 latency', 'p99 latency', 'ms', latencies),
    ...rateFigure(groups((run, stage) => phaseOf(run, stage)?.deliveriesPerSecond)),
  ];
}

function blockOf(dataset: Dataset, scenario: string): Block[] {
  const all = dataset.runs.filter((run) => run.scenario === scenario);
  const runs = dataset.runsOf(scenario);
  const stages = stagesOf(dataset, scenario);
  const hasSeries = runs.some((run) => Object.keys(run.series ?? {}).length > 0);
  // What varies in steps is drawn as lines, by its series.
  const ofStages = isSweep(stages) && hasSeries ? [] : stageFigures(dataset, stages, all);
  const figures = [...ofStages, ...ownFigures(dataset, runs, all)];
  return figures.length > 0 ? [{ heading: scenario, warnings: warningsOf(dataset, scenario), figures }] : [];
}

export const peersSection = (dataset: Dataset): Section => ({
  id: 'peers',
  title: 'Servers side by side',
  lead: 'Bars start at zero and show medians; whiskers span all runs. Shorter is better, except for deliveries per second.',
  blocks: dataset.scenarios.flatMap((scenario) => blockOf(dataset, scenario)),
  missing: 'No run of any server took place.',
});
