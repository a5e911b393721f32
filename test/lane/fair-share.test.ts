// A topic that floods its lane fills the ring for itself, and leaves room for its neighbours.

import { describe, expect, it } from 'vitest';
import { type OutgoingMessage, PUBLISH_ACCEPTED, PUBLISH_FULL } from '#src/home/link.js';
import { FairShare } from '#src/lane/fair-share.js';
import { encode } from '#src/protocol/msgpack.js';
import { outgoing } from '../support/outgoing.js';
import { SteppedLane } from '../topic/homes.js';
import { LARGE } from '../topic/topic-home.js';

const RING_BYTES = 8192;
const FLOOD = 1;
const QUIET = 2;

function message(timeMs: number): OutgoingMessage {
  return outgoing(encode('x'.repeat(20)), { timeMs, monotonicMs: timeMs });
}

function openLane(topics: number) {
  const lane = new SteppedLane(RING_BYTES, LARGE, { onHead: () => {}, onAck: () => {}, onPutAside: () => {} });
  for (let alias = 1; alias <= topics; alias++) {
    lane.link.openTopic({ alias, topic: `t${alias}`, epoch: 'e', historyMessages: 0, historyBytes: 0 });
  }
  lane.settle();
  const flood = (alias: number): number => {
    let accepted = 0;
    while (lane.link.publish(alias, message(1)) === PUBLISH_ACCEPTED) accepted++;
    return accepted;
  };
  return { lane, link: lane.link, flood };
}

describe('a lane whose ring fills', () => {
  it('refuses the topic that fills it at three quarters, and takes messages of the others', () => {
    const { link, flood, lane } = openLane(2);
    flood(FLOOD);
    expect(link.fillPercent()).toBeGreaterThanOrEqual(74);
    expect(link.fillPercent()).toBeLessThan(80);
    expect(link.pressureOf(FLOOD)).toBe(100);
    expect(link.pressureOf(QUIET)).toBeLessThan(80);
    for (let i = 0; i < 8; i++) {
      expect(link.publish(QUIET, message(1))).toBe(PUBLISH_ACCEPTED);
      expect(link.publish(FLOOD, message(1))).toBe(PUBLISH_FULL);
    }
    lane.close();
  });

  it('takes messages of the flooding topic again when there is room', () => {
    const { lane, link, flood } = openLane(2);
    flood(FLOOD);
    lane.settle();
    expect(link.pressureOf(FLOOD)).toBe(0);
    expect(link.publish(FLOOD, message(1))).toBe(PUBLISH_ACCEPTED);
    lane.close();
  });

  it('lets a topic that is alone have all of it', () => {
    const { lane, link, flood } = openLane(1);
    flood(FLOOD);
    expect(link.fillPercent()).toBeGreaterThan(95);
    lane.close();
  });

  it('keeps room for a quiet topic under pressure that lasts', () => {
    const share = new FairShare(1000);
    let refused = 0;
    for (let round = 0; round < 10_000; round++) {
      for (const alias of [10, 11, 12]) share.admits(alias, 40, 760);
      if (round % 20 === 0 && !share.admits(QUIET, 10, 760)) refused++;
      // The lane takes what the flooding topics were let in for.
      for (const alias of [10, 11, 12]) share.admits(alias, 40, 700);
    }
    expect(refused).toBe(0);
  });
});
