/** What is wrong with a configuration: collected, so that everything is told at once, and worded for people. */
import { RingcastError } from '../errors.js';

export interface ConfigProblem {
  /** The key as a path: `topics.rules[0].home`; empty: the whole. */
  readonly key: string;
  /** Where the value came from, as in `sources`; empty: unknown, or a default. */
  readonly source: string;
  readonly message: string;
}

/** One error for all problems: one line for one, a list for several. */
export function configError(problems: readonly ConfigProblem[]): RingcastError {
  const lines = problems.map(({ key, source, message }) => {
    const where = source === '' ? key : `${key} (${source})`.trimStart();
    return where === '' ? message : `${where}: ${message}`;
  });
  const text =
    lines.length === 1
      ? `invalid configuration: ${lines[0]}`
      : `invalid configuration, ${lines.length} problems:\n${lines.map((line) => `  - ${line}`).join('\n')}`;
  return new RingcastError('BAD_REQUEST', text, { problems });
}

/** "unknown key", with the known name that was probably meant. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const meant = closest(name, known);
  return meant === null ? `unknown ${what}` : `unknown ${what}; did you mean ${meant}?`;
}

/** The known name with the fewest typing errors between, when that is few enough to be a typing error. */
export function closest(name: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's: insertions, deletions and replacements, row by row. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const replaced = previous[column - 1] + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column] + 1, current[column - 1] + 1));
    }
    previous = current;
  }
  return previous[right.length];
}
