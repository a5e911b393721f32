// The micro benches compiled into a folder of their own, because rounds are processes and workers, which run files.
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const MAIN = `${ROOT}dist-bench-micro/micro/main.js`;

const TIMEOUT_MS = 60_000;

export function build(): void {
  const compiler = `${ROOT}node_modules/typescript/bin/tsc`;
  execFileSync(process.execPath, [compiler, '-p', `${ROOT}bench/micro/tsconfig.json`], { timeout: TIMEOUT_MS });
}

/** What `npm run bench -- …` runs. */
export function bench(...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', cwd: ROOT, timeout: TIMEOUT_MS });
}
