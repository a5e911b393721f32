// Numbers as people read them.

import { number } from '../support/report.js';
import type { Axis, Spread } from '../support/results.js';

export const NOT_MEASURED = '–';

/** Three significant digits. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOT_MEASURED;
  return number(value).replace('-', '−');
}

export function withUnit(value: number | null | undefined, unit: string): string {
  const text = figure(value);
  return text === NOT_MEASURED || unit === '' ? text : `${text} ${unit}`;
}

export function spreadText(spread: Spread | null, unit: string): string {
  if (spread === null || !Number.isFinite(spread.median)) return NOT_MEASURED;
  const range = spread.min === spread.max ? '' : ` (${figure(spread.min)}–${figure(spread.max)})`;
  return `${figure(spread.median)}${range} ${unit}`;
}

/** Short, for the ticks of an axis: 250 k, 1.2 M. */
export function tick(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${+(value / 1e9).toPrecision(3)} G`;
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)} M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)} k`;
  return String(+value.toPrecision(3)).replace('-', '−');
}

export function axisTitle({ label, unit }: Axis): string {
  return unit === '' || label.includes(unit) ? label : `${label}, ${unit}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${figure(count)} ${count === 1 ? one : many}`;
}

export const upperFirst = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
