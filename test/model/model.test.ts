// The models beside this file hold for every order of steps, and fail when a rule that they rest on is broken.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Aspect, missingTools, type Search, search } from './spin.js';

const isPossible = missingTools.length === 0;
if (!isPossible) console.log(`models are skipped: install the Debian packages ${missingTools.join(', ')}`);

/** Searches wait for each other. On a machine of its own none takes more than some ten seconds of a CPU. */
const TIMEOUT_MS = 300_000;

interface Proof {
  readonly model: string;
  readonly aspect: Aspect;
  /** Macros; what is left out is as the model has it. */
  readonly bounds: readonly string[];
}

const PROOFS: readonly Proof[] = [
  { model: 'log', aspect: 'safety', bounds: ['FRAMES=5'] },
  { model: 'log', aspect: 'progress', bounds: ['FRAMES=4'] },
  { model: 'ring-crash', aspect: 'safety', bounds: ['MESSAGES=4'] },
  { model: 'ring-crash', aspect: 'progress', bounds: ['MESSAGES=2'] },
  { model: 'hand-over', aspect: 'safety', bounds: ['MESSAGES=3', 'MOVES=2'] },
  { model: 'hand-over', aspect: 'safety', bounds: ['MESSAGES=2', 'MOVES=3'] },
  { model: 'hand-over', aspect: 'progress', bounds: ['MESSAGES=1', 'MOVES=2'] },
];

/** Bounds within which the broken rules of a model have their consequences. */
const BROKEN_BOUNDS: Readonly<Record<string, readonly string[]>> = {
  log: [],
  'ring-crash': [],
  'hand-over': ['MESSAGES=2', 'MOVES=2'],
};

/** These have theirs only in a third move. */
const THREE_MOVES = ['MESSAGES=2', 'MOVES=3'];
const NEEDS_THREE_MOVES = new Set(['BROKEN_NO_OPEN_POSITION', 'BROKEN_SECOND_MOVE_IS_DROPPED']);

/** The consequence is not a wrong step but a run that gets nowhere. */
const STOPS_PROGRESS = new Set(['BROKEN_TAIL_NOT_LEARNED']);

const brokenRules = Object.keys(BROKEN_BOUNDS).flatMap((model) => {
  const source = readFileSync(new URL(`${model}.pml`, import.meta.url), 'utf8');
  const rules = [...source.matchAll(/^#if(?:n?def) (BROKEN_\w+)$/gm)].map(([, rule]) => rule!);
  return [...new Set(rules)].map((rule) => ({ model, rule }));
});

describe.skipIf(!isPossible).concurrent('models', () => {
  for (const { model, aspect, bounds } of PROOFS) {
    it(
      `${model} holds: ${aspect} with ${bounds.join(', ')}`,
      async () => {
        const wanted: Search = { model, aspect, defines: bounds, isSmall: aspect === 'progress' };
        const { errors, states, isComplete, output } = await search(wanted);
        console.log(`${model}, ${aspect}, ${bounds.join(', ')}: ${states.toLocaleString('en')} states`);
        expect(errors, output).toBe(0);
        expect(isComplete, output).toBe(true);
      },
      TIMEOUT_MS,
    );
  }

  for (const { model, rule } of brokenRules) {
    it(
      `${model} fails with ${rule}`,
      async () => {
        const aspect = STOPS_PROGRESS.has(rule) ? 'progress' : 'safety';
        const bounds = NEEDS_THREE_MOVES.has(rule) ? THREE_MOVES : (BROKEN_BOUNDS[model] ?? []);
        const defines = [...bounds, rule];
        const { errors, violation, output } = await search({ model, aspect, defines, isSmall: true });
        expect(errors, output).toBe(1);
        expect(violation).toMatch(/assertion violated|invalid end state|non-progress cycle/);
      },
      TIMEOUT_MS,
    );
  }
});
