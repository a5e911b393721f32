/** How many files, and so sockets, this process may have open. */
import { readFileSync } from 'node:fs';

/** What Node itself, its threads and the pipes to other processes have open. */
const OWN_FILES = 64;

/** Null: the system does not say. Node has raised its soft limit to the hard one already. */
export function openFilesMax(): number | null {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return limit === null ? null : Number(limit[1]);
  } catch {
    return null; // not Linux
  }
}

export function openFilesNeeded(connections: number): number {
  return connections + OWN_FILES;
}

/** How many connections so many files are enough for. */
export function connectionsWithin(openFiles: number): number {
  return Math.max(0, openFiles - OWN_FILES);
}
