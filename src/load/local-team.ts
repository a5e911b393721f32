/** The load generator on this machine: one or more processes. */
import { type ChildProcess, fork } from 'node:child_process';
import { clockMs } from './clock.js';
import type { Team, TeamCommand, TeamReport } from './team.js';
import { TeamGroup } from './team-group.js';

const ENTRY = new URL('./generator-process.js', import.meta.url);

/** Writer and reader: one thread. */
class ProcessTeam implements Team {
  readonly name: string;
  onReport: (report: TeamReport) => void = () => {};
  readonly #child: ChildProcess;

  constructor(index: number) {
    this.name = `process ${index + 1}`;
    this.#child = fork(ENTRY, { serialization: 'json' });
    this.#child.on('message', (report: TeamReport) => this.onReport(report));
    this.#child.on('error', (error) => this.onReport({ type: 'failed', error: error.message }));
    this.#child.on('exit', (code, signal) => {
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      this.onReport({ type: 'failed', error: `a process of the load generator ended ${how}; out of memory?` });
    });
  }

  send(command: TeamCommand): void {
    if (this.#child.connected) this.#child.send(command);
  }

  close(): void {
    this.onReport = () => {};
    if (this.#child.connected) this.#child.disconnect();
    this.#child.kill('SIGKILL');
  }
}

/** All processes of this machine begin at the same moment of their common clock. */
class LocalTeam extends TeamGroup {
  override send(command: TeamCommand): void {
    super.send(command.type === 'go' ? { ...command, atMs: clockMs() + command.inMs } : command);
  }
}

export function startLocalTeam(processes: number): Team {
  const members = Array.from({ length: processes }, (_, index) => new ProcessTeam(index));
  return new LocalTeam(members, {
    name: 'this machine',
    partOf: (part, index) => ({ ...part, process: index, processes }),
    outlivesMembers: false,
  });
}
