// What is in the package, and what package.json promises of it.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path, { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAIN } from '../cli/run-cli.js';
import { proseOf, ROOT, readPages } from './markdown.js';

const { files, scripts, engines } = createRequire(import.meta.url)('../../package.json') as {
  files: string[];
  scripts: Record<string, string>;
  engines: { node: string };
};

/** npm adds the last three by itself. */
const PACKED = [...files.filter((entry) => !entry.startsWith('!')), 'README.md', 'LICENSE', 'package.json'];
const isPacked = (file: string): boolean => PACKED.some((entry) => file === entry || file.startsWith(`${entry}/`));

describe('pages of the package', () => {
  const pages = readPages().filter((page) => isPacked(page.path));

  it.each(pages.map((page) => page.path))('%s links to nothing that the package lacks', (pagePath) => {
    const page = pages.find((each) => each.path === pagePath)!;
    const targets = [...proseOf(page).matchAll(/\]\((?!\w+:|#)([^)#]+)/g)].map(([, target]) => target!);
    const outside = targets
      .map((target) => posix.join(posix.dirname(pagePath), target))
      .filter((target) => !isPacked(target));
    expect(outside).toEqual([]);
  });
});

describe('package.json', () => {
  const isPosix = process.platform !== 'win32';
  if (!isPosix) console.log('skipped: modes of files and signals to a shell, which Windows has none of');

  it.skipIf(!isPosix)('builds a command that can be executed', () => {
    expect(statSync(MAIN).mode & 0o111).toBe(0o111);
  });

  it('allows the Node versions that the README names', () => {
    expect(engines.node).toBe('20 || 22 || >=24');
    expect(readPages()[0].text).toContain('With Node.js 20, 22 or 24');
  });

  const hasNpm = isPosix && spawnSync('npm', ['--version']).status === 0;
  if (!hasNpm) console.log('skipped: npm start; there is no npm here');

  it.skipIf(!hasNpm)('has a start that a SIGTERM to npm drains and ends', async () => {
    // Without its `prestart`, which builds: this test runs what has been built.
    const env = { PATH: process.env.PATH, RINGCAST_PORT: '0', RINGCAST_LANES: '0' };
    const npm = spawn('npm', ['start', '--ignore-scripts'], { cwd: ROOT, env });
    let output = '';
    const ended = new Promise((resolve) => npm.on('close', (code, signal) => resolve({ code, signal })));
    const listens = new Promise<void>((resolve) => {
      for (const stream of [npm.stdout, npm.stderr]) {
        stream.on('data', (chunk) => {
          output += chunk;
          if (output.includes('npx ringcast sub')) resolve();
        });
      }
    });
    await Promise.race([listens, ended]);
    npm.kill('SIGTERM');
    // npm's output ends when the server has ended: a server left behind would hold it open.
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(output).toContain('SIGTERM, stopping');
  });

  it('prepares itself where there is a compiler, and is not stopped where there is none', () => {
    expect(scripts.prepare).toBe('node scripts/prepare.mjs');
    const folder = mkdtempSync(path.join(tmpdir(), 'ringcast-prepare-'));
    mkdirSync(path.join(folder, 'scripts'));
    cpSync(path.join(ROOT, 'scripts', 'prepare.mjs'), path.join(folder, 'scripts', 'prepare.mjs'));
    const { status, stdout } = spawnSync(process.execPath, ['scripts/prepare.mjs'], { cwd: folder, encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: 'ringcast: not built, because typescript is not installed\n',
    });
  });

  const canRequire = (process.features as { require_module?: boolean }).require_module === true;
  if (!canRequire) console.log(`skipped: require() of ringcast; Node ${process.version} cannot require ES modules`);

  it.skipIf(!canRequire)('can be required where Node can require ES modules', () => {
    const script = `const { createEngine } = require('ringcast'); console.log(typeof createEngine, typeof require('ringcast/client').connect)`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=commonjs', '-e', script], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(stdout).toBe('function function\n');
  });
});
