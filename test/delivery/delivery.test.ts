// What a subscriber gets, and when: slices, order, delays, budgets.

import { describe, expect, it } from 'vitest';
import { SEND_BLOCKED, SEND_OK, SEND_REFUSED } from '#src/delivery/sink.js';
import { DELAY_AUTO } from '#src/delivery/stream.js';
import { DeliveryLab } from './delivery-lab.js';

const SLICE_MAX_BYTES = 15 * 1024;

describe('slices', () => {
  it('hold exactly the pending frames, in order, as one message', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const early = lab.consumer().subscribe(topic);
    topic.publish('a');
    topic.publish('b');
    const late = lab.consumer().subscribe(topic);
    topic.publish('c');
    lab.settle();
    expect(early.takeMessages()).toEqual([['1:1', '1:2', '1:3']]);
    expect(late.takeMessages()).toEqual([['1:3']]);
    topic.publish('d');
    lab.settle();
    expect(early.takeMessages()).toEqual([['1:4']]);
    expect(late.takeMessages()).toEqual([['1:4']]);
    expect(lab.delivery.counters.deliveries).toBe(6);
    expect(topic.stream.counters.deliveries).toBe(6);
  });

  it('carry the bytes of the log unchanged', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer().subscribe(topic);
    topic.publish({ text: 'ä', n: 1.5 });
    topic.publish([null, -1]);
    lab.settle();
    const { log } = topic.stream;
    const wanted = new Uint8Array(log.sliceBytes(1, 3));
    log.copy(1, 3, wanted, 0);
    expect(one.sink.messages).toEqual([wanted]);
    expect(lab.delivery.counters.deliveredBytes).toBe(wanted.length);
    expect(topic.stream.counters.deliveredBytes).toBe(wanted.length);
  });

  it('reach to the head of the moment, also when others were sent a shorter one from the same cursor', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const [one, two] = [lab.consumer().subscribe(topic), lab.consumer().subscribe(topic)];
    lab.delivery.blocked(two.consumer);
    topic.publish('a');
    lab.settle();
    topic.publish('b');
    lab.delivery.drained(two.consumer);
    lab.settle();
    expect(one.takeMessages()).toEqual([['1:1'], ['1:2']]);
    expect(two.takeMessages()).toEqual([['1:1', '1:2']]);
  });

  it('begin with what was asked for at subscribing', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    for (let i = 0; i < 5; i++) topic.publish(i);
    lab.settle();
    const one = lab.consumer().subscribe(topic, { cursor: 3 });
    lab.settle();
    expect(one.takeMessages()).toEqual([['1:3', '1:4', '1:5']]);
  });

  it('may begin in the future: nothing is sent before that seq', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer().subscribe(topic, { cursor: 3 });
    topic.publish(1);
    lab.settle();
    topic.publish(2);
    lab.settle();
    expect(one.take()).toEqual([]);
    topic.publish(3);
    lab.settle();
    expect(one.take()).toEqual(['1:3']);
  });

  it('end at 15 KiB; the rest follows in further messages, in order', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer().subscribe(topic);
    for (let i = 0; i < 40; i++) topic.publishBytes(1024);
    lab.settle();
    expect(one.sink.sizes).toEqual([SLICE_MAX_BYTES, SLICE_MAX_BYTES, 10 * 1024]);
    expect(one.take()).toEqual(Array.from({ length: 40 }, (_, i) => `1:${i + 1}`));
  });

  it('hold one frame that is larger than the limit, alone', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer().subscribe(topic);
    for (const bytes of [100, SLICE_MAX_BYTES + 1, 200, 300_000, SLICE_MAX_BYTES, 50]) topic.publishBytes(bytes);
    lab.settle();
    expect(one.sink.sizes).toEqual([100, SLICE_MAX_BYTES + 1, 200, 300_000, SLICE_MAX_BYTES, 50]);
    expect(one.take()).toEqual([1, 2, 3, 4, 5, 6].map((seq) => `1:${seq}`));
  });

  it('are gathered from all pending subscriptions of a connection, cold before hot', () => {
    const lab = new DeliveryLab();
    const hot = lab.topic({ isHot: true });
    const coldA = lab.topic();
    const coldB = lab.topic();
    const one = lab.consumer().subscribe(hot).subscribe(coldA).subscribe(coldB);
    hot.publish(1);
    coldA.publish(1);
    hot.publish(2);
    coldB.publish(1);
    lab.settle();
    const messages = one.takeMessages();
    expect(messages).toHaveLength(1);
    expect(messages[0].slice(0, 2).sort()).toEqual(['2:1', '3:1']);
    expect(messages[0].slice(2)).toEqual(['1:1', '1:2']);
  });

  it('stay within 15 KiB when they are gathered, and lose no order within a topic', () => {
    const lab = new DeliveryLab();
    const topics = Array.from({ length: 6 }, (_, i) => lab.topic({ isHot: i % 2 === 0 }));
    const one = lab.consumer();
    for (const topic of topics) one.subscribe(topic);
    for (let i = 0; i < 20; i++) for (const topic of topics) topic.publishBytes(400 + 37 * i);
    lab.settle();
    expect(Math.max(...one.sink.sizes)).toBeLessThanOrEqual(SLICE_MAX_BYTES);
    const frames = one.take();
    for (let alias = 1; alias <= 6; alias++) {
      const wanted = Array.from({ length: 20 }, (_, i) => `${alias}:${i + 1}`);
      expect(frames.filter((frame) => frame.startsWith(`${alias}:`))).toEqual(wanted);
    }
  });

  it('of a text connection are one message per frame, in one write', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const other = lab.topic({ isHot: true });
    const one = lab.consumer(true).subscribe(topic).subscribe(other);
    topic.publish('a');
    topic.publish('b');
    other.publish('c');
    lab.settle();
    expect(one.sink.writes).toBe(1);
    expect(one.takeJson()).toEqual(['topic-1:1', 'topic-1:2', 'topic-2:1']);
  });

  it('of a text connection are split when there are many frames, none lost', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer(true).subscribe(topic);
    for (let i = 0; i < 1000; i++) topic.publish(i);
    topic.publish('x'.repeat(40_000));
    topic.publish('y');
    lab.settle();
    expect(one.sink.writes).toBeGreaterThan(7);
    expect(one.takeJson()).toEqual(Array.from({ length: 1002 }, (_, i) => `topic-1:${i + 1}`));
  });
});

describe('noEcho', () => {
  it('leaves out the messages of the connection itself, and only for it', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const [publisher, other, json] = [lab.consumer(), lab.consumer(), lab.consumer(true)];
    for (const each of [publisher, other, json]) each.subscribe(topic);
    lab.delivery.servesNoEcho(publisher.consumer);
    topic.publish('a');
    topic.publish('b', publisher.consumer.number);
    topic.publish('c');
    topic.publish('d', publisher.consumer.number);
    lab.settle();
    expect(publisher.take()).toEqual(['1:1', '1:3']);
    expect(other.take()).toEqual(['1:1', '1:2', '1:3', '1:4']);
    expect(json.takeJson()).toHaveLength(4);
    topic.publish('e', publisher.consumer.number);
    lab.settle();
    expect(publisher.take()).toEqual([]);
    expect(publisher.consumer.isPending).toBe(false);
  });

  it('holds for text connections too', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer(true).subscribe(topic);
    lab.delivery.servesNoEcho(one.consumer);
    topic.publish('a', one.consumer.number);
    topic.publish('b');
    lab.settle();
    expect(one.takeJson()).toEqual(['topic-1:2']);
  });

  it('does not hide a loss: a frame that was overwritten meanwhile is announced, whoever sent what is there now', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ isHot: true, shared: { dataBytes: 4096, frames: 16 } });
    const one = lab.consumer().subscribe(topic);
    lab.delivery.servesNoEcho(one.consumer);
    for (let i = 0; i < 5; i++) topic.publish('other');
    // The lane goes on while the turn is on its way: every index entry now belongs to messages of the consumer itself.
    for (let i = 0; i < 100; i++) topic.append('own', one.consumer.number);
    lab.settle();
    topic.report();
    lab.settle();
    const frames = one.take();
    expect(frames[0]).toMatch(/^1:gap 1-/);
    expect(lab.delivery.counters.lostMessages).toBeGreaterThanOrEqual(5);
  });
});

describe('turns', () => {
  it('are one per burst, however many messages and streams', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    lab.consumer().subscribe(topic);
    expect(lab.scheduler.soonCount).toBe(0);
    for (let i = 0; i < 10; i++) topic.publish(i);
    expect(lab.scheduler.soonCount).toBe(1);
    expect(lab.settle()).toBe(1);
  });

  it('stop at their budget; the rest is flushed in the next ones', () => {
    const lab = new DeliveryLab(0.5);
    const topic = lab.topic();
    const consumers = Array.from({ length: 500 }, () => lab.consumer().subscribe(topic));
    for (const { sink } of consumers) sink.onSend = () => (lab.scheduler.now += 0.01);
    topic.publish('x');
    lab.scheduler.turn();
    const first = consumers.filter(({ sink }) => sink.writes > 0).length;
    // 0.5 ms of sends of 0.01 ms, and the clock is read every 8 sends.
    expect(first).toBeGreaterThanOrEqual(48);
    expect(first).toBeLessThanOrEqual(64);
    expect(lab.delivery.load.ready).toBe(500 - first);
    const turns = lab.settle();
    expect(turns).toBeGreaterThanOrEqual(7);
    for (const { sink } of consumers) expect(sink.writes).toBe(1);
  });

  it('flush cold streams first, but leave hot ones a share', () => {
    const lab = new DeliveryLab(0.5);
    const hot = lab.topic({ isHot: true });
    const cold = lab.topic();
    const order: string[] = [];
    const add = (topic: typeof hot, name: string) => {
      for (let i = 0; i < 200; i++) {
        lab.consumer().subscribe(topic).sink.onSend = () => {
          lab.scheduler.now += 0.01;
          order.push(name);
        };
      }
    };
    add(hot, 'hot');
    add(cold, 'cold');
    hot.publish(1);
    cold.publish(1);
    lab.scheduler.turn();
    const coldFirst = order.indexOf('hot');
    expect(coldFirst).toBeGreaterThanOrEqual(48);
    expect(order.slice(0, coldFirst)).not.toContain('hot');
    expect(order.length - coldFirst).toBeGreaterThanOrEqual(12);
    expect(order.length - coldFirst).toBeLessThanOrEqual(24);
    lab.settle();
    expect(order.filter((name) => name === 'cold')).toHaveLength(200);
    expect(order.filter((name) => name === 'hot')).toHaveLength(200);
  });

  it('let every consumer with much to send have its turn', () => {
    const lab = new DeliveryLab(0.5);
    const topic = lab.topic();
    const sent: number[] = [];
    const consumers = [0, 1, 2].map((index) => {
      const one = lab.consumer().subscribe(topic);
      one.sink.onSend = () => sent.push(index);
      return one;
    });
    for (let i = 0; i < 45; i++) topic.publishBytes(1024);
    lab.settle();
    const rounds = [sent.slice(0, 3), sent.slice(3, 6), sent.slice(6, 9)];
    for (const round of rounds) expect([...round].sort()).toEqual([0, 1, 2]);
    for (const one of consumers) expect(one.take()).toHaveLength(45);
  });

  it('spread the marking of a stream with very many subscribers, and forget nobody', () => {
    const lab = new DeliveryLab(0.5);
    const topic = lab.topic();
    const consumers = Array.from({ length: 5000 }, () => lab.consumer().subscribe(topic));
    let clockReads = 0;
    const { scheduler } = lab;
    scheduler.nowMs = () => {
      clockReads++;
      scheduler.now += 0.2;
      return scheduler.now;
    };
    topic.publish('x');
    scheduler.turn();
    expect(consumers.filter(({ sink }) => sink.writes > 0).length).toBeLessThan(200);
    topic.publish('y');
    lab.settle();
    expect(clockReads).toBeGreaterThan(100);
    for (const one of consumers) expect(one.take()).toEqual(['1:1', '1:2']);
  });
});

describe('delays', () => {
  it('collect what comes within maxDelayMs of the stream into one message', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ maxDelayMs: 20 });
    const one = lab.consumer().subscribe(topic);
    topic.publish(1);
    lab.scheduler.advance(15);
    topic.publish(2);
    lab.scheduler.advance(4);
    expect(one.take()).toEqual([]);
    expect(lab.delivery.load.waiting).toBe(1);
    lab.scheduler.advance(2);
    expect(one.takeMessages()).toEqual([['1:1', '1:2']]);
    lab.scheduler.advance(100);
    expect(one.sink.writes).toBe(1);
    expect(lab.scheduler.timerCount).toBe(0);
  });

  it('are those of the subscription, when it has one', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ maxDelayMs: 20 });
    const [none, short, long] = [0, 5, 100].map((delayMs) => lab.consumer().subscribe(topic, { delayMs }));
    topic.publish(1);
    lab.settle();
    const received = () => [none, short, long].map((one) => one!.sink.writes);
    expect(received()).toEqual([1, 0, 0]);
    lab.scheduler.advance(6);
    expect(received()).toEqual([1, 1, 0]);
    lab.scheduler.advance(50);
    expect(received()).toEqual([1, 1, 0]);
    lab.scheduler.advance(45);
    expect(received()).toEqual([1, 1, 1]);
  });

  it('of a thousand milliseconds are kept', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ maxDelayMs: 1000 });
    const one = lab.consumer().subscribe(topic);
    topic.publish(1);
    lab.scheduler.advance(998);
    expect(one.sink.writes).toBe(0);
    lab.scheduler.advance(4);
    expect(one.sink.writes).toBe(1);
  });

  it('end early when something else is due: it takes along what is pending', () => {
    const lab = new DeliveryLab();
    const slow = lab.topic({ isHot: true, maxDelayMs: 500 });
    const prompt = lab.topic();
    const one = lab.consumer().subscribe(slow).subscribe(prompt);
    slow.publish(1);
    lab.scheduler.advance(100);
    prompt.publish(1);
    lab.settle();
    expect(one.takeMessages()).toEqual([['2:1', '1:1']]);
    expect(lab.delivery.load.waiting).toBe(0);
    lab.scheduler.advance(1000);
    expect(one.sink.writes).toBe(1);
  });

  it('are the shortest of all pending subscriptions of a connection', () => {
    const lab = new DeliveryLab();
    const [a, b] = [lab.topic({ maxDelayMs: 100 }), lab.topic({ maxDelayMs: 10 })];
    const one = lab.consumer().subscribe(a).subscribe(b);
    a.publish(1);
    lab.scheduler.advance(30);
    b.publish(1);
    lab.scheduler.advance(11);
    expect(one.takeMessages()).toHaveLength(1);
    expect(lab.delivery.load.waiting).toBe(0);
  });

  it('that are automatic are 0 for an idle thread and up to 5 ms for a busy one', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic({ isHot: true, maxDelayMs: DELAY_AUTO });
    const one = lab.consumer().subscribe(topic);
    topic.publish(0);
    lab.settle();
    expect(one.sink.writes).toBe(1);
    for (let i = 0; i < 50; i++) {
      lab.scheduler.busy += 60;
      lab.scheduler.advance(60);
      topic.publish(i);
      lab.settle();
    }
    expect(lab.delivery.autoDelay.utilisation).toBeGreaterThan(0.9);
    lab.scheduler.advance(10);
    const { writes } = one.sink;
    topic.publish('x');
    lab.scheduler.advance(4);
    expect(one.sink.writes).toBe(writes);
    lab.scheduler.advance(2);
    expect(one.sink.writes).toBe(writes + 1);
  });
});

describe('transports', () => {
  it('that are full are left alone until they have drained; then everything pending goes at once', () => {
    const lab = new DeliveryLab();
    const [a, b] = [lab.topic(), lab.topic({ isHot: true, maxDelayMs: 50 })];
    const one = lab.consumer().subscribe(a).subscribe(b);
    one.sink.result = SEND_BLOCKED;
    a.publish(1);
    lab.settle();
    expect(one.takeMessages()).toEqual([['1:1']]);
    expect(lab.delivery.load.blocked).toBe(1);
    a.publish(2);
    b.publish(1);
    lab.scheduler.advance(200);
    expect(one.take()).toEqual([]);
    expect(lab.delivery.load.waiting).toBe(0);
    one.sink.result = SEND_OK;
    lab.delivery.drained(one.consumer);
    lab.settle();
    expect(one.takeMessages()).toEqual([['1:2', '2:1']]);
    expect(lab.delivery.load).toMatchObject({ ready: 0, waiting: 0, blocked: 0 });
  });

  it('that others filled are left alone too', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer().subscribe(topic);
    lab.delivery.blocked(one.consumer);
    topic.publish(1);
    lab.settle();
    expect(one.take()).toEqual([]);
    lab.delivery.drained(one.consumer);
    lab.delivery.drained(one.consumer);
    lab.settle();
    expect(one.take()).toEqual(['1:1']);
  });

  it('that are full in the middle of much to send go on where they stopped', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer().subscribe(topic);
    one.sink.result = SEND_BLOCKED;
    for (let i = 0; i < 50; i++) topic.publishBytes(1024);
    const seen: string[] = [];
    for (let i = 0; i < 4; i++) {
      lab.settle();
      expect(one.sink.messages).toHaveLength(1);
      seen.push(...one.take());
      lab.delivery.drained(one.consumer);
    }
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => `1:${i + 1}`));
  });

  it('that refuse a message end their connection: the cursor is past what was refused', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const [one, other] = [lab.consumer().subscribe(topic), lab.consumer().subscribe(topic)];
    one.sink.result = SEND_REFUSED;
    topic.publish(1);
    lab.settle();
    expect(one.sink.ends).toEqual([{ code: 1013, reason: expect.stringContaining('SLOW_CONSUMER') }]);
    expect(lab.delivery.counters.refusedSends).toBe(1);
    expect(lab.delivery.load.consumers).toBe(1);
    expect(other.take()).toEqual(['1:1']);
  });
});

describe('flushSome', () => {
  it('sends everything at once, whatever delays and budget say', () => {
    const lab = new DeliveryLab(0.001);
    const topic = lab.topic({ maxDelayMs: 1000 });
    const consumers = Array.from({ length: 50 }, () => lab.consumer().subscribe(topic));
    for (let i = 0; i < 40; i++) topic.publishBytes(1024);
    while (!lab.delivery.flushSome());
    for (const one of consumers) expect(one.take()).toHaveLength(40);
  });

  it('leaves a full transport with what it could not take', () => {
    const lab = new DeliveryLab();
    const topic = lab.topic();
    const one = lab.consumer().subscribe(topic);
    one.sink.result = SEND_BLOCKED;
    for (let i = 0; i < 40; i++) topic.publishBytes(1024);
    while (!lab.delivery.flushSome());
    expect(one.sink.writes).toBe(1);
    expect(lab.delivery.load.blocked).toBe(1);
  });
});
