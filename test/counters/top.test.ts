// Top: the same as sorting everything and cutting off, without keeping everything.

import { describe, expect, it } from 'vitest';
import { Top } from '#src/counters/top.js';
import { Random, testSeed } from '../ring/random.js';

describe('top', () => {
  it('keeps the items with the highest scores, best first, earlier ones first among equals', () => {
    const random = new Random(testSeed('top'));
    for (let round = 0; round < 200; round++) {
      const limit = random.below(12);
      const all = Array.from({ length: random.below(60) }, (_, number) => ({ number, score: random.below(20) }));
      const top = new Top<{ number: number; score: number }>(limit);
      for (const item of all) top.offer(item.score, item);
      const sorted = all.toSorted((left, right) => right.score - left.score || left.number - right.number);
      expect(top.items).toEqual(sorted.slice(0, limit));
    }
  });

  it('says beforehand whether it takes an item', () => {
    const top = new Top<string>(2);
    expect(top.takes(0)).toBe(true);
    top.offer(3, 'a');
    top.offer(5, 'b');
    expect([top.takes(3), top.takes(4)]).toEqual([false, true]);
    expect(new Top(0).takes(1)).toBe(false);
  });
});
