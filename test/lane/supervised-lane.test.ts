// A lane whose threads die, hang, and are replaced: what was accepted is dealt with once, and one after the other.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { REQUEST_CLOSE, REQUEST_OPEN } from '#src/lane/records.js';
import { FrameLog } from '#src/log/frame-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { decode } from '#src/protocol/msgpack.js';
import { RingWriter } from '#src/ring/ring.js';
import { Topic } from '#src/topic/topic.js';
import { JSON_STREAM } from '#src/variant/stream-spec.js';
import { framesOf } from '../topic/topic-home.js';
import { LaneLab, STALL_MS, valuesOf } from './lane-lab.js';

const labs: LaneLab[] = [];
function open(): LaneLab {
  const lab = new LaneLab();
  labs.push(lab);
  return lab;
}
afterEach(() => {
  vi.restoreAllMocks();
  for (const lab of labs.splice(0)) lab.close();
});

/** Requests 1 … count have become messages 1 … count. */
function expectAll(lab: LaneLab, log: Parameters<typeof valuesOf>[0], count: number): void {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  expect(valuesOf(log)).toEqual(numbers);
  expect([...lab.outcomes].sort(([left], [right]) => left - right)).toEqual(numbers.map((number) => [number, number]));
}

describe('a lane whose thread dies', () => {
  it('has the next one go on where it stopped', () => {
    const lab = open();
    const log = lab.open();
    for (let i = 1; i <= 10; i++) lab.publish(i);
    lab.settle();
    for (let i = 11; i <= 20; i++) lab.publish(i);
    lab.scheduler.turn();
    lab.kill();
    for (let i = 21; i <= 30; i++) lab.publish(i);
    lab.settle();
    expectAll(lab, log, 30);
    expect(lab.events).toEqual(['died', 'recovered 0']);
    expect([lab.lane.state, lab.lane.restarts]).toEqual(['running', 1]);
  });

  it('at any message, before or after it is in the log, loses and doubles nothing; its JSON stream follows', () => {
    for (const isBefore of [true, false]) {
      for (let deathAt = 1; deathAt <= 12; deathAt++) {
        const lab = open();
        const log = lab.open();
        const jsonLog = lab.link.openStream(1, JSON_STREAM, 1);
        const other = lab.open(2);
        const { publish } = Topic.prototype;
        let calls = 0;
        const spy = vi.spyOn(Topic.prototype, 'publish').mockImplementation(function (this: Topic, ...operands) {
          const isDeadly = ++calls === deathAt;
          if (isDeadly && isBefore) throw new Error('before');
          const seq = publish.apply(this, operands);
          if (isDeadly) throw new Error('after');
          return seq;
        });
        for (let i = 1; i <= 9; i++) {
          lab.publish(i);
          if (i === 4) lab.settle();
        }
        for (let i = 10; i <= 12; i++) lab.publish(i, 2);
        lab.settle();
        spy.mockRestore();
        expect(valuesOf(log)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        expect(valuesOf(other)).toEqual([10, 11, 12]);
        const seqs = [...lab.outcomes].sort(([left], [right]) => left - right).map(([, seq]) => seq);
        expect(seqs, `${deathAt}`).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]);
        expect(framesOf(jsonLog)).toHaveLength(9);
        expect(lab.events).toEqual(['died', 'recovered 0']);
      }
    }
  });

  it('between append and report has its heads looked at all the same', () => {
    const lab = open();
    const log = lab.open();
    lab.settle();
    lab.heads.clear();
    const { publish } = RingWriter.prototype;
    let isDeadly = true;
    vi.spyOn(RingWriter.prototype, 'publish').mockImplementation(function (this: RingWriter) {
      if (lab.threads.isAtWork && isDeadly) throw new Error('before the report');
      return publish.call(this);
    });
    lab.publish(1);
    lab.scheduler.turn();
    lab.step();
    isDeadly = false;
    expect(lab.events).toEqual(['died']);
    expect([...lab.heads]).toEqual([1]);
    expect(valuesOf(log)).toEqual([1]);
    expect(lab.outcomes.size).toBe(0);
    lab.settle();
    expectAll(lab, log, 1);
  });

  it('takes topics that come, go and have JSON streams while no thread runs', () => {
    const lab = open();
    const first = lab.open(1);
    lab.publish('first');
    lab.settle();
    lab.kill();
    const second = lab.open(2);
    lab.publish('second', 2);
    const jsonLog = lab.link.openStream(2, JSON_STREAM, 1);
    const left: string[] = [];
    lab.link.leaveTopic(1, () => left.push('first'));
    lab.kill();
    lab.open(3);
    lab.link.closeTopic(3);
    lab.settle();
    expect([valuesOf(first), valuesOf(second), left]).toEqual([['first'], ['second'], ['first']]);
    expect(framesOf(jsonLog)).toHaveLength(1);
    expect(lab.link.parcels.map(({ alias, kind }) => `${alias} ${kind}`)).toEqual(['2 topic', '2 stream']);
  });

  it('says how long nothing ran', () => {
    const lab = open();
    lab.settle();
    lab.kill();
    lab.scheduler.now += 42;
    lab.settle();
    expect(lab.events).toEqual(['died', 'recovered 42']);
  });
});

describe('a lane that does not move', () => {
  it('is ended after the stall time, and replaced once its thread has ended', () => {
    const lab = open();
    const log = lab.open();
    lab.publish(1);
    lab.settle();
    lab.publish(2);
    lab.scheduler.advance(STALL_MS - 100);
    expect(lab.threads.started).toHaveLength(1);
    lab.scheduler.advance(STALL_MS);
    expect(lab.events, 'the thread is still ending').toEqual([]);
    expect(lab.threads.started).toHaveLength(1);
    lab.settle();
    expect(lab.events).toEqual(['stalled', 'recovered 0']);
    expectAll(lab, log, 2);
  });

  it('is left alone as long as it beats, busy or idle', () => {
    const lab = open();
    lab.advance(10 * STALL_MS, 250);
    expect(lab.events).toEqual([]);
  });

  it('is left alone when the accept thread itself was late', () => {
    const lab = open();
    lab.advance(STALL_MS, 100);
    // Everything stood still: the machine was suspended, or a debugger was at work.
    lab.scheduler.now += 100 * STALL_MS;
    lab.scheduler.advance(0);
    expect(lab.threads.started).toHaveLength(1);
    lab.advance(2 * STALL_MS, 250);
    // The accept thread alone was late: the lane has moved meanwhile.
    for (let round = 0; round < 5; round++) {
      lab.step();
      lab.scheduler.now += 3 * STALL_MS;
      lab.scheduler.advance(0);
    }
    lab.settle();
    expect(lab.events).toEqual([]);
    expect(lab.threads.started).toHaveLength(1);
  });

  it('has more time for its start', () => {
    const lab = open();
    lab.scheduler.advance(9 * STALL_MS);
    expect(lab.step(), 'it begins now').toBe(true);
    lab.settle();
    expect([lab.lane.state, lab.events]).toEqual(['running', []]);
    const other = open();
    other.scheduler.advance(11 * STALL_MS);
    other.settle();
    expect(other.events[0]).toBe('stalled');
  });
});

describe('a message of which threads die', () => {
  it('is put aside after the third death, and all others are dealt with', () => {
    const lab = open();
    const log = lab.open();
    lab.dieOf((payload) => payload === 'deadly');
    const requests = ['one', 'two', 'deadly', 'three', 'four'].map((payload) => lab.publish(payload));
    lab.settle();
    expect(valuesOf(log)).toEqual(['one', 'two', 'three', 'four']);
    expect(requests.map((request) => lab.outcomes.get(request))).toEqual([1, 2, 0, 3, 4]);
    expect(lab.events).toEqual(['died', 'recovered 0', 'died', 'recovered 0', 'died', 'poison', 'recovered 0']);
    expect(lab.poisoned).toMatchObject([{ alias: 1, timeMs: 1 }]);
    expect(decode(lab.poisoned[0].payload)).toBe('deadly');
    expect([lab.lane.poisonedMessages, lab.lane.restarts, lab.lane.state]).toEqual([1, 3, 'running']);
    lab.publish('five');
    lab.settle();
    expect(lab.threads.started).toHaveLength(4);
  });

  it('may have others like it before and behind it', () => {
    const lab = open();
    const log = lab.open();
    lab.dieOf((payload) => String(payload).startsWith('deadly'));
    const payloads = ['deadly 1', 'deadly 2', 'a', 'deadly 3', 'b', 'deadly 4'];
    const requests = payloads.map((payload) => lab.publish(payload));
    lab.settle();
    expect(valuesOf(log)).toEqual(['a', 'b']);
    expect(requests.map((request) => lab.outcomes.get(request))).toEqual([0, 0, 1, 0, 2, 0]);
    expect([lab.lane.poisonedMessages, lab.lane.state]).toEqual([4, 'running']);
  });

  it('is put aside for good, also when threads die later with it still in the ring', () => {
    const lab = open();
    const log = lab.open();
    lab.dieOf((payload) => payload === 'deadly' || payload === 'deadly too');
    for (const payload of ['one', 'deadly', 'two', 'deadly too', 'three']) lab.publish(payload);
    lab.settle();
    expect(valuesOf(log)).toEqual(['one', 'two', 'three']);
    expect(lab.events.filter((event) => event === 'died')).toHaveLength(6);
    expect([...lab.outcomes.values()].sort()).toEqual([0, 0, 1, 2, 3]);
  });

  it('is handled by the third thread when only two die', () => {
    const lab = open();
    const log = lab.open();
    let deaths = 0;
    lab.dieOf((payload) => payload === 2 && ++deaths <= 2);
    for (let i = 1; i <= 3; i++) lab.publish(i);
    lab.settle();
    expectAll(lab, log, 3);
    expect(lab.lane.poisonedMessages).toBe(0);
  });

  it('is not blamed for threads that die before they come to it', () => {
    const lab = open();
    const log = lab.open();
    lab.settle();
    let deaths = 0;
    lab.dieOf((payload) => payload === 1 && ++deaths <= 2);
    lab.publish(1);
    lab.scheduler.turn();
    lab.step();
    expect(lab.events, 'at the message').toEqual(['died']);
    lab.kill();
    expect(lab.events, 'before its first record').toEqual(['died', 'died']);
    lab.advance(20);
    expect(deaths).toBeGreaterThanOrEqual(2);
    expectAll(lab, log, 1);
    expect(lab.poisoned).toEqual([]);
  });
});

describe('a message of whose JSON form threads die', () => {
  /** Threads die when they are about to append the JSON form of message `seq`. */
  function dieOfJson(lab: LaneLab, jsonLog: FrameLog, seq: number): void {
    const { begin } = FrameLog.prototype;
    vi.spyOn(FrameLog.prototype, 'begin').mockImplementation(function (this: FrameLog, bytes, timeMs, ingress, origin) {
      const isIt = memoryOf(this) === memoryOf(jsonLog) && this.headSeq + 1 === seq && ingress === 0;
      if (lab.threads.isAtWork && isIt) throw new Error('a fault in the making of JSON');
      begin.call(this, bytes, timeMs, ingress, origin);
    });
  }
  const memoryOf = (log: FrameLog): unknown => (log instanceof SharedLog ? log.memory : null);
  const typesOf = (log: FrameLog): string[] =>
    framesOf(log).map(({ bytes }) => (JSON.parse(new TextDecoder().decode(bytes)) as { type: string }).type);

  it('is announced to JSON subscribers as missed, after the third death; the message itself is kept', () => {
    const lab = open();
    const log = lab.open();
    const jsonLog = lab.link.openStream(1, JSON_STREAM, 1);
    lab.settle();
    dieOfJson(lab, jsonLog, 3);
    for (let n = 1; n <= 5; n++) lab.publish(n);
    lab.advance(20, 10);
    expectAll(lab, log, 5);
    expect(typesOf(jsonLog)).toEqual(['event', 'event', 'gap', 'event', 'event']);
    expect(lab.events).toEqual(['died', 'died', 'died', 'recovered 10']);
    expect([lab.lane.state, lab.poisoned]).toEqual(['running', []]);
  });

  it('is announced also when it is history for which the first JSON subscriber comes', () => {
    const lab = open();
    const log = lab.open();
    for (let n = 1; n <= 5; n++) lab.publish(n);
    lab.settle();
    const jsonLog = lab.link.openStream(1, JSON_STREAM, 1);
    dieOfJson(lab, jsonLog, 1);
    lab.advance(20);
    expect(typesOf(jsonLog)).toEqual(['gap', 'event', 'event', 'event', 'event']);
    lab.publish(6);
    lab.settle();
    expectAll(lab, log, 6);
    expect(lab.lane.state).toBe('running');
  });
});

describe('a lane whose threads get nowhere', () => {
  it('is started at once, then after pauses that grow, and given up after the sixth death', () => {
    const lab = open();
    const startsAfterMs: number[] = [];
    for (let death = 1; death <= 6; death++) {
      const { length } = lab.threads.started;
      lab.kill();
      if (death === 6) break;
      let waitedMs = 0;
      while (lab.threads.started.length === length) {
        lab.scheduler.advance(1);
        waitedMs++;
      }
      startsAfterMs.push(waitedMs);
    }
    expect(startsAfterMs).toEqual([0, 0, 10, 50, 250]);
    expect(lab.events).toEqual([...Array(6).fill('died'), 'degraded']);
    expect([lab.lane.state, lab.lane.isUsable]).toEqual(['degraded', false]);
  });

  it('is not given up as long as they deal with requests, or live for a second', () => {
    const lab = open();
    const log = lab.open();
    for (let i = 1; i <= 10; i++) {
      lab.publish(i);
      lab.settle();
      lab.kill();
    }
    expectAll(lab, log, 10);
    for (let i = 0; i < 10; i++) {
      lab.advance(1100);
      lab.kill();
    }
    expect(lab.lane.state).toBe('restarting');
    lab.settle();
    expect(lab.lane.state).toBe('running');
  });

  it('is given up when they die of something that is no message', () => {
    for (const type of [REQUEST_OPEN, REQUEST_CLOSE]) {
      const lab = open();
      const log = lab.open();
      lab.publish(1);
      const left: string[] = [];
      lab.link.leaveTopic(1, () => left.push('left'));
      const other = lab.open(2);
      lab.publish(2, 2);
      lab.scheduler.settle();
      lab.dieAt(lab.positionOf(type));
      lab.advance(1000);
      vi.restoreAllMocks();
      expect(lab.events.at(-1)).toBe('degraded');
      expect(lab.poisoned).toEqual([]);
      // The accept thread deals with all of it.
      expect([valuesOf(log), valuesOf(other), left]).toEqual([[1], [2], ['left']]);
      expect([...lab.outcomes.values()]).toEqual([1, 1]);
    }
  });

  it('goes on on the accept thread once it is given up: what is in its ring, and what comes', () => {
    const lab = open();
    const log = lab.open();
    for (let i = 1; i <= 5; i++) lab.publish(i);
    lab.settle();
    for (let i = 6; i <= 10; i++) lab.publish(i);
    while (lab.lane.state !== 'degraded') {
      lab.kill();
      lab.scheduler.advance(250);
    }
    for (let i = 11; i <= 300; i++) {
      lab.publish(i);
      if (i % 50 === 0) lab.scheduler.settle();
    }
    lab.scheduler.settle();
    expectAll(lab, log, 300);
    const jsonLog = lab.link.openStream(1, JSON_STREAM, 1);
    const left: number[] = [];
    lab.link.leaveTopic(1, (logs) => left.push(logs.log.headSeq));
    lab.scheduler.settle();
    expect(left).toEqual([300]);
    expect(framesOf(jsonLog)).toHaveLength(300);
    expect(lab.link.parcels).toEqual([]);
  });
});

describe('a lane that is asked to stop', () => {
  const isSettled = async (promise: Promise<void>): Promise<boolean> =>
    Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);

  it('deals with everything before', async () => {
    const lab = open();
    const log = lab.open();
    for (let i = 1; i <= 10; i++) lab.publish(i);
    lab.lane.stop();
    expect(await isSettled(lab.lane.stopped)).toBe(false);
    lab.settle();
    expect(await isSettled(lab.lane.stopped)).toBe(true);
    expectAll(lab, log, 10);
    expect([lab.lane.state, lab.events]).toEqual(['stopped', []]);
  });

  it('does so also when its thread dies meanwhile, or is about to be started again', async () => {
    for (const deaths of [1, 4]) {
      const lab = open();
      const log = lab.open();
      for (let i = 1; i <= 10; i++) lab.publish(i);
      for (let death = 1; death < deaths; death++) {
        lab.scheduler.advance(10);
        lab.kill();
      }
      lab.lane.stop();
      if (deaths === 1) lab.kill();
      lab.advance(500);
      expect(await isSettled(lab.lane.stopped)).toBe(true);
      expectAll(lab, log, 10);
      expect(lab.threads.alive).toEqual([]);
    }
  });

  it('has stopped also when its thread dies of its end', async () => {
    const lab = open();
    lab.settle();
    lab.lane.stop();
    const { thread } = lab;
    const { die } = thread;
    thread.die = (fault) => die.call(thread, fault ?? new Error('while it ended'));
    lab.settle();
    expect(await isSettled(lab.lane.stopped)).toBe(true);
    expect(lab.threads.started).toHaveLength(1);
  });

  it('does so on the accept thread when it was given up', async () => {
    const lab = open();
    const log = lab.open();
    while (lab.lane.state !== 'degraded') {
      lab.kill();
      lab.scheduler.advance(250);
    }
    lab.publish(1);
    lab.lane.stop();
    lab.scheduler.settle();
    expect(await isSettled(lab.lane.stopped)).toBe(true);
    expectAll(lab, log, 1);
  });

  it('leaves nothing that goes on once it is closed, also with a full ring that nobody empties', () => {
    const lab = open();
    lab.open();
    lab.settle();
    while (lab.accepts('x'.repeat(100)));
    for (let i = 0; i < 10; i++) {
      lab.link.openStream(1, JSON_STREAM, 1);
      lab.link.closeStream(1, JSON_STREAM.key);
    }
    lab.link.openStream(1, JSON_STREAM, 1);
    // What did not fit is tried again from time to time, not in each turn.
    lab.scheduler.settle();
    expect(lab.scheduler.timerCount).toBe(2);
    lab.close();
    lab.link.closeStream(1, JSON_STREAM.key);
    lab.scheduler.settle();
    lab.scheduler.advance(100);
    expect([lab.scheduler.timerCount, lab.scheduler.soonCount]).toEqual([0, 0]);
  });

  it('starts no thread any more once it is closed', () => {
    const lab = open();
    for (let death = 1; death <= 4; death++) {
      lab.scheduler.advance(10);
      lab.kill();
    }
    const { length } = lab.threads.started;
    lab.close();
    lab.scheduler.advance(1000);
    expect(lab.threads.started).toHaveLength(length);
    expect(lab.scheduler.timerCount).toBe(0);
  });
});
