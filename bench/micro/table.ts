// What is printed.

import Table from 'cli-table3';
import type { Colors } from 'picocolors/types.js';
import { number } from '../support/report.js';
import { type Change, CONFIDENCE, type Comparison, percentText } from './comparison.js';
import { GROUPS } from './groups.js';
import { type BenchResult, valuesOf } from './results.js';
import { median, medianInterval } from './statistics.js';

const NS_PER_SECOND = 1e9;
const NO_BORDERS = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '' },
  ...{ 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
};

type Cells = readonly string[];

/** The first column is text, the others are numbers. */
function tableOf(heads: Cells, rows: readonly Cells[], lastIsText: boolean): string {
  const colAligns = heads.map((_, index) =>
    index === 0 || (lastIsText && index === heads.length - 1) ? ('left' as const) : ('right' as const),
  );
  const table = new Table({
    chars: NO_BORDERS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colAligns,
  });
  table.push([...heads], ...rows.map((row) => [...row]));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const withoutGroup = (id: string): string => id.slice(id.indexOf('/') + 1);

/** Half of the 95 % interval of the median, as a share of it; the range, in brackets, of too few rounds for an interval. */
function plusMinus(values: readonly number[]): string {
  const middle = median(values);
  if (values.length < 2 || middle === 0) return '';
  const interval = medianInterval(values, CONFIDENCE);
  const { low, high } = interval ?? { low: Math.min(...values), high: Math.max(...values) };
  const text = `±${number(((high - low) / 2 / middle) * 100)} %`;
  return interval === null ? `(${text})` : text;
}

function againstText({ against }: BenchResult, value: number, all: readonly BenchResult[]): string {
  const other = all.find(({ id }) => id === against);
  if (other === undefined || other.rounds.length === 0) return '';
  const times = median(valuesOf(other)) / value;
  const name = withoutGroup(other.id).split('/').at(-1)!;
  return times >= 1 ? `${number(times)} × as fast as ${name}` : `${number(1 / times)} × the time of ${name}`;
}

const HEADS = ['', 'ns/op', '±', 'ns/item', 'of it GC', 'ops/s', 'samples', ''];

function timeCells(result: BenchResult, all: readonly BenchResult[]): Cells {
  const name = withoutGroup(result.id);
  if (result.failed !== null) return [name, 'FAILED', '', '', '', '', '', result.failed];
  const values = valuesOf(result);
  if (values.length === 0) return [name, '–', '', '', '', '', '', 'not measured'];
  const value = median(values);
  const gcShare = median(result.rounds.map(({ gcNs }) => gcNs)) / value;
  const samples = result.rounds.reduce((sum, round) => sum + round.samples, 0);
  return [
    ...[name, number(value), plusMinus(values)],
    result.items === 1 ? '' : `${number(value / result.items)} /${result.item}`,
    gcShare >= 0.005 ? `${number(gcShare * 100)} %` : '',
    ...[number(NS_PER_SECOND / value), `${result.rounds.length} × ${number(samples / result.rounds.length)}`],
    againstText(result, value, all),
  ];
}

function memoryCells(result: BenchResult): Cells {
  const name = withoutGroup(result.id);
  if (result.failed !== null) return [name, 'FAILED', '', result.failed];
  const values = valuesOf(result);
  if (values.length === 0) return [name, '–', '', 'not measured'];
  return [name, number(median(values)), plusMinus(values), `${values.length} rounds`];
}

/** A table per group; a second one where memory was measured. */
export function resultsText(results: readonly BenchResult[], colours: Colors): string {
  const parts = GROUPS.flatMap(({ name, title }) => {
    const own = results.filter(({ group }) => group === name);
    if (own.length === 0) return [];
    const [times, memories] = [own.filter(({ unit }) => unit === 'ns'), own.filter(({ unit }) => unit === 'bytes')];
    const lines = [`${colours.bold(name)}: ${title}`];
    if (times.length > 0)
      lines.push(
        tableOf(
          HEADS,
          times.map((result) => timeCells(result, own)),
          true,
        ),
      );
    if (memories.length > 0) {
      lines.push(tableOf(['', `bytes/${memories[0].item}`, '±', ''], memories.map(memoryCells), true));
    }
    return [lines.join('\n')];
  });
  return parts.join('\n\n');
}

function colourOf({ verdict }: Change, colours: Colors): (text: string) => string {
  if (verdict === 'faster' || verdict === 'smaller') return colours.green;
  if (verdict === 'slower' || verdict === 'larger') return colours.red;
  return colours.dim;
}

function changeCells(change: Change, colours: Colors): Cells {
  const { id, unit, before, after, shift, floor, verdict } = change;
  return [
    ...[id, `${number(before)} ${unit}`, `${number(after)} ${unit}`, percentText(shift.estimate)],
    `${percentText(shift.low)} … ${percentText(shift.high)}`,
    ...[`${(Math.expm1(floor) * 100).toFixed(1)} %`, colourOf(change, colours)(verdict)],
  ];
}

function summary(changes: readonly Change[]): string {
  const counts = new Map<string, number>();
  for (const { verdict } of changes) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  return [...counts].map(([verdict, count]) => `${count} ${verdict}`).join(', ');
}

const CHANGE_HEADS = [
  '',
  'before',
  'after',
  'change',
  `${CONFIDENCE * 100} % interval, all at once`,
  'noise floor',
  '',
];

export function comparisonText({ changes, machine, warnings }: Comparison, colours: Colors): string {
  const parts = warnings.map((warning) => colours.yellow(`WARNING: ${warning}`));
  const rows = changes.map((change) => changeCells(change, colours));
  if (rows.length > 0) parts.push(tableOf(CHANGE_HEADS, rows, true));
  if (machine.length > 0) {
    const list = machine.map(({ id, shift }) => `${withoutGroup(id)} ${percentText(shift.estimate)}`).join(', ');
    parts.push(`the machine itself (reference): ${list}`);
  }
  if (rows.length > 0) parts.push(`changes: ${summary(changes)}`);
  return parts.join('\n');
}
