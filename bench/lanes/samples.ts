// Percentiles of a few hundred samples, without the rounding of a histogram.

/** The smallest sample that is not below the given share of all. NaN when there are none. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
