// What ends, comes due or has news a hundred thousand times over is dealt with in many turns, a little in each.

import { describe, expect, it } from 'vitest';
import { SEND_BLOCKED } from '#src/delivery/sink.js';
import { DeliveryLab } from './delivery-lab.js';

const MANY = 5000;

describe('a consumer that ends with many subscriptions', () => {
  it('gets nothing any more, and is freed in turns', () => {
    const lab = new DeliveryLab();
    const topics = Array.from({ length: MANY }, () => lab.topic());
    const one = lab.consumer();
    for (const topic of topics) one.subscribe(topic);
    const other = lab.consumer().subscribe(topics[0]);
    topics[0].publish('pending');
    one.close();
    expect([one.consumer.isClosed, lab.delivery.load.subscriptions > MANY / 2]).toEqual([true, true]);
    let turns = 0;
    for (let left = lab.delivery.load.subscriptions; left > 1; turns++) {
      for (const topic of topics.slice(0, 10)) topic.publish(turns);
      lab.scheduler.turn();
      const { subscriptions } = lab.delivery.load;
      expect(left - subscriptions).toBeLessThanOrEqual(256);
      left = subscriptions;
    }
    expect(turns).toBeGreaterThan(10);
    lab.settle();
    expect(one.take()).toEqual([]);
    expect(other.take()).toHaveLength(turns + 1);
    expect([lab.unused.length, lab.delivery.load.consumers]).toEqual([MANY - 1, 1]);
  });
});

describe('a stream that ends with many subscriptions', () => {
  it('hands out each subscriber once, in turns, also those that something was pending for or that are blocked', () => {
    const lab = new DeliveryLab();
    const gone = lab.topic({ maxDelayMs: 50 });
    const kept = lab.topic();
    const consumers = Array.from({ length: MANY }, (_, index) => {
      const consumer = lab
        .consumer(index % 3 === 0)
        .subscribe(gone)
        .subscribe(kept);
      if (index % 100 === 0) {
        consumer.sink.result = SEND_BLOCKED;
        lab.delivery.blocked(consumer.consumer);
      }
      return consumer;
    });
    // Pending for some, for the others it is not known yet that there is something.
    gone.publish('lost with it');
    lab.scheduler.turn();
    const told = new Map<unknown, number>();
    let atOnce = 0;
    for (const stream of [gone.stream, gone.jsonStream]) {
      lab.delivery.removeStream(stream, (consumer) => {
        told.set(consumer, (told.get(consumer) ?? 0) + 1);
        atOnce++;
      });
    }
    for (let ms = 0; ms <= 50; ms++) {
      lab.scheduler.now++;
      for (kept.publish(ms); lab.scheduler.soonCount > 0; ) {
        expect(atOnce).toBeLessThanOrEqual(512);
        atOnce = 0;
        lab.scheduler.turn();
      }
    }
    const isBlocked = (index: number): boolean => index % 100 === 0;
    expect(consumers.every(({ consumer }, index) => isBlocked(index) || told.get(consumer) === 1)).toBe(true);
    // One that comes back is told before it is told of anything new; one that ends is not told.
    lab.delivery.settleEnded(consumers[0].consumer);
    expect(told.get(consumers[0].consumer)).toBe(1);
    consumers[100].close();
    for (const { consumer } of consumers) lab.delivery.drained(consumer);
    lab.settle();
    expect([told.size, told.get(consumers[100].consumer)]).toEqual([MANY - 1, undefined]);
    expect([...told.values()].every((count) => count === 1)).toBe(true);
    expect(lab.delivery.load.subscriptions).toBe(MANY - 1);
    expect(
      consumers.every((one) => one.consumer.encoder.isText || one.take().every((frame) => /^2:/.test(frame))),
    ).toBe(true);
  });
});

describe('delays', () => {
  it('that are over for many at once make consumers ready in turns', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ maxDelayMs: 5 });
    const consumers = Array.from({ length: 3 * MANY }, () => lab.consumer().subscribe(topic));
    topic.publish('for all');
    lab.settle();
    lab.scheduler.now += 5;
    lab.topic().publish('has a turn begin');
    lab.scheduler.turn();
    expect(lab.delivery.load.waiting).toBe(3 * MANY - 4096);
    lab.settle();
    lab.scheduler.advance(5);
    expect(consumers.every((consumer) => consumer.take().length === 1)).toBe(true);
  });
});
