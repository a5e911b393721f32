// How much of the machine others take: from /proc, between two readings.
import { describe, expect, it } from 'vitest';
import { disturbance, parseReading, STRAIN_MAX_CORES, strainBetween } from '../../../bench/guard/strain.js';

const CORES = 2;

const machineStat = (user: number, idle: number, steal: number): string =>
  `cpu  ${user} 0 100 ${idle} 50 0 10 ${steal} 0 0\ncpu0 1 2 3\n`;

const ownStat = (user: number, children: number): string =>
  `4711 (a (name) with) brackets) S 1 4711 4711 0 -1 4194560 1 2 3 4 ${user} 5 ${children} 6 20 0 11 0 99\n`;

const reading = (user: number, idle: number, steal: number, own: number, children: number) =>
  parseReading(machineStat(user, idle, steal), ownStat(own, children), CORES)!;

describe('strain', () => {
  it('is what was busy and not this process or its children', () => {
    const before = reading(1000, 1000, 0, 100, 200);
    const after = reading(1800, 1200, 0, 110, 690);
    // 1,000 ticks of two cores: 800 busy, 500 of them its own.
    expect(strainBetween(before, after)).toEqual({ othersCores: 0.6, stolenCores: 0 });
  });

  it('tells what the hypervisor withheld', () => {
    const strain = strainBetween(reading(0, 0, 0, 0, 0), reading(400, 500, 100, 400, 0));
    expect(strain).toEqual({ othersCores: 0, stolenCores: 0.2 });
  });

  it('is never below zero: the kernel’s statistics are not exact', () => {
    expect(strainBetween(reading(0, 0, 0, 0, 0), reading(90, 110, 0, 100, 0))!.othersCores).toBe(0);
  });

  it('is unknown without /proc, or when that says something else', () => {
    expect(parseReading('nothing', ownStat(1, 1), CORES)).toBeNull();
    expect(parseReading(machineStat(1, 1, 1), 'nothing', CORES)).toBeNull();
    expect(strainBetween(null, reading(1, 1, 1, 1, 1))).toBeNull();
    expect(disturbance(null, CORES)).toBeNull();
  });

  it('disturbs where the cores are needed, not on a machine with cores to spare', () => {
    const others = { othersCores: 0.5, stolenCores: 0 };
    expect(disturbance(others, 2)).toContain('other processes took 0.50 of 2 cores');
    expect(disturbance(others, 16)).toBeNull();
    expect(disturbance({ othersCores: 14, stolenCores: 0 }, 16)).toContain('14.00 of 16');
    expect(disturbance({ othersCores: STRAIN_MAX_CORES, stolenCores: 0 }, 2)).toBeNull();
    expect(disturbance({ othersCores: 0, stolenCores: 0.3 }, 16)).toContain('hypervisor');
  });
});
