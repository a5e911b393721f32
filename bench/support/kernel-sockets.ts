// Memory that the kernel holds for TCP sockets, outside every process's RSS.

import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const SOCKSTAT_FILE = '/proc/net/sockstat';
const MEMINFO_FILE = '/proc/meminfo';

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

/**
 * Bytes of the kernel's own objects (sockets, files, epoll entries), from the text of /proc/meminfo; null where it does not say. They are the
 * whole machine's, so only their growth tells something, and only on a machine that does nothing else.
 */
export function slabBytes(meminfo: string): number | null {
  const kibibytes = /^Slab:\s+(\d+) kB/m.exec(meminfo)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

export function kernelObjectBytes(): number | null {
  try {
    return slabBytes(readFileSync(MEMINFO_FILE, 'utf8'));
  } catch {
    return null;
  }
}

const runFile = promisify(execFile);
const SS_MAX_BYTES = 64 * 2 ** 20;

/**
 * Bytes that the sockets hold which `ss -tm` lists: received (r), sent but not acknowledged or waiting (w), reserved (f), options (o), and
 * the backlog (bl) of its skmem, see ss(8). Its t is left out: these buffers are in w already.
 */
export function listedSocketBytes(ssOutput: string): number {
  let bytes = 0;
  for (const [, text] of ssOutput.matchAll(/skmem:\(([^)]*)\)/g)) {
    const fields = new Map(
      text!.split(',').map((field) => [field.replace(/\d+$/, ''), Number(/\d+$/.exec(field)?.[0])]),
    );
    for (const name of ['r', 'w', 'f', 'o', 'bl']) bytes += fields.get(name) ?? 0;
  }
  return bytes;
}

/** The same for the server's end of all connections to a port of this machine alone; null without the ss command (Debian's iproute2). */
export async function serverSocketBytes(port: number): Promise<number | null> {
  try {
    const args = ['-tmnH', 'state', 'established', `sport = :${port}`];
    return listedSocketBytes((await runFile('ss', args, { maxBuffer: SS_MAX_BYTES })).stdout);
  } catch {
    return null;
  }
}
