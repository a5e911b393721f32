// What happens to subscribers that fall behind: each policy, exact ranges, and counters that agree with them.

import { describe, expect, it } from 'vitest';
import { NO_GAPS } from '#src/delivery/delivery-counters.js';
import { SEND_BLOCKED, SEND_OK } from '#src/delivery/sink.js';
import { POLICY_DISCONNECT, policyNumber } from '#src/delivery/slow-consumer.js';
import { type LogReading, READ_ALL, type Stream } from '#src/delivery/stream.js';
import { DeliveryLab, type LabStreamOptions } from './delivery-lab.js';

const DROP_OLDEST = policyNumber('drop_oldest');
const LATEST: LogReading = { mode: 'latest', maxAgeMs: 0 };
const SMALL = { dataBytes: 4096, frames: 8 };

/** One subscriber that is blocked after its first message. */
function blockedSubscriber(options: LabStreamOptions, policy: number, isText = false) {
  const lab = new DeliveryLab();
  const topic = lab.topic(options);
  const one = lab.consumer(isText).subscribe(topic, { policy });
  one.sink.result = SEND_BLOCKED;
  topic.publish('first');
  lab.settle();
  one.sink.messages = [];
  one.sink.result = SEND_OK;
  const drain = () => {
    lab.delivery.drained(one.consumer);
    lab.settle();
  };
  return { lab, topic, one, drain };
}

/** Counters of engine and stream say the same. */
function expectLost(lab: DeliveryLab, { counters }: Stream, lost: number) {
  expect([lab.delivery.counters.lostMessages, counters.lostMessages]).toEqual([lost, lost]);
  expect(lab.delivery.counters.gaps).toEqual(counters.gaps);
}

describe('a lapped subscriber', () => {
  it('with drop_oldest is told what is gone and goes on with the oldest retained message', () => {
    const { lab, topic, one, drain } = blockedSubscriber({ shared: SMALL }, DROP_OLDEST);
    for (let i = 0; i < 20; i++) topic.publish(i);
    lab.settle();
    expect(one.take()).toEqual([]);
    drain();
    expect(one.takeMessages()).toEqual([
      ['1:gap 2-14 lapped', ...[15, 16, 17, 18, 19, 20, 21].map((seq) => `1:${seq}`)],
    ]);
    expectLost(lab, topic.stream, 13);
    expect(lab.delivery.counters.gaps).toEqual({ ...NO_GAPS, lapped: 1 });
  });

  it('with drop_oldest on a text connection gets the gap as a message of its own', () => {
    const { lab, topic, one, drain } = blockedSubscriber({ shared: SMALL }, DROP_OLDEST, true);
    for (let i = 0; i < 10; i++) topic.publish(i);
    drain();
    expect(one.takeJson()).toEqual([
      'topic-1:gap 2-4 lapped',
      ...[5, 6, 7, 8, 9, 10, 11].map((seq) => `topic-1:${seq}`),
    ]);
    expectLost(lab, topic.jsonStream, 3);
  });

  it('in the mode latest gets the newest message', () => {
    const { lab, topic, one, drain } = blockedSubscriber({ shared: SMALL, reading: LATEST }, DROP_OLDEST);
    for (let i = 0; i < 20; i++) topic.publish(i);
    drain();
    expect(one.takeMessages()).toEqual([['1:gap 2-20 merged', '1:21']]);
    expectLost(lab, topic.stream, 0);
    expect([lab.delivery.counters.mergedMessages, topic.stream.counters.mergedMessages]).toEqual([19, 19]);
    topic.publish('next');
    lab.settle();
    expect(one.take()).toEqual(['1:22']);
  });

  it('with disconnect loses its connection with 1013, and nothing of it is left', () => {
    const { lab, topic, one, drain } = blockedSubscriber({ shared: SMALL }, POLICY_DISCONNECT);
    for (let i = 0; i < 20; i++) topic.publish(i);
    drain();
    expect(one.sink.ends).toEqual([{ code: 1013, reason: expect.stringMatching(/^SLOW_CONSUMER topic-1: lapped/) }]);
    expect(lab.delivery.counters.slowDisconnects).toBe(1);
    expect(one.sink.messages).toEqual([]);
    expect(lab.delivery.load).toEqual({ consumers: 0, streams: 2, subscriptions: 0, ready: 0, waiting: 0, blocked: 0 });
  });

  it('that is not blocked, but outrun between two turns, is treated the same', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ shared: SMALL, isHot: true });
    const one = lab.consumer().subscribe(topic);
    for (let i = 0; i < 30; i++) topic.publish(i);
    lab.settle();
    expect(one.take()).toEqual(['1:gap 1-23 lapped', ...[24, 25, 26, 27, 28, 29, 30].map((seq) => `1:${seq}`)]);
  });

  it('whose writer runs on unreported is told once it is known, and loses no message in between', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ shared: SMALL, isHot: true });
    const one = lab.consumer().subscribe(topic);
    for (let i = 0; i < 5; i++) topic.publish(i);
    for (let i = 0; i < 50; i++) topic.append(i);
    lab.scheduler.turn();
    topic.report();
    lab.settle();
    const frames = one.take();
    expect(frames.at(-1)).toBe('1:55');
    expectComplete(frames, 1, 55);
  });

  it('of a lane that has not reported is up to date after a last flush, which ends', () => {
    for (const isText of [false, true]) {
      for (const unreported of [1, 6, 7, 8, 20, 1000]) {
        const lab = new DeliveryLab();
        const topic = lab.topic({ shared: SMALL, isHot: true });
        const one = lab.consumer(isText).subscribe(topic);
        for (let i = 0; i < 5; i++) topic.publish('x'.repeat(i * 50));
        for (let i = 0; i < unreported; i++) topic.append('y'.repeat((i * 7) % 300));
        while (!lab.delivery.flushSome());
        topic.report();
        while (!lab.delivery.flushSome());
        const frames = isText ? one.takeJson().map((frame) => frame.replace('topic-1', '1')) : one.take();
        expectComplete(frames, 1, 5 + unreported);
      }
    }
  });

  it('in a gathered message does not hold up the others', () => {
    const { lab, topic, one, drain } = blockedSubscriber({ shared: SMALL }, DROP_OLDEST);
    const other = lab.topic();
    one.subscribe(other);
    for (let i = 0; i < 10; i++) topic.publish(i);
    other.publish('x');
    drain();
    expect(one.take()).toEqual(['1:gap 2-4 lapped', ...[5, 6, 7, 8, 9, 10, 11].map((seq) => `1:${seq}`), '2:1']);
  });
});

describe('a message without a JSON form that can be held', () => {
  it('counts as lost for the JSON subscribers, who are told so, and as delivered for the others', () => {
    for (const publishesNoEcho of [false, true]) {
      const lab = new DeliveryLab();
      const topic = lab.topic({ shared: { dataBytes: 4096, frames: 64 } });
      const [text, binary] = [lab.consumer(true).subscribe(topic), lab.consumer().subscribe(topic)];
      if (publishesNoEcho) lab.delivery.servesNoEcho(text.consumer);
      for (const value of ['a', '\u0001'.repeat(1000), 'b']) topic.publish(value);
      lab.settle();
      expect(text.takeJson()).toEqual(['topic-1:1', 'topic-1:gap 2-2 too_large', 'topic-1:3']);
      expect(binary.take()).toEqual(['1:1', '1:2', '1:3']);
      expectLost(lab, topic.jsonStream, 1);
      expect(lab.delivery.counters.gaps).toEqual({ ...NO_GAPS, too_large: 1 });
      expect([topic.jsonStream.counters.deliveries, topic.stream.counters.deliveries]).toEqual([2, 3]);
    }
  });
});

describe('limits', () => {
  it('of messages keep the newest so many', () => {
    const { lab, topic, one, drain } = blockedSubscriber({ maxLagMessages: 3 }, DROP_OLDEST);
    for (let i = 0; i < 10; i++) topic.publish(i);
    lab.settle();
    drain();
    expect(one.take()).toEqual(['1:gap 2-8 max_lag_messages', '1:9', '1:10', '1:11']);
    expectLost(lab, topic.stream, 7);
  });

  it('of messages are not exceeded by exactly so many', () => {
    const { lab, topic, one, drain } = blockedSubscriber({ maxLagMessages: 3 }, DROP_OLDEST);
    for (let i = 0; i < 3; i++) topic.publish(i);
    lab.settle();
    drain();
    expect(one.take()).toEqual(['1:2', '1:3', '1:4']);
    expectLost(lab, topic.stream, 0);
  });

  it('of time drop what is too old when it could be sent', () => {
    const { lab, topic, one, drain } = blockedSubscriber({ maxLagMs: 1000 }, DROP_OLDEST);
    topic.publish('a');
    lab.scheduler.advance(600);
    topic.publish('b');
    lab.scheduler.advance(600);
    topic.publish('c');
    lab.settle();
    drain();
    expect(one.take()).toEqual(['1:gap 2-2 max_lag_ms', '1:3', '1:4']);
    expectLost(lab, topic.stream, 1);
  });

  it('of time hold although nothing new was published meanwhile', () => {
    const { lab, topic, one, drain } = blockedSubscriber({ maxLagMs: 1000 }, DROP_OLDEST);
    topic.publish('a');
    topic.publish('b');
    lab.scheduler.advance(5000);
    drain();
    expect(one.take()).toEqual(['1:gap 2-3 max_lag_ms']);
    topic.publish('c');
    lab.settle();
    expect(one.take()).toEqual(['1:4']);
    expectLost(lab, topic.stream, 2);
  });

  it('do not touch subscribers that keep up', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ maxLagMs: 100, maxLagMessages: 2 });
    const one = lab.consumer().subscribe(topic, { policy: POLICY_DISCONNECT });
    for (let i = 0; i < 20; i++) {
      topic.publish(i);
      lab.scheduler.advance(50);
    }
    expectComplete(one.take(), 1, 20);
    expect(lab.delivery.counters.lostMessages).toBe(0);
  });

  it.each([{ maxLagMessages: 3 }, { maxLagMs: 1000 }])('%o mean nothing in the mode latest', (limits) => {
    const { lab, topic, one, drain } = blockedSubscriber({ ...limits, reading: LATEST }, DROP_OLDEST);
    for (let i = 0; i < 10; i++) topic.publish(i);
    lab.scheduler.advance(5000);
    drain();
    expect(one.take()).toEqual(['1:gap 2-10 merged', '1:11']);
  });
});

describe('a subscriber that never drains', () => {
  it('is disconnected by the sweep when its policy says so', () => {
    const { lab, topic, one } = blockedSubscriber({ maxLagMs: 1000 }, POLICY_DISCONNECT);
    topic.publish('x');
    lab.scheduler.advance(900);
    expect(one.sink.ends).toEqual([]);
    lab.scheduler.advance(600);
    expect(one.sink.ends).toHaveLength(1);
    expect(lab.delivery.counters.slowDisconnects).toBe(1);
    expect(lab.delivery.load).toMatchObject({ consumers: 0, subscriptions: 0, blocked: 0 });
    lab.scheduler.advance(2000);
    expect(one.sink.ends).toHaveLength(1);
    expect(lab.scheduler.timerCount, 'the sweep rests').toBe(0);
  });

  it('is disconnected by the sweep when it was lapped', () => {
    const { lab, topic, one } = blockedSubscriber({ shared: SMALL, isHot: true }, POLICY_DISCONNECT);
    for (let i = 0; i < 20; i++) topic.publish(i);
    lab.scheduler.advance(600);
    expect(one.sink.ends).toHaveLength(1);
  });

  it('stays, and is left alone, with drop_oldest and in the mode latest', () => {
    for (const reading of [READ_ALL, LATEST]) {
      const { lab, topic, one } = blockedSubscriber({ shared: SMALL, maxLagMs: 10, reading }, DROP_OLDEST);
      for (let i = 0; i < 20; i++) topic.publish(i);
      lab.scheduler.advance(5000);
      expect(one.sink.ends).toEqual([]);
      expect(one.take()).toEqual([]);
      expect(lab.delivery.load.blocked).toBe(1);
      one.close();
      lab.scheduler.advance(1000);
      expect(lab.scheduler.timerCount).toBe(0);
    }
  });

  it('is ended once and freed, also when its transport takes its time to close', () => {
    const { lab, topic, one, drain } = blockedSubscriber({ shared: SMALL }, POLICY_DISCONNECT);
    one.sink.onEnd = () => {};
    for (let i = 0; i < 20; i++) topic.publish(i);
    drain();
    for (let i = 0; i < 20; i++) topic.publish(i);
    lab.scheduler.advance(1000);
    while (!lab.delivery.flushSome());
    expect(one.sink.ends).toHaveLength(1);
    expect(lab.delivery.counters.slowDisconnects).toBe(1);
    expect(lab.delivery.load.consumers).toBe(0);
  });

  it('costs the others nothing: they get everything', () => {
    const { lab, topic, one } = blockedSubscriber({ shared: SMALL }, DROP_OLDEST);
    const other = lab.consumer().subscribe(topic);
    for (let i = 0; i < 100; i++) {
      topic.publish(i);
      lab.settle();
    }
    expectComplete(other.take(), 2, 101);
    expect(lab.delivery.counters.lostMessages).toBe(0);
    expect(one.take()).toEqual([]);
  });
});

/** Events and gaps cover fromSeq … untilSeq, each once, in order. */
function expectComplete(frames: string[], fromSeq: number, untilSeq: number): void {
  let next = fromSeq;
  for (const frame of frames) {
    const gap = /^\d+:gap (\d+)-(\d+)/.exec(frame);
    expect(Number(gap?.[1] ?? frame.split(':')[1]), frame).toBe(next);
    next = gap === null ? next + 1 : Number(gap[2]) + 1;
  }
  expect(next).toBe(untilSeq + 1);
}
