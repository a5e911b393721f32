// Engines that are closed leave nothing behind, whatever they have been through.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ENGINES = 50;
const MIB = 1024 * 1024;
const BUSY_MACHINE_MS = 120_000;

it(
  'fifty engines that were used and closed are all collected, with their memory',
  async () => {
    const script = fileURLToPath(new URL('../support/closed-engines.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, `${ENGINES}`]);
    const { made, alive, grownBytes } = JSON.parse(stdout) as { made: number; alive: string[]; grownBytes: number };
    expect(made).toBe(ENGINES);
    expect(alive).toEqual([]);
    // One engine that stays would be six times as much.
    expect(grownBytes).toBeLessThan(1 * MIB);
  },
  BUSY_MACHINE_MS,
);
