// Measuring a single bench: wrong results are never measured, the clock stops where the bench says so.
import { describe, expect, it } from 'vitest';
import type { MemoryBench, Stopwatch, TimeBench, Work } from '../../../bench/micro/bench.js';
import { type Effort, measure, SMOKE } from '../../../bench/micro/measure.js';

const SHORT: Effort = { warmUpMs: 1, measureMs: 5, sampleMs: 0.01 };

function benchOf(work: Partial<Work>, prepare?: () => Work): TimeBench {
  const whole: Work = { run: (times) => times, expected: (times) => times, ...work };
  return { kind: 'time', name: 'x', item: 'item', items: 1, prepare: prepare ?? (() => whole) };
}

function busyFor(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

describe('a bench whose result is wrong', () => {
  it('is not measured', async () => {
    await expect(measure(benchOf({ run: (times) => times + 1 }), SHORT)).rejects.toThrow(
      'wrong result: 1 operations gave 2 instead of 1',
    );
  });

  it('is found when only several operations in a row go wrong', async () => {
    await expect(measure(benchOf({ run: (times) => (times > 1 ? 0 : times) }), SMOKE)).rejects.toThrow(
      'wrong result: 3 operations gave 0 instead of 3',
    );
  });

  it('is found when it goes wrong while it is measured', async () => {
    let calls = 0;
    const run = (times: number): number => (++calls > 4 ? -1 : times);
    await expect(measure(benchOf({ run }), SMOKE)).rejects.toThrow('wrong result: 1 operations gave -1 instead of 1');
    expect(calls).toBe(5);
  });

  it('is found when it is asynchronous', async () => {
    let calls = 0;
    const run = async (times: number): Promise<number> => (++calls > 4 ? -1 : times);
    await expect(measure(benchOf({ run }), SMOKE)).rejects.toThrow('gave -1 instead of 1');
  });

  it('is closed all the same', async () => {
    let isClosed = false;
    const close = (): void => {
      isClosed = true;
    };
    await expect(measure(benchOf({ run: () => -1, close }), SMOKE)).rejects.toThrow('wrong result');
    expect(isClosed).toBe(true);
  });

  it('that cannot be prepared says why', async () => {
    const prepare = (): Work => {
      throw new Error('wrong result: a payload that was not pushed');
    };
    await expect(measure(benchOf({}, prepare), SMOKE)).rejects.toThrow('a payload that was not pushed');
  });
});

describe('what is measured', () => {
  it('is the time of one operation, in ns', async () => {
    const run = (times: number): number => {
      for (let time = 0; time < times; time++) busyFor(0.02);
      return times;
    };
    const { value, samples, times } = await measure(benchOf({ run }), SHORT);
    expect(value).toBeGreaterThanOrEqual(20_000);
    expect(samples).toBeGreaterThanOrEqual(10);
    expect(times).toBe(1);
  });

  it('is many operations at a time where one is too short to be measured', async () => {
    const { times } = await measure(benchOf({}), SHORT);
    expect(times).toBeGreaterThan(100);
  });

  it('is as many operations when the thread has to wait in the middle of the warm-up', async () => {
    let calls = 0;
    const run = (times: number): number => {
      // The third run is the first one of the warm-up; all of its time is gone afterwards.
      if (++calls === 3) busyFor(SHORT.warmUpMs * 20);
      return times;
    };
    const { times } = await measure(benchOf({ run }), SHORT);
    expect(times).toBeGreaterThan(100);
  });

  it('is only what the stopwatch saw, if the bench uses it', async () => {
    const run = (times: number, watch: Stopwatch): number => {
      for (let time = 0; time < times; time++) {
        busyFor(1);
        watch.start();
        watch.stop();
      }
      return times;
    };
    const { value, gcNs } = await measure(benchOf({ run }), { ...SHORT, sampleMs: 0.000_001 });
    expect(value).toBeLessThan(500_000);
    expect(gcNs).toBe(0);
  });

  it('is memory by item, of heap and array buffers', async () => {
    // Enough for whatever the test runner lets go meanwhile.
    const items = 1_000_000;
    const bench: MemoryBench = {
      ...{ kind: 'memory', name: 'x', item: 'item', items },
      // 8 bytes each in an array buffer, and 8 in an array on the heap.
      build: () => ({ kept: [new Float64Array(items), new Array(items).fill(0.5)], check() {} }),
    };
    const { value } = await measure(bench, SHORT);
    expect(value).toBeGreaterThan(15);
    expect(value).toBeLessThan(20);
  });
});
