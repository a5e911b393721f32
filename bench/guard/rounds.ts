// Rounds: each starts every server once and loads it with the same. What is compared was measured within seconds of each other.

import { cpus } from 'node:os';
import type { RunResult } from '../support/results.js';
import { wrongDeliveries } from '../support/results.js';
import { runOnce } from '../support/runner.js';
import { RINGCAST, UWS } from '../support/scenario.js';
import type { CheckName } from './limits.js';
import { costsOf, guarded } from './scenario.js';
import { disturbance, readCpu, type Strain, strainBetween } from './strain.js';
import { suite } from './suite.js';

export type Costs = Record<CheckName, number>;

/** One server's part of a round. */
export interface Part {
  peer: string;
  /** CPU µs per delivery. */
  costs: Costs;
  strain: Strain | null;
  run: RunResult;
}

export interface Round {
  number: number;
  parts: Part[];
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
  onPart: (part: Part) => void;
}

const SALTS = 62_500;
let nextSalt = (process.pid * 31) % SALTS;

async function runPart(peer: string, round: number, smoke: boolean): Promise<Part> {
  nextSalt = (nextSalt + 1) % SALTS;
  const size = { smoke, seconds: null };
  const variant = guarded.variants(size)[0]!;
  const before = readCpu();
  const plan = { suite: suite.name, scenario: guarded, variant, size, profile: null };
  const run = await runOnce({ ...plan, peer, run: round - 1, addressSalt: nextSalt });
  return { peer, costs: costsOf(run), strain: strainBetween(before, readCpu()), run };
}

/** What a server lost or failed at, as one line; null: nothing. */
export function faultOf({ run }: Part): string | null {
  if (run.failed !== null) return run.failed.split('\n')[0]!;
  const wrong = wrongDeliveries(run);
  if (wrong === 0) return null;
  return `${wrong} deliveries lost or wrong${run.problems.length > 0 ? `; ${run.problems[0]}` : ''}`;
}

function reasonToSetAside(parts: readonly Part[], subject: string): string | null {
  for (const part of parts) {
    const fault = faultOf(part);
    if (fault !== null && part.peer !== subject) return `${part.peer}: ${fault}`;
    const reason = disturbance(part.strain, cpus().length);
    if (reason !== null) return `beside ${part.peer}, ${reason}`;
  }
  return null;
}

/**
 * Rounds go A B, B A, A B …, so that what changes steadily does not favour one. Ends early where the subject is at fault.
 * @returns null when it was interrupted
 */
export async function runRound(
  number: number,
  { subject, others }: Contestants,
  { smoke, signal, onPart }: RoundOptions,
): Promise<Round | null> {
  const order = [...others, subject];
  if (number % 2 === 0) order.reverse();
  const parts: Part[] = [];
  for (const peer of order) {
    if (signal.aborted) return null;
    const part = await runPart(peer, number, smoke);
    if (signal.aborted) return null;
    parts.push(part);
    onPart(part);
    if (peer === subject && faultOf(part) !== null) break;
  }
  return { number, parts, setAside: reasonToSetAside(parts, subject) };
}

const partOf = (round: Round, peer: string): Part | undefined => round.parts.find((part) => part.peer === peer);

/** Cost of one server ÷ cost of another, per round. */
export function ratios(rounds: readonly Round[], check: CheckName, peer: string, reference: string): number[] {
  return rounds.flatMap((round) => {
    const ratio =
      (partOf(round, peer)?.costs[check] ?? Number.NaN) / (partOf(round, reference)?.costs[check] ?? Number.NaN);
    return Number.isFinite(ratio) ? [ratio] : [];
  });
}

export function costs(rounds: readonly Round[], check: CheckName, peer: string): number[] {
  return rounds.flatMap((round) => partOf(round, peer)?.costs[check] ?? []);
}
