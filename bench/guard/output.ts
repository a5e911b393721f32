// What is printed: every server of every round as it ends, then the checks, always, then the verdict.

import Table from 'cli-table3';
import { notes, number } from '../support/report.js';
import { median } from '../support/results.js';
import { UWS } from '../support/scenario.js';
import { chanceAt } from './decision.js';
import { type CheckResult, type GuardResult, isCalm } from './guard.js';
import { type Limit, LOSS_TO_FIND } from './limits.js';
import { type Contestants, costs, faultOf, type Part, type Round, ratios } from './rounds.js';

const NO_BORDERS = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '' },
  ...{ 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
};

export const percent = (share: number): string => `${number(share * 100)} %`;

export function tableLines(heads: readonly string[], rows: readonly string[][]): string[] {
  const table = new Table({
    chars: NO_BORDERS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  table.push([...heads], ...rows);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

/** `1.2 (1.1–1.3)`: the median and, where there are several, the range. */
export function spreadText(values: readonly number[]): string {
  if (values.length === 0) return '–';
  const range = values.length === 1 ? '' : ` (${number(Math.min(...values))}–${number(Math.max(...values))})`;
  return `${number(median(values))}${range}`;
}

function partLine(round: Round, part: Part): string {
  const head = `round ${round.number}  ${part.peer.padEnd(15)}`;
  const fault = faultOf(part);
  if (fault !== null) return `${head}  FAULT: ${fault}`;
  const figures = Object.entries(part.cycles).map(([check, values]) => `${check} ${number(median(values))}`);
  return `${head}  ${figures.join('  ')}  µs/delivery`;
}

/** What a round has measured, and, where it does not count, why. */
export function roundLines(round: Round): string[] {
  const { parts, strain } = round;
  const lines = parts.map((part) => partLine(round, part));
  if (strain !== null) {
    const cores = `${strain.othersCores.toFixed(2)} cores, stolen: ${strain.stolenCores.toFixed(2)}`;
    lines.push(`round ${round.number}  taken by other processes: ${cores}`);
  }
  return isCalm(round) ? lines : [...lines, `round ${round.number} does not count: ${round.setAside}`];
}

/** Generators that were busy, deliveries that the baseline lost. CPU per delivery is still the server's. */
function remarksOf(rounds: readonly Round[]): string[] {
  const lines = rounds.flatMap((round) => notes(round.parts.map(({ run }) => run)));
  const saturated = lines.filter((line) => line.includes('load generator was saturated'));
  const others = lines.filter((line) => !saturated.includes(line));
  if (saturated.length === 0) return others;
  const phases = rounds.flatMap((round) => round.parts.flatMap(({ run }) => Object.keys(run.phases))).length;
  return [
    ...others,
    `the load generator was saturated in ${saturated.length} of ${phases} phases: their latencies are partly its own; the CPU per delivery is the server’s`,
  ];
}

/** Against the bar itself, without tolerance: what was measured now, or, where nothing counts, what is documented. */
function barText({ limit: { bar, ratio }, ratios: measured }: CheckResult): string {
  const isMissed = (measured.length > 0 ? median(measured) : ratio) > bar;
  return `≤ ${bar} × ${isMissed ? 'MISSED' : 'met'}`;
}

function decisionText({ decision, ratios: measured, limit }: CheckResult): string {
  if (decision === 'within') return 'within';
  if (decision === 'undecided') return 'UNDECIDED';
  return `OVER: ${percent(median(measured) / limit.ratio - 1)} above what is documented`;
}

/** Rounds that count; where there are none the figures of the others are shown, so that there are any. */
function shownRounds(rounds: readonly Round[]): { shown: readonly Round[]; note: string[] } {
  const calm = rounds.filter(isCalm);
  if (calm.length > 0 || rounds.length === 0) return { shown: calm, note: [] };
  return { shown: rounds, note: ['no round counts: the figures are those of the others, and mean little'] };
}

export function checkLines({ checks, rounds }: GuardResult, { subject }: Contestants): string[] {
  const { shown, note } = shownRounds(rounds);
  const heads = ['check', subject, UWS, 'ratio', 'documented', 'limit', 'bar', ''];
  const rows = checks.map((check): string[] => {
    const { limit } = check;
    return [
      limit.check,
      `${spreadText(costs(shown, limit.check, subject))} µs`,
      `${spreadText(costs(shown, limit.check, UWS))} µs`,
      `${spreadText(ratios(shown, limit.check, subject, UWS))} ×`,
      `${number(limit.ratio)} ×`,
      `≤ ${number(limit.limit)} ×`,
      barText(check),
      decisionText(check),
    ];
  });
  const held = checks.filter(({ limit }) => limit.isBarMissed).map(({ limit }) => heldLine(limit));
  return [...tableLines(heads, rows), ...note, ...held, ...checks.flatMap(betterLines), ...remarksOf(rounds)];
}

function heldLine({ check, bar, ratio, tolerance, limit }: Limit): string {
  return `${check}: bar missed (≤ ${bar} ×), held at the documented ${number(ratio)} × + ${percent(tolerance)} = ${number(limit)} ×`;
}

/** A figure that has become better without the table knowing leaves room for a loss that nobody sees. */
function betterLines({ limit, ratios: measured }: CheckResult): string[] {
  if (measured.length === 0 || median(measured) >= limit.ratio / (1 + limit.tolerance)) return [];
  const better = percent(1 - median(measured) / limit.ratio);
  return [`${limit.check}: ${better} better than documented. Once that is certain, write it down: --update`];
}

/** What the noise that the limits were measured with means: how often is an alarm false, how often a loss found? */
export function powerLines(limits: readonly Limit[]): string[] {
  const heads = ['check', 'documented', 'spread', 'limit', 'false alarms', `loss of ${percent(LOSS_TO_FIND)} found`];
  const rows = limits.map((limit): string[] => [
    limit.check,
    `${number(limit.ratio)} ×`,
    `± ${percent(limit.spread)}`,
    `≤ ${number(limit.limit)} ×`,
    percent(chanceAt(1, limit)),
    percent(chanceAt(1 + LOSS_TO_FIND, limit)),
  ]);
  return tableLines(heads, rows);
}

const RULE = '!'.repeat(78);

export function verdictLines({ verdict, reasons, rounds }: GuardResult): string[] {
  const calm = rounds.filter(isCalm).length;
  const counted = `${calm} ${calm === 1 ? 'round' : 'rounds'}`;
  switch (verdict) {
    case 'passed':
      return [`passed: all within their limits, ${counted}`];
    case 'loss':
      return [`FAILED: ${reasons.join('; ')}`];
    case 'fault':
      return [`FAILED: ${reasons.join('; ')}`];
    case 'interrupted':
      return [`PARTIAL: interrupted after ${rounds.length} rounds`];
    case 'inconclusive':
      return [RULE, `INCONCLUSIVE: speed was NOT guarded: ${reasons.join('; ')}`, RULE];
  }
}
