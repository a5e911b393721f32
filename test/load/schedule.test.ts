// Schedules: which messages leave, when, and how many may be under way. The clock and the writer are the test's.
import { describe, expect, it } from 'vitest';
import { type MessageWriter, type SchedulePlan, scheduleOf, UnderWay } from '#src/load/schedule.js';

const START_MS = 1000;
const TOPICS = { first: 1, end: 8, step: 3 }; // 1, 4 and 7

interface Written {
  readonly topic: number;
  readonly atMs: number;
  readonly kind: 'message' | 'acknowledged' | 'probe';
  readonly source?: string;
}

class Lab implements MessageWriter {
  readonly written: Written[] = [];
  readonly settled = { count: 0 };
  readonly answers = {
    count: 0,
    wake: (): void => {},
    next: () =>
      new Promise<void>((resolve) => {
        this.answers.wake = resolve;
      }),
  };
  readonly recording = {
    atMs: Float64Array.of(0, 10, 40),
    topics: Uint32Array.of(2, 0, 2),
    ends: Uint32Array.of(1, 3, 6),
    bytes: Buffer.from('abbccc'),
  };
  readonly schedule;

  constructor(plan: SchedulePlan) {
    const { settled, answers, recording } = this;
    this.schedule = scheduleOf(plan, { startMs: START_MS, settled, answers, recording });
  }

  message(topic: number, atMs: number, source?: Uint8Array): void {
    const carried = source === undefined ? {} : { source: Buffer.from(source).toString() };
    this.written.push({ topic, atMs, kind: 'message', ...carried });
  }

  acknowledgedMessages(topic: number, atMs: number, count: number): void {
    for (let left = count; left > 0; left--) this.written.push({ topic, atMs, kind: 'acknowledged' });
  }

  probe(topic: number, atMs: number): void {
    this.written.push({ topic, atMs, kind: 'probe' });
  }

  /** Writes all that is due, as the publishing loop does. Returns when the next is, or when to ask again. */
  runTo(nowMs: number): number {
    let nextMs = this.schedule.nextMs(nowMs);
    for (; nextMs <= nowMs; nextMs = this.schedule.nextMs(nowMs)) this.schedule.write(this, nowMs);
    return nextMs;
  }
}

describe('a steady schedule', () => {
  it('has bursts at even times, over topics in turn, and ends; what is late counts from when it should have left', () => {
    const lab = new Lab({ kind: 'steady', topics: TOPICS, perSecond: 200, burst: 2, bursts: 3, offsetMs: 5 });
    expect(lab.schedule.intervalMs).toBe(10);
    expect(lab.runTo(1004)).toBe(1005);
    expect(lab.written).toEqual([]);
    expect(lab.runTo(1017)).toBe(1025);
    expect(lab.runTo(9999)).toBe(Number.POSITIVE_INFINITY);
    expect(lab.written.map(({ topic, atMs }) => [topic, atMs])).toEqual([
      [1, 1005],
      [4, 1005],
      [7, 1015],
      [1, 1015],
      [4, 1025],
      [7, 1025],
    ]);
  });
});

describe('a random schedule', () => {
  const plan = { kind: 'random', topics: TOPICS, perSecond: 250, burst: 2, seed: 7 } as const;

  it('has the same number of bursts in each second, at times and for topics that the seed decides', () => {
    const lab = new Lab(plan);
    for (let second = 1; second <= 8; second++) {
      lab.runTo(START_MS + second * 1000 - 1e-6);
      expect(lab.written).toHaveLength(second * 250);
    }
    const again = new Lab(plan);
    again.runTo(START_MS + 8000 - 1e-6);
    expect(again.written).toEqual(lab.written);
    const times = lab.written.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
    expect(new Set(lab.written.map(({ topic }) => topic))).toEqual(new Set([1, 4, 7]));
    for (let burst = 0; burst < lab.written.length; burst += 2)
      expect(lab.written[burst]).toEqual(lab.written[burst + 1]);
  });

  it('adds up fractions of a burst, and has nothing at rate 0', () => {
    const seldom = new Lab({ ...plan, perSecond: 0.5, burst: 1 });
    seldom.runTo(START_MS + 10_000 - 1e-6);
    expect(seldom.written).toHaveLength(5);
    expect(new Lab({ ...plan, perSecond: 0 }).runTo(99_999)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a window', () => {
  it('has so many messages under way, however long nothing comes', () => {
    const lab = new Lab({ kind: 'window', topic: 3, limit: 4 });
    expect(lab.runTo(1000)).toBeGreaterThan(1000);
    expect(lab.written).toHaveLength(4);
    for (const nowMs of [1499, 1501, 60_000, 120_000]) lab.runTo(nowMs);
    expect(lab.written).toHaveLength(4);
    lab.settled.count = 3;
    lab.runTo(120_001);
    expect(lab.written.map(({ topic, atMs }) => [topic, atMs]).slice(4)).toEqual(Array(3).fill([3, 120_001]));
  });
});

describe('a flood', () => {
  const plan = { kind: 'flood', topic: 5, limit: 2, framesPerMessage: 3 } as const;

  it('has so many WebSocket messages unanswered, however long no answer comes', () => {
    const lab = new Lab(plan);
    lab.runTo(1000);
    for (const nowMs of [1501, 60_000]) lab.runTo(nowMs);
    expect(lab.written).toEqual(Array(6).fill({ topic: 5, atMs: 1000, kind: 'acknowledged' }));
    lab.answers.count = 1;
    lab.runTo(60_001);
    expect(lab.written).toHaveLength(9);
  });

  it('waits for an answer', async () => {
    const lab = new Lab(plan);
    let isOver = false;
    const paused = lab.schedule.pause!().then(() => {
      isOver = true;
    });
    await Promise.resolve();
    expect(isOver).toBe(false);
    lab.answers.wake();
    await paused;
    expect(isOver).toBe(true);
  });
});

describe('a replay', () => {
  it('has the recorded messages at a multiple of their speed', () => {
    const lab = new Lab({ kind: 'replay', speed: 10 });
    expect(lab.runTo(1000.5)).toBe(1001);
    expect(lab.runTo(2000)).toBe(Number.POSITIVE_INFINITY);
    expect(lab.written.map(({ topic, atMs, source }) => [topic, atMs, source])).toEqual([
      [2, 1000, 'a'],
      [0, 1001, 'bb'],
      [2, 1004, 'ccc'],
    ]);
  });

  it('at once has so many deliveries under way, begins anew, and does not wait for what was skipped', () => {
    const lab = new Lab({ kind: 'replay-window', limit: 5, subscribers: [1, 0, 4] });
    lab.runTo(1000);
    expect(lab.written.map(({ source }) => source)).toEqual(['a', 'bb']);
    lab.settled.count = 4;
    lab.runTo(1001);
    expect(lab.written.map(({ source }) => source)).toEqual(['a', 'bb', 'ccc']);
    lab.runTo(1400);
    expect(lab.written).toHaveLength(3);
    lab.runTo(1502);
    expect(lab.written.map(({ source }) => source)).toEqual(['a', 'bb', 'ccc', 'a', 'bb']);
  });
});

it('a probe goes to every topic once', () => {
  const lab = new Lab({ kind: 'probe', topics: TOPICS });
  expect(lab.runTo(1234)).toBe(Number.POSITIVE_INFINITY);
  expect(lab.written).toEqual([1, 4, 7].map((topic) => ({ topic, atMs: 1234, kind: 'probe' })));
});

describe('what is under way', () => {
  it('is what has been written and is not settled, also beyond 2³¹', () => {
    const settled = { count: 0 };
    const underWay = new UnderWay(settled);
    underWay.written = 2 ** 31 + 50;
    settled.count = (2 ** 31 + 20) | 0;
    expect(underWay.count(0)).toBe(30);
  });

  it('counts as lost when nothing moves for so long, and never below none when it comes after all', () => {
    const settled = { count: 0 };
    const underWay = new UnderWay(settled, 500);
    settled.count = 10;
    underWay.written = 110;
    expect(underWay.count(0)).toBe(100);
    expect(underWay.count(400)).toBe(100);
    expect(underWay.count(501)).toBe(0);
    underWay.written = 130;
    expect(underWay.count(510)).toBe(20);
    settled.count = 60;
    expect(underWay.count(520)).toBe(0);
  });
});
