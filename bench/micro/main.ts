// Entry of `npm run bench`. See "Micro benches" in bench/README.md.

import { accessSync, constants, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SingleBar } from 'cli-progress';
import { CommanderError } from 'commander';
import picocolors from 'picocolors';
import { describeMachine, machineLines } from '../support/machine.js';
import { compare } from './comparison.js';
import { ALL, type Selected, select } from './groups.js';
import { SAMPLE_MS } from './measure.js';
import { type Options, readOptions } from './options.js';
import { FORMAT, type Results, readResults } from './results.js';
import { emptyResult, type Plan, runRounds } from './rounds.js';
import { comparisonText, resultsText } from './table.js';

const RESULTS_FOLDER = fileURLToPath(new URL('../../bench/results/', import.meta.url));
const WARM_UP_MS = 100;

const EXIT_WRONG_RESULT = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

const colours = picocolors.createColors(process.stdout.isTTY === true && process.stdout.hasColors());
const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

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

async function measureAll(selected: readonly Selected[], results: Results): Promise<void> {
  const { seconds, rounds, smoke } = results.options;
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const progress = progressOf(selected.length * rounds);
  const plan: Plan = {
    rounds,
    effort: smoke ? null : { warmUpMs: WARM_UP_MS, measureMs: (seconds * 1000) / rounds, sampleMs: SAMPLE_MS },
    signal: abort.signal,
    onStart: (round, id) => progress.step(round, id),
  };
  try {
    await runRounds(selected, results.benches, plan);
  } finally {
    progress.stop();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
  results.partial = abort.signal.aborted;
}

async function measured(options: Options, args: readonly string[]): Promise<Results> {
  const startedAt = new Date();
  const selected = select(options.patterns);
  const file = targetOf(options, startedAt);
  const results = emptyResults(options, selected, args, startedAt);
  print(machineLines(results.machine).join('\n'));
  await measureAll(selected, results);
  if (file !== null) {
    writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
    print(`results  ${file}`);
  }
  return results;
}

function report(results: Results, before: Results | null): void {
  print('');
  if (results.partial) print(colours.yellow('PARTIAL: interrupted; what is missing was not measured'));
  if (results.options.smoke) print('smoke: everything ran once; the figures mean nothing');
  print(resultsText(results.benches, colours));
  if (before !== null) print(`\n${comparisonText(compare(before, results), colours)}`);
}

async function run(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) return 0;
  if (options.list) {
    print(ALL.map(({ id }) => id).join('\n'));
    return 0;
  }
  const before = options.compare === undefined ? null : readResults(options.compare);
  const results = options.from === undefined ? await measured(options, args) : readResults(options.from);
  report(results, before);
  if (results.partial && options.from === undefined) return EXIT_INTERRUPTED;
  const failed = results.benches.filter((bench) => bench.failed !== null);
  for (const { id, failed: problem } of failed) process.stderr.write(`${id}: ${problem}\n`);
  return failed.length > 0 ? EXIT_WRONG_RESULT : 0;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  // Commander has printed its own.
  if (!(error instanceof CommanderError)) process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = EXIT_USAGE;
}
