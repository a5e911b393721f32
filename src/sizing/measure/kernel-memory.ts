/** What the kernel holds for sockets, outside every process: /proc (Linux). Both ends of a connection over loopback are in it. */
import { readFileSync } from 'node:fs';

/** Size of a page; sockstat counts in pages. All systems that ringcast is built for have this size, but for some arm64 ones. */
const PAGE_BYTES = 4096;

export interface KernelMemory {
  /** What waits in TCP sockets, of the whole machine. */
  readonly buffersBytes: number;
  /** The kernel's own objects, sockets among them, of the whole machine. */
  readonly slabBytes: number;
}

export function readKernelMemory(): KernelMemory {
  return {
    buffersBytes: bufferPages(readFileSync('/proc/net/sockstat', 'utf8')) * PAGE_BYTES,
    slabBytes: slabKib(readFileSync('/proc/meminfo', 'utf8')) * 1024,
  };
}

/** @param sockstat text of /proc/net/sockstat (proc(5)) */
export function bufferPages(sockstat: string): number {
  return Number(/^TCP:.* mem (\d+)/m.exec(sockstat)?.[1] ?? 0);
}

/** @param meminfo text of /proc/meminfo (proc(5)) */
export function slabKib(meminfo: string): number {
  return Number(/^Slab:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? 0);
}
