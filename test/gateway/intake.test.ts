// How a turn's time is shared among connections, and who is ended: the clock and the event loop are the test's.
import { describe, expect, it } from 'vitest';
import {
  FLOOD,
  FLOOD_MESSAGES,
  FLOOD_MS,
  HANDLE,
  HOLD_BACK,
  heldBackMaxBytes,
  Intake,
  type Worker,
} from '#src/gateway/intake.js';
import { FakeScheduler } from '../support/fake-scheduler.js';

const MESSAGE_MAX_BYTES = 1024 * 1024;

/** Has `jobs` to do, each of which takes a time. */
class Peer implements Worker {
  isFeed = false;
  readonly name: string;
  readonly jobsMs: number[];
  heldBackBytes = 0;
  hasOverflowed = false;
  readonly #lab: Lab;

  constructor(lab: Lab, name: string, jobsMs: number[]) {
    this.#lab = lab;
    this.name = name;
    this.jobsMs = jobsMs;
  }

  hold(bytes: number): void {
    this.heldBackBytes += bytes;
    this.#lab.intake.held(this, bytes);
  }

  work(deadlineMs: number): boolean {
    const { scheduler, log } = this.#lab;
    while (this.jobsMs.length > 0) {
      scheduler.now += this.jobsMs.shift() as number;
      log.push(this.name);
      if (scheduler.now >= deadlineMs) break;
    }
    return this.jobsMs.length > 0;
  }

  overflowed(): void {
    this.hasOverflowed = true;
    this.hold(-this.heldBackBytes);
  }
}

class Lab {
  readonly scheduler = new FakeScheduler();
  readonly intake = new Intake<Peer>(this.scheduler, MESSAGE_MAX_BYTES);
  /** Whose jobs were done, in order. */
  readonly log: string[] = [];

  peer(name: string, jobsMs: number[] = []): Peer {
    return new Peer(this, name, jobsMs);
  }

  judge(peer: Peer): number {
    return this.intake.judge(peer, this.scheduler.now);
  }
}

describe('a turn', () => {
  it('handles messages as they come until its time is used up, whoever they are from; the next turn begins anew', () => {
    const lab = new Lab();
    const [a, b] = [lab.peer('a'), lab.peer('b')];
    expect(lab.judge(a)).toBe(HANDLE);
    lab.scheduler.now += 4.9;
    expect(lab.judge(b)).toBe(HANDLE);
    lab.scheduler.now += 0.1;
    expect([lab.judge(a), lab.judge(b)]).toEqual([HOLD_BACK, HOLD_BACK]);
    lab.scheduler.turn();
    expect(lab.judge(a)).toBe(HANDLE);
  });

  it('gives every connection that waits a little of it: who asks for little is not kept waiting by who asks for much', () => {
    const lab = new Lab();
    const greedy = Array.from({ length: 3 }, (_, n) => lab.peer(`greedy ${n}`, Array<number>(1000).fill(0.25)));
    const modest = lab.peer('modest', [0.01]);
    for (const peer of [...greedy, modest]) lab.intake.resumeLater(peer);
    const startMs = lab.scheduler.now;
    lab.scheduler.turn();
    expect(lab.log).toContain('modest');
    expect(lab.log.indexOf('modest')).toBeLessThanOrEqual(12);
    // One turn took no more than its time, and a job.
    expect(lab.scheduler.now - startMs).toBeLessThanOrEqual(5.25);
    lab.scheduler.settle();
    for (const { jobsMs } of greedy) expect(jobsMs).toEqual([]);
    const share = lab.log.slice(0, 600).filter((name) => name === 'greedy 0').length;
    expect(share).toBeGreaterThan(150);
    expect(share).toBeLessThan(250);
  });

  it('serves who publishes first, for half of it as long as others wait', () => {
    const lab = new Lab();
    const crowd = Array.from({ length: 100 }, (_, n) => lab.peer(`one of many ${n}`, [0.1]));
    const feeds = [lab.peer('feed', [0.01, 0.01]), lab.peer('greedy feed', Array<number>(1000).fill(0.25))];
    for (const peer of crowd) lab.intake.resumeLater(peer);
    for (const feed of feeds) {
      feed.isFeed = true;
      lab.intake.resumeLater(feed);
    }
    lab.scheduler.turn();
    expect(lab.log.slice(0, 2)).toEqual(['feed', 'feed']);
    const crowdsTurn = lab.log.findIndex((name) => name.startsWith('one of many'));
    expect(crowdsTurn).toBeGreaterThan(8);
    expect(crowdsTurn).toBeLessThan(14);
    expect(lab.log.length - crowdsTurn).toBeGreaterThan(20);
    while (crowd.some(({ jobsMs }) => jobsMs.length > 0)) lab.scheduler.turn();
    const others = lab.log.length;
    lab.scheduler.turn();
    expect(lab.log.length - others, 'all of it, once nobody else waits').toBeGreaterThan(18);
  });

  it('goes on at once with a connection whose hook has answered, while there is time in it', () => {
    const lab = new Lab();
    const peer = lab.peer('a', [1, 1, 1, 1, 1, 1, 1, 1]);
    lab.intake.resume(peer);
    expect(lab.log).toHaveLength(5);
    lab.intake.resume(peer);
    expect(lab.log, 'no time left').toHaveLength(5);
    lab.scheduler.settle();
    expect(lab.log).toHaveLength(8);
  });

  it('asks for no further one when nothing waits', () => {
    const lab = new Lab();
    lab.judge(lab.peer('a'));
    expect(lab.scheduler.settle()).toBe(1);
  });
});

describe('a flood', () => {
  it('is more messages of one connection, for a longer time, than a turn can hold back', () => {
    const lab = new Lab();
    const flooder = lab.peer('flooder');
    const verdicts = Array.from({ length: FLOOD_MESSAGES + 1 }, () => {
      lab.scheduler.now += (FLOOD_MS + 1) / FLOOD_MESSAGES;
      return lab.judge(flooder);
    });
    expect(verdicts.slice(0, 0.95 * FLOOD_MESSAGES)).not.toContain(FLOOD);
    expect(verdicts.at(-1)).toBe(FLOOD);
  });

  it.each([
    ['few messages, however long they take', 100, 10 * FLOOD_MS],
    ['many messages in a short time', 10 * FLOOD_MESSAGES, FLOOD_MS / 2],
  ])('is not: %s', (_, messages, ms) => {
    const lab = new Lab();
    const peer = lab.peer('a');
    for (let n = 0; n < messages; n++) {
      lab.scheduler.now += ms / messages;
      expect(lab.judge(peer)).not.toBe(FLOOD);
    }
  });

  it('takes fewer messages of each the more connections do it, and nobody for what came in earlier turns', () => {
    const lab = new Lab();
    const floodedAfter: number[] = [];
    for (let n = 0; n < 100; n++) {
      const peer = lab.peer(`${n}`);
      let messages = 0;
      do {
        lab.scheduler.now += 0.001;
        messages++;
      } while (lab.judge(peer) !== FLOOD && messages < 20_000);
      floodedAfter.push(messages);
    }
    expect(floodedAfter[0]).toBe(20_000); // with one alone the turn is not long yet
    for (const [index, messages] of floodedAfter.entries()) if (index > 10) expect(messages).toBeLessThan(12_000);
    expect(floodedAfter.at(-1)).toBeLessThan(4000);
    const readMs = floodedAfter.reduce((sum, messages) => sum + messages, 0) / 1000;
    expect(readMs, 'a hundred flooders hold a turn for little longer than a few').toBeLessThan(700);
    lab.scheduler.turn();
    const [next] = [lab.peer('next')];
    for (let n = 0; n < 4000; n++) {
      lab.scheduler.now += 0.001;
      expect(lab.judge(next)).not.toBe(FLOOD);
    }
  });

  it('is not what comes after a pause of the process', () => {
    const lab = new Lab();
    const peer = lab.peer('a');
    lab.judge(peer);
    lab.scheduler.now += 500;
    for (let n = 0; n < 900 * FLOOD_MS; n++) {
      lab.scheduler.now += 0.001;
      expect(lab.judge(peer)).not.toBe(FLOOD);
    }
  });
});

describe('what waits', () => {
  it('is bounded per connection', () => {
    const lab = new Lab();
    const [large, small] = [lab.peer('large'), lab.peer('small')];
    small.hold(1000);
    large.hold(heldBackMaxBytes(MESSAGE_MAX_BYTES));
    expect(large.hasOverflowed).toBe(false);
    large.hold(1);
    expect([large.hasOverflowed, small.hasOverflowed]).toEqual([true, false]);
    expect(lab.intake.heldBackBytes).toBe(1000);
  });

  it('is bounded in all: the one that has the most goes, whoever brings it there', () => {
    const lab = new Lab();
    const part = heldBackMaxBytes(MESSAGE_MAX_BYTES) - 1;
    const greedy = Array.from({ length: 4 }, (_, n) => lab.peer(`${n}`));
    for (const peer of greedy) peer.hold(part - (peer === greedy[2] ? 0 : 1000));
    const last = lab.peer('last');
    last.hold(5000);
    expect(greedy.map(({ hasOverflowed }) => hasOverflowed)).toEqual([false, false, true, false]);
    expect(last.hasOverflowed).toBe(false);
    expect(lab.intake.heldBackBytes).toBe(3 * (part - 1000) + 5000);
  });

  it.each([
    [1024, 16 * 1024 ** 2],
    [64 * 1024 ** 2, 128 * 1024 ** 2],
  ])('with messages of up to %i bytes: %i bytes', (messageMaxBytes, bytes) => {
    expect(heldBackMaxBytes(messageMaxBytes)).toBe(bytes);
  });
});
