// Holds documents and configuration together: which keys and environment names a Markdown text does not mention.
import { configKeys } from '#src/config.js';

/** Variables that are no key's: of the commands, and the one that makes short names count. */
const OTHERS = ['RINGCAST_TOKEN', 'RINGCAST_SECRET', 'RINGCAST_SHORT_NAMES'];

/** Names that should stand in the text as `code`, and do not. */
export function namesMissingIn(markdown: string): string[] {
  const names = configKeys.flatMap(({ name, environment }) => [name, ...environment]);
  return names.filter((name) => !markdown.includes(`\`${name}\``));
}

/** Names that look like ours, stand in the text as `code`, and mean nothing. */
export function unknownVariablesIn(markdown: string): string[] {
  const known = new Set([...configKeys.flatMap(({ environment }) => environment), ...OTHERS]);
  const found = [...markdown.matchAll(/`(RINGCAST_[A-Z_]+)(?:=[^`]*)?`/g)].map((match) => match[1]);
  return [...new Set(found)].filter((name) => !known.has(name));
}

/** Whether the text has a table of configuration keys, as `ringcast config --markdown` prints it. */
export function hasKeyTable(markdown: string): boolean {
  return /^\| key \| default \|/m.test(markdown);
}
