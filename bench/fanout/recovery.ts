// When is a server that was overloaded itself again? Latencies of a light load, in windows of the time at which their messages should
// have left, against those of the same load before.

/** Times of one light load: when each message should have left, and how long it took. */
export interface Latencies {
  count: number;
  sentMs: ArrayLike<number>;
  latencyMs: (index: number) => number;
}

export interface RecoveryRule {
  windowMs: number;
  /** So many windows in a row have to be fine. */
  windows: number;
  /** Share of a window's messages (0 … 1) whose latency counts. */
  quantile: number;
  limitMs: number;
}

/**
 * Milliseconds from `fromMs` to the beginning of the first run of `windows` windows, each with a quantile of at most `limitMs`; null when there
 * is none. Windows in which nothing was sent count as nothing: they neither begin a run nor end it.
 */
export function recoveredAfterMs(latencies: Latencies, fromMs: number, rule: RecoveryRule): number | null {
  const windows = new Map<number, number[]>();
  for (let index = 0; index < latencies.count; index++) {
    const window = Math.floor((latencies.sentMs[index] - fromMs) / rule.windowMs);
    if (window < 0) continue;
    const values = windows.get(window);
    if (values === undefined) windows.set(window, [latencies.latencyMs(index)]);
    else values.push(latencies.latencyMs(index));
  }
  let first = 0;
  let length = 0;
  for (const [window, values] of [...windows].sort(([left], [right]) => left - right)) {
    if (quantile(values, rule.quantile) > rule.limitMs) {
      length = 0;
      continue;
    }
    if (length++ === 0) first = window;
    if (length === rule.windows) return first * rule.windowMs;
  }
  return null;
}

/** The nearest-rank quantile: the smallest value that at least `share` of all values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
