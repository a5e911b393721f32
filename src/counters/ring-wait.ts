/** Ring wait: how long messages waited in a lane's request ring, from the histogram that the lane records into. */

import type { RecordableHistogram } from 'node:perf_hooks';
import type { WaitFigures } from './report.js';

/** What the lane records and this reads: the same data, if the histogram was cloned to the lane's thread. */
type Histogram = Pick<RecordableHistogram, 'count' | 'max' | 'percentile' | 'reset'>;

const US_PER_MS = 1000;

/** Writer and reader: the accept thread. The histogram has a lock of its own. */
export class RingWait {
  readonly #histogram: Histogram;

  /** @param histogram in µs */
  constructor(histogram: Histogram) {
    this.#histogram = histogram;
  }

  /** The figures since the last call. All 0 when nothing came; what comes between reading and starting anew is left out. */
  take(): WaitFigures {
    const histogram = this.#histogram;
    const figures =
      histogram.count === 0
        ? { p50: 0, p99: 0, max: 0 }
        : {
            p50: histogram.percentile(50) / US_PER_MS,
            p99: histogram.percentile(99) / US_PER_MS,
            max: histogram.max / US_PER_MS,
          };
    histogram.reset();
    return figures;
  }
}
