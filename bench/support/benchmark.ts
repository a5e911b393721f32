// A benchmark command: starts each server in turn, loads it from another process, verifies every delivery, and holds the
// figures against the bars. See bench/README.md.

import { writeFileSync } from 'node:fs';
import type { Bar } from './bars.js';
import { killChildren } from './children.js';
import { describeMachine, type Machine, machineLines, oneCoreRemark } from './machine.js';
import { filesNeeded, fitted, moreFilesAdvice, readOpenFilesMax } from './open-files.js';
import { helpOf, type Options, readOptions } from './options.js';
import { ALL_PEERS, listPeers, loadPeer } from './peer.js';
import { barTable, markdownReport, notes, runLines } from './report.js';
import { Results, type RunResult, wrongDeliveries } from './results.js';
import { type RunPlan, runOnce, serverOptionsOf } from './runner.js';
import { type Scenario, type Size, UWS, type Variant } from './scenario.js';
import { findScenario, type Suite } from './suite.js';

const print = (lines: string[]): void => {
  process.stdout.write(`${lines.join('\n')}\n`);
};

const SALTS = 62_500;
let nextSalt = (process.pid * 31) % SALTS;

/** What has been measured so far. */
interface Progress {
  results: Results;
  interrupted: boolean;
  /** What was left out, or run smaller than it should be, and why. */
  remarks: string[];
  /** Variants that were left out for want of open files: how many each needs. */
  leftOut: number[];
}

const knownPeers = (suite: Suite, size: Size): string[] =>
  suite.scenarios.flatMap((scenario) =>
    scenario.variants(size).flatMap(({ peers, peersOnRequest = [] }) => [...peers, ...peersOnRequest]),
  );

/** A peer that no scenario knows (a new file in peers/) runs wherever it is asked for and the baseline may run. */
function peersOf(variant: Variant, options: Options, known: readonly string[]): readonly string[] {
  if (options.peers === null) return variant.peers;
  const possible = [...variant.peers, ...(variant.peersOnRequest ?? [])];
  return options.peers.filter((peer) => possible.includes(peer) || (possible.includes(UWS) && !known.includes(peer)));
}

/** Every run of one scenario: the peers alternate, so that a change of the machine's mood hits all of them. */
function plansOf(suite: Suite, scenario: Scenario, variants: Variant[], size: Size, options: Options): RunPlan[] {
  const known = knownPeers(suite, size);
  const shared = { suite: suite.name, scenario, size, profile: options.profile };
  const plans: RunPlan[] = [];
  for (let run = 0; run < options.runs; run++) {
    for (const variant of variants) {
      for (const peer of peersOf(variant, options, known)) {
        nextSalt = (nextSalt + 1) % SALTS;
        plans.push({ ...shared, variant, peer, run, addressSalt: nextSalt });
      }
    }
  }
  return plans;
}

function remark(progress: Progress, text: string): void {
  progress.remarks.push(text);
  print([`  ${text}`]);
}

/** Those that this machine has enough open files for, or what of them it has enough for. */
function possibleVariants(scenario: Scenario, size: Size, allowFewer: boolean, progress: Progress): Variant[] {
  const filesMax = readOpenFilesMax() ?? Number.POSITIVE_INFINITY;
  const [possible, tooLarge] = [true, false].map((fits) =>
    scenario.variants(size).filter((variant) => filesNeeded(variant) <= filesMax === fits),
  ) as [Variant[], Variant[]];
  for (const variant of tooLarge) {
    const needed = filesNeeded(variant);
    const problem = `${scenario.name}, ${variant.name}: needs ${needed} open files in one process, ${filesMax} are allowed`;
    const smaller = fitted(variant, filesMax);
    if (!allowFewer) {
      remark(progress, `${problem}: left out`);
      progress.leftOut.push(needed);
    } else if (possible.some((other) => isSameLoad(other, smaller))) {
      remark(progress, `${problem}: left out, a smaller one is as large as can be`);
    } else {
      const connections = smaller.connections + (smaller.companion?.connections ?? 0);
      remark(progress, `${problem}: SMALLER, with ${connections} connections`);
      possible.push(smaller);
    }
  }
  return possible;
}

function isSameLoad(left: Variant, right: Variant): boolean {
  return JSON.stringify({ ...left, name: '' }) === JSON.stringify({ ...right, name: '' });
}

async function runAll(suite: Suite, options: Options, progress: Progress): Promise<void> {
  const size = { smoke: options.smoke, seconds: options.seconds, recordingFile: options.recordingFile };
  for (const name of options.scenarios) {
    const scenario = findScenario(suite, name);
    print(['', `${scenario.name}: ${scenario.title}${options.smoke ? ' (smoke: smaller)' : ''}`]);
    const missing = scenario.unavailable?.(size) ?? null;
    if (missing !== null) {
      remark(progress, `${scenario.name}: skipped: ${missing}`);
      continue;
    }
    const variants = possibleVariants(scenario, size, options.allowFewer, progress);
    for (const plan of plansOf(suite, scenario, variants, size, options)) {
      const reason = (await loadPeer(plan.peer)).unavailable?.(serverOptionsOf(plan.variant)) ?? null;
      if (reason !== null) {
        if (plan.run === 0)
          remark(progress, `${scenario.name}, ${plan.variant.name}, ${plan.peer}: skipped: ${reason}`);
        continue;
      }
      const result = await runOnce(plan);
      if (progress.interrupted) return;
      progress.results.runs.push(result);
      print(runLines(result, options.runs));
    }
  }
}

async function report(suite: Suite, options: Options, progress: Progress, machine: Machine): Promise<void> {
  const { results, interrupted } = progress;
  const bars = options.smoke ? [] : options.scenarios.flatMap((name): Bar[] => findScenario(suite, name).bars(results));
  const remarks = [...oneCoreRemark(machine.cores), ...progress.remarks, ...notes(results.runs)];
  if (interrupted) remarks.unshift('PARTIAL: the command was interrupted; what is missing was not measured');
  const content = { machine, options, partial: interrupted, runs: results.runs, bars, notes: remarks };
  if (options.jsonFile !== null) writeFileSync(options.jsonFile, `${JSON.stringify(content, null, 2)}\n`);
  if (options.markdown) print(['', ...markdownReport(machine, bars, remarks)]);
  else print(['', ...(bars.length > 0 ? barTable(bars) : []), ...remarks.map((remark) => `- ${remark}`)]);
  if (options.htmlFile !== null) {
    const { writeReportOf } = await import('../report/write-report.js');
    writeReportOf(options.htmlFile, content);
  }
}

/** Smoke runs must be right everywhere; otherwise only the subject has to: what a baseline loses is a finding, not a fault. */
function isFault(suite: Suite, options: Options, result: RunResult): boolean {
  return (options.smoke || result.peer === suite.subject) && (result.failed !== null || wrongDeliveries(result) > 0);
}

/** Loading a peer costs nothing: it imports its server only when it starts one. */
async function requirePeer(name: string, { subject }: Suite): Promise<void> {
  try {
    await loadPeer(name);
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    throw new Error(`no peer ${name} in bench/peers; there are ${listPeers(subject).join(', ')} (${reason})`);
  }
}

async function run(suite: Suite, args: string[]): Promise<number> {
  const options = readOptions(suite, args);
  if (options === null) {
    print([helpOf(suite)]);
    return 0;
  }
  if (options.peers?.includes(ALL_PEERS)) options.peers = listPeers(suite.subject);
  for (const peer of options.peers ?? []) await requirePeer(peer, suite);
  const machine = describeMachine(suite.name, args);
  print([...machineLines(machine), ...oneCoreRemark(machine.cores)]);
  const progress: Progress = { results: new Results(), interrupted: false, remarks: [], leftOut: [] };
  const interrupt = (): void => {
    progress.interrupted = true;
    killChildren();
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  await runAll(suite, options, progress);
  await report(suite, options, progress, machine);
  if (progress.interrupted) return 130;
  const faults = progress.results.runs.filter((result) => isFault(suite, options, result)).length;
  if (faults > 0) print(['', `${faults} runs failed or were incomplete`]);
  const { leftOut } = progress;
  if (leftOut.length > 0) {
    print(['', `${leftOut.length} variants were left out: ${moreFilesAdvice(Math.max(...leftOut))}`]);
  }
  return faults + leftOut.length > 0 ? 1 : 0;
}

/** Runs what the command line asks for; the exit code says whether all of it was right. */
export async function runCommand(suite: Suite): Promise<void> {
  process.on('exit', killChildren);
  try {
    process.exitCode = await run(suite, process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  }
}
