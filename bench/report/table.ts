// Tables with headers; wide ones scroll inside their own frame, never the page.

import { type Html, type HtmlContent, html } from './html.js';

export interface Column {
  title: string;
  /** Numbers are set to the right. */
  isNumber?: boolean;
}

export function table(caption: string, columns: readonly Column[], rows: readonly (readonly HtmlContent[])[]): Html {
  const kind = ({ isNumber }: Column): Html | null => (isNumber ? html` class="number"` : null);
  const cell = (content: HtmlContent, index: number): Html =>
    index === 0
      ? html`<th scope="row"${kind(columns[index])}>${content}</th>`
      : html`<td${kind(columns[index])}>${content}</td>`;
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col"${kind(column)}>${column.title}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody>
</table></div>`;
}

export function details(summary: HtmlContent, content: HtmlContent): Html {
  return html`<details><summary>${summary}</summary>${content}</details>`;
}
