// One figure: drawing in two sizes, caption, legend, and the numbers behind it.

import { renderBarChart } from './chart/bar-chart.js';
import { type LineChart, SIZES } from './chart/chart.js';
import { isDrawable, ninesLabel, renderLineChart } from './chart/line-chart.js';
import type { LineStyle, Marker } from './chart/line-style.js';
import { axisTitle, figure as number, plural } from './format.js';
import { type Html, html } from './html.js';
import type { Point } from './merge.js';
import { MEDIAN_NINES } from './percentiles.js';
import type { Figure } from './section.js';
import { details, table } from './table.js';

export function renderFigure(id: string, { title, finding, chart }: Figure): Html {
  const drawings = SIZES.map((size) => {
    const svg =
      chart.kind === 'lines'
        ? renderLineChart(`${id}${size.name[0]}`, chart, size)
        : renderBarChart(`${id}${size.name[0]}`, chart, size);
    return html`<div class="${size.name}" aria-hidden="true">${svg}</div>`;
  });
  return html`<figure id="${id}">
<figcaption><strong>${title}</strong> <span>${finding}</span></figcaption>
<div class="drawing" role="img" aria-label="${title}. ${finding}">${drawings}</div>
${chart.kind === 'lines' ? [legend(chart), leftOut(chart), details('Numbers', numbers(title, chart))] : null}
</figure>`;
}

function legend({ lines }: LineChart): Html {
  return html`<ul class="legend">${lines.map(({ label, style }) => html`<li>${sample(style)}${label}</li>`)}</ul>`;
}

/** Corners of the markers as echarts draws them, in a square from −4 to 4. */
const MARKER_PATHS: Record<Marker, string> = {
  circle: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z',
  rect: 'M-4 -4h8v8h-8Z',
  triangle: 'M0 -4L4 4H-4Z',
  diamond: 'M0 -4.5L4.5 0L0 4.5L-4.5 0Z',
  arrow: 'M0 -4L3 4L0 2L-3 4Z',
  roundRect: 'M-2 -4h4a2 2 0 0 1 2 2v4a2 2 0 0 1 -2 2h-4a2 2 0 0 1 -2 -2v-4a2 2 0 0 1 2 -2Z',
  pin: 'M0 4L-3 -1A3.2 3.2 0 1 1 3 -1Z',
};

function sample({ colour, dash, marker }: LineStyle): Html {
  return html`<svg viewBox="0 -6 34 12" width="34" height="12" aria-hidden="true"><path d="M0 0H34" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash.join(' ')}"/><path transform="translate(17 0)" d="${MARKER_PATHS[marker]}" fill="${colour}"/></svg>`;
}

/** What cannot be drawn is said. */
function leftOut({ x, y, lines }: LineChart): Html | null {
  const lost = lines.flatMap(({ points }) =>
    points.filter((point) => point.y !== null && !(isDrawable(x, point.x) && isDrawable(y, point.y))),
  );
  if (lost.length === 0) return null;
  return html`<p class="remark">${plural(lost.length, 'value')} of 0 or less have no place on the logarithmic axis and are not drawn.</p>`;
}

function numbers(title: string, { x, y, lines, nines }: LineChart): Html {
  const nameOf = (place: number): string => {
    if (!nines) return number(place);
    return place === MEDIAN_NINES ? '50 %' : ninesLabel(place);
  };
  const caption = `${title}: ${axisTitle(y)}; medians of the runs, in brackets their range`;
  const places = lines.flatMap(({ points }) => points.map((point) => point.x));
  const shared = [...new Set(places)].sort((a, b) => a - b);
  const first = { title: axisTitle(x), isNumber: true };
  if (lines.length > 1 && shared.length === places.length) {
    const rows = lines.flatMap(({ label, points }) =>
      points.map((point) => [label, nameOf(point.x), medianAndRange(point)]),
    );
    return table(caption, [{ title: 'line' }, first, { title: axisTitle(y), isNumber: true }], rows);
  }
  const shown = nines ? shared.filter((place) => Number.isInteger(place) || place === MEDIAN_NINES) : shared;
  return table(
    caption,
    [first, ...lines.map(({ label }) => ({ title: label, isNumber: true }))],
    shown.map((place) => [
      nameOf(place),
      ...lines.map(({ points }) => medianAndRange(points.find((point) => point.x === place))),
    ]),
  );
}

function medianAndRange(point: Point | undefined): string {
  if (point === undefined || point.y === null) return number(null);
  return number(point.y) + (point.min === point.max ? '' : ` (${number(point.min)}–${number(point.max)})`);
}
