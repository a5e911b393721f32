// How much of the machine others took during a run: figures that were taken beside other work are not held against limits.

import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** CPU time so far, in ticks: of the machine (all cores), of this process and those that it has started and that have ended. */
export interface CpuReading {
  machineBusy: number;
  machineTotal: number;
  stolen: number;
  own: number;
  cores: number;
}

export interface Strain {
  /** Cores' worth of CPU that other processes took. */
  othersCores: number;
  /** Cores' worth that the hypervisor withheld. */
  stolenCores: number;
}

/** Above it a run is not calm. Statistics of the kernel are not exact to the tick, and no machine is quite idle. */
export const STRAIN_MAX_CORES = 0.2;

/** From the texts of /proc/stat and /proc/self/stat (proc(5)); null when they say something else. */
export function parseReading(machineStat: string, ownStat: string, cores: number): CpuReading | null {
  const ticks = /^cpu +(.*)$/m.exec(machineStat)?.[1]?.trim().split(/ +/).map(Number);
  // The process's name, in brackets, may contain anything.
  const ownFields = ownStat
    .slice(ownStat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  if (ticks === undefined || ticks.length < 8 || ticks.some(Number.isNaN) || ownFields.length < 15) return null;
  const [user, nice, system, idle, waiting, interrupts, softInterrupts, stolen] = ticks as [
    ...[number, number, number, number, number, number, number, number],
  ];
  const machineBusy = user + nice + system + interrupts + softInterrupts;
  // utime, stime, cutime, cstime: fields 14 to 17 of the line, whose field 3 is the first after the name.
  const own = ownFields.slice(11, 15).reduce((sum, time) => sum + time, 0);
  return { machineBusy, machineTotal: machineBusy + idle + waiting + stolen, stolen, own, cores };
}

/** Null where there is no /proc: then nobody knows. */
export function readCpu(): CpuReading | null {
  try {
    return parseReading(readFileSync('/proc/stat', 'utf8'), readFileSync('/proc/self/stat', 'utf8'), cpus().length);
  } catch {
    return null;
  }
}

export function strainBetween(before: CpuReading | null, after: CpuReading | null): Strain | null {
  if (before === null || after === null) return null;
  const ticks = after.machineTotal - before.machineTotal;
  if (ticks <= 0) return null;
  const coresOf = (part: number): number => Math.max(0, (part / ticks) * after.cores);
  return {
    othersCores: coresOf(after.machineBusy - before.machineBusy - (after.own - before.own)),
    stolenCores: coresOf(after.stolen - before.stolen),
  };
}

/** Server and lane, the generator's reader and publisher. Further cores may be busy with something else. */
const CORES_WANTED = 4;

/** Why a run is not calm; null when it is, or when nobody knows. */
export function disturbance(strain: Strain | null, cores: number): string | null {
  if (strain === null) return null;
  const { othersCores, stolenCores } = strain;
  const spare = Math.max(0, cores - CORES_WANTED);
  if (stolenCores > STRAIN_MAX_CORES) return `the hypervisor withheld ${stolenCores.toFixed(2)} cores`;
  if (othersCores > spare + STRAIN_MAX_CORES) return `other processes took ${othersCores.toFixed(2)} of ${cores} cores`;
  return null;
}
