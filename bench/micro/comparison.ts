// What has changed between two results: estimates, intervals, verdicts.
//
// A change counts when its whole interval is beyond the noise floor (so it excludes 0, and the change is above the floor).
// The interval speaks for what differed from round to round. The floor speaks for what did not: a machine that was slower
// during all of one command.

import { REFERENCE } from './groups.js';
import { type BenchResult, type Results, valuesOf } from './results.js';
import { drift, median, roundsNeeded, type Shift, shiftBetween } from './statistics.js';

/** Of all intervals of a comparison together: in 95 of 100 comparisons every one of them is right. */
export const CONFIDENCE = 0.95;

export type Verdict = 'faster' | 'slower' | 'smaller' | 'larger' | 'noise' | 'too few rounds';

export interface Change {
  readonly id: string;
  readonly unit: BenchResult['unit'];
  /** Medians of the rounds. */
  readonly before: number;
  readonly after: number;
  /** ln(after / before), and its interval. */
  readonly shift: Shift;
  /** Of |ln(after / before)|. */
  readonly floor: number;
  readonly verdict: Verdict;
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** The reference group's own changes: those of the machine. */
  readonly machine: readonly Change[];
  /** What the reader has to know first. */
  readonly warnings: readonly string[];
}

/** Beyond this (5 %) the machine's own change is worth a warning. */
const MACHINE_CHANGE_MAX = Math.log(1.05);

interface Pair {
  readonly old: BenchResult;
  readonly now: BenchResult;
}

const isMeasured = ({ rounds, failed }: BenchResult): boolean => rounds.length > 0 && failed === null;
const isReference = ({ now }: Pair): boolean => now.group === REFERENCE;

/** Ratios become differences. Memory may be 0: as good as nothing, and not −∞. */
const logsOf = (result: BenchResult): number[] => valuesOf(result).map((value) => Math.log(Math.max(value, 1e-9)));

function pairsOf(before: Results, after: Results): { pairs: Pair[]; unlike: string[] } {
  const pairs: Pair[] = [];
  const unlike: string[] = [];
  for (const now of after.benches) {
    const old = before.benches.find(({ id }) => id === now.id);
    if (old === undefined || !isMeasured(old) || !isMeasured(now)) continue;
    if (old.items !== now.items || old.unit !== now.unit) unlike.push(now.id);
    else pairs.push({ old, now });
  }
  return { pairs, unlike };
}

function verdictOf({ unit }: BenchResult, { estimate, low, high }: Shift, floor: number): Verdict {
  if (low === Number.NEGATIVE_INFINITY) return 'too few rounds';
  if (low <= floor && high >= -floor) return 'noise';
  if (unit === 'bytes') return estimate < 0 ? 'smaller' : 'larger';
  return estimate < 0 ? 'faster' : 'slower';
}

/** `machineFloor`: by how much the machine itself has changed. */
function changeOf({ old, now }: Pair, significance: number, machineFloor: number): Change {
  const [before, after] = [logsOf(old), logsOf(now)];
  const shift = shiftBetween(before, after, significance);
  const floor = Math.max(drift(before), drift(after), machineFloor);
  return {
    ...{ id: now.id, unit: now.unit, before: median(valuesOf(old)), after: median(valuesOf(now)) },
    ...{ shift, floor, verdict: verdictOf(now, shift, floor) },
  };
}

function machineWarnings(before: Results, after: Results): string[] {
  const warnings: string[] = [];
  const [old, now] = [before.machine, after.machine];
  const differences = (['cpu', 'cores', 'memoryGiB', 'system'] as const)
    .filter((field) => old[field] !== now[field])
    .map((field) => `${field} ${old[field]} → ${now[field]}`);
  if (differences.length > 0) {
    warnings.push(`another machine (${differences.join(', ')}): the ratios may mean nothing`);
  }
  if (old.node !== now.node) {
    warnings.push(`another Node.js (${old.node} → ${now.node}): the ratios are those of two compilers, too`);
  }
  return warnings;
}

function effortWarnings(before: Results, after: Results): string[] {
  const warnings: string[] = [];
  if (before.partial) warnings.push('the old results are partial: their command was interrupted');
  if (after.partial) warnings.push('the new results are partial: the command was interrupted');
  if (before.options.smoke || after.options.smoke) warnings.push('results of --smoke: their figures mean nothing');
  else if (before.options.seconds / before.options.rounds !== after.options.seconds / after.options.rounds) {
    warnings.push('rounds of another length: what warms up slowly may look faster in the longer ones');
  }
  return warnings;
}

/** A difference of logarithms as a change. */
export function percentText(shift: number): string {
  if (!Number.isFinite(shift)) return shift < 0 ? '−∞' : '∞';
  const percent = Math.expm1(shift) * 100;
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(1)} %`;
}

function machineChangeWarnings(machine: readonly Change[]): string[] {
  const changed = machine.filter(({ shift }) => Math.abs(shift.estimate) > MACHINE_CHANGE_MAX);
  if (changed.length === 0) return [];
  const list = changed.map(({ id, shift }) => `${id} ${percentText(shift.estimate)}`).join(', ');
  return [`the machine itself was in another mood, code that never changes took: ${list}`];
}

/**
 * Every bench that both results have. The confidence holds for all intervals of the comparison together (Bonferroni: the
 * significance is divided by their number), because of 80 benches at 95 % each, four would change by chance.
 */
export function compare(before: Results, after: Results): Comparison {
  const { pairs, unlike } = pairsOf(before, after);
  const compared = pairs.filter((pair) => !isReference(pair));
  const machine = pairs.filter(isReference).map((pair) => changeOf(pair, 1 - CONFIDENCE, 0));
  const threaded = new Set(pairs.filter(({ now }) => now.isThreaded).map(({ now }) => now.id));
  const floorOf = ({ now }: Pair): number => {
    if (now.unit === 'bytes') return 0;
    // Waking threads has a mood of its own, and is subject to the others.
    const relevant = machine.filter(({ id }) => now.isThreaded || !threaded.has(id));
    return Math.max(0, ...relevant.map(({ shift }) => Math.abs(shift.estimate)));
  };
  const significance = (1 - CONFIDENCE) / Math.max(1, compared.length);
  const changes = compared.map((pair) => changeOf(pair, significance, floorOf(pair)));
  const warnings = [
    ...machineWarnings(before, after),
    ...effortWarnings(before, after),
    ...machineChangeWarnings(machine),
  ];
  if (unlike.length > 0) warnings.push(`not compared, they measure something else by now: ${unlike.join(', ')}`);
  if (compared.length === 0) warnings.push('the two results have no bench in common');
  if (changes.some(({ verdict }) => verdict === 'too few rounds')) {
    warnings.push(
      `too few rounds to tell ${compared.length} changes from noise: --rounds ${roundsNeeded(significance)} at least, on both sides`,
    );
  }
  return { changes, machine, warnings };
}
