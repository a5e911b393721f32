// The frame of the page. Nothing is fetched and nothing runs: the content policy of the page itself forbids both.

import { Html, html } from './html.js';
import { STYLE } from './style.js';

export interface Page {
  title: string;
  body: Html;
}

export function page({ title, body }: Page): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${Html.trusted(STYLE)}</style>
</head>
<body>
${body}
</body>
</html>
`.markup;
}
