/** What the kernel holds for sockets, outside every process: /proc (Linux). Both ends of a connection over loopback are in it. */
import { readFileSync } from 'node:fs';

/** Size of a page; sockstat counts in pages. All systems that ringcast is built for have this size, but for some arm64 ones. */
const PAGE_BYTES = 4096;

export interface KernelMemory {
  /** What waits in TCP sockets, of the whole machine. */
  readonly buffersBytes: number;
  /** The kernel's objects of sockets, where we may see them; else all of its objects: of the whole machine. */
  readonly slabBytes: number;
}

export function readKernelMemory(): KernelMemory {
  return {
    buffersBytes: bufferPages(readFileSync('/proc/net/sockstat', 'utf8')) * PAGE_BYTES,
    slabBytes: socketObjectBytes() ?? slabKib(readFileSync('/proc/meminfo', 'utf8')) * 1024,
  };
}

/** What a connection consists of in the kernel, besides a dentry of 192 bytes, of which there are too many others. */
const SOCKET_CACHES = ['TCP', 'TCPv6', 'sock_inode_cache', 'eventpoll_epi', 'filp'];

/** Only root may read it. */
function socketObjectBytes(): number | null {
  try {
    return cacheBytes(readFileSync('/proc/slabinfo', 'utf8'), SOCKET_CACHES);
  } catch {
    return null;
  }
}

/** @param slabinfo text of /proc/slabinfo (slabinfo(5)): name, active objects, objects, size of one */
export function cacheBytes(slabinfo: string, names: readonly string[]): number {
  return slabinfo
    .split('\n')
    .map((line) => line.split(/\s+/))
    .filter(([name]) => names.includes(name))
    .reduce((sum, [, active, , bytes]) => sum + Number(active) * Number(bytes), 0);
}

/** @param sockstat text of /proc/net/sockstat (proc(5)) */
export function bufferPages(sockstat: string): number {
  return Number(/^TCP:.* mem (\d+)/m.exec(sockstat)?.[1] ?? 0);
}

/** @param meminfo text of /proc/meminfo (proc(5)) */
export function slabKib(meminfo: string): number {
  return Number(/^Slab:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? 0);
}
