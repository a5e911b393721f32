// When a topic's traffic is a reason to change its home. All times are given: nothing here waits.

import { describe, expect, it } from 'vitest';
import { type LoadDecision, LoadMeter } from '#src/moves/load-meter.js';
import { Random, testSeed } from '../ring/random.js';

const TAU_MS = 500;
const SETTINGS = { promoteDeliveriesPerSecond: 5000, promoteAfterMs: 1000, demoteAfterMs: 3000, movesPerSecond: 10 };

/** One topic's row, ticked every 100 ms with steady traffic. */
class Metered {
  readonly meter: LoadMeter;
  readonly row: number;
  nowMs: number;
  isHot = false;

  constructor(settings = SETTINGS, nowMs = 1_000_000) {
    this.meter = new LoadMeter(settings);
    this.nowMs = nowMs;
    this.row = this.meter.open(nowMs);
  }

  get load(): number {
    return this.meter.deliveriesPerSecond(this.row);
  }

  tick(messages: number, subscribers: number, elapsedMs = 100): LoadDecision {
    this.nowMs += elapsedMs;
    this.meter.tick(this.row, messages, subscribers, this.nowMs);
    return this.meter.decide(this.row, this.isHot, this.nowMs);
  }

  /** Ticks with so many deliveries per second until there is a decision; after how long, or null when there is none. */
  untilDecided(deliveriesPerSecond: number, forMs: number): { decision: LoadDecision; afterMs: number } | null {
    for (let afterMs = 100; afterMs <= forMs; afterMs += 100) {
      const decision = this.tick(deliveriesPerSecond / 100, 10);
      if (decision !== 'stay') return { decision, afterMs };
    }
    return null;
  }
}

describe('load meter', () => {
  it('shows the same mean of a steady rate, whatever the ticks were', () => {
    const random = new Random(testSeed('irregular ticks'));
    for (let round = 0; round < 50; round++) {
      const topic = new Metered();
      const perMs = 1 + random.below(50);
      const startMs = topic.nowMs;
      for (let i = 0; i < 20; i++) {
        const elapsedMs = random.below(400);
        topic.tick(perMs * elapsedMs, 3, elapsedMs);
      }
      const wanted = perMs * 1000 * (1 - Math.exp(-(topic.nowMs - startMs) / TAU_MS));
      expect(topic.meter.messagesPerSecond(topic.row) / wanted).toBeCloseTo(1, 9);
      expect(topic.load / (3 * wanted)).toBeCloseTo(1, 9);
    }
  });

  it('forgets 63 % within its time constant when the traffic stops', () => {
    const topic = new Metered();
    for (let i = 0; i < 100; i++) topic.tick(100, 10);
    expect(topic.load).toBeCloseTo(10_000, 0);
    topic.tick(0, 10, TAU_MS);
    expect(topic.load).toBeCloseTo(10_000 / Math.E, 0);
  });

  it('counts messages of a tick that took no time, and of a clock that went back', () => {
    const topic = new Metered();
    topic.tick(5, 2, 0);
    expect(topic.meter.messagesPerSecond(topic.row)).toBeCloseTo(5 / (TAU_MS / 1000), 9);
    topic.tick(5, 2, -50);
    expect(topic.meter.messagesPerSecond(topic.row)).toBeCloseTo(10 / (TAU_MS / 1000), 9);
  });

  it('weights each message with the subscribers of its time', () => {
    const topic = new Metered();
    for (let i = 0; i < 100; i++) topic.tick(100, 0);
    expect([topic.load, topic.meter.messagesPerSecond(topic.row)]).toEqual([0, expect.closeTo(1000, 0)]);
    for (let i = 0; i < 100; i++) topic.tick(100, 7);
    expect(topic.load).toBeCloseTo(7000, 0);
  });

  it('is idle a few seconds after the last message, and uses the row for the next topic', () => {
    const topic = new Metered();
    const { meter, row } = topic;
    expect(meter.isIdle(row), 'before the first message').toBe(true);
    topic.tick(1, 1);
    expect(meter.isIdle(row)).toBe(false);
    for (let i = 0; i < 20; i++) topic.tick(0, 1);
    expect(meter.isIdle(row)).toBe(true);
    for (let i = 0; i < 100; i++) topic.tick(1000, 100);
    meter.close(row);
    expect(meter.openRows).toBe(0);
    expect(meter.open(topic.nowMs)).toBe(row);
    expect([meter.messagesPerSecond(row), meter.deliveriesPerSecond(row)]).toEqual([0, 0]);
    expect(meter.decide(row, false, topic.nowMs + 10_000), 'nothing is left of the topic before').toBe('stay');
  });

  it('measures thousands of topics apart from each other', () => {
    const meter = new LoadMeter(SETTINGS);
    const rows = Array.from({ length: 3000 }, () => meter.open(0));
    expect(new Set(rows).size).toBe(3000);
    for (let nowMs = 100; nowMs <= 10_000; nowMs += 100) {
      rows.forEach((row, i) => void meter.tick(row, i, 2, nowMs));
    }
    rows.forEach((row, i) => void expect(meter.deliveriesPerSecond(row)).toBeCloseTo(20 * i, 2));
    for (const row of rows.splice(0, 2000)) meter.close(row);
    expect(meter.openRows).toBe(1000);
    for (let i = 0; i < 2000; i++) rows.push(meter.open(10_000));
    expect(new Set(rows).size).toBe(3000);
  });
});

describe('the decision by load', () => {
  it('is to promote when the load has been above the threshold for long enough, not before', () => {
    // From 0 to 10,000/s: the mean is above 5,000 after τ · ln 2 = 347 ms, noticed at the tick at 400 ms.
    expect(new Metered().untilDecided(10_000, 5000)).toEqual({ decision: 'promote', afterMs: 1400 });
  });

  it('stays when the load is just below the threshold, however long', () => {
    expect(new Metered().untilDecided(4990, 60_000)).toBe(null);
  });

  it('stays when bursts never last, and begins anew after each', () => {
    const topic = new Metered();
    for (let burst = 0; burst < 20; burst++) {
      expect(topic.untilDecided(10_000, 1000)).toBe(null);
      expect(topic.untilDecided(0, 1500)).toBe(null);
    }
    expect(topic.untilDecided(10_000, 1400)?.decision).toBe('promote');
  });

  it('is given again until the topic has moved, so that it can wait for its turn', () => {
    const topic = new Metered();
    topic.untilDecided(10_000, 5000);
    for (let i = 0; i < 5; i++) expect(topic.tick(100, 10)).toBe('promote');
    topic.isHot = true;
    expect(topic.untilDecided(10_000, 60_000)).toBe(null);
  });

  it('is to demote below half of the threshold only', () => {
    const topic = new Metered();
    topic.isHot = true;
    for (let i = 0; i < 50; i++) topic.tick(100, 10);
    expect(topic.untilDecided(2600, 60_000), 'between the two').toBe(null);
    // From 2,600/s towards 0: below 2,500 at the first tick.
    expect(topic.untilDecided(0, 60_000)).toEqual({ decision: 'demote', afterMs: 3100 });
  });

  it('takes no time in one home for time in the other', () => {
    const topic = new Metered({ ...SETTINGS, promoteAfterMs: 1000, demoteAfterMs: 1000 });
    topic.isHot = true;
    for (let i = 0; i < 15; i++) topic.tick(0, 10);
    expect(topic.tick(0, 10)).toBe('demote');
    topic.isHot = false;
    topic.untilDecided(10_000, 5000);
    topic.isHot = true;
    expect(topic.tick(0, 10, 5000), 'low since this tick, not since the last time it was hot').toBe('stay');
    expect(topic.tick(0, 10, 1000)).toBe('demote');
  });

  it('does not alternate on a load that varies by less than the hysteresis', () => {
    const random = new Random(testSeed('hysteresis'));
    const topic = new Metered();
    let moves = 0;
    for (let tick = 0; tick < 20_000; tick++) {
      const decision = topic.tick(26 + random.below(60), 10);
      if (decision === 'stay') continue;
      topic.isHot = decision === 'promote';
      moves++;
    }
    expect(moves).toBeLessThanOrEqual(1);
  });

  it('is made at once when no time is asked for', () => {
    const topic = new Metered({ ...SETTINGS, promoteAfterMs: 0, demoteAfterMs: 0 });
    expect(topic.tick(1000, 100)).toBe('promote');
    topic.isHot = true;
    expect(topic.tick(0, 100, 5000)).toBe('demote');
  });
});
