/** Patterns of topic names, as the rules of the configuration have them. */

/** `*` stands for any characters, also none; every other character for itself. The whole name must match. */
export function globMatcher(pattern: string): (name: string) => boolean {
  const expression = pattern.split('*').map(escapeRegExp).join('.*');
  const regExp = new RegExp(`^${expression}$`, 'su');
  return (name) => regExp.test(name);
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

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.|?+()[\]{}]/g, '\\$&');
}
