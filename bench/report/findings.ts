// A drawing's finding in words and numbers, calculated from what is drawn.

import type { Axis } from '../support/results.js';
import type { BarGroup, ChartLine } from './chart/chart.js';
import { figure, withUnit } from './format.js';

const lastOf = ({ points }: ChartLine) => points.findLast(({ y }) => y !== null);

/** The largest x that all lines have, and each line's value there. */
export function finding(x: Axis, y: Axis, lines: readonly ChartLine[]): string {
  const xs = lines[0].points.map((point) => point.x);
  const at = (line: ChartLine, place: number) =>
    line.points.find((point) => point.x === place && point.y !== null)?.y ?? null;
  const common = xs.findLast((place) => lines.every((line) => at(line, place) !== null));
  if (common === undefined || lines.length === 1) {
    return `${lines.map((line) => ownFinding(x, y, line)).join('; ')}.`;
  }
  const values = lines.map((line) => `${line.label} ${withUnit(at(line, common), y.unit)}`);
  return `At ${withUnit(common, x.unit || x.label)}: ${values.join(', ')}.`;
}

function ownFinding(x: Axis, y: Axis, line: ChartLine): string {
  const first = line.points.find((point) => point.y !== null)!;
  const last = lastOf(line)!;
  if (first === last) return `${line.label}: ${withUnit(first.y, y.unit)} at ${withUnit(first.x, x.unit)}`;
  const from = `${figure(first.y)} at ${figure(first.x)}`;
  return `${line.label}: from ${from} to ${withUnit(last.y, y.unit)} at ${withUnit(last.x, x.unit)}`;
}

/** Values at given places, each line's own: percentiles. */
export function findingAt(places: readonly [string, number][], unit: string, lines: readonly ChartLine[]): string {
  const texts = places.flatMap(([name, x]) => {
    const values = lines.flatMap((line) => {
      const point = line.points.find((candidate) => Math.abs(candidate.x - x) < 1e-9);
      return point?.y == null ? [] : [`${line.label} ${withUnit(point.y, unit)}`];
    });
    return values.length > 0 ? [`${name}: ${values.join(', ')}`] : [];
  });
  return `${texts.join('; ')}.`;
}

/** One place in each of several steps: "p99: 1.4 ms (25 %), 4 ms (75 %)." */
export function stepFinding([name, x]: [string, number], unit: string, lines: readonly ChartLine[]): string {
  const values = lines.flatMap((line) => {
    const point = line.points.find((candidate) => Math.abs(candidate.x - x) < 1e-9);
    return point?.y == null ? [] : [`${withUnit(point.y, unit)} (${line.label})`];
  });
  return `${name}: ${values.join(', ')}.`;
}

/** Every bar against the first one of its group. */
export function barFinding(unit: string, groups: readonly BarGroup[]): string {
  const texts = groups.flatMap(({ label, bars }) => {
    const first = bars[0]?.value?.median;
    const values = bars.map((bar, index) => {
      if (bar.value === null) return `${bar.label} ${bar.note ?? 'not measured'}`;
      const ratio = index > 0 && first !== undefined && first > 0 ? ` (${figure(bar.value.median / first)} ×)` : '';
      return `${bar.label} ${withUnit(bar.value.median, unit)}${ratio}`;
    });
    return [`${label === '' ? '' : `${label}: `}${values.join(', ')}`];
  });
  return `${texts.join('; ')}.`;
}
