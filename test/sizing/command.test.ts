// `ringcast size` with a saved calibration: the same answer every time; wrong calls say what is wrong.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addSizeOptions, type SizeOptions, workloadOf } from '#src/cli/size-options.js';
import { calibrationText } from '#src/sizing/calibration.js';
import { RunningCli, runCli } from '../cli/run-cli.js';
import { calibrationWith, settings } from './fixture-calibration.js';

const folder = mkdtempSync(join(tmpdir(), 'ringcast-size-'));
const calibration = join(folder, 'calibration.json');
const workload = join(folder, 'workload.toml');
const wrongWorkload = join(folder, 'wrong.toml');
const WORKLOAD =
  '--clients 50000 --topics-per-client 40 --topics 2000 --rate 5 --bytes 180 --hot 20 --max-delay 20'.split(' ');
const size = (...args: string[]) => runCli(['size', ...args]);

beforeAll(() => {
  writeFileSync(calibration, calibrationText(calibrationWith()));
  const topics = '[[topics]]\nname = "all"\ncount = 10\nrate = 1\nbytes = 100\n';
  writeFileSync(workload, `${topics}[[clients]]\nname = "few"\ncount = 100\ntopics.all = 2\n`);
  writeFileSync(wrongWorkload, `${topics}[[clients]]\nname = "few"\ncuont = 100\ntopics.all = 20\n`);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('the answer', () => {
  it('names cores, memory, network, latency, the first bottleneck and what would help most', async () => {
    const { code, stdout, stderr } = await size('--calibration', calibration, ...WORKLOAD);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^50,000 clients\n {2}cold: 1,980 topics × 5\/s × 180 bytes, cold, maxDelayMs 20\n {2}hot: 20 topics/,
    );
    for (const row of ['processes', 'cores', 'RAM, processes', 'RAM, kernel', 'network, out', 'network, in', 'p99']) {
      expect(stdout).toMatch(new RegExp(`^${row} +\\d`, 'm'));
    }
    expect(stdout).toMatch(/^First bottleneck: \S/m);
    expect(stdout).toMatch(/^What would help most: maxDelayMs 100: CPU −\d/m);
    expect(stdout).toMatch(
      /^One process carries [\d,]+ such clients, a machine like the calibrated one \(8 cores, 16 GiB\)/m,
    );
    // Another machine's: said once, on stderr.
    expect(stderr).toMatch(/ringcast: the calibration is of the CPU Test CPU, this is /);
  });

  it('tells memory twice: early, and when every log is full', async () => {
    const hot = '--clients 500 --topics-per-client 100 --topics 500 --rate 5 --bytes 64 --hot 500 --max-delay 5'.split(
      ' ',
    );
    const { stdout } = await size('--calibration', calibration, ...hot, '--uptime', '20');
    expect(stdout).toMatch(/^RAM, processes +2\.\d+ GiB +when every log is full\n +1\d\d MiB +after 20 s$/m);
  });

  it('TLS costs', async () => {
    const cpuOf = async (...more: string[]) => {
      const { stdout } = await size('--calibration', calibration, ...WORKLOAD, '--processes', '4', '--json', ...more);
      return JSON.parse(stdout).sizing.cpu as number;
    };
    expect(await cpuOf('--tls')).toBeGreaterThan(1.1 * (await cpuOf()));
  });

  it('is the same every time, also as JSON', async () => {
    const runs = await Promise.all([1, 2].map(() => size('--calibration', calibration, ...WORKLOAD, '--json')));
    expect(runs[0].stdout).toBe(runs[1].stdout);
    const { sizing, alternatives, capacity } = JSON.parse(runs[0].stdout);
    expect(sizing.process.cpu.accept).toBeLessThanOrEqual(0.7);
    expect(sizing.cores).toBeGreaterThanOrEqual(sizing.processes);
    expect(alternatives.length).toBeGreaterThan(0);
    expect(capacity.clientsPerProcess).toBeGreaterThan(0);
  });

  it('takes a workload file', async () => {
    const { code, stdout } = await size('--calibration', calibration, '--workload', workload);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^100 clients\n {2}all: 10 topics/);
    expect(stdout).toMatch(/^processes +1 /m);
  });
});

describe('bad input', () => {
  it.each<[string[], number, RegExp]>([
    [['--clients', 'many'], 2, /Must be a whole number from 0 to/],
    [['--calibration', calibration, '--workload', join(folder, 'none.toml')], 1, /cannot read the workload: ENOENT/],
    [['--calibration', join(folder, 'none.json'), '--workload', workload], 1, /cannot read the calibration: ENOENT/],
    [['--calibration', workload, '--workload', workload], 1, /is not JSON/],
    [
      ['--calibration', calibration, '--workload', wrongWorkload],
      1,
      /line 6: clients\[0\]\.count is missing.*; line 8: clients\[0\]\.cuont is unknown; did you mean count\?/,
    ],
    [['--calibration', calibration], 1, /nothing to compute: give a workload/],
  ])('%j', async (args, exitCode, message) => {
    const { code, stdout, stderr } = await size(...args);
    expect({ code, stdout }).toEqual({ code: exitCode, stdout: '' });
    expect(stderr).toMatch(message);
  });

  /** Throws what the command would end with. */
  function read(...args: string[]): unknown {
    const command = addSizeOptions(new Command('size').exitOverride().configureOutput({ writeErr: () => {} }));
    command.parse(args, { from: 'user' });
    return workloadOf(command.opts<SizeOptions>(), () => 'the file' as never, settings);
  }

  it.each<[string[], RegExp]>([
    [['--max-delay', '5s'], /Must be auto, or 0 to 1000 ms/],
    [['--bytes', '0'], /Must be 1 to 67108864 bytes/],
    [['--utilisation', '100'], /Must be a number from 1 to 99/],
    [['--rate', ''], /Must be a number from 0 to/],
    [['--processes', '0'], /Must be a whole number from 1 to/],
    [['--clients', '5'], /also needs --topics-per-client, --topics, --rate, --bytes; or .*--workload/],
    [['--workload', 'w.toml', '--rate', '5'], /--workload describes all of it: leave out --rate/],
    [WORKLOAD.with(3, '4000'), /--topics-per-client 4000 is more than there are: --topics 2000/],
    [WORKLOAD.with(11, '4000'), /--hot 4000 is more than there are/],
  ])('%j', (args, message) => {
    expect(() => read(...args)).toThrow(message);
  });

  it('without a workload there is none, with a file it is the file’s', () => {
    expect([read(), read('--workload', 'w.toml')]).toEqual([null, 'the file']);
  });
});

const canMeasure = process.platform === 'linux';
if (!canMeasure) console.log('measuring is skipped: it reads /proc, which only Linux has');

describe.skipIf(!canMeasure)('measuring', () => {
  it('Ctrl-C ends it and everything that it started, and saves nothing', async () => {
    const cli = new RunningCli(['size', '--save', join(folder, 'saved.json')]);
    await cli.until(({ stderr }) => /measuring this machine/.test(stderr));
    cli.kill('SIGINT');
    const { code, stderr } = await cli.ended; // its pipes close when the last of its processes has
    expect(code).toBe(1);
    expect(stderr).toMatch(/interrupted: the calibration is incomplete, nothing was saved/);
    expect(existsSync(join(folder, 'saved.json'))).toBe(false);
  });
});
