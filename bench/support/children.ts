// Child processes: started here, all ended at the end, whatever happens.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

const EXIT_MAX_MS = 4000;
const children = new Set<ChildProcess>();

export function startChild(script: string, args: string[], nodeFlags: string[]): ChildProcess {
  const child = fork(new URL(script, import.meta.url), args, {
    execArgv: nodeFlags,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Asks the child to end, then ends it. */
export async function endChild(child: ChildProcess, ask: () => void): Promise<void> {
  if (!children.has(child)) return;
  const exited = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_MAX_MS);
  if (child.connected) ask();
  await exited;
  clearTimeout(timer);
}

export function killChildren(): void {
  for (const child of children) child.kill('SIGKILL');
}
