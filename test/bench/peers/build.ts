// The peers and the server's process, compiled into a folder of their own: a server is a process, which runs files.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Peer } from '../../../bench/support/peer.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BUILT = `${ROOT}dist-bench-peers`;
const TIMEOUT_MS = 110_000;

export const SERVER_PROCESS = `${BUILT}/support/server-process.js`;

/** Every file in bench/peers is one. */
export const PEER_NAMES = readdirSync(`${ROOT}bench/peers`)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length));

export function build(): void {
  const compiler = `${ROOT}node_modules/typescript/bin/tsc`;
  execFileSync(process.execPath, [compiler, '-p', `${ROOT}bench/peers/tsconfig.json`], { timeout: TIMEOUT_MS });
}

export async function builtPeer(name: string): Promise<Peer> {
  const module = (await import(`${BUILT}/peers/${name}.js`)) as { peer: Peer };
  return module.peer;
}
