// Where topics go by themselves: the hot ones to lanes and back, without haste, and nothing is done when there is nothing.

import { describe, expect, it } from 'vitest';
import type { TopicEntry } from '#src/directory/topic-entry.js';
import { COLD, type Home } from '#src/home/placement.js';
import { encode } from '#src/protocol/msgpack.js';
import { publishLocally, type RouterClient, RouterLab, type RouterLabOptions } from '../router/router-lab.js';
import { pinned } from './move-lab.js';

const PROMOTE_AFTER_MS = 500;
const DEMOTE_AFTER_MS = 2000;
const HOT = {
  promoteDeliveriesPerSecond: 1000,
  promoteAfterMs: PROMOTE_AFTER_MS,
  demoteAfterMs: DEMOTE_AFTER_MS,
  movesPerSecond: 100,
};
/** Half of what was comes to rest after this: the time constant of the load is 500 ms. */
const HALF_LIFE_MS = 347;
const TICK_MS = 10;
/** Of the watches over lanes, which are always armed. */
const LANES = 2;

const PAYLOAD = encode('x');

/** Topics with one subscriber each, and traffic for them. */
class TrafficLab {
  readonly lab: RouterLab;
  readonly #subscribers: RouterClient[] = [];

  constructor(options: RouterLabOptions = {}) {
    this.lab = new RouterLab({ laneRingBytes: 2 ** 20, lanes: LANES, homes: { hot: HOT }, ...options });
    this.lab.settle();
  }

  topic(name: string): TopicEntry {
    const entry = this.lab.topics.declare(name);
    const subscriber = this.lab.client();
    subscriber.send({ type: 'subscribe', topic: name });
    this.#subscribers.push(subscriber);
    return entry;
  }

  topics(count: number, prefix = 't'): TopicEntry[] {
    return Array.from({ length: count }, (_, index) => this.topic(`${prefix}${index}`));
  }

  /** So many messages per second to each of the topics, for a while. */
  run(ms: number, rates: readonly (readonly [TopicEntry, number])[]): void {
    const { lab } = this;
    for (let elapsedMs = 0; elapsedMs < ms; elapsedMs += TICK_MS) {
      for (const [{ spec }, perSecond] of rates) {
        const count = (perSecond * TICK_MS) / 1000;
        for (let i = 0; i < count; i++) publishLocally(lab, spec.topic, PAYLOAD);
      }
      lab.advance(TICK_MS);
      for (const { sink } of this.#subscribers) sink.messages = [];
    }
  }

  get timers(): number {
    return this.lab.scheduler.timerCount - LANES;
  }
}

describe('a topic with much traffic', () => {
  it('becomes hot once its load has been high for promoteAfterMs', () => {
    const traffic = new TrafficLab();
    const topic = traffic.topic('t');
    traffic.run(HALF_LIFE_MS + PROMOTE_AFTER_MS - 50, [[topic, 2000]]);
    expect(topic.lane).toBe(COLD);
    // A sweep each 100 ms.
    traffic.run(250, [[topic, 2000]]);
    expect(topic.isHot).toBe(true);
    expect(traffic.lab.handOver.moves).toBe(1);
    traffic.run(1000, [[topic, 2000]]);
    expect(topic.moves).toBe(1);
    topic.log.refresh();
    expect(topic.log.headSeq).toBe(topic.acceptedMessages);
  });

  it('counts as many deliveries as it has subscribers', () => {
    const traffic = new TrafficLab();
    const topic = traffic.topic('t');
    traffic.run(3000, [[topic, 400]]);
    expect(topic.lane).toBe(COLD);
    for (let i = 0; i < 4; i++) traffic.lab.client().send({ type: 'subscribe', topic: 't' });
    traffic.run(1500, [[topic, 400]]);
    expect(topic.isHot).toBe(true);
  });

  it('stays cold when it is only a burst', () => {
    const traffic = new TrafficLab();
    const topic = traffic.topic('t');
    for (let round = 0; round < 5; round++) {
      traffic.run(PROMOTE_AFTER_MS - 100, [[topic, 2500]]);
      traffic.run(2000, [[topic, 100]]);
    }
    expect(topic.moves).toBe(0);
  });

  it('stays hot while its load is above half of the threshold, and becomes cold below, after demoteAfterMs', () => {
    const traffic = new TrafficLab();
    const topic = traffic.topic('t');
    traffic.run(2000, [[topic, 2000]]);
    expect(topic.isHot).toBe(true);
    traffic.run(5000, [[topic, 700]]);
    expect(topic.isHot).toBe(true);
    traffic.run(DEMOTE_AFTER_MS, [[topic, 300]]);
    expect(topic.isHot, 'the mean has been below half for a shorter time').toBe(true);
    traffic.run(800, [[topic, 300]]);
    expect(topic.lane).toBe(COLD);
    traffic.run(3000, [[topic, 700]]);
    expect(topic.lane, 'below the threshold').toBe(COLD);
    expect(topic.moves).toBe(2);
  });

  it('becomes cold also when nothing comes any more', () => {
    const traffic = new TrafficLab();
    const topic = traffic.topic('t');
    traffic.run(2000, [[topic, 2000]]);
    expect(topic.isHot).toBe(true);
    traffic.run(10_000, []);
    expect([topic.lane, traffic.lab.topics.hotCount]).toEqual([COLD, 0]);
    expect(traffic.lab.keeper.meter.openRows).toBe(0);
    expect(traffic.timers).toBe(0);
  });

  it('stays where it is when there are no lanes', () => {
    const traffic = new TrafficLab({ lanes: 0 });
    const topic = traffic.topic('t');
    traffic.run(2000, [[topic, 5000]]);
    expect(topic.moves).toBe(0);
  });
});

describe('many hot topics', () => {
  it('move at the rate of the budget, the hottest first', () => {
    const traffic = new TrafficLab({ homes: { hot: { ...HOT, movesPerSecond: 2 } } });
    const topics = traffic.topics(8);
    const rates = topics.map((topic, index) => [topic, 2000 + 400 * ((index * 5) % 8)] as const);
    const hottestFirst = [...rates].sort(([, left], [, right]) => right - left).map(([topic]) => topic);
    const order: TopicEntry[] = [];
    const perSecond: number[] = [];
    for (let second = 0; second < 6; second++) {
      const before = order.length;
      for (let tick = 0; tick < 10; tick++) {
        traffic.run(100, rates);
        order.push(...topics.filter((topic) => topic.isHot && !order.includes(topic)));
      }
      perSecond.push(order.length - before);
    }
    expect(order).toEqual(hottestFirst);
    expect(Math.max(...perSecond)).toBeLessThanOrEqual(3);
  });

  it('are no more than maxHotTopics', () => {
    const traffic = new TrafficLab({ registry: { maxHotTopics: 3 } });
    const topics = traffic.topics(6);
    traffic.run(
      3000,
      topics.map((topic, index) => [topic, 2000 + index * 300] as const),
    );
    expect(topics.map(({ isHot }) => isHot)).toEqual([false, false, false, true, true, true]);
    expect(traffic.lab.topics.hotCount).toBe(3);
  });

  it('share the lanes', () => {
    const traffic = new TrafficLab();
    const topics = traffic.topics(6);
    traffic.run(
      3000,
      topics.map((topic) => [topic, 2000] as const),
    );
    expect(topics.filter(({ lane }) => lane === 0)).toHaveLength(3);
    expect(topics.filter(({ lane }) => lane === 1)).toHaveLength(3);
  });

  it('go to no lane that has been given up', () => {
    const traffic = new TrafficLab();
    const { lab } = traffic;
    const topics = traffic.topics(4);
    const lane = lab.lanes.lanes[0];
    for (let deaths = 0; lane.state !== 'degraded'; deaths++) {
      lab.threads.alive.find((thread) => thread !== lab.threads.started[1])!.die(new Error('test'));
      lab.advance(300);
      if (deaths > 20) throw new Error('it does not give up');
    }
    traffic.run(
      3000,
      topics.map((topic) => [topic, 2000] as const),
    );
    expect(topics.map((topic) => topic.lane)).toEqual([1, 1, 1, 1]);
  });
});

describe('a pinned topic', () => {
  it('stays where it was put, whatever its traffic', async () => {
    const rules = [
      { match: 'cold:*', home: 'cold' as const },
      { match: 'hot:*', home: 'hot' as const },
      { match: 'one:*', home: 1 },
    ];
    const traffic = new TrafficLab({ registry: { rules } });
    const [cold, hot, one] = ['cold:a', 'hot:a', 'one:a'].map((name) => traffic.topic(name));
    const { lane } = hot!;
    traffic.run(3000, [
      [cold!, 3000],
      [hot!, 10],
      [one!, 10],
    ]);
    traffic.run(6000, [[cold!, 3000]]);
    expect([cold!.lane, hot!.lane, one!.lane]).toEqual([COLD, lane, 1]);
    expect(traffic.lab.handOver.moves).toBe(0);
  });

  it('goes where its load belongs when it is `auto` again', async () => {
    const traffic = new TrafficLab();
    const { lab } = traffic;
    const topic = traffic.topic('t');
    const pin = (home: Home): Promise<void> => pinned(lab, home);
    await pin('cold');
    traffic.run(2000, [[topic, 2000]]);
    expect(topic.isHot).toBe(false);
    await pin('auto');
    traffic.run(1000, [[topic, 2000]]);
    expect(topic.isHot).toBe(true);
    await pin('hot');
    traffic.run(6000, []);
    expect(topic.isHot).toBe(true);
    await pin('auto');
    traffic.run(6000, [[topic, 1]]);
    expect(topic.isHot).toBe(false);
  });

  it('on a lane that nobody publishes to any more goes back when it is `auto` again', async () => {
    const traffic = new TrafficLab();
    const topic = traffic.topic('t');
    await pinned(traffic.lab, 0);
    await pinned(traffic.lab, 'auto');
    traffic.run(6000, []);
    expect(topic.isHot).toBe(false);
    expect(traffic.timers).toBe(0);
  });
});

describe('lanes of unequal load', () => {
  /** Each look at the clock takes a while: lanes are as busy as they have messages. */
  const slowLanes = (): RouterLabOptions => {
    let nowMs = 0;
    const nextMs = (): number => {
      nowMs += 0.7;
      return nowMs;
    };
    return {
      laneClock: { nowMs: nextMs },
      homes: { hot: { ...HOT, promoteDeliveriesPerSecond: 100 }, rebalanceRatio: 1.2 },
    };
  };
  const place = async (
    traffic: TrafficLab,
    names: readonly string[],
    home: Home,
    lane: number,
  ): Promise<TopicEntry[]> => {
    const { lab } = traffic;
    const entries = names.map((name) => traffic.topic(name));
    for (const entry of entries) {
      lab.handOver.move(entry, lane);
      entry.home = home;
    }
    lab.settle();
    return entries;
  };

  it('are evened out: topics leave the one that does more', async () => {
    const traffic = new TrafficLab(slowLanes());
    const topics = await place(traffic, ['a', 'b', 'c', 'd'], 'auto', 0);
    traffic.run(
      8000,
      topics.map((topic) => [topic, 1600] as const),
    );
    expect(topics.map(({ lane }) => lane).sort()).toEqual([0, 0, 1, 1]);
    const { moves } = traffic.lab.handOver;
    traffic.run(
      6000,
      topics.map((topic) => [topic, 1600] as const),
    );
    expect(traffic.lab.handOver.moves, 'and then all is quiet').toBe(moves);
  });

  it('keep the topics that are pinned to their number, and give others', async () => {
    const traffic = new TrafficLab(slowLanes());
    const fixed = await place(traffic, ['a', 'b', 'c'], 0, 0);
    const loose = await place(traffic, ['d'], 'hot', 0);
    traffic.run(
      8000,
      [...fixed, ...loose].map((topic) => [topic, 1600] as const),
    );
    expect(fixed.map(({ lane }) => lane)).toEqual([0, 0, 0]);
    expect(loose.map(({ lane }) => lane)).toEqual([1]);
  });

  it('stay as they are when rebalancing is off', async () => {
    const options = slowLanes();
    const traffic = new TrafficLab({ ...options, homes: { ...options.homes, rebalanceRatio: 0 } });
    const topics = await place(traffic, ['a', 'b', 'c', 'd'], 'auto', 0);
    traffic.run(
      8000,
      topics.map((topic) => [topic, 1600] as const),
    );
    expect(topics.map(({ lane }) => lane)).toEqual([0, 0, 0, 0]);
  });
});

describe('the work of keeping homes', () => {
  it('is none while nothing is published', () => {
    const traffic = new TrafficLab();
    traffic.topics(10);
    traffic.lab.advance(1000);
    expect(traffic.timers).toBe(0);
    expect(traffic.lab.keeper.meter.openRows).toBe(0);
  });

  it('ends soon after the last message', () => {
    const traffic = new TrafficLab();
    const [topic] = traffic.topics(1);
    traffic.run(50, [[topic!, 100]]);
    expect(traffic.timers).toBe(1);
    traffic.run(6000, []);
    expect(traffic.timers).toBe(0);
    expect(traffic.lab.keeper.meter.openRows).toBe(0);
  });

  it('is done in parts when there are 5,000 topics with traffic, and forgets none', () => {
    const traffic = new TrafficLab({ registry: { maxTopics: 10_000 } });
    const { lab } = traffic;
    const { scheduler } = lab;
    const names = Array.from({ length: 5000 }, (_, index) => `t${index}`);
    const publish = (): void => {
      for (const name of names) publishLocally(lab, name, PAYLOAD);
    };
    publish();
    lab.settle();
    expect(lab.keeper.meter.openRows).toBe(5000);
    // The timer of the sweep; what it leaves over takes turns of its own.
    const [soonCount, turns] = [scheduler.soonCount, countTurns(scheduler, 100)];
    expect([soonCount, turns]).toEqual([0, 2]);
    for (let second = 0; second < 3; second++) {
      publish();
      lab.advance(1000);
      expect(lab.keeper.meter.openRows).toBe(5000);
    }
    // Every third goes: those that take the places of others must not be passed over.
    for (const [index, name] of names.entries()) if (index % 3 === 0) lab.topics.delete(name);
    lab.advance(200);
    expect(lab.keeper.meter.openRows).toBe(names.filter((_, index) => index % 3 !== 0).length);
    lab.advance(6000);
    expect(lab.keeper.meter.openRows).toBe(0);
    expect(traffic.timers).toBe(0);
    publish();
    expect(lab.keeper.meter.openRows).toBe(5000);
  });

  it('takes a topic that was deleted and made again for another one', () => {
    const traffic = new TrafficLab();
    const { lab } = traffic;
    const first = traffic.topic('t');
    traffic.run(300, [[first, 2000]]);
    lab.topics.delete('t');
    const second = traffic.topic('t');
    traffic.run(400, [[second, 100]]);
    expect(lab.keeper.meter.openRows).toBe(1);
    expect(second.moves).toBe(0);
    traffic.run(2000, [[second, 2000]]);
    expect(second.isHot).toBe(true);
  });

  it('ends when it is stopped: nothing moves any more', () => {
    const traffic = new TrafficLab();
    const topic = traffic.topic('t');
    traffic.run(300, [[topic, 2000]]);
    traffic.lab.keeper.stop();
    traffic.run(2000, [[topic, 2000]]);
    expect(topic.moves).toBe(0);
    expect(traffic.timers).toBe(0);
  });
});

/** Lets time pass until the next timer, then counts the turns of the event loop that follow. */
function countTurns(scheduler: RouterLab['scheduler'], ms: number): number {
  let turns = 0;
  const settle = scheduler.settle.bind(scheduler);
  scheduler.settle = () => {
    const count = settle();
    turns += count;
    return count;
  };
  scheduler.advance(ms);
  scheduler.settle = settle;
  return turns;
}
