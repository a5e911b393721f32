// Subscriptions, consumers and streams that come and go between turns and within them.

import { describe, expect, it } from 'vitest';
import { SEND_BLOCKED, SEND_OK, SEND_REFUSED } from '#src/delivery/sink.js';
import type { Stream } from '#src/delivery/stream.js';
import { DeliveryLab } from './delivery-lab.js';

const NOTHING = { consumers: 0, streams: 0, subscriptions: 0, ready: 0, waiting: 0, blocked: 0 };

/** Ends consumers and streams that are left; then nothing may be. */
function expectNothingLeft(lab: DeliveryLab, streams: Stream[]): void {
  for (const consumer of [...lab.delivery.consumers()]) lab.delivery.removeConsumer(consumer);
  lab.settle();
  for (const stream of streams) {
    expect(stream.subscriberCount).toBe(0);
    expect(stream.idleHead).toBe(-1);
    lab.delivery.removeStream(stream, () => {});
  }
  lab.scheduler.advance(2000);
  expect(lab.delivery.load).toEqual(NOTHING);
  expect([lab.scheduler.timerCount, lab.scheduler.soonCount]).toEqual([0, 0]);
}

describe('between turns', () => {
  it('subscribing twice changes nothing', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer().subscribe(topic);
    expect(lab.delivery.subscribe(one.consumer, topic.stream, { cursor: 0, policy: 0, delayMs: 0 })).toBe(false);
    topic.publish('x');
    lab.settle();
    expect(one.take()).toEqual(['1:1']);
    expect(lab.delivery.load.subscriptions).toBe(1);
  });

  it('unsubscribing ends it at once, whether something is pending or not', () => {
    const lab = new DeliveryLab();
    const [a, b, c] = [lab.topic(), lab.topic(), lab.topic({ isHot: true })];
    const one = lab.consumer().subscribe(a).subscribe(b).subscribe(c);
    expect(one.unsubscribe(b)).toBe(true);
    expect(one.unsubscribe(b)).toBe(false);
    for (const topic of [a, b, c]) topic.publish('x');
    expect(one.unsubscribe(a)).toBe(true);
    lab.settle();
    expect(one.take()).toEqual(['3:1']);
    lab.delivery.blocked(one.consumer);
    c.publish('y');
    lab.settle();
    expect(one.unsubscribe(c)).toBe(true);
    lab.delivery.drained(one.consumer);
    lab.settle();
    expect(one.take()).toEqual([]);
    expectNothingLeft(lab, [a.stream, a.jsonStream, b.stream, b.jsonStream, c.stream, c.jsonStream]);
  });

  it('unsubscribing in the middle of the pending list leaves the others', () => {
    for (const left of [0, 1, 2, 3, 4]) {
      const lab = new DeliveryLab();
      const topics = [0, 1, 2, 3, 4].map(() => lab.topic());
      const one = lab.consumer();
      for (const topic of topics) one.subscribe(topic);
      lab.delivery.blocked(one.consumer);
      for (const topic of topics) topic.publish('x');
      lab.settle();
      one.unsubscribe(topics[left]);
      lab.delivery.drained(one.consumer);
      lab.settle();
      const wanted = [1, 2, 3, 4, 5].filter((alias) => alias !== left + 1).map((alias) => `${alias}:1`);
      expect(one.take().sort()).toEqual(wanted);
    }
  });

  it('a subscription that comes back begins anew', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer().subscribe(topic);
    topic.publish('a');
    one.unsubscribe(topic);
    topic.publish('b');
    one.subscribe(topic);
    topic.publish('c');
    lab.settle();
    expect(one.take()).toEqual(['1:3']);
  });

  it('a consumer that ended gets nothing any more, and its slot is used again', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ maxDelayMs: 50 });
    const hot = lab.topic({ isHot: true });
    const first = lab.consumer().subscribe(topic).subscribe(hot);
    topic.publish('a');
    hot.publish('a');
    first.close();
    first.close();
    const second = lab.consumer().subscribe(topic);
    expect(second.consumer.slot).toBe(first.consumer.slot);
    expect(second.consumer.number).not.toBe(first.consumer.number);
    topic.publish('b');
    lab.scheduler.advance(100);
    expect(first.take()).toEqual([]);
    expect(second.take()).toEqual(['1:2']);
    lab.delivery.blocked(first.consumer);
    lab.delivery.drained(first.consumer);
    lab.scheduler.advance(1000);
    expect(lab.delivery.load).toMatchObject({ consumers: 1, ready: 0, waiting: 0, blocked: 0 });
    expectNothingLeft(lab, [topic.stream, topic.jsonStream, hot.stream, hot.jsonStream]);
  });

  it('a consumer that ended cannot subscribe, and does not touch who has its slot now', () => {
    const lab = new DeliveryLab();
    const [a, b] = [lab.topic(), lab.topic()];
    const ended = lab.consumer().subscribe(a);
    ended.close();
    const next = lab.consumer().subscribe(a);
    expect(next.consumer.slot).toBe(ended.consumer.slot);
    ended.subscribe(a).subscribe(b);
    expect(ended.unsubscribe(a)).toBe(false);
    expect(lab.delivery.isSubscribed(ended.consumer, a.stream)).toBe(false);
    expect(lab.delivery.cursorOf(ended.consumer, a.stream)).toBe(-1);
    for (const topic of [a, b]) topic.publish('x');
    lab.settle();
    expect([next.take(), ended.take()]).toEqual([['1:1'], []]);
    expect(lab.delivery.load.subscriptions).toBe(1);
  });

  it('a stream that is removed hands out its subscribers and leaves their other subscriptions', () => {
    const lab = new DeliveryLab();
    const [gone, stays] = [lab.topic(), lab.topic()];
    const consumers = [0, 1, 2].map(() => lab.consumer().subscribe(gone).subscribe(stays));
    lab.consumer().subscribe(stays);
    gone.publish('x');
    stays.publish('x');
    const handedOut: unknown[] = [];
    lab.delivery.removeStream(gone.stream, (consumer) => handedOut.push(consumer));
    expect(new Set(handedOut)).toEqual(new Set(consumers.map(({ consumer }) => consumer)));
    lab.settle();
    for (const one of consumers) expect(one.take()).toEqual(['2:1']);
    const next = lab.topic();
    expect(next.stream.slot).toBe(gone.stream.slot);
    consumers[0].subscribe(next);
    next.publish('y');
    lab.settle();
    expect(consumers[0].take()).toEqual(['3:1']);
    expect(consumers[1].take()).toEqual([]);
  });

  it('a stream tells when its last subscription is gone', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const [one, two] = [lab.consumer().subscribe(topic), lab.consumer().subscribe(topic)];
    one.unsubscribe(topic);
    expect(lab.unused).toEqual([]);
    two.close();
    expect(lab.unused).toEqual([topic.stream]);
  });
});

describe('within a turn', () => {
  it('a sink may end its own consumer from within send', () => {
    for (const result of [SEND_OK, SEND_BLOCKED, SEND_REFUSED] as const) {
      const lab = new DeliveryLab();
      const [topic, other] = [lab.topic(), lab.topic({ isHot: true })];
      const one = lab.consumer().subscribe(topic);
      const two = lab.consumer().subscribe(topic).subscribe(other);
      for (const each of [one, two]) {
        each.sink.result = result;
        each.sink.onSend = () => each.close();
      }
      const healthy = lab.consumer().subscribe(topic);
      for (let i = 0; i < 30; i++) topic.publishBytes(1024);
      other.publish('x');
      lab.settle();
      for (const each of [one, two]) {
        expect(each.sink.writes).toBe(1);
        expect(each.sink.ends, 'it is closed already').toEqual([]);
      }
      expect(healthy.take()).toHaveLength(30);
      expect(lab.delivery.load).toMatchObject({ consumers: 1, blocked: 0, ready: 0 });
      expectNothingLeft(lab, [topic.stream, topic.jsonStream, other.stream, other.jsonStream]);
    }
  });

  it('a sink may end any other consumer', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const consumers = Array.from({ length: 10 }, () => lab.consumer().subscribe(topic));
    for (const one of consumers) {
      one.sink.onSend = () => {
        for (const other of consumers) if (other !== one) other.close();
      };
    }
    topic.publish('x');
    lab.settle();
    expect(consumers.filter(({ sink }) => sink.writes === 1)).toHaveLength(1);
    expect(lab.delivery.load.consumers).toBe(1);
    expectNothingLeft(lab, [topic.stream, topic.jsonStream]);
  });

  it('a sink may subscribe, unsubscribe and publish', () => {
    const lab = new DeliveryLab();
    const [a, b] = [lab.topic(), lab.topic()];
    const one = lab.consumer().subscribe(a);
    let sends = 0;
    one.sink.onSend = () => {
      if (++sends !== 1) return;
      one.unsubscribe(a);
      a.publish('second');
      one.subscribe(b);
      one.subscribe(a);
      a.publish('third');
      b.publish('first');
    };
    a.publish('first');
    lab.settle();
    expect(one.take().sort()).toEqual(['1:1', '1:3', '2:1']);
    expectNothingLeft(lab, [a.stream, a.jsonStream, b.stream, b.jsonStream]);
  });

  it('a sink may remove the stream that it is being sent', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const consumers = Array.from({ length: 5 }, () => lab.consumer().subscribe(topic));
    let isRemoved = false;
    for (const { sink } of consumers) {
      sink.onSend = () => {
        if (!isRemoved) lab.delivery.removeStream(topic.stream, () => {});
        isRemoved = true;
      };
    }
    for (let i = 0; i < 30; i++) topic.publishBytes(1024);
    lab.settle();
    expect(consumers.filter(({ sink }) => sink.writes === 1)).toHaveLength(1);
    expect(lab.delivery.load).toMatchObject({ subscriptions: 0, streams: 1, ready: 0 });
  });

  it('those that are told of a removed stream may end or subscribe elsewhere at once', () => {
    const lab = new DeliveryLab();
    const [gone, other] = [lab.topic(), lab.topic()];
    const consumers = Array.from({ length: 200 }, () => lab.consumer().subscribe(gone));
    let told = 0;
    lab.delivery.removeStream(gone.stream, (consumer) => {
      told++;
      const one = consumers.find((candidate) => candidate.consumer === consumer)!;
      if (told % 3 === 0) one.close();
      else if (told % 3 === 1) one.subscribe(other);
      consumers[(told * 7) % 200].close();
    });
    expect(lab.delivery.load.streams).toBe(3);
    other.publish('x');
    lab.settle();
    for (const consumer of lab.delivery.consumers()) {
      const one = consumers.find((candidate) => candidate.consumer === consumer)!;
      expect(one.take().length).toBe(consumer.subscriptionCount);
    }
    expectNothingLeft(lab, [other.stream, other.jsonStream, gone.jsonStream]);
  });

  it('a sink that throws is ended, and does not stop delivery to the others', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const [first, bad, last] = [1, 2, 3].map(() => lab.consumer().subscribe(topic));
    const fault = new Error('a transport with a fault of its own');
    bad!.sink.onSend = () => {
      throw fault;
    };
    topic.publish(1);
    lab.settle();
    topic.publish(2);
    while (!lab.delivery.flushSome());
    lab.settle();
    expect(lab.faults).toEqual([fault]);
    for (const one of [first!, last!]) expect(one.take()).toEqual(['1:1', '1:2']);
    expect(bad!.sink.ends).toMatchObject([{ code: 1011 }]);
    expect(lab.delivery.load).toMatchObject({ consumers: 2, subscriptions: 2, ready: 0 });
  });
});

it('nothing runs after close', () => {
  const lab = new DeliveryLab();
  const topic = lab.topic({ maxDelayMs: 10 });
  const one = lab.consumer().subscribe(topic);
  const blocked = lab.consumer().subscribe(topic);
  lab.delivery.blocked(blocked.consumer);
  topic.publish('x');
  lab.settle();
  topic.publish('y');
  lab.delivery.close();
  lab.scheduler.advance(2000);
  expect(one.sink.writes).toBe(0);
  expect(lab.scheduler.timerCount).toBe(0);
});
