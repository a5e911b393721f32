// The end-to-end benchmark: starts each server in turn, loads it from another process, verifies every delivery, and holds
// the figures against the bars. See bench/README.md.

import { writeFileSync } from 'node:fs';
import type { Bar } from './bars.js';
import { killChildren } from './children.js';
import { describeMachine, type Machine, machineLines } from './machine.js';
import { HELP, type Options, readOptions } from './options.js';
import { loadPeer } from './peer.js';
import { barTable, markdownReport, notes, runLines } from './report.js';
import { Results, type RunResult, wrongDeliveries } from './results.js';
import { type RunPlan, runOnce } from './runner.js';
import { RINGCAST, type Scenario, UWS, type Variant, WS } from './scenario.js';
import { findScenario } from './scenarios.js';

const print = (lines: string[]): void => {
  process.stdout.write(`${lines.join('\n')}\n`);
};

const KNOWN_PEERS: readonly string[] = [RINGCAST, UWS, WS];
const SALTS = 62_500;
let nextSalt = (process.pid * 31) % SALTS;

/** A peer that no scenario knows (a new file in peers/) runs wherever it is asked for. */
function peersOf(variant: Variant, options: Options): readonly string[] {
  if (options.peers === null) return variant.peers;
  const possible = [...variant.peers, ...(variant.peersOnRequest ?? [])];
  return options.peers.filter((peer) => possible.includes(peer) || !KNOWN_PEERS.includes(peer));
}

/** Every run of one scenario: the peers alternate, so that a change of the machine's mood hits all of them. */
function plansOf(scenario: Scenario, options: Options): RunPlan[] {
  const size = { smoke: options.smoke, seconds: options.seconds };
  const plans: RunPlan[] = [];
  for (let run = 0; run < options.runs; run++) {
    for (const variant of scenario.variants(size)) {
      for (const peer of peersOf(variant, options)) {
        nextSalt = (nextSalt + 1) % SALTS;
        plans.push({ scenario, variant, peer, run, size, addressSalt: nextSalt, profile: options.profile });
      }
    }
  }
  return plans;
}

interface Suite {
  results: Results;
  interrupted: boolean;
}

async function runAll(options: Options, suite: Suite): Promise<void> {
  for (const name of options.scenarios) {
    const scenario = findScenario(name);
    print(['', `${scenario.name}: ${scenario.title}${options.smoke ? ' (smoke: smaller)' : ''}`]);
    for (const plan of plansOf(scenario, options)) {
      const result = await runOnce(plan);
      if (suite.interrupted) return;
      suite.results.runs.push(result);
      print(runLines(result, options.runs));
    }
  }
}

function report(options: Options, suite: Suite, machine: Machine): void {
  const { results } = suite;
  const bars = options.smoke ? [] : options.scenarios.flatMap((name): Bar[] => findScenario(name).bars(results));
  const remarks = notes(results.runs);
  if (suite.interrupted) remarks.unshift('PARTIAL: the command was interrupted; what is missing was not measured');
  if (options.jsonFile !== null) {
    const content = { machine, options, partial: suite.interrupted, runs: results.runs, bars, notes: remarks };
    writeFileSync(options.jsonFile, `${JSON.stringify(content, null, 2)}\n`);
  }
  if (options.markdown) print(['', ...markdownReport(machine, bars, remarks)]);
  else print(['', ...(bars.length > 0 ? barTable(bars) : []), ...remarks.map((remark) => `- ${remark}`)]);
}

/** Smoke runs must be right everywhere; otherwise only ringcast has to: what a baseline loses is a finding, not a fault. */
function isFault(result: RunResult, options: Options): boolean {
  return (options.smoke || result.peer === RINGCAST) && (result.failed !== null || wrongDeliveries(result) > 0);
}

/** Loading a peer costs nothing: it imports its server only when it starts one. */
async function requirePeer(name: string): Promise<void> {
  try {
    await loadPeer(name);
  } catch (error) {
    throw new Error(`no peer ${name} in bench/fanout/peers (${error instanceof Error ? error.message : error})`);
  }
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    print([HELP]);
    return 0;
  }
  for (const peer of options.peers ?? []) await requirePeer(peer);
  const machine = describeMachine(process.argv.slice(2));
  print(machineLines(machine));
  const suite: Suite = { results: new Results(), interrupted: false };
  const interrupt = (): void => {
    suite.interrupted = true;
    killChildren();
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  await runAll(options, suite);
  report(options, suite, machine);
  if (suite.interrupted) return 130;
  const faults = suite.results.runs.filter((result) => isFault(result, options)).length;
  if (faults > 0) print(['', `${faults} runs failed or were incomplete`]);
  return faults > 0 ? 1 : 0;
}

process.on('exit', killChildren);
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
