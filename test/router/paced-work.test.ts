// Work in parts: how long a turn takes, whose turn it is, and what a fault costs.

import { expect, it } from 'vitest';
import { PacedWork } from '#src/router/paced-work.js';
import { FakeScheduler } from '../support/fake-scheduler.js';

/** A quarter of a millisecond per step. */
class WorkLab {
  readonly scheduler = new FakeScheduler();
  readonly faults: unknown[] = [];
  readonly work = new PacedWork(this.scheduler, (fault) => this.faults.push(fault));
  log = '';

  task(name: string, steps: number): (deadlineMs: number) => boolean {
    let left = steps;
    return (deadlineMs) => {
      while (left > 0) {
        left--;
        this.log += name;
        this.scheduler.now += 0.25;
        if (this.scheduler.now >= deadlineMs) break;
      }
      return left === 0;
    };
  }

  /** What each turn did. */
  turns(): string[] {
    const turns: string[] = [];
    while (this.scheduler.turn()) {
      turns.push(this.log);
      this.log = '';
    }
    return turns;
  }
}

it('does ordered tasks one after the other, long ones in turn, a millisecond of each per turn', () => {
  const lab = new WorkLab();
  lab.work.addOrdered(lab.task('a', 6));
  lab.work.addOrdered(lab.task('b', 1));
  lab.work.addLong(lab.task('x', 9));
  lab.work.addLong(lab.task('y', 2));
  expect(lab.turns()).toEqual(['aaaaxxxx', 'aabyyxx', 'xxx']);
});

it('ends a task that throws, and goes on with the others', () => {
  const lab = new WorkLab();
  const fault = new Error('of a task');
  const fail = (): never => {
    throw fault;
  };
  lab.work.addOrdered(fail);
  lab.work.addLong(fail);
  lab.work.addOrdered(lab.task('a', 1));
  lab.work.addLong(lab.task('x', 1));
  expect(lab.turns()).toEqual(['ax']);
  expect(lab.faults).toEqual([fault, fault]);
});
