/** The door to re2js: regular expressions of strangers, in time linear in the text whatever they are. */

import { RE2JS } from 're2js';
import { reasonOf } from '../errors.js';

/**
 * Instructions of a filter's patterns together, and the longest text that is searched: the worst pattern that was found takes
 * 40 ns for each of them and each character, about 100 ms.
 */
export const PATTERNS_MAX_SIZE = 300;
export const MATCHED_MAX_CHARS = 8 * 1024;
/** States that a pattern may keep from search to search. Beyond it they are made again, or the slower way is taken. */
const CACHE_MAX_BYTES = 256 * 1024;

export class FilterPattern {
  /** Instructions. */
  readonly size: number;
  readonly #pattern: RE2JS;

  private constructor(pattern: RE2JS) {
    this.#pattern = pattern;
    this.size = pattern.programSize();
    const { dfa } = pattern.re2();
    dfa.stateBudget = CACHE_MAX_BYTES;
    dfa.memBudget = CACHE_MAX_BYTES;
  }

  /** The pattern, or why it is none. */
  static of(source: string): FilterPattern | string {
    // Before it is compiled: `((a?){1000})` some hundred times takes a second.
    if (roughSize(source) > 2 * PATTERNS_MAX_SIZE) return 'the pattern is too costly';
    try {
      return new FilterPattern(RE2JS.compile(source));
    } catch (cause) {
      return reasonOf(cause);
    }
  }

  /** Whether it is found anywhere in the text. */
  isIn(text: unknown): boolean {
    return typeof text === 'string' && text.length <= MATCHED_MAX_CHARS && this.#pattern.test(text);
  }
}

const PARTS = new RegExp(
  [
    String.raw`\\Q.*?(?:\\E|$)`, // quoted text
    String.raw`\\[pPx]\{[^}]*\}|\\.`, // names of characters, other escapes
    String.raw`\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*(?:\]|$)`, // classes
    String.raw`\((?:\?P?<\w+>|\?[\w-]*:)?`, // groups
    String.raw`\{(\d+)(,?)(\d*)\}`, // repetitions
    '.',
  ].join('|'),
  'gsu',
);

/** About as many instructions as the pattern is compiled to; not far fewer, if it is a pattern at all. */
export function roughSize(source: string): number {
  const outer: number[] = [];
  let total = 0; // of the innermost open group
  let atom = 0; // what a repetition would repeat
  for (const [part, from, comma, to] of source.matchAll(PARTS)) {
    if (from !== undefined) {
      const times = Math.max(1, Number(to || from) + (comma === '' ? 0 : 1));
      total += atom * (times - 1);
      atom *= times;
    } else if (part.startsWith('(')) {
      outer.push(total);
      total = 0;
    } else if (part === ')') {
      atom = total + 2;
      total = (outer.pop() ?? 0) + atom;
    } else {
      const isMark = part === '*' || part === '+' || part === '?';
      atom = isMark ? atom + 1 : part.startsWith('\\Q') ? part.length : 1;
      total += isMark ? 1 : atom;
    }
  }
  return outer.reduce((sum, each) => sum + each, total);
}
