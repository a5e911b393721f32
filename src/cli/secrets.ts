/** Secrets of the commands. A flag can be read by everybody on the machine (`ps`), so each comes from a file or a variable too. */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';

/** The first line of a file, as the parser of a `--…-file <path>` flag. */
export function parseSecretFile(path: string): string {
  let secret: string | undefined;
  try {
    [secret] = readFileSync(path, 'utf8').split(/\r?\n/, 1);
  } catch (error) {
    throw new InvalidArgumentError(`It cannot be read (${(error as NodeJS.ErrnoException).code ?? error}).`);
  }
  if (secret === undefined || secret === '') throw new InvalidArgumentError('Its first line is empty.');
  return secret;
}

/** What a flag says, else the file, else the variable; an empty variable counts as not set. */
export function secretOf(flag: string | undefined, fromFile: string | undefined, variable: string): string | undefined {
  const fromEnvironment = process.env[variable];
  return flag ?? fromFile ?? (fromEnvironment === '' ? undefined : fromEnvironment);
}
