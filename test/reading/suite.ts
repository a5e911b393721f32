// The histories as a test: a part of the seeds, so that several processes can share them.

import { expect, it } from 'vitest';
import { testSeed } from '../ring/random.js';
import { runHistories } from './history.js';

const HISTORIES = Number(process.env.RINGCAST_HISTORIES ?? 5000);

/** On a machine that does much else at the same time. */
const TIMEOUT_MS = 600_000;

/** @param remainder of a seed divided by `tests`: which seeds this test runs */
export function testHistories(remainder: number, tests: number): void {
  it('what everybody gets is what the model says', { timeout: TIMEOUT_MS }, () => {
    const given = process.env.RINGCAST_HISTORY;
    const base = testSeed('histories');
    const seeds: number[] = [];
    for (let n = remainder; n < HISTORIES; n += tests) seeds.push(base + n);
    const seen = runHistories(given === undefined ? seeds : [Number(given)]);
    console.log('histories have seen', seen);
    if (given === undefined && HISTORIES >= 1000) expect(Object.values(seen).every((count) => count > 100)).toBe(true);
  });
}
