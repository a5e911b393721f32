// What was promised, and whether it was kept: the table of bars.

import type { Dataset, SourcedBar } from '../dataset.js';
import { figure, plural, spreadText } from '../format.js';
import { type Html, html } from '../html.js';

interface Verdict {
  /** Class of the style sheet. */
  kind: 'met' | 'missed' | 'open';
  text: string;
}

function verdictOf({ met, value }: SourcedBar): Verdict {
  if (met !== null) return met ? { kind: 'met', text: '✓ met' } : { kind: 'missed', text: '✗ missed' };
  return { kind: 'open', text: value === null ? 'not measured' : 'no bar' };
}

function relationText({ relation, unit }: SourcedBar): string {
  if (relation === null || !Number.isFinite(relation.value)) return '';
  if (relation.kind === 'ratio') return `${figure(relation.value)} ×`;
  return `${relation.value < 0 ? '−' : '+'} ${figure(Math.abs(relation.value))} ${unit}`;
}

const HEADINGS = ['scenario', 'figure', 'measured', 'baseline', 'relation', 'bar', 'verdict'] as const;

function rowOf(bar: SourcedBar): Html {
  const verdict = verdictOf(bar);
  const cells = [
    bar.label,
    spreadText(bar.value, bar.unit),
    bar.baseline === null ? '' : spreadText(bar.baseline, bar.unit),
    relationText(bar),
    bar.limit,
    html`<span class="verdict ${verdict.kind}">${verdict.text}</span>`,
  ];
  const scenario = bar.source.letter === '' ? bar.scenario : `${bar.scenario}, file ${bar.source.letter}`;
  // The roles stay when the style sheet of a phone turns the rows into cards.
  return html`<tr role="row"><th role="rowheader" scope="row">${scenario}</th>${cells.map(
    (cell, index) => html`<td role="cell" data-label="${HEADINGS[index + 1]}">${cell}</td>`,
  )}</tr>\n`;
}

/** "17 of 20 bars met, 2 missed, 1 not measured." */
export function barSummary(bars: readonly SourcedBar[]): string {
  const count = (kind: Verdict['kind']): number => bars.filter((bar) => verdictOf(bar).kind === kind).length;
  const [met, missed] = [count('met'), count('missed')];
  const open = bars.filter(({ met: verdict, value }) => verdict === null && value === null).length;
  const parts = [`${met} of ${plural(met + missed + open, 'bar')} met`];
  if (missed > 0) parts.push(`${missed} missed`);
  if (open > 0) parts.push(`${open} not measured`);
  return `${parts.join(', ')}.`;
}

export function barsHtml({ bars, sources }: Dataset): Html {
  if (bars.length === 0) {
    const isSmoke = sources.some(({ options }) => options?.smoke);
    return html`<p class="missing">${
      isSmoke
        ? 'A smoke run is held against no bars: its sizes are too small for that.'
        : 'These results hold no bars: nothing was held against anything.'
    }</p>`;
  }
  return html`<p>Medians of all runs, in brackets their range. A baseline is measured by the same command.</p>
<table class="cards" role="table" aria-label="Bars">
<thead role="rowgroup"><tr role="row">${HEADINGS.map((heading) => html`<th role="columnheader" scope="col">${heading}</th>`)}</tr></thead>
<tbody role="rowgroup">${bars.map(rowOf)}</tbody>
</table>`;
}
