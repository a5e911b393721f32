// A lane's thread comes up some time after it was started: what the ring holds by then is handled, all of it.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { type OutgoingMessage, PUBLISH_ACCEPTED } from '#src/home/link.js';
import { encode } from '#src/protocol/msgpack.js';
import { RingReader, RingWriter } from '#src/ring/ring.js';
import { JSON_STREAM } from '#src/variant/stream-spec.js';
import { outgoing } from '../support/outgoing.js';
import { noDeaths, SteppedLane } from '../topic/homes.js';
import { LARGE } from '../topic/topic-home.js';

const RING_BYTES = 4096;
const SPEC = { epoch: 'e', historyMessages: 100, historyBytes: 2 ** 20 };

function message(request: number): OutgoingMessage {
  return outgoing(encode(request), { timeMs: 1, monotonicMs: 1, request });
}

describe('a thread that comes up late', () => {
  const lanes: SteppedLane[] = [];
  const open = (sizes = LARGE) => {
    const acks: [number, number][] = [];
    const handlers = {
      onHead: () => {},
      onAck: (request: number, seq: number) => void acks.push([request, seq]),
      onPutAside: () => {},
    };
    const lane = new SteppedLane(RING_BYTES, sizes, handlers, { ...noDeaths, onDeath: () => {} });
    lanes.push(lane);
    return { lane, link: lane.link, acks };
  };
  afterEach(() => {
    for (const lane of lanes.splice(0)) lane.close();
  });

  it('handles messages of a topic that was opened after the thread was started', () => {
    const { lane, link, acks } = open();
    const log = link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    expect(link.publish(1, message(7))).toBe(PUBLISH_ACCEPTED);
    lane.turn();
    lane.settle();
    log.refresh();
    expect(log.headSeq).toBe(1);
    expect(acks).toEqual([[7, 1]]);
  });

  it('handles messages of a topic whose OPEN found the ring full when a predecessor lived', () => {
    const { lane, link, acks } = open();
    link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    lane.settle();
    let accepted = 0;
    while (link.publish(1, message(0)) === PUBLISH_ACCEPTED) accepted++;
    expect(accepted).toBeGreaterThan(50);
    const log = link.openTopic({ ...SPEC, alias: 2, topic: 'u' });
    lane.threads.alive[0]?.die(new Error('killed'));
    // The successor has been started, and does not run yet; it is told of the second topic now and finds its OPEN later.
    const successor = lane.threads.alive[0];
    expect(successor).toBeDefined();
    successor?.step();
    successor?.step();
    successor?.die(new Error('killed, too'));
    lane.turn();
    expect(link.publish(2, message(7))).toBe(PUBLISH_ACCEPTED);
    lane.turn();
    lane.settle();
    log.refresh();
    expect(log.headSeq).toBe(1);
    expect(acks).toEqual([[7, 1]]);
  });

  it('passes over a JSON stream that was followed by another one before it was started', () => {
    const { lane, link } = open();
    link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    lane.settle();
    link.openStream(1, JSON_STREAM, 1);
    link.closeStream(1, JSON_STREAM.key);
    const log = link.openStream(1, JSON_STREAM, 1);
    lane.threads.alive[0]?.die(new Error('killed'));
    // It looks into the ring before the records of the streams are there.
    lane.threads.alive[0]?.step();
    expect(link.publish(1, message(0))).toBe(PUBLISH_ACCEPTED);
    lane.settle();
    log.refresh();
    expect([log.headSeq, lane.threads.started.length, link.parcels.length]).toEqual([1, 2, 2]);
  });

  it('leaves a JSON stream alone that has ended and fallen behind', () => {
    const { lane, link } = open({ dataBytes: 4096, frames: 16 });
    const log = link.openTopic({ ...SPEC, alias: 1, topic: 't' });
    link.openStream(1, JSON_STREAM, 1);
    expect(link.publish(1, message(1))).toBe(PUBLISH_ACCEPTED);
    lane.settle();
    link.closeStream(1, JSON_STREAM.key);
    for (let count = 0; count < 60; count++) expect(link.publish(1, message(2))).toBe(PUBLISH_ACCEPTED);
    lane.turn();
    // The thread deals with all of it and dies before it has reported that; the topic's log reaches less far back.
    vi.spyOn(RingReader.prototype, 'release').mockImplementationOnce(() => {
      throw new Error('killed');
    });
    vi.spyOn(RingWriter.prototype, 'publish').mockReturnValueOnce(false);
    lane.threads.step();
    vi.restoreAllMocks();
    log.refresh();
    expect(log.tailSeq).toBeGreaterThan(2);
    lane.settle();
    log.refresh();
    expect([log.headSeq, lane.threads.started.length, link.parcels.length]).toEqual([61, 2, 1]);
  });
});
