// Rounds: every bench once per round, each in a process of its own, so that a mood of the machine hits all benches and no
// bench inherits another's compiled code or heap. Every other round goes backwards, so that a machine that gets slower
// and slower is unfair to none of them.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Answer, Task } from './child.js';
import type { Selected } from './groups.js';
import { type Effort, measure, SMOKE } from './measure.js';
import type { BenchResult, Round } from './results.js';

const CHILD = new URL('./child.js', import.meta.url);
/** Beyond its effort: starting, preparing, checking, the last sample. */
const GRACE_MS = 60_000;

export function emptyResult({ group, bench, id }: Selected): BenchResult {
  const isTime = bench.kind === 'time';
  return {
    ...{ id, group: group.name, unit: isTime ? 'ns' : 'bytes', item: bench.item, items: bench.items },
    against: isTime && bench.against !== undefined ? `${group.name}/${bench.against}` : null,
    isThreaded: isTime && bench.isThreaded === true,
    ...{ rounds: [], failed: null },
  };
}

async function answerOf(child: ChildProcess): Promise<Answer> {
  const [message, exit] = [once(child, 'message'), once(child, 'exit')];
  const first = await Promise.race([message, exit.then(() => null)]);
  if (first !== null) {
    await exit;
    return first[0] as Answer;
  }
  const [code, signal] = (await exit) as [number | null, string | null];
  return { problem: `its process ended with ${signal ?? `exit code ${code}`}` };
}

async function measureInChild(id: string, effort: Effort, signal: AbortSignal): Promise<Answer> {
  const task: Task = { id, effort };
  const child = fork(CHILD, [JSON.stringify(task)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  const timeout = setTimeout(kill, effort.warmUpMs + effort.measureMs + GRACE_MS);
  signal.addEventListener('abort', kill);
  try {
    return await answerOf(child);
  } finally {
    clearTimeout(timeout);
    signal.removeEventListener('abort', kill);
  }
}

async function measureHere({ bench }: Selected): Promise<Answer> {
  try {
    return { round: await measure(bench, SMOKE) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function note(result: BenchResult, answer: Answer): void {
  if ('round' in answer) (result.rounds as Round[]).push(answer.round);
  else result.failed = answer.problem;
}

export interface Plan {
  readonly rounds: number;
  /** Null: everything once, in this process. */
  readonly effort: Effort | null;
  readonly signal: AbortSignal;
  onStart(round: number, id: string): void;
}

/** Fills `results`, one per selected bench, until it is done or the signal says so. What failed is not tried again. */
export async function runRounds(selected: readonly Selected[], results: BenchResult[], plan: Plan): Promise<void> {
  const { effort, signal } = plan;
  const order = selected.map((bench, index) => ({ bench, result: results[index] }));
  for (let round = 0; round < plan.rounds; round++) {
    for (const { bench, result } of round % 2 === 0 ? order : order.toReversed()) {
      if (signal.aborted) return;
      if (result.failed !== null) continue;
      plan.onStart(round, bench.id);
      const answer = await (effort === null ? measureHere(bench) : measureInChild(bench.id, effort, signal));
      if (!signal.aborted) note(result, answer);
    }
  }
}
