// What the README says about errors, policies, hooks, commands and links is what the code has.
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '#src/config.js';
import { ERROR_TABLE } from '#src/errors.js';
import { SLOW_CONSUMER_POLICIES } from '#src/protocol/messages.js';
import { lines, RunningCli, runCli } from '../cli/run-cli.js';
import { anchorsOf, blocksOf, proseOf, ROOT, readPage, readPages, rowsUnder } from './markdown.js';

const readme = readPage('README.md');
const shellLines = blocksOf(readme)
  .filter(({ language }) => language === 'sh')
  .flatMap(({ body }) => lines(body));

describe('the README', () => {
  it('has the table of error codes', () => {
    const expected = Object.entries(ERROR_TABLE).map(([code, { closeCode, retry, meaning }]) => {
      return [code, String(closeCode ?? '–'), retry ? 'yes' : 'no', meaning];
    });
    expect(rowsUnder(readme, '## Errors')).toEqual(expected);
  });

  it('names no other close codes and error codes', () => {
    const closeCodes = Object.values(ERROR_TABLE).map(({ closeCode }) => closeCode);
    const named = [...proseOf(readme).matchAll(/\b(?:close|with) (1\d{3})\b/g)].map(([, code]) => Number(code));
    expect(named.length).toBeGreaterThan(1);
    for (const code of named) expect(closeCodes).toContain(code);
    const errors = [...proseOf(readme).matchAll(/(?<![`\w])[A-Z]+_[A-Z_]+(?![`\w])/g)].map(([name]) => name);
    expect(errors.length).toBeGreaterThan(1);
    for (const name of errors) expect(ERROR_TABLE).toHaveProperty(name);
  });

  it('has every slow-consumer policy', () => {
    const policies = rowsUnder(readme, '## Slow consumers').map(([policy]) => policy!.split(' ')[0]);
    expect(policies.sort()).toEqual([...SLOW_CONSUMER_POLICIES].sort());
  });

  it('has every hook', () => {
    const source = readFileSync(`${ROOT}src/router/hooks.ts`, 'utf8');
    const hooks = [...source.matchAll(/^ {2}(\w+)\?\(/gm)].map(([, name]) => name);
    expect(rowsUnder(readme, '## Hooks').map(([hook]) => /^\w+/.exec(hook!)?.[0])).toEqual(hooks);
  });

  it('shows a configuration file that is valid', () => {
    const files = blocksOf(readme).filter(({ language }) => language === 'json');
    expect(files.length).toBeGreaterThan(0);
    for (const { body } of files) expect(() => parseConfig(JSON.parse(body))).not.toThrow();
  });

  it('begins with commands that package.json has', () => {
    const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
    expect(shellLines.slice(0, 2)).toEqual(['npm ci', 'npm start']);
    expect(scripts.start).toMatch(/serve --demo$/);
  });
});

describe('the commands of the README', () => {
  const commands = [
    ...shellLines.filter((line) => line.startsWith('npx ringcast ')).map((line) => line.replace('npx ', '')),
    ...rowsUnder(readme, '## Commands').map((cells) => cells.join(' ')),
  ].map((text) => ({ text, name: text.split(' ')[1] }));
  const helpOf = new Map<string, string>();

  beforeAll(async () => {
    const names = [...new Set(commands.map((command) => command.name))];
    await Promise.all(names.map(async (name) => helpOf.set(name, (await runCli([name, '--help'])).stdout)));
  });

  it('are all there are', async () => {
    const { stdout } = await runCli(['--help']);
    const known = [...stdout.matchAll(/^ {2}([a-z-]+)(?: \[options\])/gm)].map(([, name]) => name).sort();
    expect([...helpOf.keys()].sort()).toEqual(known);
  });

  it.each(commands)('$text has known flags', ({ text, name }) => {
    const flags = [...text.matchAll(/(?<!-)--[a-z-]+/g)].map(([flag]) => flag);
    for (const flag of flags) expect(helpOf.get(name)).toContain(`${flag} `);
  });

  it('of the quick start do what it says', async () => {
    const server = new RunningCli(['serve', '--demo', '--port', '0', '--lanes', '1']);
    try {
      await server.until(({ stdout }) => stdout.includes('npx ringcast sub'));
      const url = /ws:\S+/.exec(server.stdout)![0];
      const at = (...args: string[]) => runCli([...args, '--url', url]);
      const price = await at('sub', 'prices:AAPL', '--count', '1');
      expect(price).toMatchObject({ code: 0, stdout: expect.stringContaining(' prices:AAPL ') });
      expect(await at('pub', 'orders', '{"side": "buy", "qty": 100}')).toMatchObject({
        stdout: 'published orders 1\n',
      });
      const order = await at('sub', 'orders', '--last', '5', '--count', '1');
      expect(order.stdout).toMatch(/ orders 1 \{"side":"buy","qty":100\}\n$/);
    } finally {
      server.kill('SIGTERM');
    }
    expect((await server.ended).code).toBe(0);
  });
});

describe('links', () => {
  const pages = new Map(readPages().map((page) => [page.path, page]));

  it.each([...pages.keys()])('of %s lead to headings that are there', (path) => {
    const page = pages.get(path)!;
    for (const [, file, fragment] of proseOf(page).matchAll(/\]\((?!\w+:)([^)#]*)#([^)]+)\)/g)) {
      const target = file === '' ? page : pages.get(posix.join(posix.dirname(path), file!));
      if (target !== undefined) expect([...anchorsOf(target)]).toContain(fragment);
    }
  });
});
