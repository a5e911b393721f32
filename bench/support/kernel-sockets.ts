// Memory that the kernel holds for TCP sockets, outside every process's RSS.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const SOCKSTAT_FILE = '/proc/net/sockstat';

/** Pages that the buffers of all TCP sockets take, from the text of /proc/net/sockstat (proc(5)); null where it does not say. */
export function tcpBufferPages(sockstat: string): number | null {
  const pages = /^TCP:.* mem (\d+)/m.exec(sockstat)?.[1];
  return pages === undefined ? null : Number(pages);
}

let pageBytes: number | null = null;

function readPageBytes(): number {
  pageBytes ??= Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }));
  return pageBytes;
}

/**
 * Bytes in the buffers of all TCP sockets of this machine (of this network namespace, in a container), so both ends of a connection over
 * loopback; whole pages. Null where the system has no such file (macOS, Windows).
 */
export function kernelSocketBytes(): number | null {
  try {
    const pages = tcpBufferPages(readFileSync(SOCKSTAT_FILE, 'utf8'));
    return pages === null ? null : pages * readPageBytes();
  } catch {
    return null;
  }
}
