// The style sheet: light, dark and print by variables, which the drawings use as well; phone by one width.

import { PALETTE } from './chart/line-style.js';
import { FONT } from './chart/svg.js';

const colours = (scheme: keyof typeof PALETTE): string =>
  PALETTE[scheme].map((colour, index) => `--c${index}: ${colour};`).join(' ');

const LIGHT = `color-scheme: light; --ground: #ffffff; --raised: #f5f7f9; --text: #1b1f24; --muted: #57606a; --axis: #6e7781;
  --grid: #e3e7eb; --line: #d0d7de; --link: #0a58a6; --good: #14532d; --good-ground: #e3f5e8; --bad: #8f1313; --bad-ground: #fdeaea;
  --warn: #5c3c00; --warn-ground: #fff4d6; --warn-line: #b87a00; ${colours('light')}`;

const DARK = `color-scheme: dark; --ground: #14171a; --raised: #1d2125; --text: #e6e9ec; --muted: #a3acb5; --axis: #8b949e;
  --grid: #2b3137; --line: #3a4149; --link: #79b8ff; --good: #b4ecc4; --good-ground: #16331f; --bad: #ffc2bd; --bad-ground: #47191a;
  --warn: #ffe0a3; --warn-ground: #3a2b08; --warn-line: #e69f00; ${colours('dark')}`;

const PRINT = `--ground: #fff; --raised: #fff; --text: #000; --muted: #333; --axis: #333; --grid: #ddd; --line: #999; --link: #000;
  --good: #000; --good-ground: #fff; --bad: #000; --bad-ground: #fff; --warn: #000; --warn-ground: #fff; --warn-line: #000;`;

export const STYLE = `
:root { ${LIGHT} }
@media (prefers-color-scheme: dark) { :root { ${DARK} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 1160px; padding: 24px 20px 64px; background: var(--ground); color: var(--text);
  font: 16px/1.5 ${FONT}; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 12px; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 56px 0 8px; padding-top: 12px; border-top: 2px solid var(--line); }
h3 { font-size: 1.1rem; margin: 28px 0 8px; }
p { margin: 8px 0; max-width: 76ch; }
a { color: var(--link); }
.machine { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 12px 0; font-size: .9rem; }
.machine dt { color: var(--muted); }
.machine dd { margin: 0; overflow-wrap: anywhere; }
.summary { font-size: 1.15rem; font-weight: 600; margin: 20px 0; }
nav ul { display: flex; flex-wrap: wrap; gap: 6px 18px; padding: 0; margin: 16px 0 0; list-style: none; font-size: .95rem; }
.warning { margin: 12px 0; padding: 8px 14px; border-left: 4px solid var(--warn-line); background: var(--warn-ground);
  color: var(--warn); font-size: .92rem; overflow-wrap: anywhere; }
.warning ul { margin: 0; padding-left: 1.1em; }
.warning li:only-child { list-style: none; margin-left: -1.1em; }
.missing { padding: 10px 14px; border: 1px dashed var(--line); color: var(--muted); }
.remark { color: var(--muted); font-size: .85rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 500px), 1fr)); gap: 20px 28px; align-items: start; }
figure { margin: 0; padding: 14px 14px 10px; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; min-width: 0; }
figcaption { margin-bottom: 10px; font-size: .92rem; }
figcaption strong { display: block; font-size: 1rem; }
figcaption span { color: var(--muted); overflow-wrap: anywhere; }
.drawing svg { display: block; width: 100%; height: auto; font-family: ${FONT}; }
.narrow { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 0; padding: 0; list-style: none; font-size: .88rem; }
.legend li { display: flex; align-items: center; gap: 8px; overflow-wrap: anywhere; }
.legend svg { flex: none; }
details { margin: 8px 0; font-size: .92rem; }
summary { cursor: pointer; color: var(--muted); padding: 4px 0; overflow-wrap: anywhere; }
summary strong { color: var(--text); }
.scroll { overflow-x: auto; margin: 10px 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 4px 0; }
th, td { padding: 4px 12px 4px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid); }
thead th { color: var(--muted); font-weight: 600; border-bottom-color: var(--line); white-space: nowrap; }
tbody th { font-weight: 400; }
.number { text-align: right; white-space: nowrap; }
.cards { width: 100%; margin: 12px 0; font-size: .9rem; }
.cards tbody th { font-weight: 600; }
.verdict { display: inline-block; padding: 0 8px; border-radius: 10px; white-space: nowrap; font-weight: 600; }
.verdict.met { color: var(--good); background: var(--good-ground); }
.verdict.missed { color: var(--bad); background: var(--bad-ground); }
.verdict.open { color: var(--muted); font-weight: 400; padding: 0; }
@media screen and (max-width: 640px) {
  body { padding: 16px 12px 48px; }
  .wide { display: none; }
  .narrow { display: block; }
  h2 { margin-top: 40px; }
  figure { padding: 10px 8px 8px; }
  .machine { grid-template-columns: 1fr; gap: 0; }
  .machine dd { margin-bottom: 6px; }
  .cards thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  .cards, .cards tbody, .cards tr, .cards th, .cards td { display: block; }
  .cards tr { padding: 10px 0; border-bottom: 1px solid var(--line); }
  .cards th, .cards td { padding: 1px 0; border: 0; }
  .cards td { display: grid; grid-template-columns: 5.5rem 1fr; gap: 8px; justify-items: start; }
  .cards td::before { content: attr(data-label); color: var(--muted); }
  .cards td:empty { display: none; }
}
@media print {
  :root { ${LIGHT} ${PRINT} }
  @page { margin: 14mm 12mm; }
  html { font-size: 10pt; }
  body { max-width: none; padding: 0; font-size: 10pt; line-height: 1.35; }
  nav { display: none; }
  h2 { margin-top: 20pt; }
  h2, h3, caption, .warning { break-after: avoid; }
  figure, tr, .machine { break-inside: avoid; }
  .figures { grid-template-columns: 1fr 1fr; gap: 8pt; }
  .wide { display: none; }
  .narrow { display: block; }
  .verdict.met, .verdict.missed, .warning { border: 1px solid #000; }
  .scroll { overflow: visible; }
  .scroll table { font-size: 7pt; }
  th, td { padding-right: 5pt; }
  .number, thead th { white-space: normal; }
  thead { display: table-header-group; }
  summary { list-style: none; }
  summary::-webkit-details-marker { display: none; }
  details::details-content { content-visibility: visible; block-size: auto; display: block; }
}
`;
