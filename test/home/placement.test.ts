// Which home a topic gets.

import { describe, expect, it } from 'vitest';
import { COLD, laneOf } from '#src/home/placement.js';

describe('homes', () => {
  it('are cold without lanes', () => {
    expect([laneOf('t', 'hot', 0), laneOf('t', 2, 0), laneOf('t', 'cold', 4)]).toEqual([COLD, COLD, COLD]);
  });

  it('begin cold where the load is to decide', () => {
    expect(laneOf('t', 'auto', 4)).toBe(COLD);
  });

  it('are the lane that was named', () => {
    expect([0, 1, 3].map((lane) => laneOf('t', lane, 4))).toEqual([0, 1, 3]);
  });

  it('spread hot topics over the lanes, each always to the same one', () => {
    const counts = new Array<number>(8).fill(0);
    for (let i = 0; i < 8_000; i++) {
      const lane = laneOf(`prices:${i}`, 'hot', 8);
      expect(laneOf(`prices:${i}`, 'hot', 8)).toBe(lane);
      counts[lane] = counts[lane] + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(700);
    expect(Math.max(...counts)).toBeLessThan(1_300);
  });
});
