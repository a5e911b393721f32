// What many runs of the guard show: how often it fails, and how much its figures vary.

import { number } from '../support/report.js';
import { median } from '../support/results.js';
import { RINGCAST, UWS } from '../support/scenario.js';
import { chanceOfOver, logSpread } from './decision.js';
import { type GuardResult, isCalm, type Verdict } from './guard.js';
import type { Limit } from './limits.js';
import { percent, spreadText, tableLines } from './output.js';
import { type Contestants, ratios } from './rounds.js';

export function countOf(results: readonly GuardResult[], verdict: Verdict): number {
  return results.filter((result) => result.verdict === verdict).length;
}

/** Without a loss no run may fail; with one every run has to. Inconclusive runs count for neither; all of them would prove nothing. */
export function isProven(results: readonly GuardResult[], isSlowed: boolean): boolean {
  const wanted = countOf(results, isSlowed ? 'loss' : 'passed');
  return wanted > 0 && wanted + countOf(results, 'inconclusive') === results.length;
}

/** How much slower the slowed build was, per check, in the rounds that count. */
export function slowdownLines(results: readonly GuardResult[], limits: readonly Limit[], subject: string): string[] {
  const calm = results.flatMap(({ rounds }) => rounds.filter(isCalm));
  const rows = limits.map(({ check }) => {
    const values = ratios(calm, check, subject, RINGCAST).map((ratio) => (ratio - 1) * 100);
    return [check, `+ ${spreadText(values)} %`];
  });
  return tableLines(['check', `CPU per delivery of ${subject} above ${RINGCAST}’s, in the same rounds`], rows);
}

export function proofLines(
  results: readonly GuardResult[],
  limits: readonly Limit[],
  { subject }: Contestants,
): string[] {
  const calm = results.flatMap(({ rounds }) => rounds.filter(isCalm));
  const heads = [
    'check',
    'ratio of all rounds',
    'spread',
    'medians of the runs',
    'limit',
    'rounds over',
    'chance of failing',
  ];
  const rows = limits.map(({ check, limit }): string[] => {
    const all = ratios(calm, check, subject, UWS);
    const medians = results
      .map(({ rounds }) => ratios(rounds.filter(isCalm), check, subject, UWS))
      .filter((values) => values.length > 0)
      .map(median);
    const over = all.filter((ratio) => ratio > limit).length;
    return [
      check,
      `${spreadText(all)} ×`,
      all.length === 0 ? '–' : `± ${percent(logSpread(all))}`,
      `${spreadText(medians)} ×`,
      `≤ ${number(limit)} ×`,
      `${over} of ${all.length}`,
      all.length === 0 ? '–' : percent(chanceOfOver(over / all.length)),
    ];
  });
  const rounds = results.flatMap((result) => result.rounds);
  const verdicts = (['passed', 'loss', 'fault', 'inconclusive', 'interrupted'] as const)
    .map((verdict): [string, number] => [verdict, countOf(results, verdict)])
    .filter(([, count]) => count > 0)
    .map(([verdict, count]) => `${count} ${verdict}`);
  return [
    `${results.length} runs: ${verdicts.join(', ')}; ${calm.length} of ${rounds.length} rounds count`,
    ...tableLines(heads, rows),
  ];
}
