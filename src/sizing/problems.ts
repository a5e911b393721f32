/** What is wrong with what sizing was given: told all at once, with the place. */

/** Expected failures of sizing: a bad file, a machine that cannot be measured. Its message is all there is to say. */
export class SizingError extends Error {
  override readonly name = 'SizingError';
}

export interface Problem {
  /** Of the file; null where it is not known. */
  readonly line: number | null;
  /** The field as a path: `clients[0].topics`; empty: the whole. */
  readonly field: string;
  readonly message: string;
}

export function problemsIn(path: string, problems: readonly Problem[]): SizingError {
  const lines = problems.map(({ line, field, message }) => {
    const where = line === null ? '' : `line ${line}: `;
    return field === '' ? where + message : `${where}${field} ${message}`;
  });
  return new SizingError(`${path}: ${lines.join('\n')}`);
}
