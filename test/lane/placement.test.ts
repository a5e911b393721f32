// Which home a topic gets.

import { describe, expect, it } from 'vitest';
import { COLD, globMatcher, laneOf } from '#src/lane/placement.js';

describe('patterns', () => {
  it('match the whole name; * is any run of characters, also none', () => {
    const matches = globMatcher('prices:*');
    expect(['prices:', 'prices:AAPL', 'prices:a:b', 'prices:\n'].map(matches)).toEqual([true, true, true, true]);
    expect(['prices', 'Prices:AAPL', 'xprices:AAPL', ''].map(matches)).toEqual([false, false, false, false]);
    expect(['a', 'a/b', 'ab', 'b'].map(globMatcher('a*b'))).toEqual([false, true, true, false]);
    expect(globMatcher('*')('anything')).toBe(true);
  });

  it('take every other character as it is', () => {
    const name = 'a.b+c?[d](e){f}^$|\\g/h-i';
    expect(globMatcher(name)(name)).toBe(true);
    expect(globMatcher('a.c')('abc')).toBe(false);
    expect(globMatcher('[ab]')('a')).toBe(false);
  });
});

describe('homes', () => {
  it('are cold without lanes', () => {
    expect([laneOf('t', 'hot', 0), laneOf('t', 2, 0), laneOf('t', 'cold', 4)]).toEqual([COLD, COLD, COLD]);
  });

  it('are the lane that was named', () => {
    expect([0, 1, 3].map((lane) => laneOf('t', lane, 4))).toEqual([0, 1, 3]);
  });

  it('spread hot topics over the lanes, each always to the same one', () => {
    const counts = new Array<number>(8).fill(0);
    for (let i = 0; i < 8_000; i++) {
      const lane = laneOf(`prices:${i}`, 'hot', 8);
      expect(laneOf(`prices:${i}`, 'hot', 8)).toBe(lane);
      counts[lane] = counts[lane]! + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(700);
    expect(Math.max(...counts)).toBeLessThan(1_300);
  });
});
