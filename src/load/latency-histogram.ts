/** Latencies of a phase, as an HDR histogram: microseconds, three significant digits, mergeable between processes. */
import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram as HdrHistogram,
} from 'hdr-histogram-js';

const SIGNIFICANT_DIGITS = 3;
/** An hour. What takes longer counts as an hour. */
const MAX_MICROS = 3_600_000_000;

export interface Percentiles {
  count: number;
  p50Micros: number;
  p90Micros: number;
  p99Micros: number;
  p999Micros: number;
  maxMicros: number;
}

/** Writer and reader: the thread that created it. */
export class LatencyHistogram {
  readonly #hdr: HdrHistogram;
  /** The latest value and how often it came in a row: messages of one burst that arrive together are one recording. */
  #lastMicros = 0;
  #lastCount = 0;
  /** Values are kept rounded; this one is not. */
  #maxMicros = 0;

  constructor(hdr: HdrHistogram = emptyHdr()) {
    this.#hdr = hdr;
    this.#maxMicros = hdr.maxValue;
  }

  /** The opposite of `encode`. */
  static decode(text: string): LatencyHistogram {
    const histogram = new LatencyHistogram();
    histogram.#hdr.add(decodeFromCompressedBase64(text, 32));
    histogram.#maxMicros = histogram.#hdr.maxValue;
    return histogram;
  }

  /** Hot path: per delivery; allocates nothing. Negative values (clocks of two threads differ by some µs) count as 0. */
  record(ms: number): void {
    const micros = ms <= 0 ? 0 : Math.min(MAX_MICROS, Math.floor(ms * 1000));
    if (micros === this.#lastMicros) {
      this.#lastCount++;
      return;
    }
    this.#settle();
    this.#lastMicros = micros;
    this.#lastCount = 1;
    if (micros > this.#maxMicros) this.#maxMicros = micros;
  }

  add(other: LatencyHistogram): void {
    this.#settle();
    other.#settle();
    this.#hdr.add(other.#hdr);
    this.#maxMicros = Math.max(this.#maxMicros, other.#maxMicros);
  }

  reset(): void {
    this.#hdr.reset();
    this.#lastCount = this.#lastMicros = this.#maxMicros = 0;
  }

  get total(): number {
    return this.#hdr.totalCount + this.#lastCount;
  }

  /** @param share 0 … 1 */
  quantileMicros(share: number): number {
    this.#settle();
    return Math.min(this.#hdr.getValueAtPercentile(share * 100), this.#maxMicros);
  }

  percentiles(): Percentiles {
    return {
      count: this.total,
      p50Micros: this.quantileMicros(0.5),
      p90Micros: this.quantileMicros(0.9),
      p99Micros: this.quantileMicros(0.99),
      p999Micros: this.quantileMicros(0.999),
      maxMicros: this.#maxMicros,
    };
  }

  /** HdrHistogram's V2 compressed format in base64: travels between processes, and other HDR tools read it. */
  encode(): string {
    this.#settle();
    return encodeIntoCompressedBase64(this.#hdr);
  }

  #settle(): void {
    if (this.#lastCount > 0) this.#hdr.recordValueWithCount(this.#lastMicros, this.#lastCount);
    this.#lastCount = 0;
  }
}

function emptyHdr(): HdrHistogram {
  return build({
    bitBucketSize: 64, // counts: 32 bits hold no more than an hour of 1 million deliveries a second
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_MICROS,
    numberOfSignificantValueDigits: SIGNIFICANT_DIGITS,
    autoResize: false,
  });
}
