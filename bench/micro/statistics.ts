// The statistics of rounds. A round is one process that ran a bench; its value is one number. Rounds are the independent
// unit: the thousands of samples within one share the compiler's decisions, the memory's layout and the machine's mood
// (A. Georges, D. Buytaert, L. Eeckhout, "Statistically rigorous Java performance evaluation", OOPSLA 2007;
// T. Kalibera, R. Jones, "Rigorous benchmarking in reasonable time", ISMM 2013). All of it is distribution-free: rounds
// have outliers to one side, and nothing here assumes otherwise.

export interface Interval {
  readonly low: number;
  readonly high: number;
}

function sorted(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

export function median(values: readonly number[]): number {
  return middleOf(sorted(values));
}

function middleOf(ordered: Float64Array): number {
  const middle = ordered.length >> 1;
  return ordered.length % 2 === 1 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2;
}

/**
 * Confidence interval of the median: the k-th smallest and k-th largest value, k as large as the confidence allows by the
 * binomial distribution (J.-Y. Le Boudec, "Performance evaluation of computer and communication systems", 2010, theorem
 * 2.1). Null: so few values cannot give so much confidence (95 % takes 6).
 */
export function medianInterval(values: readonly number[], confidence: number): Interval | null {
  const count = values.length;
  // P(fewer than k of the values lie below the true median), of a fair coin.
  let term = 0.5 ** count;
  let below = 0;
  let k = 0;
  while (k < count / 2 && 2 * (below + term) <= 1 - confidence) {
    below += term;
    term *= (count - k) / (k + 1);
    k++;
  }
  if (k === 0) return null;
  const ordered = sorted(values);
  return { low: ordered[k - 1], high: ordered[count - k] };
}

/**
 * The largest k for which 2 · P(U ≤ k − 1) ≤ significance, U being the Mann–Whitney statistic of two samples of these
 * sizes from one distribution. 0: no outcome is that unlikely. The counts of arrangements by U are the coefficients of the
 * Gaussian binomial (H. B. Mann, D. R. Whitney, "On a test of whether one of two random variables is stochastically larger
 * than the other", 1947), here divided by their sum.
 */
export function mannWhitneyRank(sizeA: number, sizeB: number, significance: number): number {
  const key = `${sizeA} ${sizeB} ${significance}`;
  const known = ranks.get(key);
  if (known !== undefined) return known;
  const rank = computeRank(sizeA, sizeB, significance);
  ranks.set(key, rank);
  return rank;
}

/** The same for all benches of a comparison. */
const ranks = new Map<string, number>();

function computeRank(sizeA: number, sizeB: number, significance: number): number {
  const maxU = sizeA * sizeB;
  const share = new Float64Array(maxU + 1);
  share[0] = 1;
  for (let i = 1; i <= sizeB; i++) {
    // · (1 − q^(sizeA + i)), then / (1 − q^i), then by the i-th factor of the number of all arrangements.
    for (let u = maxU; u >= sizeA + i; u--) share[u] -= share[u - sizeA - i];
    for (let u = i; u <= maxU; u++) share[u] += share[u - i];
    for (let u = 0; u <= maxU; u++) share[u] *= i / (sizeA + i);
  }
  let tail = 0;
  let k = 0;
  while (k <= maxU && 2 * (tail + share[k]) <= significance) tail += share[k++];
  return k;
}

export interface Shift extends Interval {
  readonly estimate: number;
}

/**
 * By how much `after` lies above `before`: the Hodges–Lehmann estimate (median of all differences of pairs) and Moses's
 * interval, the inversion of the Mann–Whitney test (M. Hollander, D. A. Wolfe, E. Chicken, "Nonparametric statistical
 * methods", 3rd ed. 2014, sections 4.2 and 4.3; the interval is that of R's wilcox.test). Without an interval for this
 * significance, because there are too few values, it reaches from −∞ to ∞.
 */
export function shiftBetween(before: readonly number[], after: readonly number[], significance: number): Shift {
  const differences = new Float64Array(before.length * after.length);
  let pairs = 0;
  for (const late of after) for (const early of before) differences[pairs++] = late - early;
  differences.sort();
  const k = mannWhitneyRank(before.length, after.length, significance);
  const estimate = middleOf(differences);
  if (k === 0) return { estimate, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  return { estimate, low: differences[k - 1], high: differences[differences.length - k] };
}

/** Rounds that both sides need at least for any interval of this significance. */
export function roundsNeeded(significance: number): number {
  let rounds = 2;
  while (mannWhitneyRank(rounds, rounds, significance) === 0) rounds++;
  return rounds;
}

/** How far the second half of the rounds lies from the first, whichever way: moods that last longer than a round. */
export function drift(values: readonly number[]): number {
  const half = values.length >> 1;
  if (half === 0) return 0;
  return Math.abs(median(values.slice(values.length - half)) - median(values.slice(0, half)));
}
