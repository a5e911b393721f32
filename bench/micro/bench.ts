// What a micro bench is. See "Micro benches" in bench/README.md.

/** Measures a part of what run() does, where the rest only restores the state. Starts and stops any number of times. */
export interface Stopwatch {
  start(): void;
  stop(): void;
}

/** A bench that is ready to run. */
export interface Work {
  /**
   * Does the operation `times` times, and nothing else unless it uses the stopwatch. Returns a number that depends on
   * every one of them: the runner keeps it, so that nothing can be optimized away, and compares it with expected().
   */
  run(times: number, watch: Stopwatch): number | Promise<number>;
  /** What run(times) returns, computed without the code under test. */
  expected(times: number): number;
  close?(): void | Promise<void>;
}

export interface TimeBench {
  readonly kind: 'time';
  /** Unique in its group; no spaces, so that it can be typed as a pattern. */
  readonly name: string;
  /** Of which one operation deals with `items`. */
  readonly item: string;
  readonly items: number;
  /** Another bench of the group that does the same in the usual way: the table says how many times as long it takes. */
  readonly against?: string;
  /** Wakes other threads: what the operating system does is part of it. */
  readonly isThreaded?: true;
  /** Sets up, and throws when what is to be measured does not do its work as it should. */
  prepare(): Work | Promise<Work>;
}

/** Something whose memory is counted. */
export interface Held {
  /** Kept alive while memory is read. */
  readonly kept: object;
  /** Throws when it does not hold what it should. */
  check(): void;
}

export interface MemoryBench {
  readonly kind: 'memory';
  readonly name: string;
  readonly item: string;
  readonly items: number;
  build(): Held;
}

export type Bench = TimeBench | MemoryBench;

export interface Group {
  readonly name: string;
  readonly title: string;
  readonly benches: readonly Bench[];
}

/** Throws unless it holds: in prepare() and check(), where a wrong result must stop the bench. */
export function verify(condition: boolean, what: string): void {
  if (!condition) throw new Error(`wrong result: ${what}`);
}
