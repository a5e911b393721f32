// Command line of `npm run bench`.

import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CONFIDENCE } from './comparison.js';
import { GROUPS } from './groups.js';

export interface Options {
  readonly patterns: readonly string[];
  /** Measured time per bench, of all rounds together. */
  readonly seconds: number;
  readonly rounds: number;
  /** Undefined: into bench/results, under the time of the start. */
  readonly json: string | undefined;
  readonly compare: string | undefined;
  readonly from: string | undefined;
  readonly list: boolean;
  readonly smoke: boolean;
}

interface Output {
  print(text: string): void;
  error(text: string): void;
}

const ROUNDS_MAX = 100;
const SECONDS_MAX = 3600;

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= ROUNDS_MAX) return rounds;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${ROUNDS_MAX}.`);
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== '' && seconds > 0 && seconds <= SECONDS_MAX) return seconds;
  throw new InvalidArgumentError(`It must be a number above 0, at most ${SECONDS_MAX}.`);
}

const NOTES = `
Groups: ${GROUPS.map(({ name }) => name).join(', ')}. A pattern is a group, or a part of a bench's name; * stands for anything.

Every round runs every bench once, each in a process of its own. A round's value is the median of its samples plus the
pauses of the garbage collector; printed is the median of the rounds, ± half of its 95 % interval (order statistics).

--compare: the change is the Hodges–Lehmann estimate of the ratio, its interval that of the Mann–Whitney test, rounds
against rounds, ${CONFIDENCE * 100} % for all benches together (Bonferroni). "faster" and "slower" are said where the whole
interval is beyond the noise floor, and so beyond 0: the largest of what the bench drifted by within either command and of
what code that never changes (group reference) changed by between them. All else is "noise". See bench/README.md.`;

function commandOf({ print, error }: Output): Command {
  return new Command('npm run bench --')
    .description('Micro benches: what the parts of ringcast cost.')
    .argument('[patterns...]', 'which benches (default: all)')
    .option('--seconds <n>', 'measured time per bench, of all rounds together', parseSeconds, 1)
    .option('--rounds <n>', 'how many processes per bench, in turn', parseRounds, 10)
    .option('--json <file>', 'where the results go (default: bench/results/micro-<date>.json)')
    .option('--compare <file>', 'results of an earlier command: what has changed since?')
    .option('--from <file>', 'take these results instead of measuring')
    .option('--list', 'names the benches', false)
    .option('--smoke', 'everything once, in one process: are the results right? Its figures mean nothing', false)
    .addHelpText('after', NOTES)
    .allowExcessArguments()
    .configureOutput({ writeOut: (text) => print(text.trimEnd()), writeErr: (text) => error(text.trimEnd()) })
    .exitOverride();
}

/** Null: help was asked for and printed. Throws Commander's error, which it has printed, for anything else. */
export function readOptions(args: readonly string[], output: Output): Options | null {
  const command = commandOf(output);
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return null;
    throw error;
  }
  return { ...command.opts<Omit<Options, 'patterns'>>(), patterns: command.args };
}
