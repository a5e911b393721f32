// How long turns are: short while others wait for the thread.

import { describe, expect, it } from 'vitest';
import { Pace } from '#src/delivery/pace.js';

const turns = (pace: Pace, count: number): number[] => Array.from({ length: count }, () => pace.next());

describe('pace', () => {
  it('makes turns longer after some that nobody has waited for, up to four times', () => {
    const factors = turns(new Pace(), 40);
    expect(factors.filter((factor, index) => factor !== factors[index - 1])).toEqual([1, 2, 4]);
    expect(factors.indexOf(2)).toBe(7);
    expect(factors.indexOf(4)).toBe(15);
  });

  it('makes them short again as soon as somebody comes, and when everything is done', () => {
    const pace = new Pace();
    turns(pace, 40);
    pace.somebodyCame();
    expect(turns(pace, 7)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    turns(pace, 40);
    pace.rest();
    expect(pace.next()).toBe(1);
  });

  it('keeps them short while somebody comes again and again', () => {
    const pace = new Pace();
    for (let count = 0; count < 40; count++) {
      if (count % 4 === 0) pace.somebodyCame();
      expect(pace.next()).toBe(1);
    }
  });
});
