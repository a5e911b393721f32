// Lines over a number: medians with markers, the range of the runs as whiskers or, where points are many, as a band.

import type {
  CustomSeriesOption,
  EChartsOption,
  LineSeriesOption,
  XAXisComponentOption as XAxisOption,
  YAXisComponentOption as YAxisOption,
} from 'echarts';
import type { Axis } from '../../support/results.js';
import { axisTitle, tick } from '../format.js';
import type { Html } from '../html.js';
import type { Point } from '../merge.js';
import type { ChartLine, ChartSize, LineChart } from './chart.js';
import { renderSvg } from './svg.js';

const MARKERS_MAX = 14;
const WHISKERS_MAX = 24;
const MARKER_SIZE = 7;
const WHISKER_HALF_WIDTH = 4;

/** On a logarithmic axis there is no place for 0 and less. */
export const isDrawable = (axis: Axis, value: number | null): value is number =>
  value !== null && Number.isFinite(value) && (axis.log !== true || value > 0);

export function renderLineChart(id: string, chart: LineChart, size: ChartSize): Html {
  return renderSvg(id, optionOf(chart, size), size.width, size.lineHeight);
}

function optionOf(chart: LineChart, size: ChartSize): EChartsOption {
  // The first line is the subject: drawn last, it lies on top.
  const series = chart.lines.toReversed().flatMap((line) => [...spreadSeries(chart, line), lineSeries(chart, line)]);
  return {
    title: {
      text: axisTitle(chart.y),
      left: 0,
      top: 0,
      padding: 0,
      textStyle: { fontSize: size.fontSize, fontWeight: 'normal', color: 'var(--text)' },
    },
    grid: { left: 2, right: 18, top: 30, bottom: 26, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis: xAxis(chart, size),
    yAxis: yAxis(chart, size),
    series,
  };
}

const AXIS_LINE = { show: true, lineStyle: { color: 'var(--axis)' } };
const GRID_LINE = { show: true, lineStyle: { color: 'var(--grid)' } };

function xAxis({ x, nines, lines }: LineChart, size: ChartSize): XAxisOption {
  const shared = {
    name: axisTitle(x),
    nameLocation: 'middle' as const,
    nameGap: 26,
    nameTextStyle: { color: 'var(--text)', fontSize: size.fontSize },
    axisLine: { ...AXIS_LINE, onZero: false },
    axisTick: { show: true, lineStyle: { color: 'var(--axis)' } },
    splitLine: { show: false },
  };
  const label = { color: 'var(--muted)', fontSize: size.fontSize - 1, hideOverlap: true };
  if (nines) {
    const max = Math.max(1, ...lines.flatMap(({ points }) => points.map((point) => point.x)));
    return {
      ...shared,
      type: 'value',
      min: 0,
      max,
      interval: 1,
      splitLine: GRID_LINE,
      axisLabel: { ...label, showMaxLabel: Number.isInteger(max), formatter: ninesLabel },
    };
  }
  const xs = lines.flatMap(({ points }) => points.map((point) => point.x));
  if (x.log) return { ...shared, type: 'log', ...decades(xs), axisLabel: { ...label, formatter: tick } };
  return { ...shared, type: 'value', scale: true, axisLabel: { ...label, formatter: tick } };
}

/** 0 → 0 %, 1 → 90 %, 2 → 99 %, 3 → 99.9 % … */
export function ninesLabel(nines: number): string {
  if (nines === 0) return '0 %';
  if (!Number.isInteger(nines)) return '';
  return `${(100 - 100 / 10 ** nines).toFixed(Math.max(0, nines - 2))} %`;
}

function yAxis({ y, yRange, lines }: LineChart, size: ChartSize): YAxisOption {
  const shared = {
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: GRID_LINE,
    axisLabel: { color: 'var(--muted)', fontSize: size.fontSize - 1, formatter: tick },
  };
  if (!y.log) return { ...shared, type: 'value', min: yRange?.min, max: yRange?.max };
  const ys = lines.flatMap(({ points }) => points.flatMap((point) => [point.y, point.min, point.max]));
  return { ...shared, type: 'log', ...decades(yRange === undefined ? ys : [yRange.min, yRange.max]) };
}

/** Whole powers of ten around the values. */
function decades(values: readonly (number | null)[]): { min: number; max: number } {
  const positive = values.filter((value): value is number => value !== null && value > 0 && Number.isFinite(value));
  const low = Math.floor(Math.log10(Math.min(...positive)));
  const high = Math.ceil(Math.log10(Math.max(...positive)));
  return { min: 10 ** low, max: 10 ** Math.max(high, low + 1) };
}

function lineSeries({ x, y }: LineChart, { style, points }: ChartLine): LineSeriesOption {
  const data = points
    .filter((point) => isDrawable(x, point.x))
    .map((point): [number, number | null] => [point.x, isDrawable(y, point.y) ? point.y : null]);
  const step = Math.ceil(data.length / MARKERS_MAX);
  const gaps = data.map((_, index) => data[index - 1]?.[1] == null && data[index + 1]?.[1] == null);
  return {
    type: 'line',
    silent: true,
    z: 3,
    data,
    connectNulls: false,
    showSymbol: true,
    showAllSymbol: true,
    symbol: style.marker,
    // A point without neighbours has no line: its marker is all there is of it.
    symbolSize: (_, { dataIndex }) => (dataIndex % step === 0 || gaps[dataIndex] ? MARKER_SIZE : 0),
    color: style.colour,
    lineStyle: { color: style.colour, width: 2, type: style.dash.length > 0 ? [...style.dash] : 'solid' },
  };
}

function spreadSeries(chart: LineChart, { style, points }: ChartLine): CustomSeriesOption[] {
  const spread = points.filter(
    (point) => point.max > point.min && isDrawable(chart.x, point.x) && isDrawable(chart.y, point.min),
  );
  if (spread.length === 0) return [];
  return [spread.length > WHISKERS_MAX ? band(style.colour, spread) : whiskers(style.colour, spread)];
}

function band(colour: string, spread: readonly Point[]): CustomSeriesOption {
  return {
    type: 'custom',
    silent: true,
    data: [[spread[0].x, spread[0].min]],
    clip: true,
    renderItem: (_, api) => {
      const upper = spread.map((point) => api.coord([point.x, point.max]));
      const lower = spread.map((point) => api.coord([point.x, point.min])).reverse();
      return {
        type: 'polygon',
        shape: { points: [...upper, ...lower] },
        style: { fill: colour, opacity: 0.16 },
      };
    },
  };
}

function whiskers(colour: string, spread: readonly Point[]): CustomSeriesOption {
  return {
    type: 'custom',
    silent: true,
    data: spread.map((point) => [point.x, point.min]),
    renderItem: ({ dataIndex }, api) => {
      const point = spread[dataIndex];
      const [x, top] = api.coord([point.x, point.max]) as [number, number];
      const [, bottom] = api.coord([point.x, point.min]) as [number, number];
      const [left, right] = [x - WHISKER_HALF_WIDTH, x + WHISKER_HALF_WIDTH];
      return {
        type: 'path',
        shape: { pathData: `M${left} ${top}H${right}M${x} ${top}V${bottom}M${left} ${bottom}H${right}` },
        style: { stroke: colour, fill: 'none', lineWidth: 1.2, opacity: 0.8 },
      };
    },
  };
}
