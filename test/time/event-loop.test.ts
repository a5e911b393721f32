// Two clocks: one that never jumps, for all that is measured and kept, and one that follows the wall, for what is told.
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { monotonicMsOf, ticksOf } from '#src/lane/records.js';
import { createLoop } from '#src/time/event-loop.js';
import { createMonotonicClock } from '#src/time/monotonic.js';
import { startEngine } from '../support/engines.js';
import { announcedSeed, seededRandom } from '../support/seeded.js';
import { until } from '../support/until.js';

const HOUR_MS = 3_600_000;
const EPOCH_MS = 1_700_000_000_000;

/** Time as it is, and what the two clocks of the machine say of it. */
class Machine {
  monotonic = 5_000_000;
  wall = EPOCH_MS + 0.6;
  /** What a look at the wall clock costs: an interruption, say. */
  lookMs = 0;
  readonly scheduler = createLoop(
    (fault) => {
      throw fault;
    },
    () => this.monotonic,
    () => {
      this.pass(this.lookMs / 2);
      const read = Math.floor(this.wall);
      this.pass(this.lookMs / 2);
      return read;
    },
  );

  pass(ms: number): void {
    this.monotonic += ms;
    this.wall += ms;
  }
}

describe('the wall clock of the engine', () => {
  it('is at most a millisecond off, and tells parts of one', () => {
    const random = seededRandom(announcedSeed('wall clock'));
    const machine = new Machine();
    let before = 0;
    for (let n = 0; n < 10_000; n++) {
      machine.pass(random() * 3);
      const time = machine.scheduler.epochMs();
      expect(Math.abs(time - machine.wall)).toBeLessThan(1);
      // It settles in the first seconds, and never goes back by more than that.
      expect(time).toBeGreaterThan(before - 1);
      if (n > 5000) expect(time).toBeGreaterThan(before - 1e-6);
      before = time;
    }
  });

  it.each([HOUR_MS, -HOUR_MS, 60_000, -60_000, 50, -50, 30 * 365 * 24 * HOUR_MS])(
    'follows a step of %i ms within a second; the monotonic one notices nothing',
    (stepMs) => {
      const { scheduler, ...machine } = open();
      scheduler.epochMs();
      const startMs = scheduler.nowMs();
      machine.step(stepMs);
      machine.pass(1000);
      expect(Math.abs(scheduler.epochMs() - machine.wall())).toBeLessThan(1);
      expect(scheduler.nowMs() - startMs).toBe(1000);
    },
  );

  it('is not led astray when it is interrupted while it looks', () => {
    const machine = new Machine();
    for (const lookMs of [0, 400, 0, 30, 1, 0]) {
      machine.lookMs = lookMs;
      machine.pass(1000);
      machine.scheduler.epochMs();
      machine.lookMs = 0;
      expect(Math.abs(machine.scheduler.epochMs() - machine.wall)).toBeLessThan(1);
    }
  });

  it('tells the time of a moment that was looked at before', () => {
    const machine = new Machine();
    const nowMs = machine.scheduler.nowMs();
    const time = machine.scheduler.epochMs(nowMs);
    machine.pass(0.25);
    expect(machine.scheduler.epochMs(nowMs)).toBe(time);
  });

  function open() {
    const machine = new Machine();
    return {
      scheduler: machine.scheduler,
      pass: (ms: number) => machine.pass(ms),
      wall: () => machine.wall,
      step: (ms: number) => {
        machine.wall += ms;
      },
    };
  }
});

describe('the monotonic clock', () => {
  it('is the same in another thread', async () => {
    const url = new URL('../../dist/time/monotonic.js', import.meta.url).href;
    const code = `
      const { parentPort } = require('node:worker_threads');
      import(${JSON.stringify(url)}).then(({ createMonotonicClock }) => {
        const nowMs = createMonotonicClock();
        parentPort.on('message', () => parentPort.postMessage(nowMs()));
        parentPort.postMessage(0);
      });`;
    const worker = new Worker(code, { eval: true });
    const heard = (): Promise<number> => new Promise((resolve) => worker.once('message', resolve));
    const nowMs = createMonotonicClock();
    await heard();
    const beforeMs = nowMs();
    worker.postMessage('?');
    const theirsMs = await heard();
    const afterMs = nowMs();
    await worker.terminate();
    expect(theirsMs).toBeGreaterThan(beforeMs - 0.1);
    expect(theirsMs).toBeLessThan(afterMs + 0.1);
  });

  it('goes through a ring as 32 bits', () => {
    const random = seededRandom(announcedSeed('ticks'));
    for (let n = 0; n < 10_000; n++) {
      const acceptedMs = random() * 2 ** (10 + (n % 32));
      const nowMs = acceptedMs + (random() - 0.5) * 4 * HOUR_MS;
      const ticks = ticksOf(acceptedMs) >>> 0;
      expect(Math.abs(monotonicMsOf(ticks, nowMs) - acceptedMs)).toBeLessThanOrEqual(1 / 256);
    }
  });
});

describe('an engine whose wall clock is set', () => {
  const realNow = Date.now;
  let stepMs = 0;

  afterEach(() => {
    stepMs = 0;
    vi.restoreAllMocks();
  });

  it.each([HOUR_MS, -HOUR_MS])('by %i ms gives messages the right time, and takes nothing from anybody', async (ms) => {
    vi.spyOn(Date, 'now').mockImplementation(() => realNow() + stepMs);
    const { engine } = await startEngine({
      topics: [{ match: 'hot:*', home: 'hot' }],
      maxLagMs: 30_000,
      maxDelayMs: 20,
      historyMessages: 0,
      coldLogMaxFrames: 64,
    });
    const gaps: unknown[] = [];
    const seqs: Record<string, number[]> = { 'cold:t': [], 'hot:t': [] };
    for (const [topic, seen] of Object.entries(seqs)) {
      engine.subscribe(topic, { onGap: (gap) => gaps.push(gap) }, ({ seq }) => seen.push(seq));
    }
    const [cold, hot] = Object.keys(seqs).map((topic) => engine.openPublisher(topic));
    let time = (await engine.publish('cold:t', 'before')).time;
    await engine.publish('hot:t', 'before');
    stepMs = ms;
    let count = 1;
    await until(() => {
      // Always some that wait for the delay, so that a few are on their way when the time jumps.
      for (let n = 0; n < 5; n++, count++) expect([cold!.send(n), hot!.send(n)]).toEqual([true, true]);
      void engine.publish('cold:clock', 1).then((published) => {
        time = published.time;
      });
      return Math.abs(time - Date.now()) < 2000;
    }, 'messages have the new time');
    const { seq } = await engine.publish('hot:t', 'after');
    expect(Math.abs((await engine.publish('hot:t', 'after')).time - Date.now())).toBeLessThan(2000);
    await until(() => seqs['hot:t'].length === seq + 1 && seqs['cold:t'].length === count, 'all events');
    expect(gaps).toEqual([]);
    // Retention neither stops nor takes everything: the logs of topics that keep nothing shrink as ever.
    await until(() => engine.stats().coldLogBytes < 64 * 1024, 'old messages are let go');
    expect(engine.stats().lostMessages).toBe(0);
  });
});
