// Percentile curves out of histograms, over the number of nines: 90 % is 1, 99 % is 2, 99.9 % is 3.

import { LatencyHistogram } from '../../dist/load/latency-histogram.js';
import { mergePoints, type Point } from './merge.js';

const STEPS_PER_NINE = 10;
const NINES_MAX = 6;
export const MEDIAN_NINES = ninesOf(0.5);

export function ninesOf(share: number): number {
  return -Math.log10(1 - share);
}

/** Ends where one measured value decides: beyond 1 − 1 / count a histogram knows nothing. */
function gridOf(count: number): number[] {
  const end = Math.min(NINES_MAX, Math.log10(count));
  const steps = Math.floor(end * STEPS_PER_NINE + 1e-9);
  const grid = Array.from({ length: steps + 1 }, (_, step) => step / STEPS_PER_NINE);
  return [...grid, MEDIAN_NINES].filter((nines) => nines <= end).sort((a, b) => a - b);
}

function decode(hdr: string): LatencyHistogram | null {
  try {
    const histogram = LatencyHistogram.decode(hdr);
    return histogram.total > 0 ? histogram : null;
  } catch {
    return null; // a report with one curve less is better than none; the section says what is missing
  }
}

/** One curve over all runs: at every share the median of the runs' latencies in ms, and their range. */
export function percentileCurve(hdrs: readonly string[]): Point[] {
  const histograms = hdrs.map(decode).filter((histogram) => histogram !== null);
  return mergePoints(
    histograms.map((histogram) =>
      gridOf(histogram.total).map((nines): [number, number] => [
        nines,
        // A latency below the histogram's resolution of 1 µs counts as 1 µs: the axis is logarithmic.
        Math.max(1, histogram.quantileMicros(1 - 10 ** -nines)) / 1000,
      ]),
    ),
  );
}
