// The table of limits: in step with the fan-out suite's bars, and able to see what it has to see.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { burst, smallBurst } from '../../../bench/fanout/scenarios/burst.js';
import { saturation } from '../../../bench/fanout/scenarios/saturation.js';
import { watchlist } from '../../../bench/fanout/scenarios/watchlist.js';
import { limitsOf, MEASURED, type Measured, otherMachine } from '../../../bench/guard/limits.js';
import { PLAIN } from '../../../bench/guard/rounds.js';
import { measuredBy, withMeasured } from '../../../bench/guard/update.js';
import { Results } from '../../../bench/support/results.js';
import { CHECKS, LOSS, roundOf } from './synthetic.js';

const SOURCE = readFileSync(new URL('../../../bench/guard/limits.ts', import.meta.url), 'utf8');

const limits = limitsOf(MEASURED);

describe('limits', () => {
  it.each([saturation, burst, smallBurst, watchlist])('have the bar of the fan-out suite: $name', ({ name, bars }) => {
    const bar = bars(new Results()).find(({ label }) => label === 'server CPU per delivery');
    expect(bar?.limit).toBe(`≤ ${limits.find(({ check }) => check === name)?.bar} ×`);
  });

  it.each(limits)(
    'are above what is documented and below a loss of 25 %: $check',
    ({ ratio, limit, bar, tolerance }) => {
      expect(limit).toBeGreaterThan(ratio);
      expect(limit).toBeLessThan(ratio * LOSS);
      if (ratio <= bar) expect(limit).toBeLessThanOrEqual(bar * (1 + tolerance));
    },
  );

  it('say which bars are missed', () => {
    for (const { ratio, bar, isBarMissed } of limits) expect(isBarMissed).toBe(ratio > bar);
  });

  it('hold for one kind of machine', () => {
    const { cpu, cores } = MEASURED;
    const major = MEASURED.node.split('.')[0];
    expect(otherMachine(MEASURED, { cpu, cores, node: `${major}.99.0` })).toBeNull();
    expect(otherMachine(MEASURED, { cpu, cores: cores + 1, node: MEASURED.node })).toContain('another machine');
    expect(otherMachine(MEASURED, { cpu, cores, node: 'v99.0.0' })).toContain('Node v99');
  });
});

describe('update', () => {
  it('leaves limits.ts as it is when nothing has changed', () => {
    expect(withMeasured(SOURCE, MEASURED)).toBe(SOURCE);
  });

  it('changes the figures and nothing else', () => {
    const machine = {
      ...{ cpu: "Somebody's CPU", cores: 8, memoryGiB: 16, system: 'Linux', node: 'v22.1.0' },
      ...{ commit: 'abc', command: '', date: '2026-12-01' },
    };
    const rounds = [0.8, 0.9, 1.0].map((ratio, index) => roundOf(index + 1, () => ratio));
    const measured = measuredBy(rounds, CHECKS, PLAIN, machine);
    expect(measured.rounds).toBe(3);
    expect(measured.figures.burst.ratio).toBe(0.9);
    expect(measured.figures.burst.spread).toBeGreaterThan(0.1);
    const text = withMeasured(SOURCE, measured);
    expect(text).toContain("  cpu: 'Somebody\\'s CPU',\n");
    expect(withMeasured(text, MEASURED)).toBe(SOURCE);
  });

  it('refuses a file that it does not know', () => {
    expect(() => withMeasured('export {};', MEASURED as Measured)).toThrow('--update');
  });
});
