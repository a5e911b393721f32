// The process of one round: measures one bench, says what came out, and ends.

import { ALL } from './groups.js';
import type { Effort } from './measure.js';
import { measure } from './measure.js';
import type { Round } from './results.js';

export interface Task {
  readonly id: string;
  readonly effort: Effort;
}

export type Answer = { readonly round: Round } | { readonly problem: string };

async function answer({ id, effort }: Task): Promise<Answer> {
  try {
    const selected = ALL.find((candidate) => candidate.id === id);
    if (selected === undefined) throw new Error(`no bench ${id}`);
    return { round: await measure(selected.bench, effort) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

// A terminal's Ctrl-C reaches this process too: its parent decides.
process.on('SIGINT', () => {});
process.once('disconnect', () => process.exit(1));
const result = await answer(JSON.parse(process.argv[2]!) as Task);
process.send?.(result, () => process.exit(0));
