/**
 * Every `ts` and `js` example of the pages is run as it is printed, the `ts` ones after a strict type check, in a process of
 * its own that resolves `ringcast` as a user's would. Where an example names the default port, it is given a free one.
 * What the `text` block behind an example shows has to be what it prints.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '#src/index.js';
import { type Block, blocksOf, outputPattern, ROOT, readPages } from './markdown.js';

const DOCUMENTED_ADDRESS = '127.0.0.1:8787';
const DOCUMENTED_PORT = 'port: 8787';
/** Packages that an application with these examples has installed. */
const INSTALLED = ['ws', '@types'];
const TICK_MS = 5;

const examples = readPages()
  .flatMap(blocksOf)
  .filter(({ language }) => language === 'ts' || language === 'js');
const nameOf = ({ page, line, language }: Block): string =>
  `${page.replace(/\W/g, '-')}-line-${line}.${language === 'ts' ? 'mts' : 'mjs'}`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringcast-examples-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/ringcast'), 'dir');
  for (const name of INSTALLED) symlinkSync(`${ROOT}node_modules/${name}`, join(folder, 'node_modules', name), 'dir');
  for (const example of examples) writeFileSync(join(folder, nameOf(example)), example.body);
  writeFileSync(join(folder, 'browser.mjs'), "import WebSocket from 'ws';\nglobalThis.WebSocket ??= WebSocket;\n");
  const compilerOptions = {
    ...{ target: 'es2022', lib: ['es2023', 'dom'], module: 'nodenext', types: ['node'], outDir: 'out', rootDir: '.' },
    ...{ strict: true, noUnusedLocals: true, skipLibCheck: true },
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a module to its end, or until it has printed a line if it is one that goes on. */
function run(module: string, goesOn: boolean): Promise<Result> {
  const preload = pathToFileURL(join(folder, 'browser.mjs')).href;
  const child = spawn(process.execPath, ['--import', preload, module], { cwd: folder });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
    if (goesOn && output.stdout.includes('\n')) child.kill();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...output })));
}

/** A server for an example that has none of its own; `prices:AAPL` ticks for whoever subscribes. */
async function withServer<T>(use: (address: string) => Promise<T>): Promise<T> {
  const engine = createEngine({ port: 0, lanes: 0, maxDelayMs: 0 });
  await engine.start();
  const timer = setInterval(() => {
    if (engine.topicStats('prices:AAPL')?.subscribers) void engine.publish('prices:AAPL', { price: 229.1 });
  }, TICK_MS);
  try {
    return await use(`127.0.0.1:${engine.port}`);
  } finally {
    clearInterval(timer);
    await engine.close();
  }
}

function runExample(example: Block): Promise<Result> {
  const isScript = example.language === 'js';
  const file = join(folder, isScript ? '.' : 'out', nameOf(example).replace(/\.mts$/, '.mjs'));
  const code = readFileSync(file, 'utf8');
  const runAt = (address: string): Promise<Result> => {
    const module = file.replace(/\.mjs$/, '.run.mjs');
    writeFileSync(module, code.replaceAll(DOCUMENTED_ADDRESS, address).replaceAll(DOCUMENTED_PORT, 'port: 0'));
    return run(module, isScript);
  };
  return code.includes('createEngine(') ? runAt(DOCUMENTED_ADDRESS) : withServer(runAt);
}

describe('the examples of the pages', () => {
  it('are there', () => {
    expect(examples.map(({ page }) => page)).toContain('README.md');
  });

  it('fulfil the compiler', () => {
    const compiler = `${ROOT}node_modules/typescript/bin/tsc`;
    const { stdout, status } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it.each(examples)('$page:$line runs', async (example) => {
    const result = await runExample(example);
    expect(result.stderr).toBe('');
    if (example.language === 'js') {
      expect(result.stdout).toMatch(/^\d+ \{/);
      return;
    }
    expect(result.code).toBe(0);
    const shown = (example.output ?? '').replaceAll(DOCUMENTED_ADDRESS, '…');
    expect(result.stdout).toMatch(outputPattern(shown));
  });
});
