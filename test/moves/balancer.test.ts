// Which lane a topic gets and which topic leaves its lane, on simulated lanes whose load is known exactly.

import { describe, expect, it } from 'vitest';
import {
  type BalancedLane,
  leastLoadedLane,
  MoveBudget,
  RELIEVED_FROM_UTILISATION,
  rebalance,
} from '#src/moves/balancer.js';
import { Random, testSeed } from '../ring/random.js';

const RATIO = 1.5;

interface SimulatedTopic {
  readonly id: number;
  readonly load: number;
  readonly isPinnedToLane: boolean;
  lane: number;
}

/** Lanes whose utilisation is what their topics cost, and what they need anyway. */
class SimulatedLanes {
  readonly topics: SimulatedTopic[] = [];
  readonly #count: number;
  readonly #unusable: Set<number>;
  readonly #idleUtilisation: number;
  readonly #costPerLoad: number;

  constructor(count: number, { unusable = new Set<number>(), idleUtilisation = 0, costPerLoad = 1 } = {}) {
    this.#count = count;
    this.#unusable = unusable;
    this.#idleUtilisation = idleUtilisation;
    this.#costPerLoad = costPerLoad;
  }

  /** Puts topics with these loads on a lane. */
  add(lane: number, loads: number[], isPinnedToLane = false): this {
    for (const load of loads) this.topics.push({ id: this.topics.length, load, isPinnedToLane, lane });
    return this;
  }

  /** The lanes as they are measured. @param noise makes each measurement wrong by up to this part */
  lanes(noise = 0, random?: Random): BalancedLane[] {
    return Array.from({ length: this.#count }, (_, lane) => {
      const topics = this.topics.filter((topic) => topic.lane === lane);
      const cost = this.#costPerLoad * topics.reduce((sum, { load }) => sum + load, 0);
      const error = random === undefined ? 0 : noise * (random.below(2001) / 1000 - 1);
      const utilisation = (this.#idleUtilisation + cost) * (1 + error);
      return { lane, isUsable: !this.#unusable.has(lane), utilisation, topics };
    });
  }

  utilisations(): number[] {
    return this.lanes().map(({ utilisation }) => utilisation);
  }

  /** Follows one decision. False: there was none. */
  step(noise = 0, random?: Random): boolean {
    const move = rebalance(this.lanes(noise, random), RATIO);
    if (move === null) return false;
    const topic = this.topics.find(({ id }) => id === move.topic)!;
    if (topic.lane !== move.from || move.from === move.to) throw new Error(`impossible move ${JSON.stringify(move)}`);
    if (topic.isPinnedToLane) throw new Error('a pinned topic was moved');
    if (this.#unusable.has(move.from) || this.#unusable.has(move.to)) throw new Error('an unusable lane took part');
    topic.lane = move.to;
    return true;
  }
}

function randomLanes(random: Random): SimulatedLanes {
  const count = 1 + random.below(8);
  const unusable = new Set(Array.from({ length: count }, (_, lane) => lane).filter(() => random.chance(0.1)));
  const idleUtilisation = random.chance(0.5) ? 0 : random.below(50) / 1000;
  const lanes = new SimulatedLanes(count, { unusable, idleUtilisation, costPerLoad: 10 ** -random.below(6) });
  const unit = 10 ** random.below(4) / 1000;
  // Many alike, a few that weigh a hundred times as much, on few lanes or on all.
  const isSkewed = random.chance(0.5);
  const topics = random.below(60);
  for (let i = 0; i < topics; i++) {
    const load = unit * (1 + random.below(100)) * (random.chance(0.1) ? 100 : 1);
    lanes.add(random.below(isSkewed ? Math.min(2, count) : count), [load], random.chance(0.15));
  }
  return lanes;
}

describe('rebalancing', () => {
  it('comes to rest within topics + 1 moves, never raises the maximum, leaves pinned topics and unusable lanes alone', () => {
    const random = new Random(testSeed('rebalancing'));
    let movesOfAll = 0;
    for (let round = 0; round < 5000; round++) {
      const lanes = randomLanes(random);
      let maximum = Math.max(...lanes.utilisations());
      let moves = 0;
      while (lanes.step()) {
        const next = Math.max(...lanes.utilisations());
        if (next > maximum * (1 + 1e-12))
          throw new Error(`round ${round}: the maximum rose to ${next} from ${maximum}`);
        maximum = next;
        if (++moves > lanes.topics.length) throw new Error(`round ${round}: no end after ${moves} moves`);
      }
      movesOfAll += moves;
    }
    expect(movesOfAll).toBeGreaterThan(5000);
  });

  it('comes to rest also when every measurement is wrong by up to a twentieth', () => {
    const random = new Random(testSeed('noise'));
    for (let round = 0; round < 300; round++) {
      const lanes = randomLanes(random);
      let moves = 0;
      for (let tick = 0; tick < 500; tick++) if (lanes.step(0.05, random)) moves++;
      if (moves > lanes.topics.length + 1) throw new Error(`round ${round}: ${moves} moves`);
    }
  });

  it('leaves no lane above the ratio that has many small topics and none that fills it', () => {
    const random = new Random(testSeed('small topics'));
    for (let round = 0; round < 300; round++) {
      const count = 2 + random.below(6);
      const lanes = new SimulatedLanes(count);
      for (let i = 0; i < 40 * count; i++) lanes.add(random.below(2), [0.01 + random.below(100) / 10_000]);
      while (lanes.step());
      const utilisations = lanes.utilisations();
      const mean = utilisations.reduce((sum, utilisation) => sum + utilisation, 0) / count;
      expect(Math.max(...utilisations)).toBeLessThanOrEqual(RATIO * mean * (1 + 1e-12));
    }
  });

  it('moves the topic that evens two lanes out best', () => {
    const lanes = new SimulatedLanes(2).add(0, [0.1, 0.3, 0.35, 0.05]).add(1, [0.1]);
    expect(rebalance(lanes.lanes(), RATIO)).toEqual({ topic: 2, from: 0, to: 1 });
  });

  it('lets the others leave when one topic fills its lane, and that one stay', () => {
    const lanes = new SimulatedLanes(3).add(0, [0.6, 0.1, 0.1, 0.05]).add(1, [0.02]).add(2, [0.02]);
    while (lanes.step());
    expect(lanes.topics.filter(({ lane }) => lane === 0).map(({ id }) => id)).toEqual([0]);
  });

  it('does nothing for a lane with one topic, and relieves the next one instead', () => {
    const alone = new SimulatedLanes(2).add(0, [0.9]);
    expect(rebalance(alone.lanes(), RATIO)).toBe(null);
    const next = new SimulatedLanes(4).add(0, [0.9]).add(1, [0.2, 0.2, 0.25]);
    expect(rebalance(next.lanes(), RATIO)).toEqual({ topic: 3, from: 1, to: 3 });
  });

  it('does nothing while no lane exceeds the mean by the ratio', () => {
    const lanes = new SimulatedLanes(2).add(0, [0.2, 0.2, 0.2]).add(1, [0.21]);
    expect(rebalance(lanes.lanes(), RATIO)).toBe(null);
    expect(rebalance(lanes.lanes(), 1.2)).toEqual({ topic: 0, from: 0, to: 1 });
  });

  it('does nothing for a lane that does little, however idle the others are', () => {
    const little = RELIEVED_FROM_UTILISATION / 3;
    expect(rebalance(new SimulatedLanes(2).add(0, [little, little]).lanes(), RATIO)).toBe(null);
    expect(rebalance(new SimulatedLanes(2).add(0, [little, little, little, little]).lanes(), RATIO)).not.toBe(null);
  });

  it('does not move a topic that would only carry the load to another lane', () => {
    const lanes = new SimulatedLanes(2).add(0, [0.5, 0.5, 0.02], true).add(0, [0.49]).add(1, [0.2]);
    // 1.51 against 0.2: moving 0.49 helps. With the other lane at 1.2 it would not, and the ratio says so before.
    expect(rebalance(lanes.lanes(), RATIO)?.topic).toBe(3);
    const full = new SimulatedLanes(4).add(0, [0.45, 0.45], false).add(1, [0.4]).add(2, [0.4]).add(3, [0.4]);
    expect(rebalance(full.lanes(), RATIO), '0.9 is above 1.5 × 0.525, but 0.4 + 0.45 is no relief').toBe(null);
  });

  it('does nothing with fewer than two usable lanes', () => {
    const lanes = new SimulatedLanes(2, { unusable: new Set([1]) }).add(0, [0.3, 0.3, 0.3]);
    expect(rebalance(lanes.lanes(), RATIO)).toBe(null);
    expect(rebalance([], RATIO)).toBe(null);
  });

  it('does not count on utilisation that no topic accounts for', () => {
    const lanes = new SimulatedLanes(2, { idleUtilisation: 0.5 }).add(0, [0]);
    expect(rebalance(lanes.lanes(), 0.5)).toBe(null);
  });
});

describe('the least loaded lane', () => {
  it('is the one that uses least of its core, among the usable', () => {
    const lanes = new SimulatedLanes(3, { unusable: new Set([2]) }).add(0, [0.4]).add(1, [0.3]);
    expect(leastLoadedLane(lanes.lanes())).toBe(1);
  });

  it('is none when no lane is usable', () => {
    expect(leastLoadedLane(new SimulatedLanes(2, { unusable: new Set([0, 1]) }).lanes())).toBe(null);
    expect(leastLoadedLane([])).toBe(null);
  });

  it('takes topics that have just come into account before they show in the utilisation', () => {
    const utilisations = [0.11, 0.1, 0.12];
    const simulated = new SimulatedLanes(3, { costPerLoad: 1e-5 });
    simulated.add(0, [10_000]).add(1, [10_000]).add(2, [10_000]);
    const chosen = Array.from({ length: 6 }, () => {
      const lanes = simulated.lanes().map((lane, i) => ({ ...lane, utilisation: utilisations[i] }));
      const lane = leastLoadedLane(lanes)!;
      simulated.add(lane, [8000]);
      return lane;
    });
    expect(chosen.toSorted()).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it('spreads the first topics, while nothing has been measured yet', () => {
    const topics = (count: number) =>
      Array.from({ length: count }, (_, id) => ({ id, load: 1, isPinnedToLane: false }));
    const lanes = [2, 1, 2].map((count, lane) => ({ lane, isUsable: true, utilisation: 0, topics: topics(count) }));
    expect(leastLoadedLane(lanes)).toBe(1);
  });
});

describe('move budget', () => {
  it('lets through the moves per second on average, whatever the ticks, and little more at once', () => {
    const random = new Random(testSeed('move budget'));
    for (const movesPerSecond of [0.5, 3, 10, 200]) {
      const budget = new MoveBudget({ movesPerSecond }, 0);
      const times: number[] = [];
      let nowMs = 0;
      while (nowMs < 60_000) {
        while (budget.take(nowMs)) times.push(nowMs);
        nowMs += 50 + random.below(100);
      }
      expect(times.length).toBeGreaterThan(movesPerSecond * 60 * 0.85);
      expect(times.length).toBeLessThanOrEqual(movesPerSecond * 60.1 + 1);
      const burst = 1 + movesPerSecond / 10;
      let first = 0;
      times.forEach((time, i) => {
        while (times[first] <= time - 1000) first++;
        if (i + 1 - first > movesPerSecond + burst) throw new Error(`${i + 1 - first} moves within a second`);
      });
    }
  });

  it('lets nothing through when no moves are wanted, and is not confused by a clock that goes back', () => {
    const never = new MoveBudget({ movesPerSecond: 0 }, 0);
    expect([never.take(0), never.take(1e9)]).toEqual([false, false]);
    const budget = new MoveBudget({ movesPerSecond: 1 }, 10_000);
    expect(budget.take(10_000)).toBe(true);
    expect([budget.take(0), budget.take(10_000), budget.take(10_500)]).toEqual([false, false, false]);
    expect(budget.take(11_000)).toBe(true);
  });

  it('gives the moves to the hottest', () => {
    const budget = new MoveBudget({ movesPerSecond: 20 }, 0);
    const candidates = [5, 50, 7, 90, 6, 7].map((load, id) => ({ id, load }));
    expect(budget.takeHottest(candidates, 0).map(({ id }) => id)).toEqual([3, 1, 2]);
    expect(budget.takeHottest(candidates, 1)).toEqual([]);
    expect(budget.takeHottest([], 1000)).toEqual([]);
    expect(budget.takeHottest(candidates.slice(0, 2), 1000).map(({ id }) => id)).toEqual([1, 0]);
    expect(
      candidates.map(({ id }) => id),
      'in the order in which they were',
    ).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
