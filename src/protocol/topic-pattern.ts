/** Patterns of topic names: one grammar for the rules of the configuration and for subscriptions. */

/**
 * `*` stands for any characters, also none, and so does `**`; every other character stands for itself. The whole name
 * must match.
 *
 * Not a regular expression: one with several stars may take very long to refuse a name, and names come from clients.
 */
export function globMatcher(pattern: string): (name: string) => boolean {
  const [head = '', ...others] = pattern.split('*');
  const tail = others.pop();
  if (tail === undefined) return (name) => name === pattern;
  return (name) => {
    const end = name.length - tail.length;
    if (end < head.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
    let from = head.length;
    // The first place is as good as any later one: it leaves the most room for what follows.
    for (const part of others) {
      const at = name.indexOf(part, from);
      if (at < 0 || at + part.length > end) return false;
      from = at + part.length;
    }
    return true;
  };
}

/** The one of the patterns that match the same names for this reason that says it with the fewest stars. */
export function normalPattern(pattern: string): string {
  return pattern.replace(/\*+/g, '*');
}

/**
 * Whether every name that fits `narrow` fits `wide` too.
 *
 * That is so exactly when `wide` matches the text of `narrow`, in which the stars are characters like any other. Sound:
 * no pattern has a literal star, so each star in the text fell to a star of `wide`, which takes anything that the narrow
 * one may stand for just as well. Complete: where `wide` does not match the text, it does not match the name either in
 * which a character that no pattern mentions stands in the place of the stars.
 */
export function covers(wide: string, narrow: string): boolean {
  return globMatcher(wide)(narrow);
}
