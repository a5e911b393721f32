// `npm run bench`: every bench gives right results, rounds in processes of their own, files, bad input, Ctrl-C.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readResults } from '../../../bench/micro/results.js';
import { bench, benchProcess, build, MAIN, ROOT } from './build.js';
import { benches, seededRandom, session } from './synthetic.js';

/** On a machine that does ten other things at the same time; else a few seconds. */
const PATIENCE_MS = 120_000;

const folder = mkdtempSync(join(tmpdir(), 'ringcast-micro-'));
const file = (name: string): string => join(folder, name);

function written(name: string, content: unknown): string {
  writeFileSync(file(name), typeof content === 'string' ? content : JSON.stringify(content));
  return file(name);
}

beforeAll(build, PATIENCE_MS);
afterAll(() => rmSync(folder, { recursive: true }));

describe('smoke', () => {
  it(
    'runs every bench once: all results are right',
    async () => {
      const { status, stdout, stderr } = benchProcess('--smoke', '--json', file('smoke.json'));
      expect(stderr).toBe('');
      expect(status).toBe(0);
      expect(stdout).toContain('the figures mean nothing');
      const { benches: all, options } = readResults(file('smoke.json'));
      expect(options).toMatchObject({ smoke: true, rounds: 1 });
      expect(all.filter(({ rounds }) => rounds.length !== 1)).toEqual([]);
      expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
      const list = (await bench('--list')).stdout.trim().split('\n');
      expect(all.map(({ id }) => id)).toEqual(list);
      // What the table's own comment promises, growth and all.
      const [memory] = all.filter(({ id }) => id === 'subscriptions/memory/rows=100k');
      expect(memory!.rounds[0].value).toBeGreaterThan(35);
      expect(memory!.rounds[0].value).toBeLessThan(96);
      expect(stdout).toMatch(/bytes\/subscription/);
      const groups = [
        'ring',
        'doorbell',
        'frame-log',
        'protocol',
        'topic',
        'variant',
        'publishing',
        'delivery',
        'subscriptions',
        'patterns',
        'reference',
      ];
      expect([...new Set(all.map(({ group }) => group))]).toEqual(groups);
    },
    PATIENCE_MS,
  );
});

describe('rounds', () => {
  it(
    'are processes; their figures are in the file and in the table',
    () => {
      const json = file('rounds.json');
      const args = ['ring-awake', '--rounds', '2', '--seconds', '0.02'];
      const { status, stdout, stderr } = benchProcess(...args, '--json', json);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      const { benches: all, partial, machine } = readResults(json);
      expect(partial).toBe(false);
      expect(machine.command).toBe(`npm run bench -- ${args.join(' ')} --json ${json}`);
      const measured = all.filter(({ group }) => group !== 'reference');
      expect(measured.map(({ id }) => id)).toEqual(['doorbell/ring-awake']);
      const [ring] = measured;
      expect(ring!.rounds).toHaveLength(2);
      for (const { value, samples, times } of ring!.rounds) {
        expect(value).toBeGreaterThan(1);
        expect(value).toBeLessThan(10_000);
        expect(samples).toBeGreaterThanOrEqual(10);
        expect(times).toBeGreaterThan(1);
      }
      expect(stdout).toMatch(/^ring-awake +[\d.]+ +\(±[\d.]+ %\)/m);
    },
    PATIENCE_MS,
  );

  it(
    'of an interrupted command are kept, marked as partial',
    async () => {
      const json = file('partial.json');
      const command = spawn(process.execPath, [MAIN, 'find', '--rounds', '50', '--json', json], { cwd: ROOT });
      let stdout = '';
      command.stdout.on('data', (text) => {
        stdout += text;
        // The machine's lines: from here on it measures.
        if (String(text).includes('command')) command.kill('SIGINT');
      });
      const [code] = await once(command, 'close');
      expect(code).toBe(130);
      expect(stdout).toContain('PARTIAL: interrupted');
      const results = readResults(json);
      expect(results.partial).toBe(true);
      expect(results.benches.every(({ rounds, failed }) => rounds.length < 50 && failed === null)).toBe(true);
    },
    PATIENCE_MS,
  );
});

describe('--compare', () => {
  const random = seededRandom(9);
  const truths = benches(8, 0.01);
  const before = written('before.json', session(truths, random));
  const slower = truths.map((truth, index) => (index === 3 ? { ...truth, ns: truth.ns * 2 } : truth));
  const after = written('after.json', session(slower, random));

  it('shows what has changed between two files', async () => {
    const { status, stdout } = await bench('--from', after, '--compare', before);
    expect(status).toBe(0);
    expect(stdout.match(/ noise$/gm)).toHaveLength(7);
    expect(stdout).toMatch(/^ring\/bench-3 .* slower$/m);
    expect(stdout).toMatch(/^changes: 7 noise, 1 slower$|^changes: 1 slower, 7 noise$/m);
  });

  it('warns of a file from another machine, and compares all the same', async () => {
    const { machine, ...rest } = session(truths, random);
    const other = written('other.json', { ...rest, machine: { ...machine, cpu: 'Another', node: 'v18.0.0' } });
    const { status, stdout } = await bench('--from', after, '--compare', other);
    expect(status).toBe(0);
    expect(stdout).toContain('WARNING: another machine (cpu Another → Test CPU): the ratios may mean nothing');
    expect(stdout).toContain('WARNING: another Node.js (v18.0.0 → v20.0.0)');
  });
});

describe('bad input', () => {
  const good = session(benches(1, 0.01), seededRandom(1));
  it.each([
    [
      'an unknown pattern',
      ['no-such-bench'],
      /^no bench matches no-such-bench; groups: ring, doorbell.*--list names all/,
    ],
    [
      'no rounds',
      ['--rounds', '0'],
      /'--rounds <n>' argument '0' is invalid. It must be a whole number from 1 to 100./,
    ],
    ['no time', ['--seconds', '-1'], /'--seconds <n>' argument '-1' is invalid. It must be a number above 0/],
    ['an unknown option', ['--nonsense'], /unknown option '--nonsense'/],
    ['a file that is not there', ['--compare', file('none.json')], /^cannot read .*none.json: ENOENT/],
    [
      'a file that is not JSON',
      ['--compare', written('text.json', 'hello')],
      /text.json is not JSON: name a file that/,
    ],
    ['a foreign file', ['--compare', written('foreign.json', { runs: [] })], /is not a results file .* no format/],
    ['null', ['--from', written('null.json', 'null')], /is not a results file .* no format/],
    [
      'a file of another version',
      ['--compare', written('old.json', { ...good, format: 'ringcast micro benches 0' })],
      /its format is "ringcast micro benches 0", this version's is "ringcast micro benches 1"/,
    ],
    [
      'a damaged file',
      ['--compare', written('damaged.json', { ...good, benches: [{ ...good.benches[0], rounds: 'many' }] })],
      /damaged.json is damaged: benches.0.rounds: /,
    ],
    ['a place where nothing can be written', ['--json', folder], /^cannot write .*: it is a folder/],
    ['a folder that is not there', ['--json', file('none/x.json')], /^cannot write .*ENOENT/],
  ])('%s: one line that says what is wrong, exit code 2', async (_what, args, message) => {
    const { status, stdout, stderr } = await bench(...args);
    expect(stderr.trim()).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });

  it('leaves no file behind', async () => {
    await bench('no-such-bench', '--json', file('never.json'));
    expect(existsSync(file('never.json'))).toBe(false);
  });
});

it('--help names its method and where it comes from', async () => {
  const { status, stdout } = await bench('--help');
  expect(status).toBe(0);
  for (const word of ['Mann–Whitney', 'Hodges–Lehmann', 'Bonferroni', 'noise floor', '--smoke'])
    expect(stdout).toContain(word);
  expect(readFileSync(`${ROOT}bench/README.md`, 'utf8')).toContain('## Micro benches');
});
