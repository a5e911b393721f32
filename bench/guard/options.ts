// Command line of the guard.

import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { ROUNDS_MAX, ROUNDS_MIN } from './decision.js';

export interface Options {
  jsonFile: string | null;
  strict: boolean;
  /** How many times the guard runs. */
  times: number;
  isProof: boolean;
  /** Percent that a slowed build is slower by; null: the build as it is. */
  slowedPercent: number | null;
  /** Calm rounds that the table of limits is to be written from; null: it stays as it is. */
  updateRounds: number | null;
  smoke: boolean;
}

const TIMES_MAX = 1000;
const PERCENT_MAX = 400;
/** Fewer are too few for a median and a spread that limits are to rest on. */
const UPDATE_ROUNDS_MIN = 9;
const UPDATE_ROUNDS = 15;

const NOTES = `
Measures ringcast's CPU per delivery against uws-publish's in the same rounds, and holds the ratios against
bench/guard/limits.ts. ${ROUNDS_MIN} rounds are enough when none is over the limit; else up to ${ROUNDS_MAX}. Some 40 s each.

Exit code 0: within the limits, or inconclusive (said loudly); 1: a loss, or deliveries that are wrong; 2: bad usage;
3: inconclusive, with --strict. --prove ends with 0 when no run failed (with --slowed: when every run did) and at least one was conclusive.`;

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

interface Values {
  json?: string;
  strict: boolean;
  prove?: number;
  slowed?: number;
  update?: number | true;
  smoke: boolean;
}

function commandOf(): Command {
  return new Command('npm run bench:guard --')
    .description('Has ringcast become slower?')
    .option('--json <file>', 'writes every round and the verdict')
    .option('--strict', 'exit code 3 when inconclusive', false)
    .option(
      '--prove <times>',
      'runs the guard that often and sums up: how often does it fail?',
      wholeNumber(1, TIMES_MAX),
    )
    .option('--slowed <percent>', 'guards a build that is slower by that much, on purpose', wholeNumber(1, PERCENT_MAX))
    .option(
      '--update [rounds]',
      `writes what that many calm rounds yield into bench/guard/limits.ts (default ${UPDATE_ROUNDS})`,
      wholeNumber(UPDATE_ROUNDS_MIN, TIMES_MAX),
    )
    .option('--smoke', 'one round, tiny sizes: are all deliveries right? Its figures mean nothing', false)
    .addHelpText('after', NOTES)
    .allowExcessArguments(false)
    .exitOverride();
}

/** Null: help was asked for and printed. Throws Commander's error, which it has printed, for anything else. */
export function readOptions(args: readonly string[], print?: (text: string) => void): Options | null {
  const command = commandOf();
  if (print !== undefined) command.configureOutput({ writeOut: print, writeErr: print });
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return null;
    throw error;
  }
  const { json, strict, prove, slowed, update, smoke } = command.opts<Values>();
  const refuse = (problem: string): never => command.error(`error: ${problem}`, { exitCode: 2 });
  if (update !== undefined && (slowed !== undefined || prove !== undefined)) {
    refuse('--update takes no --prove and no --slowed: it writes the limits that those are held against');
  }
  if (smoke && (prove !== undefined || slowed !== undefined || update !== undefined)) {
    refuse('--smoke measures nothing: not with --prove, --slowed or --update');
  }
  return {
    jsonFile: json ?? null,
    strict,
    times: prove ?? 1,
    isProof: prove !== undefined,
    slowedPercent: slowed ?? null,
    updateRounds: update === true ? UPDATE_ROUNDS : (update ?? null),
    smoke,
  };
}
