/**
 * Home keeper: sees to it that topics live where their load belongs. Measures them, promotes, demotes, rebalances lanes,
 * and knows what is pinned.
 *
 * It works in sweeps over the topics with traffic, a part of them per turn of the event loop: with 100,000 such topics a
 * sweep takes as long as it takes, and delays nobody.
 */

import { Top } from '../counters/top.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import { NO_ROW, type TopicEntry } from '../directory/topic-entry.js';
import { RingcastError } from '../errors.js';
import { COLD, type Home } from '../home/placement.js';
import type { LaneSet } from '../lane/lane-set.js';
import type { Clock, Scheduler } from '../time/loop.js';
import { type BalancedLane, leastLoadedLane, MoveBudget, rebalance, type TopicLoad } from './balancer.js';
import type { HandOver } from './hand-over.js';
import { type HotSettings, LoadMeter } from './load-meter.js';

export interface HomeOptions {
  readonly hot: HotSettings;
  readonly rebalance: {
    /** A lane this many times busier than the mean gives topics away; 0: none does. */
    readonly ratio: number;
  };
}

/** Pause between two sweeps (ms). */
const SWEEP_MS = 100;
/** Topics looked at in one turn of the event loop. */
const TOPICS_PER_TURN = 2000;
/** Lanes are compared this often (ms): long enough that the effect of a move shows in their utilisation. */
const REBALANCE_MS = 2000;
/** A topic with more than so much of its lane's time since the last look is worth a thought (ms). */
const BUSY_MIN_MS = 0.01;

/** A topic with traffic, and what of its messages and of its lane's time (ms) has been taken into its load. */
interface ActiveTopic {
  readonly entry: TopicEntry;
  measuredMessages: number;
  measuredBusyMs: number;
}

interface Candidate {
  readonly topic: ActiveTopic;
  readonly target: 'hot' | 'cold';
  readonly load: number;
}

/** Writer and reader: the accept thread. */
export class HomeKeeper {
  readonly meter: LoadMeter;

  readonly #options: HomeOptions;
  readonly #directory: TopicDirectory;
  readonly #handOver: HandOver;
  readonly #lanes: LaneSet;
  readonly #loop: Clock & Scheduler;
  readonly #budget: MoveBudget;
  /** Topics with traffic. A closed one stays until the next sweep finds it. */
  readonly #active: ActiveTopic[] = [];
  /** Of them, those that were hot when they were looked at last. */
  readonly #hot = new Set<ActiveTopic>();
  /** Of the topics that want to move, found in the sweep under way, the hottest: as many as may move at once. */
  #candidates: Top<Candidate>;
  #position = 0;
  #rebalancedAtMs: number;
  #cancelSweep: (() => void) | null = null;
  #isStopped = false;

  constructor(
    options: HomeOptions,
    directory: TopicDirectory,
    handOver: HandOver,
    lanes: LaneSet,
    loop: Clock & Scheduler,
  ) {
    this.#options = options;
    this.#directory = directory;
    this.#handOver = handOver;
    this.#lanes = lanes;
    this.#loop = loop;
    this.meter = new LoadMeter(options.hot);
    const nowMs = loop.nowMs();
    this.#budget = new MoveBudget(options.hot, nowMs);
    this.#candidates = new Top(this.#budget.mostAtOnce);
    this.#rebalancedAtMs = nowMs;
  }

  /** A topic without a row of the meter was published to. */
  watch(entry: TopicEntry): void {
    // That message counts: of topics with few messages it is all there is until the next sweep.
    this.#activate(entry, entry.acceptedMessages - 1);
  }

  /**
   * Pins a topic to a home, or no longer (`auto`). Resolves when it is there.
   * Rejects with RingcastError: BAD_REQUEST, LIMIT_EXCEEDED; TOPIC_NOT_FOUND, SHUTTING_DOWN when it was deleted, or the
   * engine stopped, on the way.
   */
  async pin(entry: TopicEntry, home: Home): Promise<void> {
    const target = this.#targetOf(entry, home);
    const becomesHot = target !== COLD && !entry.isHot;
    if (becomesHot && !this.#directory.hasRoomForHot) {
      throw new RingcastError('LIMIT_EXCEEDED', 'no more topics can be hot (maxHotTopics)');
    }
    entry.home = home;
    // Nobody need publish to it ever again: it is to leave its lane all the same.
    if (home === 'auto' && entry.loadRow === NO_ROW) this.#activate(entry, entry.acceptedMessages);
    await new Promise<void>((resolve) => this.#handOver.move(entry, target, resolve));
    if (entry.isClosed) throw new RingcastError('TOPIC_NOT_FOUND', 'the topic was deleted on its way');
    if (this.#handOver.isUnderWay(entry)) {
      throw new RingcastError('SHUTTING_DOWN', 'the engine was stopped while the topic was on its way');
    }
  }

  /** The lane is given up: its topics go to the accept thread, wherever they were pinned. */
  evacuate(lane: number): void {
    // In a lane that is to stop nothing is handled behind that: it would never let a topic go.
    if (this.#isStopped) return;
    for (const entry of this.#directory.entries()) {
      if (this.#handOver.targetOf(entry) === lane) this.#handOver.move(entry, COLD);
    }
  }

  /** The topics with traffic at the moment; a copy. A few may have been closed already. */
  activeTopics(): TopicEntry[] {
    return this.#active.map(({ entry }) => entry);
  }

  /** Moves nothing any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelSweep?.();
    this.#cancelSweep = null;
  }

  #activate(entry: TopicEntry, measuredMessages: number): void {
    entry.loadRow = this.meter.open(this.#loop.nowMs());
    this.#active.push({ entry, measuredMessages, measuredBusyMs: this.#busyMsOf(entry) });
    this.#arm();
  }

  // ---- sweeps ------------------------------------------------------------------------------------------------------

  #arm(): void {
    if (this.#cancelSweep !== null || this.#isStopped) return;
    this.#cancelSweep = this.#loop.after(SWEEP_MS, () => this.#begin());
  }

  #begin(): void {
    const nowMs = this.#loop.nowMs();
    for (const load of this.#lanes.loads) load.update(nowMs);
    this.#position = 0;
    this.#candidates = new Top(this.#budget.mostAtOnce);
    this.#continue();
  }

  #continue(): void {
    if (this.#isStopped) return;
    const nowMs = this.#loop.nowMs();
    const end = this.#position + TOPICS_PER_TURN;
    while (this.#position < Math.min(end, this.#active.length)) {
      const topic = this.#active[this.#position];
      if (this.#measure(topic, nowMs)) this.#position++;
      else this.#forget(topic);
    }
    if (this.#position < this.#active.length) {
      this.#loop.soon(() => this.#continue());
      return;
    }
    this.#moveCandidates(nowMs);
    if (nowMs - this.#rebalancedAtMs >= REBALANCE_MS) this.#rebalance(nowMs);
    this.#cancelSweep = null;
    if (this.#active.length > 0) this.#arm();
  }

  /** Takes the entry at the current position out; another one takes its place. */
  #forget(topic: ActiveTopic): void {
    this.meter.close(topic.entry.loadRow);
    topic.entry.loadRow = NO_ROW;
    this.#hot.delete(topic);
    const last = this.#active.pop() as ActiveTopic;
    if (this.#position < this.#active.length) this.#active[this.#position] = last;
  }

  /** Measures a topic. False: there is nothing to measure any more. */
  #measure(topic: ActiveTopic, nowMs: number): boolean {
    const { entry } = topic;
    if (entry.isClosed) return false;
    const { meter } = this;
    const row = entry.loadRow;
    meter.tick(row, entry.acceptedMessages - topic.measuredMessages, entry.subscriberCount, nowMs);
    topic.measuredMessages = entry.acceptedMessages;
    if (entry.isHot) this.#hot.add(topic);
    const isAuto = entry.home === 'auto';
    if (isAuto && !this.#handOver.isUnderWay(entry)) {
      const decision = meter.decide(row, entry.isHot, nowMs);
      const load = meter.deliveriesPerSecond(row);
      if (decision === 'promote') this.#candidates.offer(load, { topic, target: 'hot', load });
      else if (decision === 'demote') this.#candidates.offer(load, { topic, target: 'cold', load });
    }
    // A hot topic is looked at until it is cold again.
    return (isAuto && entry.isHot) || !meter.isIdle(row);
  }

  #moveCandidates(nowMs: number): void {
    for (const { topic, target } of this.#budget.takeHottest(this.#candidates.items, nowMs)) {
      const { entry } = topic;
      if (target === 'cold') {
        this.#handOver.move(entry, COLD);
      } else if (this.#directory.hasRoomForHot) {
        const lane = leastLoadedLane(this.#laneLoads(({ entry }) => this.meter.messagesPerSecond(entry.loadRow)));
        if (lane === null) continue;
        this.#handOver.move(entry, lane);
        this.#hot.add(topic);
      }
    }
  }

  #rebalance(nowMs: number): void {
    this.#rebalancedAtMs = nowMs;
    const loads = this.#laneLoads((topic) => this.#busySinceLastLook(topic));
    const { ratio } = this.#options.rebalance;
    const move = ratio > 0 ? rebalance(loads, ratio) : null;
    if (move === null || !this.#budget.take(nowMs)) return;
    const entry = this.#directory.findAlias(move.topic);
    if (entry !== undefined) this.#handOver.move(entry, move.to);
  }

  /** What the topic took of its lane's time (ms). */
  #busySinceLastLook(topic: ActiveTopic): number {
    const busyMs = this.#busyMsOf(topic.entry);
    const sinceMs = busyMs - topic.measuredBusyMs;
    topic.measuredBusyMs = busyMs;
    // In a new lane a topic begins at 0.
    return sinceMs >= 0 ? sinceMs : busyMs;
  }

  #busyMsOf({ lane, spec }: TopicEntry): number {
    return this.#lanes.links[lane]?.busyMsOf(spec.alias) ?? 0;
  }

  #laneLoads(loadOf: (topic: ActiveTopic) => number): BalancedLane[] {
    const topics = this.#lanes.lanes.map((): TopicLoad[] => []);
    for (const topic of this.#hot) {
      const { entry } = topic;
      if (entry.isClosed || !entry.isHot) this.#hot.delete(topic);
      if (!this.#hot.has(topic) || this.#handOver.isUnderWay(entry)) continue;
      const load = loadOf(topic);
      const isPinnedToLane = typeof entry.home === 'number';
      if (load > BUSY_MIN_MS) topics[entry.lane]?.push({ id: entry.spec.alias, load, isPinnedToLane });
    }
    return this.#lanes.lanes.map(({ number, state }) => ({
      lane: number,
      isUsable: state === 'running',
      utilisation: this.#lanes.loads[number]?.utilisation ?? 0,
      topics: topics[number] ?? [],
    }));
  }

  // ---- pins --------------------------------------------------------------------------------------------------------

  #targetOf(entry: TopicEntry, home: Home): number {
    const { lanes } = this.#lanes;
    const current = this.#handOver.targetOf(entry);
    if (home === 'cold') return COLD;
    if (home === 'auto') return current;
    if (home !== 'hot' && !(Number.isInteger(home) && home >= 0)) {
      throw new RingcastError(
        'BAD_REQUEST',
        `no home ${JSON.stringify(home)}: "auto", "cold", "hot" or the number of a lane`,
      );
    }
    const there = lanes.length === 0 ? 'there are none' : `there are ${lanes.length}, numbered from 0`;
    if (home !== 'hot') {
      if (home >= lanes.length) throw new RingcastError('BAD_REQUEST', `no lane ${home}: ${there} (lanes)`);
      if (this.#lanes.isUsable(home)) return home;
      throw new RingcastError('CONFLICT', `lane ${home} has been given up`);
    }
    if (current !== COLD) return current;
    const loads = this.#laneLoads(({ entry }) => this.meter.messagesPerSecond(entry.loadRow));
    // While none runs, one that is about to run again will do.
    const lane = leastLoadedLane(loads) ?? lanes.find(({ isUsable }) => isUsable)?.number;
    if (lane === undefined) throw new RingcastError('CONFLICT', `no lane can take the topic: ${there}`);
    return lane;
  }
}
