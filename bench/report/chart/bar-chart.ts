// Horizontal bars, each with its name and value beside it; whiskers show the range of the runs.

import type { BarSeriesOption, CustomSeriesOption, EChartsOption } from 'echarts';
import { axisTitle, tick, withUnit } from '../format.js';
import type { Html } from '../html.js';
import type { BarChart, ChartBar, ChartSize } from './chart.js';
import { renderSvg } from './svg.js';

const ROW_HEIGHT = 26;
const TITLE_HEIGHT = 24;
const AXIS_HEIGHT = 26;
const VALUE_WIDTH = 84;
/** A longer unit stands in the title only. */
const UNIT_MAX = 6;

/** A bar, or the name of a group above its bars. */
type Row = ({ type: 'bar' } & ChartBar) | { type: 'group'; label: string };

export function renderBarChart(id: string, chart: BarChart, size: ChartSize): Html {
  const rows = chart.groups.flatMap(({ label, bars }): Row[] => [
    ...(label === '' ? [] : [{ type: 'group' as const, label }]),
    ...bars.map((bar) => ({ type: 'bar' as const, ...bar })),
  ]);
  const height = rows.length * ROW_HEIGHT + TITLE_HEIGHT + AXIS_HEIGHT;
  return renderSvg(id, optionOf(chart, rows, size), size.width, height);
}

function optionOf(chart: BarChart, rows: readonly Row[], size: ChartSize): EChartsOption {
  const text = { fontSize: size.fontSize - 1 };
  return {
    title: {
      text: axisTitle(chart.value),
      left: 0,
      top: 0,
      padding: 0,
      textStyle: { fontSize: size.fontSize, fontWeight: 'normal', color: 'var(--text)' },
    },
    grid: {
      left: size.nameWidth,
      right: VALUE_WIDTH,
      top: TITLE_HEIGHT,
      bottom: AXIS_HEIGHT,
      outerBoundsMode: 'none',
    },
    xAxis: {
      type: 'value',
      min: 0,
      splitNumber: 3,
      axisLabel: { color: 'var(--muted)', ...text, formatter: tick, hideOverlap: true },
      splitLine: { lineStyle: { color: 'var(--grid)' } },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: rows.map(({ label }, index) => `${index} ${label}`),
      axisTick: { show: false },
      axisLine: { show: true, lineStyle: { color: 'var(--axis)' } },
      axisLabel: {
        ...text,
        color: 'var(--text)',
        interval: 0,
        width: size.nameWidth - 8,
        overflow: 'truncate',
        formatter: (_, index) => (rows[index].type === 'bar' ? rows[index].label : ''),
      },
    },
    series: [bars(rows), values(chart, rows, size)],
  };
}

function bars(rows: readonly Row[]): BarSeriesOption {
  const data = rows.map(
    (row) =>
      row.type === 'bar' && row.value !== null
        ? { value: row.value.median, itemStyle: { color: row.style.colour } }
        : { value: '-' }, // echarts' word for nothing
  );
  return { type: 'bar', silent: true, barWidth: '62%', data };
}

/** Names of groups, whiskers, and the values in figures. */
function values(chart: BarChart, rows: readonly Row[], size: ChartSize): CustomSeriesOption {
  const unit = chart.value.unit.length <= UNIT_MAX ? chart.value.unit : '';
  return {
    type: 'custom',
    silent: true,
    z: 5,
    data: rows.map((row, index) => [row.type === 'bar' ? (row.value?.max ?? 0) : 0, index]),
    renderItem: ({ dataIndex }, api) => {
      const row = rows[dataIndex];
      const text = (x: number, y: number, content: string, style: object) => ({
        type: 'text' as const,
        style: { text: content, x, y, verticalAlign: 'middle' as const, fontSize: size.fontSize - 1, ...style },
      });
      const [start, y] = api.coord([0, dataIndex]) as [number, number];
      if (row.type === 'group') return text(2, y + 2, row.label, { fill: 'var(--text)', fontWeight: 'bold' });
      if (row.value === null) return text(start + 6, y, row.note ?? 'not measured', { fill: 'var(--muted)' });
      const { median, min, max } = row.value;
      const [left, right] = [min, max].map((value) => (api.coord([value, dataIndex]) as [number, number])[0]) as [
        number,
        number,
      ];
      const value = text(right + 6, y, withUnit(median, unit), { fill: 'var(--text)' });
      if (min === max) return value;
      const [top, bottom] = [y - 4, y + 4];
      const whisker = {
        type: 'path' as const,
        shape: { pathData: `M${left} ${top}V${bottom}M${left} ${y}H${right}M${right} ${top}V${bottom}` },
        style: { stroke: 'var(--text)', fill: 'none', lineWidth: 1.2 },
      };
      return { type: 'group', children: [whisker, value] };
    },
  };
}
