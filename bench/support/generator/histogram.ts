// Latency histogram: log-linear buckets in one preallocated array, so that recording allocates nothing.
// 128 buckets of 1 µs, then 64 per doubling: at most 1.6 % off, up to 71 minutes.

import type { Percentiles } from '../results.js';

const LINEAR_BUCKETS = 128;
const BUCKETS_PER_DOUBLING = 64;
const DOUBLINGS = 25;
const VALUE_MAX_MICROS = 0xffffffff;

/** Writer and reader: the thread that created it. */
export class Histogram {
  readonly #counts = new Float64Array(LINEAR_BUCKETS + BUCKETS_PER_DOUBLING * DOUBLINGS);
  #total = 0;
  #maxMicros = 0;

  /** Hot path: per delivery; allocates nothing. */
  record(ms: number): void {
    const micros = ms <= 0 ? 0 : Math.min(VALUE_MAX_MICROS, ms * 1000) >>> 0;
    let index = micros;
    if (micros >= LINEAR_BUCKETS) {
      const shift = 25 - Math.clz32(micros); // leaves the 7 leading bits: 64 … 127
      index = shift * BUCKETS_PER_DOUBLING + (micros >>> shift);
    }
    this.#counts[index]!++;
    this.#total++;
    if (micros > this.#maxMicros) this.#maxMicros = micros;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.#maxMicros = 0;
  }

  get total(): number {
    return this.#total;
  }

  /** The middle of the bucket that holds the given share of all values. */
  quantileMicros(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      seen += this.#counts[index]!;
      if (seen >= rank) return Math.min(bucketMiddleMicros(index), this.#maxMicros);
    }
    return this.#maxMicros;
  }

  percentiles(): Percentiles {
    return {
      count: this.#total,
      p50Micros: this.quantileMicros(0.5),
      p90Micros: this.quantileMicros(0.9),
      p99Micros: this.quantileMicros(0.99),
      p999Micros: this.quantileMicros(0.999),
      maxMicros: this.#maxMicros,
    };
  }
}

function bucketMiddleMicros(index: number): number {
  if (index < LINEAR_BUCKETS) return index;
  const shift = Math.floor(index / BUCKETS_PER_DOUBLING) - 1;
  const start = (index - shift * BUCKETS_PER_DOUBLING) * 2 ** shift;
  return start + 2 ** shift / 2;
}
