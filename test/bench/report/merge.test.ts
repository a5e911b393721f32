// Runs become lines: medians, ranges, and what to do where something is missing.
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '#src/load/latency-histogram.js';
import { styleAt } from '../../../bench/report/chart/line-style.js';
import { Dataset } from '../../../bench/report/dataset.js';
import { finding } from '../../../bench/report/findings.js';
import { mergePoints, mergeSeries } from '../../../bench/report/merge.js';
import { ninesOf, percentileCurve } from '../../../bench/report/percentiles.js';
import { splitUnit } from '../../../bench/report/sections/peers.js';
import { evenly } from '../../../bench/report/sections/percentile-curves.js';
import { deviations } from '../../../bench/report/sections/sizing.js';
import { Fixture } from './fixture.js';

describe('merging the points of several runs', () => {
  it('takes the median and keeps the range', () => {
    const runs: [number, number][][] = [
      [
        [10, 1],
        [20, 5],
      ],
      [
        [10, 3],
        [20, 4],
      ],
      [
        [10, 2],
        [20, 9],
      ],
    ];
    expect(mergePoints(runs)).toEqual([
      { x: 10, y: 2, min: 1, max: 3, runs: 3 },
      { x: 20, y: 5, min: 4, max: 9, runs: 3 },
    ]);
  });

  it('matches steps by their order where each run has its own loads, and keeps that order', () => {
    const runs: [number, number][][] = [
      [
        [100, 1],
        [200, 2],
        [190, 8],
      ],
      [
        [110, 3],
        [220, 4],
        [215, 6],
      ],
    ];
    expect(mergePoints(runs).map(({ x, y, runs: count }) => [x, y, count])).toEqual([
      [105, 2, 2],
      [210, 3, 2],
      [202.5, 7, 2],
    ]);
  });

  it('goes by x where a run has fewer points', () => {
    const runs: [number, number][][] = [
      [
        [1, 10],
        [2, 20],
        [3, 30],
      ],
      [
        [3, 50],
        [1, 12],
      ],
    ];
    expect(mergePoints(runs).map(({ x, y, runs: count }) => [x, y, count])).toEqual([
      [1, 11, 2],
      [2, 20, 1],
      [3, 40, 2],
    ]);
  });

  it('goes by x where as many points are of other steps', () => {
    const runs: [number, number][][] = [
      [
        [1, 10],
        [2, 20],
      ],
      [
        [2, 22],
        [5, 50],
      ],
    ];
    expect(mergePoints(runs).map(({ x, y }) => [x, y])).toEqual([
      [1, 10],
      [2, 21],
      [5, 50],
    ]);
  });

  it('interrupts the line where nothing was measured', () => {
    const runs: [number, number][][] = [
      [
        [1, 10],
        [2, Number.NaN],
      ],
      [
        [1, 12],
        [2, Number.NaN],
      ],
      [
        [1, Number.NaN],
        [2, Number.NaN],
      ],
    ];
    const [first, second] = mergePoints(runs);
    expect(first).toEqual({ x: 1, y: 11, min: 10, max: 12, runs: 2 });
    expect(second).toMatchObject({ x: 2, y: null, runs: 0 });
    expect(mergePoints([])).toEqual([]);
  });

  it('makes one line of a sweep over server starts, and one for each peer', () => {
    const results = new Fixture(3).bench();
    const point = (variant: string, peer: string, run: number, x: number, y: number) => ({
      ...{ scenario: 'sweep', variant, peer, run, failed: null, phases: {}, figures: {}, problems: [] },
      series: {
        s: { x: { label: 'x', unit: '' }, y: { label: 'y', unit: 'ms' }, points: [[x, y] as [number, number]] },
      },
    });
    const runs = [
      point('small', 'ws', 0, 1, 10),
      point('small', 'ringcast', 0, 1, 2),
      point('large', 'ringcast', 0, 9, 3),
      point('small', 'ringcast', 1, 1, 4),
      { ...point('large', 'ringcast', 1, 9, 99), failed: 'it ended' },
    ];
    const [series, ...others] = mergeSeries(new Dataset([{ ...results, runs }]), 's');
    expect(others).toEqual([]);
    expect(series!.lines.map(({ label, points }) => [label, points.map(({ x, y }) => [x, y])])).toEqual([
      [
        'ringcast',
        [
          [1, 3],
          [9, 3],
        ],
      ],
      ['ws', [[1, 10]]],
    ]);
  });
});

describe('percentile curves', () => {
  const histogramOf = (values: number[]): string => {
    const histogram = new LatencyHistogram();
    for (const ms of values) histogram.record(ms);
    return histogram.encode();
  };

  it('ends where a single value decides', () => {
    const curve = percentileCurve([histogramOf(Array.from({ length: 1000 }, (_, n) => n + 1))]);
    expect(curve[0].x).toBe(0);
    expect(curve.at(-1)!.x).toBe(3);
    const at = (share: number) => curve.find(({ x }) => Math.abs(x - ninesOf(share)) < 1e-9)!.y!;
    expect(at(0.5)).toBeCloseTo(500, -1);
    expect(at(0.9)).toBeCloseTo(900, -1);
    expect(at(0.99)).toBeCloseTo(990, -1);
    expect(curve.map(({ y }) => y!)).toEqual(curve.map(({ y }) => y!).sort((a, b) => a - b));
  });

  it('shows the median of the runs and their range', () => {
    const curve = percentileCurve([1, 2, 9].map((ms) => histogramOf(Array.from({ length: 100 }, () => ms))));
    for (const point of curve) expect(point).toMatchObject({ y: expect.closeTo(2, 2), min: 1, runs: 3 });
  });

  it('leaves out what is no histogram', () => {
    expect(percentileCurve(['no histogram'])).toEqual([]);
    expect(percentileCurve([histogramOf([])])).toEqual([]);
  });
});

describe('words about a drawing', () => {
  const x = { label: 'load', unit: '%' };
  const y = { label: 'latency', unit: 'ms' };
  const line = (label: string, points: [number, number | null][]) => ({
    label,
    style: styleAt(0),
    points: points.map(([place, value]) => ({ x: place, y: value, min: value ?? 0, max: value ?? 0, runs: 1 })),
  });

  it('compare at the largest x that all lines have', () => {
    const lines = [
      line('a', [
        [1, 5],
        [2, 6],
        [3, 7],
      ]),
      line('b', [
        [1, 50],
        [2, 60],
        [3, null],
      ]),
    ];
    expect(finding(x, y, lines)).toBe('At 2 %: a 6 ms, b 60 ms.');
  });

  it('tell each line for itself where they share no x', () => {
    expect(
      finding(x, y, [
        line('a', [
          [1, 5],
          [4, 6],
        ]),
        line('b', [[2, 50]]),
      ]),
    ).toBe('a: from 5 at 1 to 6 ms at 4 %; b: 50 ms at 2 %.');
  });
});

it('a sweep of many steps is drawn with some of them, the first and the last included', () => {
  expect(evenly([1, 2, 3, 4, 5, 6, 7, 8, 9], 5)).toEqual([1, 3, 5, 7, 9]);
  expect(evenly([1, 2], 5)).toEqual([1, 2]);
});

it('the unit of a figure is what follows its last comma', () => {
  expect(splitUnit('served again after, p99, ms')).toEqual({ label: 'served again after, p99', unit: 'ms' });
  expect(splitUnit('count')).toEqual({ label: 'count', unit: '' });
});

it('the deviation of a prediction is in percent of the measurement, and held against the stated limits', () => {
  const found = deviations(
    { 'CPU, % of a core': 60, 'RAM, MiB': 90, 'p99, ms': 3 },
    { 'CPU, % of a core': 50, 'RAM, MiB': 100 },
  );
  expect(found.map(({ percent, limitPercent }) => [Math.round(percent), limitPercent])).toEqual([
    [20, 20],
    [-10, 15],
    [Number.NaN, null],
  ]);
});
