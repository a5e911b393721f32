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
 * Okabe and Ito, "Color Universal Design", 2008 (jfly.uni-koeln.de/color): eight colours that people with any colour vision
 * tell apart. On white, orange, sky blue and yellow are darkened until they reach a contrast of 3 : 1 (WCAG 2.2, 1.4.11); on dark
 * ground blue and black are lightened. A test holds both lists to that contrast.
 */
export const PALETTE = {
  light: ['#0072b2', '#d55e00', '#009e73', '#c4699d', '#000000', '#b87a00', '#3a94c9', '#948a00'],
  dark: ['#56b4e9', '#e8711a', '#009e73', '#cc79a7', '#ffffff', '#e69f00', '#3f8fd0', '#f0e442'],
} as const;

const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [12, 4], [4, 2, 4, 6]];
const MARKERS: readonly Marker[] = ['circle', 'rect', 'triangle', 'diamond', 'arrow', 'roundRect', 'pin'];

export function styleAt(index: number): LineStyle {
  return {
    colour: `var(--c${index % PALETTE.light.length})`,
    dash: DASHES[index % DASHES.length]!,
    marker: MARKERS[index % MARKERS.length]!,
  };
}

export function stylesOf(labels: readonly string[]): Map<string, LineStyle> {
  return new Map(labels.map((label, index) => [label, styleAt(index)]));
}

/** For what a line is held against. */
export const REFERENCE_STYLE: LineStyle = { colour: 'var(--muted)', dash: [2, 4], marker: 'circle' };
