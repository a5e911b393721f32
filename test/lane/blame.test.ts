// What lanes die of is put aside: but no message that is in its topic's log.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { LaneCounters } from '#src/counters/lane-counters.js';
import { type OutgoingMessage, PUBLISH_ACCEPTED } from '#src/home/link.js';
import type { PoisonedMessage } from '#src/lane/supervised-lane.js';
import { decode, encode } from '#src/protocol/msgpack.js';
import { Topic } from '#src/topic/topic.js';
import { JSON_STREAM } from '#src/variant/stream-spec.js';
import { outgoing, tailOf } from '../support/outgoing.js';
import { noDeaths, SteppedLane } from '../topic/homes.js';
import { framesOf, LARGE } from '../topic/topic-home.js';

const SPEC = { alias: 1, topic: 't', epoch: 'e', historyMessages: 100, historyBytes: 2 ** 20 };

function message(request: number): OutgoingMessage {
  const bytes = encode(`message ${request}`);
  return outgoing(bytes, { ...tailOf({ id: 'an id' }), timeMs: 1, monotonicMs: 1, request });
}

describe('a lane that dies at the same record again and again', () => {
  const opened: SteppedLane[] = [];
  const open = () => {
    const acks: [number, number][] = [];
    const aside: number[] = [];
    const poisoned: PoisonedMessage[] = [];
    const lane = new SteppedLane(
      4096,
      LARGE,
      {
        onHead: () => {},
        onAck: (request, seq) => void acks.push([request, seq]),
        onPutAside: (request) => void aside.push(request),
      },
      { ...noDeaths, onDeath: () => {}, onPoison: (_lane, poison) => void poisoned.push(poison) },
    );
    opened.push(lane);
    return { lane, link: lane.link, acks, aside, poisoned };
  };
  afterEach(() => {
    vi.restoreAllMocks();
    for (const lane of opened.splice(0)) lane.close();
  });

  it('puts a message aside that was never appended, and tells its payload without the message id', () => {
    const { lane, link, acks, aside, poisoned } = open();
    const { publish } = Topic.prototype;
    let seen = 0;
    vi.spyOn(Topic.prototype, 'publish').mockImplementation(function (this: Topic, ...operands) {
      if (++seen > 3) return publish.apply(this, operands);
      throw new Error('cannot be handled');
    });
    link.openTopic(SPEC);
    for (const request of [1, 2]) expect(link.publish(1, message(request))).toBe(PUBLISH_ACCEPTED);
    lane.settle();
    expect([acks, aside]).toEqual([[[2, 1]], [1]]);
    expect(poisoned.map(({ payload }) => decode(payload))).toEqual(['message 1']);
  });

  it('acknowledges a message that is in the log, however often lanes die afterwards', () => {
    const { lane, link, acks, aside } = open();
    const { publish } = Topic.prototype;
    const { enterRecord } = LaneCounters.prototype;
    let deaths = 0;
    const die = (): void => {
      if (++deaths <= 3) throw new Error(`death ${deaths}`);
    };
    link.openTopic(SPEC);
    lane.settle();
    vi.spyOn(Topic.prototype, 'publish').mockImplementation(function (this: Topic, ...operands) {
      const seq = publish.apply(this, operands);
      die();
      return seq;
    });
    vi.spyOn(LaneCounters.prototype, 'enterRecord').mockImplementation(function (this: LaneCounters, position) {
      enterRecord.call(this, position);
      if (deaths > 0) die();
    });
    for (const request of [1, 2]) expect(link.publish(1, message(request))).toBe(PUBLISH_ACCEPTED);
    lane.settle();
    expect([acks, aside, deaths > 3]).toEqual([
      [
        [1, 1],
        [2, 2],
      ],
      [],
      true,
    ]);
  });

  it('does not die of a message that has no JSON form: its JSON stream has a gap there', () => {
    const { lane, link, acks } = open();
    link.openTopic(SPEC);
    const json = link.openStream(1, JSON_STREAM, 1);
    const broken = { ...message(1), bytes: Uint8Array.of(0xc1), start: 0, end: 1, tail: null };
    expect(link.publish(1, broken)).toBe(PUBLISH_ACCEPTED);
    expect(link.publish(1, message(2))).toBe(PUBLISH_ACCEPTED);
    lane.settle();
    const frames = framesOf(json).map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)));
    expect(acks).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(frames).toMatchObject([
      { type: 'gap', from_seq: 1, to_seq: 1, reason: 'too_large' },
      { type: 'event', seq: 2 },
    ]);
    expect(lane.threads.started.length).toBe(1);
  });
});
