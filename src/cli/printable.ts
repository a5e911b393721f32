/**
 * Text that somebody else wrote, on its way to a terminal. Control characters steer it: they move the cursor, hide lines,
 * answer in the user's name. ESC is not the only beginning of such a sequence, U+009B is one too; and marks of writing
 * direction make a line read as what it is not.
 */

/** C0, DEL and C1; marks of direction; surrogates without their other half. */
const STEERING = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** Those, and whatever else takes no place on a line, so that columns stay columns. */
const UNSEEN = /\p{C}/gu;

/** One line: what would steer the terminal, line ends included, becomes visible instead. */
export function printable(text: string): string {
  return text.replace(UNSEEN, '\u{FFFD}');
}

/** Several lines, such as a stack. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/**
 * JSON, with escapes instead: the same value for whoever parses it, so that pipes and files get the same text as a terminal.
 * JSON.stringify leaves only C0 out.
 */
export function printableJson(json: string): string {
  // In JSON text these characters stand in strings only. Indented JSON keeps its line ends.
  return json.replace(STEERING, (char) => {
    return char === '\n' ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
