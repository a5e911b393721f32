// From a chart's options to inline SVG, by echarts' server-side rendering.

import { createRequire } from 'node:module';
import type { EChartsOption } from 'echarts';
import { Html } from '../html.js';

/** By `require` it is one file instead of 700, and loads in a third of the time. */
const { init } = createRequire(import.meta.url)('echarts') as typeof import('echarts');

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

/**
 * @param id unique on the page: prefix of the drawing's own ids
 */
export function renderSvg(id: string, option: EChartsOption, width: number, height: number): Html {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: FONT, color: 'var(--muted)' }, ...option });
    return Html.trusted(cleaned(chart.renderToSVGString({ useViewBox: true }), id));
  } finally {
    chart.dispose(); // ends its timers
  }
}

/** Takes out what only echarts' own script would use, and makes ids unique among the drawings of a page. */
function cleaned(svg: string, id: string): string {
  return svg
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(
      / (?:class="zr[^"]*"|ecmeta_\w+="[^"]*"|pointer-events="[^"]*"|baseProfile="[^"]*"|xmlns[:\w]*="[^"]*")/g,
      '',
    )
    .replace(/(id="|url\(#)zr\d+-/g, `$1${id}-`)
    .replace(/<svg width="[^"]*" height="[^"]*"/, '<svg')
    .replace(/font-family:[^;"]*;/g, '')
    .replace(/>\n+</g, '><');
}
