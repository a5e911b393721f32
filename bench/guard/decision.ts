// When has a ratio been lost? A sequential sign test over rounds. See "Guard" in bench/README.md.
//
// A round is over when its ratio is above the limit. Three rounds of which none is over are enough: within. Otherwise rounds are added:
// within with at most one over of five, two of seven, four of nine; over, as soon as five are. With nine rounds one of the two holds.
// So few at first, because a loss that is passed by mistake would be passed early. Nothing is assumed of how the ratios are distributed:
// a round counts as over or not, however far. All that matters is the chance of a round to be over without a loss, and with one.

import { median } from '../support/results.js';

export const ROUNDS_MIN = 3;
export const ROUNDS_MAX = 9;
/** More than half of ROUNDS_MAX. */
export const OVER_TO_FAIL = 5;

export type Decision = 'within' | 'over' | 'undecided';

const countOver = (ratios: readonly number[], limit: number): number =>
  ratios.reduce((count, ratio) => count + (ratio > limit ? 1 : 0), 0);

function decideByCount(rounds: number, over: number): Decision {
  if (over >= OVER_TO_FAIL) return 'over';
  if (rounds === ROUNDS_MAX) return 'within';
  if (rounds >= ROUNDS_MIN && rounds % 2 === 1 && over <= (rounds - ROUNDS_MIN) / 2) return 'within';
  return 'undecided';
}

export function decide(ratios: readonly number[], limit: number): Decision {
  return decideByCount(ratios.length, countOver(ratios, limit));
}

/** When no round can be added any more: with an even number of rounds, too, fewer than half over are within. */
export function decideAtEnd(ratios: readonly number[], limit: number): Decision {
  const over = countOver(ratios, limit);
  if (over >= OVER_TO_FAIL) return 'over';
  return ratios.length >= ROUNDS_MIN && over < ratios.length / 2 ? 'within' : 'undecided';
}

/**
 * The exact chance that the test says "over" when each round is over with the chance `overChance`, independently of the others:
 * the chance of a false alarm, or of finding a loss.
 */
export function chanceOfOver(overChance: number): number {
  /** Chance of having come this far undecided, by the number of rounds over. */
  let undecided = [1];
  let chance = 0;
  for (let rounds = 1; rounds <= ROUNDS_MAX; rounds++) {
    const next: number[] = new Array(rounds + 1).fill(0);
    undecided.forEach((weight, over) => {
      for (const [outcome, share] of [
        [over, 1 - overChance],
        [over + 1, overChance],
      ] as const) {
        const decision = decideByCount(rounds, outcome);
        if (decision === 'over') chance += weight * share;
        else if (decision === 'undecided') next[outcome] += weight * share;
      }
    });
    undecided = next;
  }
  return chance;
}

/** The robust standard deviation of the logarithms: 1.4826 × their median absolute deviation. 0.05 is about 5 %. */
export function logSpread(ratios: readonly number[]): number {
  const logs = ratios.map(Math.log);
  const middle = median(logs);
  return 1.4826 * median(logs.map((log) => Math.abs(log - middle)));
}

/** Distribution function of the normal distribution, to 1e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.17. */
function normalBelow(z: number): number {
  if (z < 0) return 1 - normalBelow(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
}

/**
 * The chance that the guard says "over" of a true ratio that is `growth` times the documented one (1: no loss), when the
 * logarithms of the rounds' ratios are spread normally around it.
 */
export function chanceAt(growth: number, { tolerance, spread }: { tolerance: number; spread: number }): number {
  return chanceOfOver(normalBelow((Math.log(growth) - Math.log(1 + tolerance)) / spread));
}
