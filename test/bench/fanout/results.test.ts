// What becomes of a run: points of plots, what counts as wrong, which scenarios a name stands for.
import { describe, expect, it } from 'vitest';
import type { Axis, Outcome, Phase, RunResult } from '../../../bench/support/results.js';
import { wrongDeliveries } from '../../../bench/support/results.js';
import type { Scenario } from '../../../bench/support/scenario.js';
import { addPoint, addSweepPoints, windowMaxima } from '../../../bench/support/series.js';
import { namedScenarios, type Suite } from '../../../bench/support/suite.js';

const X: Axis = { label: 'subscribers', unit: '', log: true };
const Y: Axis = { label: 'latency', unit: 'ms' };
const emptyOutcome = (): Outcome => ({ phases: {}, figures: {}, problems: [] });

const PERCENTILES = { count: 9, p50Micros: 1500, p90Micros: 2500, p99Micros: 4000, p999Micros: 9000, maxMicros: 9999 };

function phase(changes: Partial<Phase>, verification: Partial<Phase['verification']> = {}): Phase {
  return {
    seconds: 1,
    published: 10,
    deliveriesPerSecond: 100,
    cpuMicrosPerDelivery: 2,
    serverCpuMicros: 200,
    serverUserMicros: 120,
    serverSystemMicros: 80,
    serverCpuPercent: 30,
    rssBytes: 1,
    kernelSocketBytes: null,
    kernelSocketPeakBytes: null,
    latency: { hot: PERCENTILES },
    verification: {
      complete: true,
      expected: 100,
      delivered: 100,
      lost: 0,
      doubled: 0,
      reordered: 0,
      corrupt: 0,
      gapMessages: 0,
      ...verification,
    },
    generator: {
      cpuPercent: 1,
      readerBusyPercent: 1,
      readerLagP99Ms: 1,
      publisherLateP99Ms: 1,
      publisherLateMaxMs: 1,
      readsPerSecond: 1,
      saturated: false,
    },
    ...changes,
  };
}

describe('series', () => {
  it('grow point by point, and leave out what is no number', () => {
    const outcome = emptyOutcome();
    addPoint(outcome, 'a', [X, Y], 1, 10);
    addPoint(outcome, 'a', [X, Y], 2, Number.NaN);
    addPoint(outcome, 'a', [X, Y], Number.POSITIVE_INFINITY, 3);
    addPoint(outcome, 'a', [X, Y], 3, 30);
    addPoint(outcome, 'b', [X, Y], 1, 1);
    expect(outcome.series).toEqual({
      a: {
        x: X,
        y: Y,
        points: [
          [1, 10],
          [3, 30],
        ],
      },
      b: { x: X, y: Y, points: [[1, 1]] },
    });
  });

  it('of a sweep have latencies in ms, CPU, and CPU per delivery', () => {
    const outcome = emptyOutcome();
    addSweepPoints(outcome, 'subscribers', X, 500, phase({}), 'hot');
    const points = Object.entries(outcome.series!).map(([name, series]) => [name, series.points]);
    expect(Object.fromEntries(points)).toEqual({
      'latency p50 by subscribers': [[500, 1.5]],
      'latency p99 by subscribers': [[500, 4]],
      'latency p99.9 by subscribers': [[500, 9]],
      'CPU by subscribers': [[500, 30]],
      'CPU per delivery by subscribers': [[500, 2]],
    });
  });

  it('of a sweep have no latencies where nothing was delivered', () => {
    const outcome = emptyOutcome();
    addSweepPoints(outcome, 'subscribers', X, 500, phase({ latency: {} }, { delivered: 0 }), 'hot');
    expect(Object.keys(outcome.series!)).toEqual(['CPU by subscribers']);
  });

  it('over time are the highest value of each window that has any', () => {
    const atMs = [990, 1000, 1049, 1050, 1200, 1010];
    const values = [99, 1, 5, 2, 7, 3];
    expect(windowMaxima(atMs, (index) => values[index], atMs.length, 1000, 50)).toEqual([
      [0, 5],
      [0.05, 2],
      [0.2, 7],
    ]);
  });
});

describe('what is wrong in a run', () => {
  const run = (phases: Record<string, Phase>, problems: string[] = []): RunResult => ({
    ...emptyOutcome(),
    phases,
    problems,
    scenario: 's',
    variant: 'v',
    peer: 'p',
    run: 0,
    failed: null,
  });
  const skipped = { complete: false, delivered: 90, lost: 10, gapMessages: 10 };

  it('is every loss, announced or not, where the load was one to be carried', () => {
    expect(wrongDeliveries(run({ measured: phase({}, skipped) }))).toBe(10);
  });

  it('is what was not announced, where the load was too much on purpose', () => {
    expect(wrongDeliveries(run({ '150 %': phase({ mayOverload: true }, skipped) }))).toBe(0);
    expect(wrongDeliveries(run({ '150 %': phase({ mayOverload: true }, { ...skipped, gapMessages: 7 }) }))).toBe(3);
  });

  it('is also a gap that was announced for messages which came all the same', () => {
    expect(wrongDeliveries(run({ '150 %': phase({ mayOverload: true }, { gapMessages: 4 }) }))).toBe(4);
  });

  it('is whatever came twice, late or foreign, and every problem, always', () => {
    const faults = { doubled: 1, reordered: 2, corrupt: 3 };
    expect(wrongDeliveries(run({ '150 %': phase({ mayOverload: true }, faults) }, ['closed']))).toBe(7);
  });
});

describe('names of scenarios', () => {
  const scenario = (name: string): Scenario => ({
    name,
    title: '',
    variants: () => [],
    drive: async () => {},
    bars: () => [],
  });
  const [a, b, c] = ['a', 'b', 'c'].map(scenario) as [Scenario, Scenario, Scenario];
  const suite: Suite = { name: 'x', subject: 'y', scenarios: [a, b, c], groups: { first: [a, b], rest: [c] } };

  it('stand for themselves or for a group, each scenario once, in the order of the suite', () => {
    expect(namedScenarios(suite, [])).toEqual(['a', 'b']);
    expect(namedScenarios(suite, ['all'])).toEqual(['a', 'b', 'c']);
    expect(namedScenarios(suite, ['c', 'a'])).toEqual(['a', 'c']);
    expect(namedScenarios(suite, ['rest', 'b', 'c'])).toEqual(['b', 'c']);
  });

  it('are all by default where there are no groups', () => {
    expect(namedScenarios({ name: 'x', subject: 'y', scenarios: [a, c] }, [])).toEqual(['a', 'c']);
  });

  it('that nobody knows are told', () => {
    expect(() => namedScenarios(suite, ['a', 'd', 'e'])).toThrow('no scenario d, e');
  });
});
