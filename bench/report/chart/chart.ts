// Charts as data: what is to be drawn, without how.

import type { Axis } from '../../support/results.js';
import type { Point } from '../merge.js';
import type { LineStyle } from './line-style.js';

export interface ChartLine {
  label: string;
  style: LineStyle;
  points: readonly Point[];
}

export interface LineChart {
  kind: 'lines';
  x: Axis;
  y: Axis;
  lines: readonly ChartLine[];
  /** x is −log10(1 − share): the ticks are 90 %, 99 %, 99.9 % … */
  nines?: boolean;
  /** The same for charts that stand beside each other. */
  yRange?: { min: number; max: number };
}

export interface ChartBar {
  label: string;
  style: LineStyle;
  /** null: not measured; the note says why. */
  value: { median: number; min: number; max: number } | null;
  note?: string;
}

export interface BarGroup {
  /** Empty where there is one group, which needs no name. */
  label: string;
  bars: readonly ChartBar[];
}

export interface BarChart {
  kind: 'bars';
  value: Axis;
  groups: readonly BarGroup[];
}

export type Chart = LineChart | BarChart;

/** Charts are drawn twice, for wide and for narrow pages; the style sheet shows the one that fits. */
export interface ChartSize {
  name: 'wide' | 'narrow';
  width: number;
  lineHeight: number;
  fontSize: number;
  /** Of the names beside bars. */
  nameWidth: number;
}

export const SIZES: readonly ChartSize[] = [
  { name: 'wide', width: 560, lineHeight: 330, fontSize: 13, nameWidth: 150 },
  { name: 'narrow', width: 340, lineHeight: 280, fontSize: 12, nameWidth: 104 },
];
