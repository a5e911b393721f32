// Percentiles of a few hundred samples, without the rounding of a histogram.

/** The smallest sample that is not below the given share of all. NaN when there are none. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/**
 * 95 % confidence interval of the median, from the order statistics alone: ranks n/2 ± 0.98 √n (the normal approximation of the
 * binomial distribution; Conover, Practical Nonparametric Statistics). Assumes nothing of the values' distribution.
 */
export function medianInterval(values: readonly number[]): [lower: number, upper: number] {
  const sorted = [...values].sort((a, b) => a - b);
  const margin = 0.98 * Math.sqrt(sorted.length);
  const lower = Math.max(0, Math.floor(sorted.length / 2 - margin));
  const upper = Math.min(sorted.length - 1, Math.ceil(sorted.length / 2 + margin));
  return [sorted[lower], sorted[upper]];
}
