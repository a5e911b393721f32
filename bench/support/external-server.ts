// Servers that are programs of their own: a child of the server's process, which ends when that does, whatever ends it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { sleep } from '../../dist/load/clock.js';

const START_MAX_MS = 10_000;
const START_POLL_MS = 10;
const EXIT_MAX_MS = 2_000;
const OUTPUT_MAX_CHARS = 64 * 1024;
/** Debian keeps servers where the PATH of ordinary users does not look. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/sbin'];

/** Where the program is, or null. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SERVER_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why the program cannot be run here, or null. @param debianPackage what contains it */
export function missingProgram(name: string, debianPackage: string): string | null {
  if (process.platform !== 'linux') return `${name} is measured through /proc and needs Linux`;
  if (findProgram(name) === null) return `${name} is not installed (Debian: apt-get install ${debianPackage})`;
  // It ties the program's life to ours.
  if (findProgram('setpriv') === null) return `${name} needs setpriv (Debian: apt-get install util-linux)`;
  return null;
}

/** A port that was free just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** Does something listen there? */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export interface ExternalOptions {
  program: string;
  args: readonly string[];
  /** Its folder, which is deleted with it. */
  folder: string;
  /** Asked again and again while it starts, with what it has printed. */
  isReady: (output: string) => boolean | Promise<boolean>;
}

/** A folder for the configuration of one server, deleted at the latest when this process ends. */
export function temporaryFolder(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringcast-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

/** Writer and reader: the server's process. */
export class ExternalServer {
  readonly #child: ChildProcess;
  readonly #options: ExternalOptions;
  /** What it has printed so far: its beginning. */
  output = '';
  #closing = false;
  /** The program and the processes that it had started when it was ready. */
  pids: readonly number[] = [];

  private constructor(options: ExternalOptions) {
    this.#options = options;
    const program = findProgram(options.program);
    if (program === null) throw new Error(`${options.program} is not installed`);
    // The kernel sends the signal when this process ends, even by SIGKILL.
    const args = ['--pdeathsig', 'TERM', '--', program, ...options.args];
    this.#child = spawn(findProgram('setpriv') ?? 'setpriv', args, {
      cwd: options.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk: Buffer): void => {
      if (this.output.length < OUTPUT_MAX_CHARS) this.output += chunk.toString();
    };
    this.#child.stdout!.on('data', keep);
    this.#child.stderr!.on('data', keep);
  }

  /** Resolves when it is ready; rejects with what it printed when it ends or takes too long. */
  static async start(options: ExternalOptions): Promise<ExternalServer> {
    const server = new ExternalServer(options);
    let failure: string | null = null;
    server.#child.once('error', (error) => {
      failure = error.message;
    });
    server.#child.once('exit', (code, signal) => {
      failure = `it ended: ${code ?? signal}`;
    });
    const giveUpMs = performance.now() + START_MAX_MS;
    while (failure === null && !(await options.isReady(server.output))) {
      if (performance.now() > giveUpMs) failure = `not ready after ${START_MAX_MS / 1000} s`;
      await sleep(START_POLL_MS);
    }
    if (failure === null) {
      server.pids = withChildren(server.#child.pid!);
      server.#child.once('exit', (code, signal) => server.#ended(code ?? signal));
      return server;
    }
    const said = server.output.trim();
    await server.close();
    throw new Error(`${options.program} did not start: ${failure}${said === '' ? '' : `\n${said}`}`);
  }

  async close(): Promise<void> {
    this.#closing = true;
    const child = this.#child;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const pids = withChildren(child.pid);
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await Promise.race([exited, sleep(EXIT_MAX_MS)]);
      pids.forEach(killHard);
    }
    rmSync(this.#options.folder, { recursive: true, force: true });
  }

  /** Without the program this process has nothing to do. */
  #ended(how: number | NodeJS.Signals | null): void {
    if (this.#closing) return;
    this.pids.forEach(killHard); // what it had started would go on
    process.stderr.write(`${this.#options.program} ended (${how})\n${this.output.slice(-2000)}\n`);
    process.exit(1);
  }
}

function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

function withChildren(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parents.set(Number(name), parentOf(readFileSync(`/proc/${name}/stat`, 'utf8')));
    } catch {
      // it has ended meanwhile
    }
  }
  const found = [pid];
  for (const parent of found) {
    for (const [child, parentPid] of parents) if (parentPid === parent) found.push(child);
  }
  return found;
}

/** The name of a process, in parentheses, may contain anything: what follows it does not. See proc(5). */
function parentOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}
