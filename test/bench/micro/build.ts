// The micro benches compiled into a folder of their own, because rounds are processes and workers, which run files.
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import picocolors from 'picocolors';
import { runCommand } from '../../../bench/micro/command.js';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const MAIN = `${ROOT}dist-bench-micro/micro/main.js`;

const TIMEOUT_MS = 110_000;

export function build(): void {
  const compiler = `${ROOT}node_modules/typescript/bin/tsc`;
  execFileSync(process.execPath, [compiler, '-p', `${ROOT}bench/micro/tsconfig.json`], { timeout: TIMEOUT_MS });
}

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `npm run bench -- …` runs, as a process: what measures needs files. */
export function benchProcess(...args: readonly string[]): Ended {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', cwd: ROOT, timeout: TIMEOUT_MS });
}

/** The same in this process. */
export async function bench(...args: readonly string[]): Promise<Ended> {
  let [stdout, stderr] = ['', ''];
  const status = await runCommand(args, {
    colours: picocolors.createColors(false),
    print: (text) => {
      stdout += `${text}\n`;
    },
    error: (text) => {
      stderr += `${text}\n`;
    },
  });
  return { status, stdout, stderr };
}
