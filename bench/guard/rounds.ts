// Rounds: each starts every server once and loads them with the same, in turn. What is compared was measured within seconds of each other.

import { cpus } from 'node:os';
import type { RunResult } from '../support/results.js';
import { median, wrongDeliveries } from '../support/results.js';
import { runOnce } from '../support/runner.js';
import { RINGCAST, UWS } from '../support/scenario.js';
import { Turns } from '../support/turns.js';
import type { CheckName } from './limits.js';
import { costsOf, guarded } from './scenario.js';
import { disturbance, readCpu, type Strain, strainBetween } from './strain.js';
import { suite } from './suite.js';

/** CPU µs per delivery of each check. */
export type Costs = Record<CheckName, number>;

/** One server's part of a round. */
export interface Part {
  peer: string;
  /** CPU µs per delivery, cycle by cycle: those of the same cycle were measured within seconds of each other. */
  cycles: Record<CheckName, number[]>;
  run: RunResult;
}

export interface Round {
  number: number;
  parts: Part[];
  strain: Strain | null;
  /** Why it is not held against the limits; null when it is. */
  setAside: string | null;
}

/** The server that is guarded, and those beside it: the baseline, and with a slowed build the one that was not slowed. */
export interface Contestants {
  subject: string;
  others: readonly string[];
}

export const PLAIN: Contestants = { subject: RINGCAST, others: [UWS] };

export interface RoundOptions {
  smoke: boolean;
  /** Whoever aborts it ends the processes, too. */
  signal: AbortSignal;
}

const SALTS = 62_500;
let nextSalt = (process.pid * 31) % SALTS;

async function runPart(peer: string, round: number, smoke: boolean, turns: Turns): Promise<Part> {
  nextSalt = (nextSalt + 1) % SALTS;
  const size = { smoke, seconds: null };
  const variant = guarded.variants(size)[0];
  const plan = { suite: suite.name, scenario: guarded, variant, size, profile: null };
  const turn = turns.of(peer);
  const run = await runOnce({ ...plan, peer, run: round - 1, addressSalt: nextSalt, turn });
  turns.leave(peer);
  return { peer, cycles: costsOf(run), run };
}

/** What a server lost or failed at, as one line; null: nothing. */
export function faultOf({ run }: Part): string | null {
  if (run.failed !== null) return run.failed.split('\n')[0];
  const wrong = wrongDeliveries(run);
  if (wrong === 0) return null;
  return `${wrong} deliveries lost or wrong${run.problems.length > 0 ? `; ${run.problems[0]}` : ''}`;
}

function reasonToSetAside(parts: readonly Part[], strain: Strain | null, subject: string): string | null {
  for (const part of parts) {
    const fault = faultOf(part);
    if (fault !== null && part.peer !== subject) return `${part.peer}: ${fault}`;
  }
  return disturbance(strain, cpus().length);
}

/**
 * All servers run at the same time and are loaded in turn, A B, B A, A B …, a second or less each: a machine changes by more from minute to
 * minute than what is to be found.
 * @returns null when it was interrupted
 */
export async function runRound(
  number: number,
  { subject, others }: Contestants,
  { smoke, signal }: RoundOptions,
): Promise<Round | null> {
  if (signal.aborted) return null;
  const order = [...others, subject];
  if (number % 2 === 0) order.reverse();
  const turns = new Turns(order);
  const before = readCpu();
  const parts = await Promise.all(order.map((peer) => runPart(peer, number, smoke, turns)));
  if (signal.aborted) return null;
  const strain = strainBetween(before, readCpu());
  return { number, parts, strain, setAside: reasonToSetAside(parts, strain, subject) };
}

/** CPU µs per delivery, cycle by cycle; empty where there is none. */
const cyclesOf = ({ parts }: Round, check: CheckName, peer: string): readonly number[] =>
  parts.find((part) => part.peer === peer)?.cycles[check] ?? [];

/** Cost of one server ÷ cost of another: the median of a round's cycles. NaN where a part is missing. */
export function ratioOf(round: Round, check: CheckName, peer: string, reference: string): number {
  const own = cyclesOf(round, check, peer);
  const others = cyclesOf(round, check, reference);
  if (own.length === 0 || own.length !== others.length) return Number.NaN;
  return median(own.map((cost, cycle) => cost / others[cycle]));
}

/** The same, per round. */
export function ratios(rounds: readonly Round[], check: CheckName, peer: string, reference: string): number[] {
  return rounds.map((round) => ratioOf(round, check, peer, reference)).filter(Number.isFinite);
}

/** CPU µs per delivery of one server, per round. */
export function costs(rounds: readonly Round[], check: CheckName, peer: string): number[] {
  return rounds.flatMap((round) => {
    const cycles = cyclesOf(round, check, peer);
    return cycles.length === 0 ? [] : [median(cycles)];
  });
}
