// HTML as a value of its own type: whatever comes from data is escaped, because only this file can make an Html.

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Safe in text and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** Markup that is known to be safe. */
export class Html {
  readonly markup: string;

  private constructor(markup: string) {
    this.markup = markup;
  }

  /** The only way past the escaping: for what this program wrote itself (a drawing, the style sheet), never for data. */
  static trusted(markup: string): Html {
    return new Html(markup);
  }

  toString(): string {
    return this.markup;
  }
}

export type HtmlContent = Html | string | number | null | readonly HtmlContent[];

function markupOf(content: HtmlContent): string {
  if (content === null) return '';
  if (content instanceof Html) return content.markup;
  if (typeof content === 'string') return escapeHtml(content);
  if (typeof content === 'number') return String(content);
  return content.map(markupOf).join('');
}

/** Template tag. Texts among the values are escaped; null is nothing; arrays are joined. */
export function html(strings: TemplateStringsArray, ...values: HtmlContent[]): Html {
  let markup = strings[0];
  for (const [index, value] of values.entries()) markup += markupOf(value) + strings[index + 1];
  return Html.trusted(markup);
}
