// Messages that may wait share a lane's wake-up; who may not wait takes the others along.

import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { EVENT_RING_MIN_BYTES, Lane, type LaneMemory } from '#src/lane/lane.js';
import { LaneLink } from '#src/lane/lane-link.js';
import type { OutgoingMessage } from '#src/lane/link.js';
import { encode } from '#src/protocol/msgpack.js';
import { allocateDoorbell } from '#src/ring/doorbell.js';
import { allocateRing } from '#src/ring/ring.js';
import { FakeScheduler } from '../support/fake-scheduler.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function openLink() {
  const { port1, port2 } = new MessageChannel();
  const memory: LaneMemory = {
    requests: allocateRing(4096),
    events: allocateRing(2 ** Math.ceil(Math.log2(EVENT_RING_MIN_BYTES))),
    laneBell: allocateDoorbell(),
    acceptBell: allocateDoorbell(),
    port: port2,
  };
  const lane = new Lane(memory);
  const scheduler = new FakeScheduler();
  const events = { onHead: () => {}, onAck: () => {} };
  const link = new LaneLink(memory, port1, { dataBytes: 4096, frames: 64 }, scheduler, events);
  closers.push(() => link.close());
  const log = link.openTopic({ alias: 1, topic: 't', epoch: 'e', historyMessages: 10, historyBytes: 4096 });
  scheduler.settle();
  lane.step();
  const publish = (mayWaitMs: number): void => {
    const bytes = encode('x');
    const message = { bytes, start: 0, end: bytes.length, tail: null, timeMs: 1, origin: 0, request: 0, mayWaitMs };
    link.publish(1, message satisfies OutgoingMessage);
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
