// The ratio of a round: of what was measured at the same time.
import { describe, expect, it } from 'vitest';
import { costs, ratioOf, ratios } from '../../../bench/guard/rounds.js';
import { RINGCAST, UWS } from '../../../bench/support/scenario.js';
import { roundOf } from './synthetic.js';

/** A round whose machine was twice as slow from its second cycle on. */
function slowing(ratiosOfCycles: readonly number[]): ReturnType<typeof roundOf> {
  const round = roundOf(1, () => 1);
  const micros = ratiosOfCycles.map((_, cycle) => (cycle === 0 ? 2 : 4));
  const [uws, ringcast] = round.parts;
  uws!.cycles.burst = micros;
  ringcast!.cycles.burst = micros.map((cost, cycle) => cost * ratiosOfCycles[cycle]);
  return round;
}

describe('the ratio of a round', () => {
  it('compares cycle by cycle, so that a slower machine changes nothing', () => {
    expect(ratioOf(slowing([1.1, 1.1, 1.1]), 'burst', RINGCAST, UWS)).toBeCloseTo(1.1, 12);
  });

  it('is the median of its cycles', () => {
    expect(ratioOf(slowing([0.9, 3, 1]), 'burst', RINGCAST, UWS)).toBe(1);
    expect(costs([slowing([0.9, 3, 1])], 'burst', UWS)).toEqual([4]);
  });

  it('is none where cycles are missing', () => {
    const round = slowing([1, 1, 1]);
    round.parts[0].cycles.burst = [];
    expect(ratioOf(round, 'burst', RINGCAST, UWS)).toBeNaN();
    expect(ratios([round, slowing([1, 1, 1])], 'burst', RINGCAST, UWS)).toEqual([1]);
    expect(costs([round], 'burst', UWS)).toEqual([]);
  });
});
