// The process of one round: measures one bench, says what came out, and ends.

import type { Bench, Group } from './bench.js';
import { type Effort, measure } from './measure.js';
import type { Round } from './results.js';

export interface Task {
  readonly id: string;
  readonly effort: Effort;
}

export type Answer = { readonly round: Round } | { readonly problem: string };

/** From its group's file alone: loading all of them would take longer than many a round. */
async function loadBench(id: string): Promise<Bench> {
  const [file] = id.split('/');
  const { group } = (await import(`./benches/${file}.js`)) as { group: Group };
  const bench = group.benches.find(({ name }) => `${group.name}/${name}` === id);
  if (bench === undefined) throw new Error(`no bench ${id}`);
  return bench;
}

async function answer({ id, effort }: Task): Promise<Answer> {
  try {
    return { round: await measure(await loadBench(id), effort) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

// A terminal's Ctrl-C reaches this process too: its parent decides.
process.on('SIGINT', () => {});
process.once('disconnect', () => process.exit(1));
const result = await answer(JSON.parse(process.argv[2]) as Task);
process.send?.(result, () => process.exit(0));
