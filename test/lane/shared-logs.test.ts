// The memory of lanes' logs: used again once the lane has let go of it, and not before.

import { describe, expect, it } from 'vitest';
import { SharedLogs } from '#src/lane/shared-logs.js';
import type { FrameLog } from '#src/log/frame-log.js';
import { LogBudget } from '#src/log/log-budget.js';
import type { PlainLogLimits } from '#src/log/log-limits.js';
import { LogSlabs } from '#src/log/log-slabs.js';
import { PlainLog } from '#src/log/plain-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { JSON_STREAM } from '#src/variant/stream-spec.js';
import { SteppedLane } from '../topic/homes.js';
import { framesOf } from '../topic/topic-home.js';

const SIZES = { dataBytes: 1024, frames: 16 };
const EVENTS = { onHead: () => {}, onAck: () => {}, onPutAside: () => {} };

function append(log: FrameLog, count: number): void {
  for (let i = 0; i < count; i++) {
    log.begin(3, 1000 + i, 0, 0);
    log.write(new Uint8Array([1, 2, 3]), 0, 3);
    log.commit(log.headSeq + 1);
  }
}

function memoryOf(log: FrameLog): SharedArrayBuffer {
  return (log as SharedLog).memory;
}

function plainLog(budget: LogBudget): FrameLog {
  const limits: PlainLogLimits = {
    dataBytes: 2 ** 16,
    frames: 1024,
    retainMs: 3_600_000,
    historyMessages: 1000,
    historyBytes: 2 ** 16,
    budget,
    slabs: new LogSlabs(),
  };
  return new PlainLog(limits);
}

describe('shared logs', () => {
  it('are used again as empty logs', () => {
    const logs = new SharedLogs(SIZES);
    const first = logs.take(1);
    expect(logs.take(1), 'while it is in use').not.toBe(first);
    append(new SharedLog(first), 100);
    logs.give(new SharedLog(first));
    const again = logs.take(41);
    expect(again).toBe(first);
    const log = new SharedLog(again);
    expect([log.tailSeq, log.headSeq, log.positionAt(1)]).toEqual([41, 40, 0]);
    append(log, 2);
    expect([log.tailSeq, log.headSeq, log.sliceBytes(1, 3)]).toEqual([41, 42, 6]);
  });

  it('are kept up to a number', () => {
    const logs = new SharedLogs(SIZES);
    const taken = Array.from({ length: 20 }, () => logs.take(1));
    for (const memory of taken) logs.give(new SharedLog(memory));
    expect(logs.spareCount).toBe(8);
  });

  it('take over what a plain log retains; a shared one is taken as it is', () => {
    const logs = new SharedLogs(SIZES);
    const plain = plainLog(new LogBudget(2 ** 20));
    append(plain, 10);
    const shared = logs.sharedFrom(plain);
    expect(framesOf(shared)).toEqual(framesOf(plain));
    expect(logs.sharedFrom(shared)).toBe(shared);
  });

  it('are larger than usual for a log that retains more than the usual ones hold, and then not kept', () => {
    const logs = new SharedLogs(SIZES);
    const plain = plainLog(new LogBudget(2 ** 20));
    append(plain, 500);
    const shared = logs.sharedFrom(plain);
    expect(framesOf(shared)).toEqual(framesOf(plain));
    const spares = logs.spareCount;
    logs.give(shared);
    expect(logs.spareCount).toBe(spares);
  });

  it('of the accept thread give their memory back to its budget', () => {
    const budget = new LogBudget(2 ** 20);
    const plain = plainLog(budget);
    append(plain, 500);
    expect(budget.usedBytes).toBeGreaterThan(0);
    new SharedLogs(SIZES).give(plain);
    expect(budget.usedBytes).toBe(0);
  });
});

describe('the logs of a lane', () => {
  const open = () => {
    const lane = new SteppedLane(4096, SIZES, EVENTS);
    lane.link.openTopic({ alias: 1, topic: 't', epoch: 'e', historyMessages: 10, historyBytes: 1024 });
    lane.settle();
    return { lane, link: lane.link, logs: lane.set.sharedLogs };
  };

  it('are not given back while the lane may still write to them', () => {
    const { lane, link, logs } = open();
    link.openStream(1, JSON_STREAM, 1);
    const spares = logs.spareCount;
    link.closeStream(1, JSON_STREAM.key);
    lane.turn();
    expect(logs.spareCount).toBe(spares);
    lane.settle();
    expect(logs.spareCount).toBe(spares + 1);
    link.openStream(1, JSON_STREAM, 1);
    link.closeTopic(1);
    lane.turn();
    expect(logs.spareCount, 'the second JSON log took the first one’s memory').toBe(spares);
    lane.settle();
    expect(logs.spareCount).toBe(spares + 2);
  });

  it('come back one by one, also when the next one was opened before', () => {
    const { lane, link, logs } = open();
    const first = link.openStream(1, JSON_STREAM, 1);
    link.closeStream(1, JSON_STREAM.key);
    const second = link.openStream(1, JSON_STREAM, 1);
    expect(memoryOf(second)).not.toBe(memoryOf(first));
    lane.settle();
    const spec = { alias: 2, topic: 'u', epoch: 'e', historyMessages: 10, historyBytes: 1024 };
    expect(memoryOf(link.openTopic(spec))).toBe(memoryOf(first));
    expect(logs.spareCount).toBe(0);
  });
});
