// How a line or bar looks. Colour never stands alone: dash and marker tell lines apart as well, names stand beside bars.

export type Marker = 'circle' | 'rect' | 'triangle' | 'diamond' | 'pin' | 'arrow' | 'roundRect';

export interface LineStyle {
  /** A CSS colour: a variable of the page, so that it follows light, dark and print. */
  colour: string;
  /** Lengths of dashes and gaps in pixels; empty is a solid line. */
  dash: readonly number[];
  marker: Marker;
}

/**
 * Okabe and Ito, "Color Universal Design", 2008 (jfly.uni-koeln.de/color), as far as it has a contrast of 3 : 1 with the ground
 * (WCAG 2.2, 1.4.11; its reddish purple is a little darker here on white); then Paul Tol, "Colour Schemes", SRON/EPS/TN/09-002,
 * 2021, scheme "muted", without those that look alike to people without red or green cones. A test holds both lists to that.
 */
export const PALETTE = {
  light: ['#0072b2', '#d55e00', '#009e73', '#c4699d', '#000000', '#332288', '#882255', '#117733'],
  dark: ['#56b4e9', '#d55e00', '#009e73', '#cc79a7', '#ffffff', '#f0e442', '#aa4499', '#ddcc77'],
} as const;

const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [12, 4], [4, 2, 4, 6]];
const MARKERS: readonly Marker[] = ['circle', 'rect', 'triangle', 'diamond', 'arrow', 'roundRect', 'pin'];

export function styleAt(index: number): LineStyle {
  return {
    colour: `var(--c${index % PALETTE.light.length})`,
    dash: DASHES[index % DASHES.length],
    marker: MARKERS[index % MARKERS.length],
  };
}

export function stylesOf(labels: readonly string[]): Map<string, LineStyle> {
  return new Map(labels.map((label, index) => [label, styleAt(index)]));
}

/** For what a line is held against. */
export const REFERENCE_STYLE: LineStyle = { colour: 'var(--muted)', dash: [2, 4], marker: 'circle' };
