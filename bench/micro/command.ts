// The command `npm run bench`, from its arguments to its exit code. See "Micro benches" in bench/README.md.

import { accessSync, constants, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SingleBar } from 'cli-progress';
import { CommanderError } from 'commander';
import type { Colors } from 'picocolors/types.js';
import { describeMachine, machineLines } from '../support/machine.js';
import { compare } from './comparison.js';
import { ALL, type Selected, select } from './groups.js';
import { SAMPLE_MS } from './measure.js';
import { type Options, readOptions } from './options.js';
import { FORMAT, type Results, readResults } from './results.js';
import { emptyResult, type Plan, runRounds } from './rounds.js';
import { comparisonText, resultsText } from './table.js';

const RESULTS_FOLDER = fileURLToPath(new URL('../../bench/results/', import.meta.url));
const WARM_UP_MS = 200;

const EXIT_WRONG_RESULT = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

export interface Terminal {
  readonly colours: Colors;
  /** Of whole lines, without the last line's end. */
  print(text: string): void;
  error(text: string): void;
}

/** Found now, and not after minutes of measuring. */
function requireWritable(file: string): void {
  const isThere = statSync(file, { throwIfNoEntry: false });
  if (isThere?.isDirectory()) throw new Error(`cannot write ${file}: it is a folder`);
  try {
    accessSync(isThere === undefined ? dirname(file) : file, constants.W_OK);
  } catch (error) {
    throw new Error(`cannot write ${file}: ${(error as Error).message}`);
  }
}

function targetOf({ json, smoke }: Options, startedAt: Date): string | null {
  if (json === undefined && smoke) return null;
  if (json === undefined) mkdirSync(RESULTS_FOLDER, { recursive: true });
  const file = json ?? `${RESULTS_FOLDER}micro-${startedAt.toISOString().slice(0, 19).replaceAll(':', '-')}.json`;
  requireWritable(file);
  return file;
}

function emptyResults(options: Options, selected: readonly Selected[], args: readonly string[], at: Date): Results {
  const { patterns, seconds, rounds, smoke } = options;
  const command = `npm run bench${args.length > 0 ? ` -- ${args.join(' ')}` : ''}`;
  return {
    format: FORMAT,
    machine: { ...describeMachine('micro', []), command },
    options: { patterns: [...patterns], seconds, rounds: smoke ? 1 : rounds, smoke },
    ...{ startedAt: at.toISOString(), partial: false, benches: selected.map(emptyResult) },
  };
}

/** A line that says where it is: on a terminal only. */
function progressOf(total: number): { step(round: number, id: string): void; stop(): void } {
  if (!process.stderr.isTTY) return { step: () => {}, stop: () => {} };
  const bar = new SingleBar({
    format: 'round {round} {bar} {percentage} % | {eta_formatted} left | {id}',
    ...{ hideCursor: true, clearOnComplete: true },
  });
  bar.start(total, 0, { round: 1, id: '' });
  let done = 0;
  return {
    step: (round, id) => bar.update(done++, { round: round + 1, id }),
    stop: () => bar.stop(),
  };
}

async function measureAll(selected: readonly Selected[], results: Results, signal: AbortSignal): Promise<void> {
  const { seconds, rounds, smoke } = results.options;
  const progress = progressOf(selected.length * rounds);
  const plan: Plan = {
    rounds,
    effort: smoke ? null : { warmUpMs: WARM_UP_MS, measureMs: (seconds * 1000) / rounds, sampleMs: SAMPLE_MS },
    signal,
    onStart: (round, id) => progress.step(round, id),
  };
  try {
    await runRounds(selected, results.benches, plan);
  } finally {
    progress.stop();
  }
  results.partial = signal.aborted;
}

/** The first Ctrl-C ends the measuring, a second one the command. */
async function untilInterrupted(measure: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    await measure(abort.signal);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

async function measured(options: Options, args: readonly string[], { print }: Terminal): Promise<Results> {
  const startedAt = new Date();
  const selected = select(options.patterns);
  const file = targetOf(options, startedAt);
  const results = emptyResults(options, selected, args, startedAt);
  await untilInterrupted((signal) => {
    print(machineLines(results.machine).join('\n'));
    return measureAll(selected, results, signal);
  });
  if (file !== null) {
    writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
    print(`results  ${file}`);
  }
  return results;
}

function report(results: Results, before: Results | null, { print, colours }: Terminal): void {
  print('');
  if (results.partial) print(colours.yellow('PARTIAL: interrupted; what is missing was not measured'));
  if (results.options.smoke) print('smoke: everything ran once; the figures mean nothing');
  print(resultsText(results.benches, colours));
  if (before !== null) print(`\n${comparisonText(compare(before, results), colours)}`);
}

async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(args, terminal);
  if (options === null) return 0;
  if (options.list) {
    terminal.print(ALL.map(({ id }) => id).join('\n'));
    return 0;
  }
  const before = options.compare === undefined ? null : readResults(options.compare);
  const results = options.from === undefined ? await measured(options, args, terminal) : readResults(options.from);
  report(results, before, terminal);
  if (results.partial && options.from === undefined) return EXIT_INTERRUPTED;
  const failed = results.benches.filter((bench) => bench.failed !== null);
  for (const { id, failed: problem } of failed) terminal.error(`${id}: ${problem}`);
  return failed.length > 0 ? EXIT_WRONG_RESULT : 0;
}

/** Everything but the progress bar goes through `terminal`. Returns the exit code. */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await run(args, terminal);
  } catch (error) {
    // Commander has printed its own.
    if (!(error instanceof CommanderError)) terminal.error(error instanceof Error ? error.message : String(error));
    return EXIT_USAGE;
  }
}
