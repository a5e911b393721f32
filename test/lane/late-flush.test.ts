// Messages that may wait share a lane's wake-up; who may not wait takes the others along.

import { createHistogram } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { allocateLaneCounters } from '#src/counters/lane-counters.js';
import { allocateTopicBusy } from '#src/counters/topic-busy.js';
import { allocateLaneRings, Lane, type LaneMemory } from '#src/lane/lane.js';
import { LaneLink } from '#src/lane/lane-link.js';
import type { LaneParcel } from '#src/lane/parcels.js';
import { SharedLogs } from '#src/lane/shared-logs.js';
import { encode } from '#src/protocol/msgpack.js';
import { allocateDoorbell } from '#src/ring/doorbell.js';
import { FakeScheduler } from '../support/fake-scheduler.js';
import { outgoing } from '../support/outgoing.js';

function openLink() {
  const memory: LaneMemory = {
    ...allocateLaneRings(4096),
    acceptBell: allocateDoorbell(),
    counters: allocateLaneCounters(),
    topicBusy: allocateTopicBusy(1),
    waits: createHistogram(),
  };
  const scheduler = new FakeScheduler();
  const events = { onHead: () => {}, onAck: () => {}, onPutAside: () => {} };
  const link = new LaneLink(memory, new SharedLogs({ dataBytes: 4096, frames: 64 }), scheduler, events);
  const posted: LaneParcel[] = [];
  const lane = new Lane({ memory, parcels: link.parcels, putAside: [] }, () => posted.shift(), scheduler);
  link.attach({ post: (parcel) => posted.push(parcel), wake: () => {}, ready: () => {} });
  const log = link.openTopic({
    alias: 1,
    topic: 't',
    epoch: 'e',
    historyMessages: 10,
    historyBytes: 4096,
  });
  scheduler.settle();
  lane.step();
  const publish = (mayWaitMs: number): void => {
    link.publish(1, outgoing(encode('x'), { timeMs: 1, monotonicMs: 1, mayWaitMs }));
  };
  /** How many messages the lane has appended, given a chance to. */
  const appended = (): number => {
    lane.step();
    log.refresh();
    return log.headSeq;
  };
  return { scheduler, publish, appended };
}

describe('a lane link', () => {
  it('shows the lane a message that may not wait in the same turn', () => {
    const { scheduler, publish, appended } = openLink();
    publish(0);
    expect(appended()).toBe(0);
    scheduler.turn();
    expect(appended()).toBe(1);
  });

  it('lets messages that may wait share one wake-up, counted from the first', () => {
    const { scheduler, publish, appended } = openLink();
    publish(4);
    scheduler.advance(3);
    publish(4);
    expect(appended()).toBe(0);
    scheduler.advance(1);
    expect(appended()).toBe(2);
    expect(scheduler.timerCount).toBe(0);
  });

  it('sends waiting messages along with one that may not wait, in their order, and calls the timer off', () => {
    const { scheduler, publish, appended } = openLink();
    publish(4);
    publish(0);
    publish(4);
    scheduler.turn();
    expect(appended()).toBe(3);
    expect(scheduler.timerCount).toBe(0);
    publish(2);
    expect(scheduler.timerCount).toBe(1);
    scheduler.advance(2);
    expect(appended()).toBe(4);
  });
});
