// Phases of runs, side by side: what the bars of peers and the percentile curves have in common.

import type { Dataset, SourcedRun } from '../dataset.js';
import type { Phase } from '../results-file.js';

/** One phase of one variant of a scenario, which every peer went through. */
export interface Stage {
  scenario: string;
  variant: string;
  phase: string;
  /** All runs of the variant that took place, whether they got to this phase or not. */
  runs: SourcedRun[];
}

/** A scenario of more stages than this varies something in steps: that is a line, not a row of bars. */
const BARS_MAX = 4;

export function stagesOf(dataset: Dataset, scenario: string): Stage[] {
  const runs = dataset.runsOf(scenario);
  const variants = [...new Set(runs.map(({ variant }) => variant))];
  return variants.flatMap((variant) => {
    const own = runs.filter((run) => run.variant === variant);
    const phases = new Set(own.flatMap((run) => Object.keys(run.phases)));
    return [...phases].map((phase) => ({ scenario, variant, phase, runs: own }));
  });
}

export const isSweep = (stages: readonly Stage[]): boolean => stages.length > BARS_MAX;

export const classesOf = ({ phase, runs }: Stage): string[] => [
  ...new Set(runs.flatMap((run) => Object.keys(run.phases[phase]?.latency ?? {}))),
];

/** What tells the stages of a scenario apart: what all of them share is left out. */
export function stageName(stage: Stage, all: readonly Stage[]): string {
  const parts = [];
  if (all.some(({ variant }) => variant !== stage.variant)) parts.push(stage.variant);
  if (all.some(({ phase }) => phase !== stage.phase)) parts.push(stage.phase);
  return parts.join(', ');
}

export const phaseOf = (run: SourcedRun, stage: Stage): Phase | undefined => run.phases[stage.phase];
