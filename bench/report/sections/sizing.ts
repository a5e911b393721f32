// The size model against reality: what was predicted for a workload, and what it took.

import type { Axis } from '../../support/results.js';
import { figure, withUnit } from '../format.js';
import { html } from '../html.js';
import type { SizingResults } from '../results-file.js';
import type { Block, Section } from '../section.js';
import { table } from '../table.js';
import { splitUnit } from './peers.js';

/** How far a prediction may be off, in percent, as in bench/sizing/check.ts. Other figures are held against nothing. */
const LIMITS: readonly { matches: RegExp; percent: number }[] = [
  { matches: /\bcpu\b/i, percent: 20 },
  { matches: /\b(ram|rss|memory)\b/i, percent: 15 },
];

export interface Deviation {
  figure: Axis;
  predicted: number;
  measured: number;
  /** Of the measurement; NaN where one of the two is missing. */
  percent: number;
  limitPercent: number | null;
}

export function deviations(predicted: Record<string, number>, measured: Record<string, number>): Deviation[] {
  const names = [...new Set([...Object.keys(predicted), ...Object.keys(measured)])];
  return names.map((name) => {
    const [before, after] = [predicted[name] ?? Number.NaN, measured[name] ?? Number.NaN];
    return {
      figure: splitUnit(name),
      predicted: before,
      measured: after,
      percent: after === 0 ? Number.NaN : (before / after - 1) * 100,
      limitPercent: LIMITS.find(({ matches }) => matches.test(name))?.percent ?? null,
    };
  });
}

function signed(percent: number): string {
  if (!Number.isFinite(percent)) return figure(null);
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(1)} %`;
}

function verdict({ percent, limitPercent }: Deviation) {
  if (limitPercent === null) return '';
  if (!Number.isFinite(percent)) return html`<span class="verdict open">not measured</span>`;
  return Math.abs(percent) <= limitPercent
    ? html`<span class="verdict met">✓ within ${limitPercent} %</span>`
    : html`<span class="verdict missed">✗ beyond ${limitPercent} %</span>`;
}

function blockOf({ workloads, file, notes, partial }: SizingResults, isOnly: boolean): Block {
  const rows = workloads.flatMap(({ name, predicted, measured }) =>
    deviations(predicted, measured).map((one) => [
      name,
      one.figure.label,
      withUnit(one.predicted, one.figure.unit),
      withUnit(one.measured, one.figure.unit),
      signed(one.percent),
      verdict(one),
    ]),
  );
  const columns = [
    { title: 'workload' },
    { title: 'figure' },
    { title: 'predicted', isNumber: true },
    { title: 'measured', isNumber: true },
    { title: 'deviation', isNumber: true },
    { title: 'bar' },
  ];
  return {
    heading: isOnly ? '' : file,
    warnings: [...(partial ? ['The command was interrupted: what is missing was not measured.'] : []), ...notes],
    figures: [],
    content: table('Predicted and measured', columns, rows),
  };
}

export const sizingSection = (files: readonly SizingResults[]): Section => ({
  id: 'sizing',
  title: 'Size model: predicted and measured',
  lead: 'The deviation is that of the prediction, in percent of the measurement.',
  blocks: files.map((file) => blockOf(file, files.length === 1)),
  missing: 'The predictions of ringcast size were not checked.',
});
