// The simulation as a test: a part of the seeds, so that several processes can share them.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { faults } from './faults.js';
import { isWholeRun, runSeeds, seedsOf } from './run.js';

/** On a machine that does much else at the same time. */
const TIMEOUT_MS = 600_000;

/** @param remainder of a seed divided by `tests`: which seeds this test runs */
export function testSeeds(remainder: number, tests: number): void {
  beforeAll(() => faults.install());
  afterAll(() => faults.restore());

  it('every promise holds, whatever happens to lanes, topics and subscribers', { timeout: TIMEOUT_MS }, async () => {
    const seeds = seedsOf(remainder, tests);
    const seen = await runSeeds(seeds);
    console.log(`${seeds.length} seeds have seen`, seen);
    if (isWholeRun()) expect(Object.entries(seen).filter(([, count]) => count === 0)).toEqual([]);
  });
}
