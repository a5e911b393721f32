// The lag scan: what it finds is what a look at every cursor finds, whatever comes and goes meanwhile.

import { describe, expect, it } from 'vitest';
import type { LagScan } from '#src/delivery/lag-scan.js';
import { SEND_BLOCKED } from '#src/delivery/sink.js';
import { Random, testSeed } from '../ring/random.js';
import { DeliveryLab, type LabConsumer, type LabTopic } from './delivery-lab.js';

/** Steps until the next pass is complete; returns how many it took. */
function pass(scan: LagScan, nowMs: number): number {
  let steps = 1;
  while (!scan.step(nowMs)) steps++;
  return steps;
}

/** A consumer that reads nothing any more once it has got one message of the topic. */
function stuckConsumer(lab: DeliveryLab, topic: LabTopic): LabConsumer {
  const stuck = lab.consumer().subscribe(topic);
  stuck.sink.result = SEND_BLOCKED;
  return stuck;
}

describe('lag scan', () => {
  it('finds nothing while everybody is up to date', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    lab.consumer().subscribe(topic);
    topic.publish('a');
    lab.settle();
    const scan = lab.delivery.lagScan(5);
    pass(scan, lab.scheduler.nowMs());
    expect(scan.lagOf(topic.stream)).toEqual({ lagMessages: 0, lagMs: 0 });
    expect(scan.slowest).toEqual([]);
  });

  it('tells the slowest subscriber of each stream, in messages and in the age of the oldest one', () => {
    const lab = new DeliveryLab();
    const [busy, quiet] = [lab.topic(), lab.topic()];
    const first = stuckConsumer(lab, busy);
    busy.publish('blocks the first');
    lab.settle();
    lab.scheduler.advance(100);
    busy.publish('the first one waits for this');
    lab.settle();
    const second = stuckConsumer(lab, busy).subscribe(quiet);
    lab.consumer().subscribe(busy).subscribe(quiet);
    lab.scheduler.advance(100);
    busy.publish('blocks the second');
    lab.settle();
    quiet.publish('the second one waits for this');
    busy.publish('and for this');
    lab.settle();
    lab.scheduler.advance(50);
    const scan = lab.delivery.lagScan(5);
    pass(scan, lab.scheduler.nowMs());
    expect([scan.lagOf(busy.stream), scan.lagOf(quiet.stream), scan.lagOf(busy.jsonStream)]).toEqual([
      { lagMessages: 3, lagMs: 150 },
      { lagMessages: 1, lagMs: 50 },
      { lagMessages: 0, lagMs: 0 },
    ]);
    const found = scan.slowest.map(({ consumer, stream, lagMessages }) => [consumer, stream, lagMessages]);
    expect(found).toHaveLength(3);
    expect(found[0]).toEqual([first.consumer, busy.stream, 3]);
    expect(found.slice(1)).toContainEqual([second.consumer, busy.stream, 1]);
    expect(found.slice(1)).toContainEqual([second.consumer, quiet.stream, 1]);
  });

  it('counts what the log no longer has as lag, and gives the age of what it still has', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ shared: { dataBytes: 4096, frames: 16 } });
    stuckConsumer(lab, topic);
    topic.publish(0);
    lab.settle();
    for (let number = 1; number <= 40; number++) {
      lab.scheduler.advance(10);
      topic.publish(number);
    }
    lab.settle();
    const scan = lab.delivery.lagScan(5);
    pass(scan, lab.scheduler.nowMs());
    const { headSeq, tailSeq } = topic.stream.log;
    expect(tailSeq).toBeGreaterThan(20);
    expect(scan.lagOf(topic.stream)).toEqual({ lagMessages: 40, lagMs: (headSeq - tailSeq) * 10 });
  });

  it('shows the results of the last whole pass until the next one is whole', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    // More rows than one step looks at, most of them up to date.
    const others = lab.topic();
    for (let count = 0; count < 12_000; count++) lab.consumer().subscribe(others);
    stuckConsumer(lab, topic);
    topic.publish('a');
    lab.settle();
    topic.publish('b');
    lab.settle();
    const scan = lab.delivery.lagScan(5);
    expect(pass(scan, lab.scheduler.nowMs())).toBeGreaterThan(1);
    expect(scan.lagOf(topic.stream).lagMessages).toBe(1);
    topic.publish('c');
    lab.settle();
    expect(scan.step(lab.scheduler.nowMs())).toBe(false);
    expect([scan.lagOf(topic.stream).lagMessages, scan.slowest.length]).toEqual([1, 1]);
    while (!scan.step(lab.scheduler.nowMs()));
    expect([scan.lagOf(topic.stream).lagMessages, scan.slowest[0]?.lagMessages]).toEqual([2, 2]);
  });

  it('looks at no more pending rows in one step than fit into it, and misses none', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const consumers = Array.from({ length: 3000 }, () => stuckConsumer(lab, topic));
    topic.publish('a');
    lab.settle();
    topic.publish('b');
    lab.settle();
    const scan = lab.delivery.lagScan(3000);
    expect(pass(scan, lab.scheduler.nowMs())).toBe(6);
    expect(new Set(scan.slowest.map(({ consumer }) => consumer))).toEqual(
      new Set(consumers.map(({ consumer }) => consumer)),
    );
  });

  it('finds what a look at every cursor finds, while connections and subscriptions come and go between steps', () => {
    const random = new Random(testSeed('lag scan'));
    const lab = new DeliveryLab();
    const topics = Array.from({ length: 20 }, () => lab.topic());
    const consumers: LabConsumer[] = [];
    const scan = lab.delivery.lagScan(4);
    for (let round = 0; round < 400; round++) {
      for (let change = random.below(20); change > 0; change--) disturb(lab, topics, consumers, random);
      if (random.chance(0.5)) {
        // In the middle of whatever pass is going on; must not trip over anything.
        scan.step(lab.scheduler.nowMs());
        continue;
      }
      while (!scan.step(lab.scheduler.nowMs()));
      lab.settle();
      pass(scan, lab.scheduler.nowMs());
      compare(lab, scan, topics, consumers);
    }
  });
});

function disturb(lab: DeliveryLab, topics: LabTopic[], consumers: LabConsumer[], random: Random): void {
  const at = random.below(topics.length);
  const topic = topics[at];
  const consumer = consumers[random.below(consumers.length + 1)];
  lab.scheduler.advance(random.below(5));
  switch (random.below(6)) {
    case 0:
      consumers.push(lab.consumer(random.chance(0.3)).subscribe(topic));
      break;
    case 1:
      if (consumer !== undefined && random.chance(0.5)) consumers.splice(consumers.indexOf(consumer), 1)[0]?.close();
      break;
    case 2:
      consumer?.unsubscribe(topic);
      break;
    case 3:
      if (consumer !== undefined) {
        consumer.sink.result = random.chance(0.6) ? SEND_BLOCKED : 0;
        if (consumer.sink.result === 0) lab.delivery.drained(consumer.consumer);
      }
      break;
    case 4:
      topic.publish(random.u32());
      if (random.chance(0.7)) lab.settle();
      break;
    default:
      consumer?.subscribe(topic);
  }
}

/** Delivery is at rest: a cursor that is not behind the head is up to date. */
function compare(lab: DeliveryLab, scan: LagScan, topics: LabTopic[], consumers: LabConsumer[]): void {
  const all: number[] = [];
  for (const stream of topics.flatMap((topic) => [topic.stream, topic.jsonStream])) {
    const lags = consumers
      .map(({ consumer }) => lab.delivery.cursorOf(consumer, stream))
      .filter((cursor, index) => cursor >= 0 && lab.delivery.isSubscribed(consumers[index].consumer, stream))
      .map((cursor) => stream.log.headSeq - cursor + 1)
      .filter((lag) => lag > 0);
    all.push(...lags);
    expect(scan.lagOf(stream).lagMessages).toBe(Math.max(0, ...lags));
  }
  const worst = all.toSorted((left, right) => right - left).slice(0, 4);
  expect(scan.slowest.map(({ lagMessages }) => lagMessages)).toEqual(worst);
}
