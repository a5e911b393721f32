// Where and of what the figures were taken.

import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  system: string;
  node: string;
  commit: string;
  command: string;
  date: string;
}

function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes';
    return git('rev-parse', '--short=12', 'HEAD') + changed;
  } catch {
    return 'unknown (not a git checkout)';
  }
}

export function describeMachine(suite: string, args: string[]): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    commit: commit(),
    command: `npm run bench:${suite}${args.length > 0 ? ` -- ${args.join(' ')}` : ''}`,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** What a reader has to know about a machine that cannot do two things at once. */
export function oneCoreRemark(cores: number): string[] {
  if (cores > 1) return [];
  return [
    'one core: server and load generator take it from each other, so that latencies and rates are those of both together; ' +
      'CPU per delivery and memory still are the server’s own',
  ];
}

export function machineLines(machine: Machine): string[] {
  return [
    `machine  ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}`,
    `node     ${machine.node}`,
    `commit   ${machine.commit}`,
    `command  ${machine.command} (${machine.date})`,
  ];
}
