// A lane whose threads cannot be started for want of descriptors or memory is not given up: it runs as soon as one can.

import { afterEach, describe, expect, it } from 'vitest';
import { LaneLab, valuesOf } from './lane-lab.js';

const labs: LaneLab[] = [];
function open(): LaneLab {
  const lab = new LaneLab();
  labs.push(lab);
  return lab;
}
afterEach(() => {
  for (const lab of labs.splice(0)) lab.close();
});

function want(code: string): Error {
  return Object.assign(new Error(`${code}: there is nothing left`), { code });
}

/** The newest thread has ended with this, before it ran any code of ours. Returns how long the next one is waited for. */
function failStart(lab: LaneLab, fault: Error): number {
  const { length } = lab.threads.started;
  lab.thread.die(fault);
  let waitedMs = 0;
  for (; lab.threads.started.length === length; waitedMs++) lab.scheduler.advance(1);
  return waitedMs;
}

describe('a lane whose thread cannot be started', () => {
  it.each(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ERR_WORKER_INIT_FAILED'])(
    'for want of something (%s) is tried again and again, and then goes on where it stopped',
    (code) => {
      const lab = open();
      const log = lab.open();
      for (let n = 1; n <= 5; n++) lab.publish(n);
      lab.settle();
      lab.kill();
      for (let n = 6; n <= 10; n++) lab.publish(n);
      const waitedMs = Array.from({ length: 20 }, () => failStart(lab, want(code)));
      expect(waitedMs).toEqual([50, 250, ...Array(18).fill(1000)]);
      expect([lab.lane.state, lab.lane.isUsable]).toEqual(['restarting', false]);
      expect(lab.events, 'said once, not with each attempt').toEqual(['died', 'died']);
      lab.settle();
      expect([lab.lane.state, lab.lane.isUsable]).toEqual(['running', true]);
      expect(lab.events.slice(2)).toEqual([`recovered ${waitedMs.reduce((sum, ms) => sum + ms)}`]);
      expect(valuesOf(log)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    },
  );

  it('does not keep an engine from starting, which goes on without it', async () => {
    const lab = open();
    let isReady = false;
    void lab.lane.ready.then(() => {
      isReady = true;
    });
    for (let start = 1; start <= 4; start++) {
      await Promise.resolve();
      expect(isReady).toBe(false);
      failStart(lab, want('EMFILE'));
    }
    await Promise.resolve();
    expect([isReady, lab.lane.isUsable]).toEqual([true, false]);
    lab.settle();
    expect([lab.lane.state, lab.lane.isUsable]).toEqual(['running', true]);
  });

  it('is tried again also when starting throws, and no more once the lane is closed', () => {
    const lab = open();
    const { threads } = lab;
    const { start } = threads;
    threads.start = () => {
      throw want('EMFILE');
    };
    lab.settle();
    lab.kill();
    lab.scheduler.advance(5000);
    expect([lab.lane.state, lab.events]).toEqual(['restarting', ['died', 'died']]);
    threads.start = start;
    lab.scheduler.advance(1000);
    lab.settle();
    expect(lab.lane.state).toBe('running');
    lab.kill();
    failStart(lab, want('EMFILE'));
    lab.thread.die(want('EMFILE'));
    lab.close();
    expect(lab.scheduler.timerCount).toBe(0);
  });

  it('is given up like any other when threads die of their work with such a fault, or of something that stays', () => {
    const atWork = open();
    for (let death = 1; death <= 6; death++) {
      atWork.step();
      atWork.thread.die(want('EMFILE'));
      atWork.scheduler.advance(250);
    }
    expect(atWork.lane.state).toBe('degraded');
    const missing = open();
    for (let death = 1; death <= 6; death++) {
      missing.thread.die(want('ERR_MODULE_NOT_FOUND'));
      missing.scheduler.advance(250);
    }
    expect(missing.lane.state).toBe('degraded');
  });
});
