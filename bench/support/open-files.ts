// Does a variant fit into what a process of this machine may open? A connection is one file in the server and one in its generator.

import { readFileSync } from 'node:fs';
import type { Variant } from './scenario.js';

/** What a process has open besides: libraries, pipes, timers, listening sockets, the channel to its parent. */
const OTHER_FILES = 64;
const LIMITS_FILE = '/proc/self/limits';

/** From the text of /proc/<pid>/limits (proc(5)): Node.js raises the soft limit to the hard one at its start. Null: no bound known. */
export function openFilesMax(limits: string): number | null {
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1];
  return hard === undefined ? null : Number(hard);
}

export function readOpenFilesMax(): number | null {
  try {
    return openFilesMax(readFileSync(LIMITS_FILE, 'utf8'));
  } catch {
    return null;
  }
}

type Counts = Pick<Variant, 'connections' | 'publishers' | 'companion'>;

/** Open files of the process that has the most of them: the server. */
export function filesNeeded({ connections, publishers, companion }: Counts): number {
  return connections + publishers + (companion?.connections ?? 0) + (companion?.publishers ?? 0) + OTHER_FILES;
}

/** The same variant with as many connections as fit; of a measuring generator and its companion the larger one gives way. */
export function fitted(variant: Variant, filesMax: number): Variant {
  const excess = filesNeeded(variant) - filesMax;
  if (excess <= 0) return variant;
  const { companion } = variant;
  if (companion !== undefined && companion.connections >= variant.connections) {
    return { ...variant, companion: { ...companion, connections: Math.max(1, companion.connections - excess) } };
  }
  return { ...variant, connections: Math.max(1, variant.connections - excess) };
}

/** What to do when variants do not fit that need up to so many. */
export function moreFilesAdvice(needed: number): string {
  return (
    `raise the limit of open files to ${needed} (ulimit -n ${needed}; where the shell may not: LimitNOFILE= of a systemd unit, ` +
    'docker run --ulimit nofile=…, /etc/security/limits.conf), or run with fewer connections: --allow-fewer'
  );
}
