// CPU time and memory of other processes, from /proc (see proc(5)).

import { readFileSync } from 'node:fs';

/** The kernel's unit for times in /proc: USER_HZ, which is 100 on every architecture that Node.js runs on. */
const MICROS_PER_TICK = 10_000;
/** Fields of /proc/<pid>/stat behind the name: counted from the state, which is field 3. */
const USER_FIELD = 14 - 3;
const SYSTEM_FIELD = 15 - 3;

export interface ProcessReading {
  /** Of all threads, also those that have ended. Steps of 10 ms. */
  userMicros: number;
  systemMicros: number;
  rssBytes: number;
}

/** Throws when one of them has ended: its time would be missing. */
export function readProcesses(pids: readonly number[]): ProcessReading {
  const sum: ProcessReading = { userMicros: 0, systemMicros: 0, rssBytes: 0 };
  for (const pid of pids) {
    try {
      add(sum, pid, pids.length > 1);
    } catch (error) {
      throw new Error(`process ${pid} of the server cannot be read: ${error instanceof Error ? error.message : error}`);
    }
  }
  return sum;
}

function add(sum: ProcessReading, pid: number, sharesMemory: boolean): void {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  sum.userMicros += Number(fields[USER_FIELD]) * MICROS_PER_TICK;
  sum.systemMicros += Number(fields[SYSTEM_FIELD]) * MICROS_PER_TICK;
  sum.rssBytes += sharesMemory ? proportionalBytes(pid) : residentBytes(pid);
}

function residentBytes(pid: number): number {
  return kibField(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmRSS');
}

/** What several processes share is counted once: each has its part of it. */
function proportionalBytes(pid: number): number {
  return kibField(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss');
}

function kibField(text: string, name: string): number {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
  if (kib === undefined) throw new Error(`/proc has no ${name}`);
  return Number(kib) * 1024;
}
