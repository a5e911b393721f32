// Set-up of the project `pure`: whatever starts a thread, a process or a server belongs into the project `real`.
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { Server } from 'node:net';
import workerThreads from 'node:worker_threads';
import { afterAll, vi } from 'vitest';

const refuse = (what: string) =>
  function refused(): never {
    throw new Error(`${what} in a pure test: list its file under REAL in test/vitest.config.ts`);
  };

for (const name of ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'] as const) {
  Object.assign(childProcess, { [name]: refuse(name) });
}
Object.assign(workerThreads, { Worker: refuse('a Worker') });
Server.prototype.listen = refuse('listen');
syncBuiltinESMExports();

// Files share a process.
afterAll(() => {
  vi.useRealTimers();
});
