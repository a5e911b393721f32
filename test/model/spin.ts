// Runs a model through spin: generates the search, compiles it, searches all states that the model can reach.

import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const MEMORY_MAX_MB = 2000;
/** Steps of the longest run; the search says so when a model has longer ones. */
const DEPTH_MAX = 100_000;
/** The hash table begins with 2^TABLE_BITS slots, and grows: to clear one for millions of states takes longer than most searches. */
const TABLE_BITS = 20;
const SEARCHES_AT_ONCE = 2;

/** What of spin and a C compiler this machine lacks; empty: models can be searched. */
export const missingTools = ['spin', 'gcc'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined);

/** `safety`: assertions and deadlocks. `progress`: runs that never end and never get anywhere. */
export type Aspect = 'safety' | 'progress';

export interface Search {
  readonly model: string;
  readonly aspect: Aspect;
  /** Macros: the model's bounds, or a rule to break. */
  readonly defines: readonly string[];
  /** Small searches are done sooner than an optimised one is compiled. */
  readonly isSmall: boolean;
}

export interface SearchResult {
  readonly errors: number;
  readonly states: number;
  /** Every state that can be reached was seen: nothing was cut off for depth or memory. */
  readonly isComplete: boolean;
  /** The violation that was found, in spin's words. */
  readonly violation: string | null;
  readonly output: string;
}

let free = SEARCHES_AT_ONCE;
const waiting: (() => void)[] = [];

/** One search, when there is room for it. */
export async function search(wanted: Search): Promise<SearchResult> {
  while (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
  free--;
  const directory = await mkdtemp(join(tmpdir(), 'ringcast-model-'));
  try {
    return await searchIn(directory, wanted);
  } finally {
    await rm(directory, { recursive: true, force: true });
    free++;
    waiting.shift()?.();
  }
}

async function searchIn(directory: string, { model, aspect, defines, isSmall }: Search): Promise<SearchResult> {
  const options = { cwd: directory, maxBuffer: 16 * 2 ** 20 };
  const source = fileURLToPath(new URL(`${model}.pml`, import.meta.url));
  const macros = defines.map((define) => `-D${define}`);
  await run('spin', [...macros, '-a', source], options);
  const kind = aspect === 'safety' ? '-DSAFETY' : '-DNP';
  // With -O2 even the largest of them takes longer to compile than it is faster.
  await run('gcc', [isSmall ? '-O0' : '-O1', '-w', kind, `-DMEMLIM=${MEMORY_MAX_MB}`, '-o', 'pan', 'pan.c'], options);
  const wish = aspect === 'safety' ? [] : ['-l'];
  const { stdout } = await run(join(directory, 'pan'), [`-m${DEPTH_MAX}`, `-w${TABLE_BITS}`, ...wish], options);
  return read(stdout);
}

function read(output: string): SearchResult {
  const errors = /errors: (\d+)/.exec(output);
  const states = /^\s*([\d.e+]+) states, stored/m.exec(output);
  if (errors === null || states === null) throw new Error(`not the result of a search:\n${output}`);
  return {
    errors: Number(errors[1]),
    states: Number(states[1]),
    isComplete: !/max search depth too small|Search not completed|memory (limit|exhausted)|out of memory/i.test(output),
    violation: /^pan:\d+: (.*)$/m.exec(output)?.[1] ?? null,
    output,
  };
}
