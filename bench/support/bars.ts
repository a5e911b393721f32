// Bars: a measured value against a limit, or against the baseline's value of the same command.

import type { Spread } from './results.js';

export interface Bar {
  scenario: string;
  label: string;
  unit: string;
  value: Spread | null;
  baseline: Spread | null;
  /** value ÷ baseline or value − baseline, where the bar is one of these. */
  relation: { kind: 'ratio' | 'difference'; value: number } | null;
  limit: string;
  /** null: not measured, or held against nothing. */
  met: boolean | null;
}

interface BarInput {
  scenario: string;
  label: string;
  unit: string;
  value: Spread | null;
}

export function ratioBar(bar: BarInput, baseline: Spread | null, ratioMax: number): Bar {
  const ratio = bar.value && baseline ? bar.value.median / baseline.median : null;
  const relation = ratio === null ? null : { kind: 'ratio' as const, value: ratio };
  const limit = `≤ ${+ratioMax.toFixed(3)} ×`;
  return { ...bar, baseline, relation, limit, met: ratio === null ? null : ratio <= ratioMax };
}

export function differenceBar(bar: BarInput, baseline: Spread | null, differenceMax: number): Bar {
  const difference = bar.value && baseline ? bar.value.median - baseline.median : null;
  const relation = difference === null ? null : { kind: 'difference' as const, value: difference };
  const met = difference === null ? null : difference <= differenceMax;
  return { ...bar, baseline, relation, limit: `≤ + ${differenceMax} ${bar.unit}`, met };
}

export function maximumBar(bar: BarInput, maximum: number): Bar {
  const met = bar.value === null ? null : bar.value.median <= maximum;
  return { ...bar, baseline: null, relation: null, limit: `≤ ${maximum} ${bar.unit}`, met };
}

export function minimumBar(bar: BarInput, minimum: number): Bar {
  const met = bar.value === null ? null : bar.value.median >= minimum;
  return { ...bar, baseline: null, relation: null, limit: `≥ ${minimum} ${bar.unit}`, met };
}

/** A figure that is held against nothing. */
export function plainFigure(bar: BarInput, baseline: Spread | null): Bar {
  return { ...bar, baseline, relation: null, limit: '', met: null };
}

/** Everything delivered, once, in order, in every run. */
export function completeBar(scenario: string, label: string, wrong: number | null, baselineWrong: number | null): Bar {
  const spread = (value: number | null): Spread | null =>
    value === null ? null : { median: value, min: value, max: value };
  return {
    scenario,
    label,
    unit: 'wrong',
    value: spread(wrong),
    baseline: spread(baselineWrong),
    relation: null,
    limit: '0 wrong',
    met: wrong === null ? null : wrong === 0,
  };
}
