// Comparing books: there are many, and most are as they have to be.

import { expect } from 'vitest';
import type { Level } from '#src/book/order-book.js';

interface Sides {
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
}

/** As `toEqual`, whose walk over each level would take most of a test's time. */
export function expectLevels(actual: Sides, wanted: Sides): void {
  if (!areSame(actual.bids, wanted.bids) || !areSame(actual.asks, wanted.asks)) expect(actual).toEqual(wanted);
}

function areSame(actual: readonly Level[], wanted: readonly Level[]): boolean {
  return (
    actual.length === wanted.length &&
    actual.every(([price, quantity], n) => price === wanted[n][0] && quantity === wanted[n][1])
  );
}
