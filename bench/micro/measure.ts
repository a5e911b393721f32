// One round of one bench in this process: checked, warmed up, measured by tinybench.

import { type NodeGCPerformanceDetail, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type BenchOptions, type FnReturnedObject, Bench as Tinybench } from 'tinybench';
import { type Bench, type MemoryBench, type Stopwatch, type TimeBench, verify, type Work } from './bench.js';
import type { Round } from './results.js';
import { median } from './statistics.js';

export interface Effort {
  /** CPU time. */
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** A sample has as many operations as take at least so long. */
  readonly sampleMs: number;
}

/** A thousand times as much as looking at the clock. */
export const SAMPLE_MS = 0.1;
/** Does everything once or twice: for tests. */
export const SMOKE: Effort = { warmUpMs: 0, measureMs: 0, sampleMs: 0 };

const isSmoke = ({ measureMs }: Effort): boolean => measureMs === 0;

const SAMPLES_MIN = 10;
const SMOKE_SAMPLES = 2;
const TIMES_MAX = 2 ** 24;
/** So many times as long may a sample take with all that is not measured. */
const WHOLE_SAMPLE_MAX = 20;
/** So many times as long may a warm-up take that waits for a busy machine, or for another thread. */
const WARM_UP_PATIENCE = 10;
/** So many runs in a row have to be long enough: any one of them may be long because the thread had to wait. */
const LONG_RUNS = 3;
const NS_PER_MS = 1e6;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

class Watch implements Stopwatch {
  elapsedMs = 0;
  isUsed = false;
  #startedMs = 0;

  start(): void {
    this.#startedMs = performance.now();
  }

  stop(): void {
    this.elapsedMs += performance.now() - this.#startedMs;
    this.isUsed = true;
  }

  reset(): void {
    this.elapsedMs = 0;
  }
}

/** Collections of garbage, whose pauses are too rare to be in the median sample. */
class GarbageWatch {
  readonly #pauses: PerformanceEntry[] = [];
  readonly #observer = new PerformanceObserver((list) => this.#pauses.push(...list.getEntries()));

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  /**
   * Pauses that began in [fromMs, toMs): of each kind as many as there were, as long as the median one. The sum of them
   * would be that of everything that took the processor away meanwhile.
   */
  async pausedMs(fromMs: number, toMs: number): Promise<number> {
    // Entries arrive in turns of the event loop.
    await setImmediate();
    await setImmediate();
    const byKind = new Map<unknown, number[]>();
    for (const entry of this.#pauses) {
      const { startTime, duration } = entry;
      if (startTime < fromMs || startTime >= toMs) continue;
      // Node.js has it, its types do not.
      const { kind } = (entry as PerformanceEntry & { detail: NodeGCPerformanceDetail }).detail;
      byKind.set(kind, [...(byKind.get(kind) ?? []), duration]);
    }
    return [...byKind.values()].reduce((sum, pauses) => sum + pauses.length * median(pauses), 0);
  }

  close(): void {
    this.#observer.disconnect();
  }
}

/** The last results of what was measured. Exported, so that no compiler may find out that nobody reads it. */
export const kept = { value: 0 };

async function runOnce(work: Work, times: number, watch: Watch): Promise<{ measuredMs: number; wholeMs: number }> {
  watch.reset();
  const startedMs = performance.now();
  const result = await work.run(times, watch);
  const wholeMs = performance.now() - startedMs;
  kept.value = result;
  verify(result === work.expected(times), `${times} operations gave ${result} instead of ${work.expected(times)}`);
  return { measuredMs: watch.isUsed ? watch.elapsedMs : wholeMs, wholeMs };
}

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/**
 * Warms up, and finds out how many operations a sample has: doubled until they take long enough, for as long as the
 * compiler makes them faster. Counts CPU time: on a busy machine the compiler's thread waits for its turn, too.
 */
async function warmUp(work: Work, watch: Watch, effort: Effort): Promise<number> {
  const { warmUpMs, sampleMs } = effort;
  const [cpuUntilMs, giveUpMs] = [cpuMs() + warmUpMs, performance.now() + warmUpMs * WARM_UP_PATIENCE];
  const longRunsMin = isSmoke(effort) ? 1 : LONG_RUNS;
  let [times, longRuns] = [1, 0];
  do {
    const { measuredMs, wholeMs } = await runOnce(work, times, watch);
    if (measuredMs < sampleMs && wholeMs < sampleMs * WHOLE_SAMPLE_MAX && times < TIMES_MAX) {
      times *= 2;
      longRuns = 0;
    } else {
      longRuns++;
    }
  } while (longRuns < longRunsMin || (cpuMs() < cpuUntilMs && performance.now() < giveUpMs));
  return times;
}

function optionsOf(effort: Effort, onStart: () => void): BenchOptions {
  const smoke = isSmoke(effort);
  return {
    ...{ time: effort.measureMs, iterations: smoke ? SMOKE_SAMPLES : SAMPLES_MIN, warmup: false, throws: true },
    setup: () => {
      // Not the garbage of the warm-up, or of another bench.
      if (!smoke) collectGarbage();
      onStart();
    },
  };
}

async function sample(work: Work, effort: Effort): Promise<Round> {
  const watch = new Watch();
  // Once and several times, before anything is measured: wrong results that only the second operation gives are found.
  await runOnce(work, 1, watch);
  await runOnce(work, 3, watch);
  const times = await warmUp(work, watch, effort);
  const expected = work.expected(times);
  const check = (result: number, calledMs: number): FnReturnedObject | undefined => {
    kept.value = result;
    verify(result === expected, `${times} operations gave ${result} instead of ${expected}`);
    if (!watch.isUsed) return undefined;
    return { overriddenDuration: watch.elapsedMs, overriddenIterationCost: performance.now() - calledMs };
  };
  let startedMs = 0;
  const tinybench = new Tinybench(
    optionsOf(effort, () => {
      startedMs = performance.now();
    }),
  );
  const probe = work.run(1, watch);
  const isAsync = probe instanceof Promise;
  await probe;
  const runSync = (): unknown => {
    watch.reset();
    const calledMs = performance.now();
    return check(work.run(times, watch) as number, calledMs);
  };
  const runAsync = async (): Promise<unknown> => {
    watch.reset();
    const calledMs = performance.now();
    return check(await work.run(times, watch), calledMs);
  };
  tinybench.add('', isAsync ? runAsync : runSync, { async: isAsync });
  const garbage = new GarbageWatch();
  try {
    const [task] = isAsync ? await tinybench.run() : tinybench.runSync();
    const endedMs = performance.now();
    const { result } = task!;
    if (!('latency' in result)) throw new Error(`tinybench ended with ${result.state}`);
    const { p50, samplesCount } = result.latency;
    // Where only parts are measured nobody knows whose garbage it was.
    const pausedMs = watch.isUsed ? 0 : await garbage.pausedMs(startedMs, endedMs);
    const gcNs = (pausedMs * NS_PER_MS) / (samplesCount * times);
    return { value: (p50 * NS_PER_MS) / times + gcNs, gcNs, samples: samplesCount, times };
  } finally {
    garbage.close();
  }
}

async function measureTime(bench: TimeBench, effort: Effort): Promise<Round> {
  const work = await bench.prepare();
  try {
    return await sample(work, effort);
  } finally {
    await work.close?.();
  }
}

/** Heap and array buffers that nothing but garbage collection would free. */
function usedBytes(): number {
  // The second one frees what the first one's finalizers let go.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function measureMemory(bench: MemoryBench, isSmoke: boolean): Round {
  // Once for nothing: what the first one leaves behind for ever (compiled code) is not the structure's.
  if (!isSmoke) bench.build().check();
  const before = usedBytes();
  const held = bench.build();
  const after = usedBytes();
  held.check();
  kept.value = Object.keys(held.kept).length;
  return { value: Math.max(0, after - before) / bench.items, gcNs: 0, samples: 1, times: 1 };
}

/** Throws when the bench's result is wrong. */
export async function measure(bench: Bench, effort: Effort): Promise<Round> {
  return bench.kind === 'time' ? measureTime(bench, effort) : measureMemory(bench, isSmoke(effort));
}
