/** How the commands end: exit codes, and errors as the one line that a person at a terminal needs. */
import { CommanderError } from 'commander';
import { RingcastError } from '../errors.js';
import { printable, printableLines } from './printable.js';

/** Something outside the command went wrong: no server, a port in use, a file that is not there, bad JSON. */
export const EXIT_FAILURE = 1;
/** The command was called wrongly. */
export const EXIT_USAGE = 2;

/** A failure whose message is all there is to say; no stack, no cause. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
}

/** Reports why a command ended; returns its exit code. */
export function reportFailure(error: unknown, print: (line: string) => void): number {
  // Commander has printed it already; its own exit code for wrong usage is 1.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  print(`ringcast: ${describeFailure(error)}`);
  return EXIT_FAILURE;
}

/**
 * An expected failure as one line, several problems of a configuration as a list; a fault with its stack, because that is for
 * us and not for the user. Servers write some of these texts: none of them steers a terminal.
 */
export function describeFailure(error: unknown): string {
  if (error instanceof CommandFailure) return oneLine(error.message);
  if (error instanceof RingcastError) {
    if (hasProblems(error)) return printableLines(error.message);
    return oneLine(`${error.message} (${error.code})`);
  }
  if (error instanceof Error) {
    return 'code' in error ? oneLine(error.message) : printableLines(error.stack ?? error.message);
  }
  return oneLine(String(error));
}

/** It is the configuration that was wrong (config/problems.ts). */
function hasProblems({ details }: RingcastError): boolean {
  return Array.isArray((details as { problems?: unknown } | undefined)?.problems);
}

export function oneLine(text: string): string {
  return printable(text.replace(/\s*\n\s*/g, '; '));
}
