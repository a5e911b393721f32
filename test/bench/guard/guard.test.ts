// One guarding: how many rounds it takes, what counts, what ends it.
import { describe, expect, it } from 'vitest';
import { ROUNDS_MAX } from '../../../bench/guard/decision.js';
import { type GuardJob, guard } from '../../../bench/guard/guard.js';
import { isProven } from '../../../bench/guard/proof.js';
import { PLAIN, type Round } from '../../../bench/guard/rounds.js';
import { seededRandom } from '../../../bench/support/shared.js';
import { LIMITS, LOSS, normal, roundOf } from './synthetic.js';

const SEED = 4;

const jobOf = (run: (number: number) => Round | null, otherMachine: string | null = null): GuardJob => ({
  ...{ contestants: PLAIN, limits: LIMITS, otherMachine },
  run: async (number) => run(number),
  onRound: () => {},
});

const decisions = (result: Awaited<ReturnType<typeof guard>>): string[] =>
  result.checks.map(({ decision }) => decision);

describe('guard', () => {
  it('passes after three rounds within the limits', async () => {
    const result = await guard(jobOf((number) => roundOf(number, () => 1.05)));
    expect(result.verdict).toBe('passed');
    expect(result.rounds).toHaveLength(3);
    expect(decisions(result)).toEqual(['within', 'within', 'within', 'within']);
  });

  it('adds rounds while one check is in doubt', async () => {
    const result = await guard(
      jobOf((number) => roundOf(number, (check) => (check === 'burst' && number <= 2 ? 1.3 : 1))),
    );
    expect(result.verdict).toBe('passed');
    expect(result.rounds).toHaveLength(7);
  });

  it('fails when one check has lost, after five rounds, and names it', async () => {
    const result = await guard(jobOf((number) => roundOf(number, (check) => (check === 'watchlist' ? LOSS : 1))));
    expect(result.verdict).toBe('loss');
    expect(result.rounds).toHaveLength(5);
    expect(result.reasons).toEqual(['watchlist is over its limit, after 5 rounds']);
    expect(decisions(result)).toEqual(['within', 'within', 'within', 'over']);
  });

  it('fails at once when deliveries are missing, however fast they were and busy the machine', async () => {
    const result = await guard(jobOf((number) => roundOf(number, () => 0.5, { subjectLost: 1, setAside: 'busy' })));
    expect(result.verdict).toBe('fault');
    expect(result.rounds).toHaveLength(1);
    expect(result.reasons[0]).toContain('1 deliveries lost or wrong');
  });

  it('holds only calm rounds against the limits', async () => {
    const result = await guard(
      jobOf((number) => (number <= 4 ? roundOf(number, () => 3, { setAside: 'busy' }) : roundOf(number, () => 1))),
    );
    expect(result.verdict).toBe('passed');
    expect(result.rounds).toHaveLength(7);
    expect(result.checks[0].ratios).toEqual([1, 1, 1]);
  });

  it('is inconclusive, and gives up early, when calm rounds cannot be had', async () => {
    const result = await guard(jobOf((number) => roundOf(number, () => 3, { setAside: 'busy' })));
    expect(result.verdict).toBe('inconclusive');
    expect(result.rounds).toHaveLength(ROUNDS_MAX - 2);
    expect(result.reasons[0]).toContain('only 0 of 7 rounds count');
  });

  it('is inconclusive when too few calm rounds are over to call it a loss', async () => {
    const result = await guard(
      jobOf((number) => (number <= 5 ? roundOf(number, () => 1, { setAside: 'busy' }) : roundOf(number, () => 1.3))),
    );
    expect(result.verdict).toBe('inconclusive');
    expect(result.rounds).toHaveLength(ROUNDS_MAX);
  });

  it('says that its limits are of another machine instead of failing on this one', async () => {
    const result = await guard(
      jobOf((number) => roundOf(number, () => LOSS), 'the limits are those of another machine'),
    );
    expect(result.verdict).toBe('inconclusive');
    expect(result.reasons).toContain('the limits are those of another machine');
  });

  it('keeps what it has when it is interrupted', async () => {
    const result = await guard(jobOf((number) => (number === 3 ? null : roundOf(number, () => 1))));
    expect(result.verdict).toBe('interrupted');
    expect(result.rounds).toHaveLength(2);
  });

  it('all in all fails fewer than 1 of 100 times from noise, and finds a loss of 25 % in one check 99 of 100 times', async () => {
    const random = seededRandom(SEED);
    const times = 1000;
    const lossesAt = async (growth: number): Promise<number> => {
      let losses = 0;
      for (let time = 0; time < times; time++) {
        const noisy = (check: string): number => (check === 'burst' ? growth : 1) * Math.exp(0.05 * normal(random));
        const result = await guard(jobOf((number) => roundOf(number, noisy)));
        if (result.verdict === 'loss') losses++;
      }
      return losses;
    };
    expect(await lossesAt(1)).toBeLessThan(times / 100);
    expect(await lossesAt(LOSS)).toBeGreaterThan((times * 99) / 100);
  });
});

describe('proof', () => {
  const results = async (...kinds: ('fast' | 'slow' | 'busy')[]) =>
    Promise.all(
      kinds.map((kind) =>
        guard(
          jobOf((number) =>
            roundOf(number, () => (kind === 'slow' ? LOSS : 1), kind === 'busy' ? { setAside: kind } : {}),
          ),
        ),
      ),
    );

  it('wants that nothing failed', async () => {
    expect(isProven(await results('fast', 'fast', 'busy'), false)).toBe(true);
    expect(isProven(await results('fast', 'slow'), false)).toBe(false);
  });

  it('of a slowed build wants that every conclusive run failed', async () => {
    expect(isProven(await results('slow', 'slow', 'busy'), true)).toBe(true);
    expect(isProven(await results('slow', 'fast'), true)).toBe(false);
  });

  it('is none when no run was conclusive', async () => {
    expect(isProven(await results('busy', 'busy'), false)).toBe(false);
    expect(isProven(await results('busy'), true)).toBe(false);
  });
});
