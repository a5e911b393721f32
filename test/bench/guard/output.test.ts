// What the guard prints, and what it refuses.
import { describe, expect, it } from 'vitest';
import { guard } from '../../../bench/guard/guard.js';
import type { Limit } from '../../../bench/guard/limits.js';
import { type Options, readOptions } from '../../../bench/guard/options.js';
import { checkLines, powerLines, roundLines, verdictLines } from '../../../bench/guard/output.js';
import { proofLines } from '../../../bench/guard/proof.js';
import { PLAIN, type Round } from '../../../bench/guard/rounds.js';
import { LIMITS, roundOf } from './synthetic.js';

const resultOf = (run: (number: number) => Round, limits: readonly Limit[] = LIMITS) =>
  guard({ contestants: PLAIN, limits, otherMachine: null, run: async (number) => run(number), onRound: () => {} });

const lineOf = (lines: readonly string[], start: string): string => lines.find((line) => line.startsWith(start)) ?? '';

describe('output', () => {
  it('has every figure on success, too', async () => {
    const result = await resultOf((number) => roundOf(number, () => 0.98 + number / 100));
    const lines = checkLines(result, PLAIN);
    expect(lineOf(lines, 'burst').replace(/ {2,}/g, ' | ')).toBe(
      'burst | 2 (1.98–2.02) µs | 2 (2–2) µs | 1 (0.99–1.01) × | 1 × | ≤ 1.12 × | ≤ 1.5 × met | within',
    );
    expect(verdictLines(result)).toEqual(['passed: all within their limits, 3 rounds']);
  });

  it('says of a missed bar that it is missed, and at what it is held', async () => {
    const limits = LIMITS.map((limit) =>
      limit.check === 'watchlist' ? { ...limit, bar: 0.4, isBarMissed: true } : limit,
    );
    const lines = checkLines(await resultOf((number) => roundOf(number, () => 1), limits), PLAIN);
    expect(lineOf(lines, 'watchlist ')).toContain('≤ 0.4 × MISSED');
    expect(lines).toContain('watchlist: bar missed (≤ 0.4 ×), held at the documented 1 × + 12 % = 1.12 ×');
  });

  it('says by how much a check is over', async () => {
    const result = await resultOf((number) => roundOf(number, (check) => (check === 'burst' ? 1.3 : 1)));
    expect(lineOf(checkLines(result, PLAIN), 'burst')).toContain('OVER: 30 % above what is documented');
    expect(verdictLines(result)).toEqual(['FAILED: burst is over its limit, after 5 rounds']);
  });

  it('says when a figure has become better than the table knows', async () => {
    const lines = checkLines(
      await resultOf((number) => roundOf(number, (check) => (check === 'burst' ? 0.8 : 1))),
      PLAIN,
    );
    expect(lineOf(lines, 'burst: 20 % better than documented')).toContain('--update');
  });

  it('is loud when it is inconclusive, and still shows what it saw', async () => {
    const result = await resultOf((number) => roundOf(number, () => 1.3, { setAside: 'beside x, other processes' }));
    const lines = checkLines(result, PLAIN);
    expect(lineOf(lines, 'burst')).toContain('1.3 (1.3–1.3) ×');
    expect(lineOf(lines, 'burst')).toContain('UNDECIDED');
    expect(lines).toContain('no round counts: the figures are those of the others, and mean little');
    expect(verdictLines(result).join('\n')).toContain('INCONCLUSIVE: speed was NOT guarded: only 0 of 7 rounds count');
    expect(roundLines(result.rounds[0]).at(-1)).toBe('round 1 does not count: beside x, other processes');
  });

  it('says that the load generator was busy', async () => {
    const lines = checkLines(await resultOf((number) => roundOf(number, () => 1, { saturated: true })), PLAIN);
    expect(lines.at(-1)).toContain('the load generator was saturated in 6 of 6 phases');
  });

  it('has a line per server and round', () => {
    expect(roundLines(roundOf(1, () => 0.5, { subjectLost: 3 }))).toEqual([
      'round 1  uws-publish      saturation 2  burst 2  small-burst 2  watchlist 2  µs/delivery',
      'round 1  ringcast         FAULT: 3 deliveries lost or wrong',
      'round 1  taken by other processes: 0.01 cores, stolen: 0.00',
    ]);
  });

  it('sums many runs up', async () => {
    const results = await Promise.all([1, 1.05].map((ratio) => resultOf((number) => roundOf(number, () => ratio))));
    const lines = proofLines(results, LIMITS, PLAIN);
    expect(lines[0]).toBe('2 runs: 2 passed; 6 of 6 rounds count');
    expect(lineOf(lines, 'burst')).toContain('0 of 6');
  });

  it('says what the noise of the limits means', () => {
    expect(lineOf(powerLines(LIMITS), 'burst')).toMatch(/≤ 1\.12 × +0\.\d+ % +100 %/);
  });
});

describe('options', () => {
  /** @returns the options, or what was printed instead */
  function read(...args: string[]): Options | string {
    let printed = '';
    try {
      return readOptions(args, (text) => (printed += text)) ?? printed;
    } catch {
      return printed;
    }
  }

  it('are read', () => {
    expect(read()).toMatchObject({ times: 1, isProof: false, strict: false, slowedPercent: null, updateRounds: null });
    expect(read('--prove', '20', '--json', 'x.json')).toMatchObject({ times: 20, isProof: true, jsonFile: 'x.json' });
    expect(read('--slowed', '25', '--strict')).toMatchObject({ slowedPercent: 25, strict: true });
    expect(read('--update')).toMatchObject({ updateRounds: 15 });
    expect(read('--update', '30')).toMatchObject({ updateRounds: 30 });
    expect(read('--help')).toContain('npm run bench:guard');
  });

  it.each([
    [['--prove', '0'], 'whole number from 1'],
    [['--prove', 'many'], 'whole number'],
    [['--slowed', '2.5'], 'whole number'],
    [['--update', '3'], 'from 9'],
    [['--update', '--slowed', '25'], '--update takes no'],
    [['--update', '--prove', '5'], '--update takes no'],
    [['--smoke', '--prove', '5'], '--smoke measures nothing'],
    [['--json'], 'argument missing'],
    [['--fast'], 'unknown option'],
    [['saturation'], 'too many arguments'],
  ])('refuses %j in one line', (args, text) => {
    const printed = read(...args) as string;
    expect(printed).toContain(text);
    expect(printed.trim().split('\n')).toHaveLength(1);
  });
});
