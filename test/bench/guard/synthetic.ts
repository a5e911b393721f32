// Rounds with given ratios, as if they had been measured.
import { type CheckName, type Limit, LOSS_TO_FIND } from '../../../bench/guard/limits.js';
import type { Part, Round } from '../../../bench/guard/rounds.js';
import type { Phase, RunResult } from '../../../bench/support/results.js';
import { RINGCAST, UWS } from '../../../bench/support/scenario.js';

export const CHECKS: readonly CheckName[] = ['saturation', 'burst', 'small-burst', 'watchlist'];
export const LOSS = 1 + LOSS_TO_FIND;

/** Limits of four checks whose documented ratio is 1. */
export const LIMITS: readonly Limit[] = CHECKS.map((check) => ({
  ...{ check, bar: 1.5, tolerance: 0.12, ratio: 1, spread: 0.05, limit: 1.12, isBarMissed: false },
}));

/** A normally distributed number, by Box and Muller. */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function runOf(peer: string, lost: number, saturated: boolean): RunResult {
  const verification = { complete: lost === 0, expected: 1000, delivered: 1000 - lost, lost };
  const phase = {
    verification: { ...verification, doubled: 0, reordered: 0, corrupt: 0, gapMessages: 0 },
    generator: { saturated },
  } as Phase;
  return {
    ...{ scenario: 'guarded', variant: 'paced', peer, run: 0, failed: null },
    ...{ phases: { 'burst 1': phase }, figures: {}, problems: [] },
  };
}

interface Circumstances {
  setAside?: string;
  subjectLost?: number;
  saturated?: boolean;
}

/** uws-publish costs 2 µs per delivery, ringcast the ratio's multiple. */
export function roundOf(
  number: number,
  ratioOf: (check: CheckName) => number,
  { setAside, subjectLost = 0, saturated = false }: Circumstances = {},
): Round {
  const cyclesOf = (factor: (check: CheckName) => number): Part['cycles'] =>
    Object.fromEntries(CHECKS.map((check) => [check, [2 * factor(check)]])) as Part['cycles'];
  const part = (peer: string, cycles: Part['cycles'], lost: number): Part => ({
    ...{ peer, cycles, run: runOf(peer, lost, saturated) },
  });
  return {
    number,
    parts: [
      part(
        UWS,
        cyclesOf(() => 1),
        0,
      ),
      part(RINGCAST, cyclesOf(ratioOf), subjectLost),
    ],
    strain: { othersCores: 0.01, stolenCores: 0 },
    setAside: setAside ?? null,
  };
}
