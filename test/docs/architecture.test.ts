// ARCHITECTURE.md agrees with src/: folders, what they import, files and constants that it names.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findProblems } from '../../scripts/tidy/rules.mjs';
import { ROOT, readPage, rowsUnder } from './markdown.js';

const page = readPage('src/ARCHITECTURE.md');

/** Folder → what it may import, as the page has it. */
const documented = new Map(
  rowsUnder(page, '## Folders').map(([folder, , imports]) => [
    folder!.replace('/', ''),
    imports === '–' ? [] : imports!.split(', '),
  ]),
);

/** What `npm run tidy` lets a folder import. */
function allowedImports(folder: string, parts: readonly string[]): string[] {
  return parts.filter((part) => {
    const source = `/** Purpose of this file. */\nimport { x } from '../${part}/x.js';\n`;
    const problems = findProblems({ paths: [`src/${folder}/a.ts`], read: () => source });
    return part !== folder && !problems.some(({ rule }) => rule === 'import-between-folders');
  });
}

describe('ARCHITECTURE.md', () => {
  it('has every folder of src/', () => {
    const folders = readdirSync(`${ROOT}src`, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect([...documented.keys()].sort()).toEqual(folders.sort());
  });

  it('has the imports that tidy allows', () => {
    const parts = [...documented.keys(), 'index', 'engine'];
    for (const [folder, imports] of documented) {
      expect(allowedImports(folder, parts).sort(), folder).toEqual([...imports].sort());
    }
  });

  it('names files that are there', () => {
    const named = [...page.text.matchAll(/`([a-z]+\/[a-z-]+\.ts)`/g)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(10);
    for (const path of named) expect(existsSync(`${ROOT}src/${path}`), path).toBe(true);
  });

  it.each(rowsUnder(page, '## Numbers'))('%s: %s', (_what, constant, value, path) => {
    const source = readFileSync(`${ROOT}src/${path}`, 'utf8');
    const expression = new RegExp(`^(?:export )?const ${constant} = ([\\d. *_]+);`, 'm').exec(source)?.[1];
    expect(expression, `${constant} in ${path}`).toBeDefined();
    const product = expression!.split('*').reduce((left, right) => left * Number(right.replaceAll('_', '')), 1);
    expect(product).toBe(Number(value));
  });
});
