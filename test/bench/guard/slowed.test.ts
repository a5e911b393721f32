// The build that is slower on purpose.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { extraNanos, slowedHotPath } from '../../../bench/guard/slowed.js';

const FLUSHER = readFileSync(new URL('../../../dist/delivery/flusher.js', import.meta.url), 'utf8');

describe('slowed build', () => {
  it('does its extra work where every delivery passes', () => {
    const slowed = slowedHotPath(FLUSHER);
    expect(slowed.match(/extraWork\(stream\.options\.topic, messages\);/g)).toHaveLength(1);
    expect(slowed).toMatch(/#advance\(.*\) \{\n +extraWork\(/);
    expect(slowed.length).toBeGreaterThan(FLUSHER.length);
  });

  it('says so when the hot path has changed', () => {
    expect(() => slowedHotPath('class Flusher {}')).toThrow('bench/guard/slowed.ts has to follow the code');
    expect(() => slowedHotPath(FLUSHER + FLUSHER)).toThrow('2 functions');
  });

  it('takes its share of each check’s own cost per delivery', () => {
    const costs = { saturation: 2, burst: 0.4, 'small-burst': 0.8, watchlist: 4 };
    expect(extraNanos(costs, 25)).toEqual({ 'hot:0': 500, 'hot:1': 100, 'hot:2': 200, '*': 1000 });
  });
});
