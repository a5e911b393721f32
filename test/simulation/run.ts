// Runs seeds; of one that fails it runs the same life once more and tells what happened in it.
//
//   RINGCAST_SIM_SEED=4268    runs this seed only
//   RINGCAST_SIM_FIRST=20001  runs others than usual: those from here on

import { type Summary, simulate } from './simulation.js';

const SEEDS = 10_000;
/** Of a failing life the last lines are told. */
const LOG_LINES = 80;

/** The seeds that the tests share: each takes those with this remainder. */
export function seedsOf(remainder: number, tests: number): number[] {
  const { RINGCAST_SIM_SEED, RINGCAST_SIM_FIRST = 1 } = process.env;
  const first = Number(RINGCAST_SIM_SEED ?? RINGCAST_SIM_FIRST);
  const count = RINGCAST_SIM_SEED === undefined ? SEEDS : 1;
  return Array.from({ length: count }, (_, index) => first + index).filter((seed) => seed % tests === remainder);
}

/** Whether so many seeds are run that everything has to be seen in them. */
export function isWholeRun(): boolean {
  return process.env.RINGCAST_SIM_SEED === undefined;
}

/** Returns the sum of what was seen. */
export async function runSeeds(seeds: readonly number[]): Promise<Record<string, number>> {
  const total: Record<string, number> = {};
  for (const seed of seeds) {
    const summary = await simulateAndTell(seed);
    for (const [what, count] of Object.entries(summary)) total[what] = (total[what] ?? 0) + count;
  }
  return total;
}

async function simulateAndTell(seed: number): Promise<Summary> {
  try {
    return await simulate(seed);
  } catch (cause) {
    const log: string[] = [];
    await simulate(seed, log).catch(() => {});
    const lines = [log[0], '…', ...log.slice(1).slice(-LOG_LINES)].join('\n  ');
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${problem}\nRINGCAST_SIM_SEED=${seed} replays it:\n  ${lines}`, { cause });
  }
}
