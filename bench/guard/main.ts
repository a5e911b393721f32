// Entry of `npm run bench:guard`. See "Guard" in bench/README.md.

import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { killChildren } from '../support/children.js';
import { describeMachine, type Machine, machineLines, oneCoreRemark } from '../support/machine.js';
import { filesNeeded, readOpenFilesMax } from '../support/open-files.js';
import { median } from '../support/results.js';
import { RINGCAST, UWS } from '../support/scenario.js';
import { type GuardResult, guard, isCalm } from './guard.js';
import { type Limit, limitsOf, MEASURED, otherMachine } from './limits.js';
import { type Options, readOptions } from './options.js';
import { checkLines, powerLines, roundLines, verdictLines } from './output.js';
import { isProven, proofLines, slowdownLines } from './proof.js';
import { type Contestants, type Costs, costs, faultOf, PLAIN, type Round, runRound } from './rounds.js';
import { guarded } from './scenario.js';
import { makeSlowed, SLOWED } from './slowed.js';
import { measuredBy, withMeasured } from './update.js';

const EXIT_LOSS = 1;
const EXIT_USAGE = 2;
const EXIT_INCONCLUSIVE = 3;
const EXIT_INTERRUPTED = 130;
const PILOTS = 3;
const LIMITS_FILE = fileURLToPath(new URL('../../bench/guard/limits.ts', import.meta.url));

const print = (lines: readonly string[]): void => {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
};

class Command {
  readonly #options: Options;
  readonly #machine: Machine;
  readonly #limits: readonly Limit[] = limitsOf(MEASURED);
  readonly #abort = new AbortController();
  readonly #results: GuardResult[] = [];
  /** Of an update, or before a build was slowed. */
  readonly #unjudged: Round[] = [];
  #isFinished = false;

  constructor(options: Options, args: readonly string[]) {
    this.#options = options;
    this.#machine = describeMachine('guard', [...args]);
  }

  async run(): Promise<number> {
    print([
      ...machineLines(this.#machine),
      `load     ${loadavg()
        .map((load) => load.toFixed(2))
        .join(' ')}`,
    ]);
    print(oneCoreRemark(this.#machine.cores));
    const interrupt = (): void => {
      this.#abort.abort();
      killChildren();
    };
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    this.#writeJson();
    const exitCode = await this.#carryOut();
    this.#isFinished = !this.#abort.signal.aborted;
    this.#writeJson();
    return exitCode;
  }

  async #carryOut(): Promise<number> {
    const { smoke, updateRounds, slowedPercent } = this.#options;
    if (smoke) return this.#smoke();
    if (updateRounds !== null) return this.#update(updateRounds);
    if (slowedPercent !== null) return this.#guardSlowed(slowedPercent);
    return this.#guard(PLAIN);
  }

  #round = async (number: number, contestants: Contestants): Promise<Round | null> =>
    runRound(number, contestants, { smoke: this.#options.smoke, signal: this.#abort.signal });

  async #smoke(): Promise<number> {
    const round = await this.#round(1, PLAIN);
    if (round === null) return EXIT_INTERRUPTED;
    print(roundLines(round));
    this.#unjudged.push(round);
    return round.parts.every((part) => faultOf(part) === null) ? 0 : EXIT_LOSS;
  }

  async #guard(contestants: Contestants): Promise<number> {
    const { times, isProof, slowedPercent } = this.#options;
    const foreign = otherMachine(MEASURED, this.#machine);
    if (foreign !== null) print([foreign]);
    for (let time = 1; time <= times && !this.#abort.signal.aborted; time++) {
      print(isProof ? ['', `run ${time} of ${times}`] : ['']);
      const result = await guard({
        contestants,
        limits: this.#limits,
        otherMachine: foreign,
        run: (number) => this.#round(number, contestants),
        onRound: (round) => print(roundLines(round)),
      });
      this.#results.push(result);
      print(['', ...checkLines(result, contestants), '', ...verdictLines(result)]);
      this.#writeJson();
    }
    if (slowedPercent !== null) print(['', ...slowdownLines(this.#results, this.#limits, contestants.subject)]);
    if (isProof) print(['', ...proofLines(this.#results, this.#limits, contestants)]);
    return this.#exitCode(slowedPercent !== null);
  }

  #exitCode(isSlowed: boolean): number {
    const { isProof, strict } = this.#options;
    if (this.#abort.signal.aborted) return EXIT_INTERRUPTED;
    if (isProof) return isProven(this.#results, isSlowed) ? 0 : EXIT_LOSS;
    const { verdict } = this.#results[0];
    if (verdict === 'passed') return 0;
    if (verdict === 'inconclusive') return strict ? EXIT_INCONCLUSIVE : 0;
    return EXIT_LOSS;
  }

  async #guardSlowed(percent: number): Promise<number> {
    const pilots = await this.#rounds(PILOTS, PILOTS, { subject: RINGCAST, others: [] }, false);
    if (pilots === null) return this.#abort.signal.aborted ? EXIT_INTERRUPTED : EXIT_LOSS;
    const usual = this.#limits.map(({ check }) => [check, median(costs(pilots, check, RINGCAST))]);
    const remove = makeSlowed(Object.fromEntries(usual) as Costs, percent);
    process.once('exit', remove);
    return await this.#guard({ subject: SLOWED, others: [RINGCAST, UWS] });
  }

  async #update(wanted: number): Promise<number> {
    const rounds = await this.#rounds(wanted, wanted * 2, PLAIN, true);
    if (rounds === null) return this.#abort.signal.aborted ? EXIT_INTERRUPTED : EXIT_LOSS;
    const checks = this.#limits.map(({ check }) => check);
    const measured = measuredBy(rounds, checks, PLAIN, this.#machine);
    const source = readFileSync(LIMITS_FILE, 'utf8');
    writeFileSync(LIMITS_FILE, withMeasured(source, measured));
    print(['', ...powerLines(limitsOf(measured)), '', 'written into bench/guard/limits.ts']);
    return 0;
  }

  /** Rounds that are held against nothing. Null: interrupted, at fault, or not enough of them. */
  async #rounds(wanted: number, most: number, contestants: Contestants, calmOnly: boolean): Promise<Round[] | null> {
    const counted: Round[] = [];
    for (let number = 1; number <= most && counted.length < wanted; number++) {
      const round = await this.#round(number, contestants);
      if (round === null) return null;
      if (round.parts.some((part) => part.peer === contestants.subject && faultOf(part) !== null)) return null;
      this.#unjudged.push(round);
      print(roundLines(round));
      if (isCalm(round) || !calmOnly) counted.push(round);
    }
    if (counted.length === wanted) return counted;
    print([`only ${counted.length} of ${most} rounds were calm, ${wanted} are wanted: nothing is written`]);
    return null;
  }

  /** First before anything is measured: a file that cannot be written is found at once. */
  #writeJson(): void {
    const { jsonFile } = this.#options;
    if (jsonFile === null) return;
    const content = {
      ...{ machine: this.#machine, options: this.#options, partial: !this.#isFinished },
      ...{ measured: MEASURED, results: this.#results, unjudged: this.#unjudged },
    };
    // Whole histograms: nobody looks for latencies here.
    const withoutHistograms = (key: string, value: unknown): unknown => (key === 'hdr' ? undefined : value);
    writeFileSync(jsonFile, `${JSON.stringify(content, withoutHistograms, 2)}\n`);
  }
}

function requireFiles(): void {
  const needed = filesNeeded(guarded.variants({ smoke: false, seconds: null })[0]);
  const allowed = readOpenFilesMax();
  if (allowed !== null && allowed < needed) {
    throw new Error(`the guard needs ${needed} open files in one process, ${allowed} are allowed: ulimit -n ${needed}`);
  }
}

process.on('exit', killChildren);
try {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  if (options !== null) {
    if (!options.smoke) requireFiles();
    process.exitCode = await new Command(options, args).run();
  }
} catch (error) {
  if (!(error instanceof CommanderError)) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  process.exitCode = EXIT_USAGE;
}
