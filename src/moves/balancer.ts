/**
 * Balancer: which lane a topic gets, and which topic should leave its lane. Decisions only, nothing is moved here.
 *
 * A lane's *utilisation* is the share of a core that it uses, 0–1. A topic's *load* is its traffic, in any unit that is
 * the same for all. What a topic costs its lane is taken to be the lane's utilisation × its part of the lane's traffic.
 */

import type { HotSettings } from './load-meter.js';

export interface TopicLoad {
  /** The topic's alias. */
  readonly id: number;
  readonly load: number;
  /** A rule or a call has put the topic on this lane: it stays. */
  readonly isPinnedToLane: boolean;
}

export interface BalancedLane {
  readonly lane: number;
  /** Whether it runs: one that is being restarted, or is given up, neither gives nor takes. */
  readonly isUsable: boolean;
  readonly utilisation: number;
  readonly topics: readonly TopicLoad[];
}

export interface Move {
  /** The topic's alias. */
  readonly topic: number;
  readonly from: number;
  readonly to: number;
}

/** A lane that uses less of a core than this is not relieved, however little the others do. */
export const RELIEVED_FROM_UTILISATION = 0.1;
/** A topic with more than this part of its lane's load fills it: it stays, the others leave. */
const FILLS_LANE_SHARE = 0.5;
/** By how much the larger of two lanes must shrink for a move to help clearly: by this part of the topic's own cost. */
const CLEAR_GAIN_SHARE = 0.5;
/** One move, and those of so much time (ms), can be made up for when they were not made: ticks are not punctual. */
const BURST_MS = 100;

/**
 * How many topics may move: a token bucket, so that a storm of decisions is not a storm of moves. In any second at most
 * `movesPerSecond` and one burst.
 */
export class MoveBudget {
  readonly #movesPerMs: number;
  readonly #movesMax: number;
  #moves: number;
  #filledMs: number;

  constructor({ movesPerSecond }: Pick<HotSettings, 'movesPerSecond'>, nowMs: number) {
    this.#movesPerMs = movesPerSecond / 1000;
    this.#movesMax = movesPerSecond === 0 ? 0 : 1 + this.#movesPerMs * BURST_MS;
    this.#moves = this.#movesMax;
    this.#filledMs = nowMs;
  }

  /** More never move at once. */
  get mostAtOnce(): number {
    return Math.floor(this.#movesMax);
  }

  /** Whether a topic may move now; if so, it counts as moved. */
  take(nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - this.#filledMs);
    this.#moves = Math.min(this.#movesMax, this.#moves + elapsedMs * this.#movesPerMs);
    this.#filledMs = Math.max(nowMs, this.#filledMs);
    if (this.#moves < 1) return false;
    this.#moves--;
    return true;
  }

  /** Of those that want to move now, the ones that may: the hottest first. */
  takeHottest<T extends { readonly load: number }>(candidates: readonly T[], nowMs: number): T[] {
    const chosen: T[] = [];
    for (const candidate of candidates.toSorted((left, right) => right.load - left.load)) {
      if (!this.take(nowMs)) break;
      chosen.push(candidate);
    }
    return chosen;
  }
}

/**
 * The lane for one more topic; null when none is usable. A topic that has just come is among a lane's topics before it
 * shows in its utilisation, so its traffic is estimated at what traffic costs on all lanes together.
 */
export function leastLoadedLane(lanes: readonly BalancedLane[]): number | null {
  const usable = lanes.filter((lane) => lane.isUsable);
  const trafficOfAll = sumOf(usable, trafficOf);
  const costPerLoad = trafficOfAll > 0 ? sumOf(usable, (lane) => lane.utilisation) / trafficOfAll : 0;
  let least: { lane: number; cost: number; traffic: number } | null = null;
  for (const lane of usable) {
    const traffic = trafficOf(lane);
    const cost = Math.max(lane.utilisation, traffic * costPerLoad);
    if (least === null || cost < least.cost || (cost === least.cost && traffic < least.traffic)) {
      least = { lane: lane.lane, cost, traffic };
    }
  }
  return least?.lane ?? null;
}

/**
 * The move that relieves a lane whose utilisation exceeds the mean by `ratio`, to the one that does least, or null. The
 * utilisations must be those of the topics where they are now: after a move, wait until the measurement has followed.
 */
export function rebalance(lanes: readonly BalancedLane[], ratio: number): Move | null {
  const usable = lanes.filter((lane) => lane.isUsable).toSorted((left, right) => right.utilisation - left.utilisation);
  if (usable.length < 2) return null;
  const to = usable[usable.length - 1];
  const limit = Math.max(
    RELIEVED_FROM_UTILISATION,
    (ratio * sumOf(usable, (lane) => lane.utilisation)) / usable.length,
  );
  for (const from of usable) {
    if (from.utilisation <= limit) return null;
    const topic = mostHelpful(from, from.utilisation - to.utilisation);
    // A lane that cannot be relieved (one topic fills it, all are pinned) is not in the way of the next one.
    if (topic !== null) return { topic: topic.id, from: from.lane, to: to.lane };
  }
  return null;
}

/** The topic whose move makes the larger of two lanes smallest, if that helps clearly. @param ahead how much more the lane does */
function mostHelpful(from: BalancedLane, ahead: number): TopicLoad | null {
  const traffic = trafficOf(from);
  let best: TopicLoad | null = null;
  let bestGain = 0;
  for (const topic of from.topics) {
    if (topic.isPinnedToLane || topic.load > traffic * FILLS_LANE_SHARE) continue;
    const cost = (from.utilisation * topic.load) / traffic;
    // The lane that gives shrinks by the topic's cost; the one that takes stays below what the other had by the rest.
    const gain = Math.min(cost, ahead - cost);
    if (gain >= cost * CLEAR_GAIN_SHARE && gain > bestGain) {
      best = topic;
      bestGain = gain;
    }
  }
  return best;
}

function trafficOf(lane: BalancedLane): number {
  return sumOf(lane.topics, (topic) => topic.load);
}

function sumOf<T>(items: readonly T[], amountOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + amountOf(item), 0);
}
