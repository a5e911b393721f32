// The simulation can fail: it finds each rule that is broken on purpose, and soon.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BROKEN_VARIANTS } from './broken-variants.js';
import { faults } from './faults.js';
import { simulate } from './simulation.js';

const SEEDS_MAX = 1000;

/** How many seeds it takes until one fails. */
async function seedsUntilFound(): Promise<number> {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    try {
      await simulate(seed);
    } catch {
      return seed;
    }
  }
  return Number.POSITIVE_INFINITY;
}

describe('the simulation finds out when this does not hold:', () => {
  beforeEach(() => faults.install());
  afterEach(() => faults.restore());

  for (const { rule, apply } of BROKEN_VARIANTS) {
    it(rule, { timeout: 60_000 }, async () => {
      apply();
      expect(await seedsUntilFound()).toBeLessThanOrEqual(SEEDS_MAX);
    });
  }
});
