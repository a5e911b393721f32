// One guarding: rounds until every check is decided.

import { UWS } from '../support/scenario.js';
import { type Decision, decide, decideAtEnd, ROUNDS_MAX, ROUNDS_MIN } from './decision.js';
import type { Limit } from './limits.js';
import { type Contestants, faultOf, type Part, type Round, ratios } from './rounds.js';

export interface CheckResult {
  limit: Limit;
  decision: Decision;
  /** Of the rounds that count. */
  ratios: number[];
}

export type Verdict = 'passed' | 'loss' | 'fault' | 'inconclusive' | 'interrupted';

export interface GuardResult {
  verdict: Verdict;
  /** What ended it, as one line each. */
  reasons: string[];
  checks: CheckResult[];
  rounds: Round[];
}

export interface GuardJob {
  contestants: Contestants;
  limits: readonly Limit[];
  /** Limits hold for the kind of machine that they were measured on; what is said against them elsewhere decides nothing. */
  otherMachine: string | null;
  /** Null: interrupted. */
  run: (number: number) => Promise<Round | null>;
  onRound: (round: Round) => void;
}

export const isCalm = (round: Round): boolean => round.setAside === null;

function checksOf(job: GuardJob, rounds: readonly Round[], judge: typeof decide): CheckResult[] {
  const calm = rounds.filter(isCalm);
  return job.limits.map((limit) => {
    const values = ratios(calm, limit.check, job.contestants.subject, UWS);
    return { limit, decision: judge(values, limit.limit), ratios: values };
  });
}

function faultsOf(round: Round, subject: string): string[] {
  return round.parts.flatMap((part: Part) => {
    const fault = part.peer === subject ? faultOf(part) : null;
    return fault === null ? [] : [`round ${round.number}, ${subject}: ${fault}`];
  });
}

/** More calm rounds could still come: without them there is no verdict. */
const canStillDecide = (rounds: readonly Round[]): boolean =>
  rounds.filter(isCalm).length + (ROUNDS_MAX - rounds.length) >= ROUNDS_MIN;

export async function guard(job: GuardJob): Promise<GuardResult> {
  const rounds: Round[] = [];
  const { subject } = job.contestants;
  while (rounds.length < ROUNDS_MAX && canStillDecide(rounds)) {
    const round = await job.run(rounds.length + 1);
    if (round === null) return { verdict: 'interrupted', reasons: [], checks: checksOf(job, rounds, decide), rounds };
    rounds.push(round);
    job.onRound(round);
    const faults = faultsOf(round, subject);
    const checks = checksOf(job, rounds, decide);
    if (faults.length > 0) return { verdict: 'fault', reasons: faults, checks, rounds };
    if (checks.some(({ decision }) => decision === 'over')) return loss(job, checks, rounds);
    if (checks.every(({ decision }) => decision === 'within')) {
      return { verdict: 'passed', reasons: [], checks, rounds };
    }
  }
  return atEnd(job, rounds);
}

function loss({ otherMachine }: GuardJob, checks: CheckResult[], rounds: Round[]): GuardResult {
  const reasons = checks
    .filter(({ decision }) => decision === 'over')
    .map(({ limit, ratios: { length } }) => `${limit.check} is over its limit, after ${length} rounds`);
  if (otherMachine === null) return { verdict: 'loss', reasons, checks, rounds };
  return { verdict: 'inconclusive', reasons: [...reasons, otherMachine], checks, rounds };
}

function atEnd(job: GuardJob, rounds: Round[]): GuardResult {
  const checks = checksOf(job, rounds, decideAtEnd);
  const open = checks.filter(({ decision }) => decision === 'undecided');
  if (open.length === 0) return { verdict: 'passed', reasons: [], checks, rounds };
  const calm = rounds.filter(isCalm).length;
  const reasons = [
    `only ${calm} of ${rounds.length} rounds count: ${open.map(({ limit }) => limit.check).join(', ')} undecided`,
  ];
  return { verdict: 'inconclusive', reasons, checks, rounds };
}
