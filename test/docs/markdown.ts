// Reads the Markdown pages of the repository: examples, tables, headings, links.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Page {
  readonly path: string;
  readonly text: string;
}

export interface Block {
  readonly page: string;
  /** Of the opening fence. */
  readonly line: number;
  readonly language: string;
  readonly body: string;
  /** The `text` block that comes next, with nothing but blank lines between: what the example prints. */
  readonly output: string | null;
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(ROOT + path, 'utf8') };
}

/** Every page of README.md, src/ and bench/. */
export function readPages(): Page[] {
  const inFolders = ['src', 'bench'].flatMap((folder) =>
    (readdirSync(ROOT + folder, { recursive: true }) as string[])
      .filter((name) => name.endsWith('.md') && !name.startsWith('results'))
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  );
  return ['README.md', ...inFolders.sort()].map(readPage);
}

/** Fenced blocks in their order. */
export function blocksOf({ path, text }: Page): Block[] {
  const fences = [...text.matchAll(/^```(\S*)[^\n]*\n(.*?)^```$/gms)];
  return fences.map((fence, index) => {
    const next = fences[index + 1];
    const isOutput = next?.[1] === 'text' && text.slice(fence.index + fence[0].length, next.index).trim() === '';
    return {
      page: path,
      line: text.slice(0, fence.index).split('\n').length,
      language: fence[1],
      body: fence[2],
      output: isOutput ? next[2] : null,
    };
  });
}

/** The text without its fenced blocks. */
export function proseOf({ text }: Page): string {
  return text.replace(/^```.*?^```$/gms, '');
}

/** Body rows of the first table under the heading (up to the next heading), cells without backticks. */
export function rowsUnder(page: Page, heading: string): string[][] {
  const prose = proseOf(page);
  const start = prose.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`${page.path} has no heading "${heading}"`);
  const [section] = prose.slice(start + heading.length + 2).split(/^#+ /m);
  const [table = ''] = /^\|.*(?:\n\|.*)*/m.exec(section!) ?? [];
  const rows = table.split('\n').filter((line) => !/^\| *-/.test(line));
  return rows.slice(1).map((row) => {
    const cells = row.slice(1, -1).replaceAll('\\|', '\0').split('|');
    return cells.map((cell) => cell.replaceAll('\0', '|').replaceAll('`', '').trim());
  });
}

/** Headings as a link's fragment names them. */
export function anchorsOf(page: Page): Set<string> {
  const headings = [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!);
  const words = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
  return new Set(headings.map(words));
}

/** A pattern for what an example prints: everything literally, but `…` stands for anything. */
export function outputPattern(output: string): RegExp {
  const parts = output.split('…').map((part) => part.replace(/[\\^$.|?+*()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
