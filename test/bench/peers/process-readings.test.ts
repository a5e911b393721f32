// Readings of other processes, held against what a process says of itself.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readProcesses } from '../../../bench/support/process-readings.js';

const hasProc = existsSync('/proc/self/smaps_rollup');
if (!hasProc) console.log('tests of process readings are skipped: this system has no /proc');

const TICK_MICROS = 10_000;

describe.skipIf(!hasProc)('readProcesses', () => {
  it('reads CPU time and memory of a process', () => {
    const endMs = performance.now() + 50;
    while (performance.now() < endMs);
    const before = process.cpuUsage();
    const reading = readProcesses([process.pid]);
    const after = process.cpuUsage();
    expect(reading.userMicros).toBeGreaterThan(before.user - 3 * TICK_MICROS);
    expect(reading.userMicros + reading.systemMicros).toBeLessThanOrEqual(after.user + after.system + TICK_MICROS);
    expect(reading.rssBytes / process.memoryUsage.rss()).toBeCloseTo(1, 0);
  });

  it('adds up several processes', () => {
    const one = readProcesses([process.pid]);
    const two = readProcesses([process.pid, process.ppid]);
    expect(two.userMicros + two.systemMicros).toBeGreaterThanOrEqual(one.userMicros + one.systemMicros);
    expect(two.rssBytes).toBeGreaterThan(2 ** 20);
  });

  it('throws when one has ended: its time would be missing', () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    expect(() => readProcesses([process.pid, pid])).toThrow(`process ${pid} of the server cannot be read`);
  });
});
