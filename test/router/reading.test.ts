// How a topic's messages are read: snapshots, the newest of each key, rates, fields, filters, deltas; and changed while it lasts.

import { describe, expect, it } from 'vitest';
import type { SubscribeOptions } from '#src/protocol/messages.js';
import { Random, testSeed } from '../ring/random.js';
import { CODECS, HOMES, ReadingLab } from './reading-lab.js';

for (const home of HOMES) {
  for (const codec of CODECS) {
    describe(`a ${home} topic, in ${codec}`, () => {
      it('begins with a snapshot: no hole, no overlap', () => {
        const topic = new ReadingLab(home, { keyed: true });
        topic.publishKeys('abab');
        topic.publish(null, { key: 'c', delete: true });
        const reader = topic.reader(codec, { snapshot: true });
        topic.publishKeys('ca');
        expect(reader.take()).toEqual(['[a=3 b=4]@5', 'c=5', 'a=6']);
        expect(new ReadingLab(home, { keyed: true }).reader(codec, { snapshot: true }).take(), 'of nothing').toEqual([
          '[]@0',
        ]);
      });

      it('has one key where it is not keyed', () => {
        const topic = new ReadingLab(home);
        topic.publishKeys('ab');
        topic.publish('x');
        const reader = topic.reader(codec, { snapshot: true });
        topic.publish('y');
        expect(reader.take()).toEqual(['[null=x]@3', 'null=y']);
      });

      it('sends a large snapshot in parts, to who reads and who does not', () => {
        const topic = new ReadingLab(home, { keyed: true, maxKeys: 500 });
        for (let n = 0; n < 300; n++) topic.publish('x'.repeat(200), { key: `k${n}` });
        const [reader, stalled] = [topic.reader(codec, { snapshot: true }), topic.reader(codec, { snapshot: true })];
        stalled.block(topic.lab);
        topic.publishKeys('z');
        const [snapshot, event] = reader.take();
        expect(snapshot?.split(' ')).toHaveLength(300);
        expect(event).toBe('z=1');
        expect(stalled.take()).toEqual([]);
        stalled.drain(topic.lab);
        expect(stalled.take()).toEqual([snapshot, event]);
        expect(topic.lab.delivery.load.subscriptions).toBe(2);
      });

      it('is left while a snapshot is waited for', () => {
        const topic = new ReadingLab(home, { keyed: true });
        topic.publishKeys('a');
        const reader = topic.reader(codec, { snapshot: true });
        if (codec === 'json') reader.client.sendJson({ type: 'unsubscribe', topic: 't' });
        else reader.client.send({ type: 'unsubscribe', topic: 't' });
        topic.publishKeys('b');
        expect(reader.take()).toEqual([]);
        reader.client.close();
        topic.lab.settle();
        expect(topic.lab.delivery.load.subscriptions).toBe(0);
        topic.lab.advance(500);
        while (!topic.lab.topics.sweep());
        while (!topic.lab.topics.sweep());
        while (!topic.lab.topics.sweep());
        expect(topic.lab.delivery.load.streams).toBe(0);
      });

      it('recovers a position that is gone by a snapshot', () => {
        const topic = new ReadingLab(home, { keyed: true });
        topic.publishKeys('aab');
        const since = { epoch: 'another', seq: 2 };
        expect(topic.reader(codec, { since }).take()).toEqual(['[a=2 b=3]@3']);
        expect(topic.reader(codec, { since, onGap: 'history' }).take()).toEqual(['a=1', 'a=2', 'b=3']);
      });

      it('gives the newest of each key to who does not keep up', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const [latest, every] = [topic.reader(codec, { mode: 'latest' }), topic.reader(codec)];
        topic.publishKeys('aba');
        expect(latest.take()).toEqual(['a=1', 'b=2', 'a=3']);
        latest.block(topic.lab);
        topic.publishKeys('abcabb');
        latest.drain(topic.lab);
        expect(latest.take()).toEqual(['merged 4-5', 'c=6', 'a=7', 'merged 8-8', 'b=9']);
        expect(every.take()).toEqual(['a=1', 'b=2', 'a=3', 'a=4', 'b=5', 'c=6', 'a=7', 'b=8', 'b=9']);
        expect(topic.lab.delivery.counters).toMatchObject({ mergedMessages: 3, lostMessages: 0 });
      });

      it('brings who has been lapped up to date by a snapshot', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const latest = topic.reader(codec, { mode: 'latest' });
        topic.publishKeys('ab');
        expect(latest.take()).toEqual(['a=1', 'b=2']);
        latest.block(topic.lab);
        topic.publishKeys('c');
        for (let n = 0; n < 1500; n++) topic.publish('x'.repeat(1000), { key: 'd' });
        topic.publish('d', { key: 'd' });
        latest.drain(topic.lab);
        const frames = latest.take();
        expect(frames).toEqual([`[a=1 b=2 c=3 d=d]@1504`]);
        topic.publishKeys('a');
        expect(latest.take()).toEqual(['a=4']);
      });

      it('gives as many as its rate says', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const rated = topic.reader(codec, { maxRate: 5 });
        topic.lab.advance(1000);
        topic.publishKeys('a');
        expect(rated.take(), 'at once, after a pause').toEqual(['a=1']);
        topic.publishKeys('aabab');
        expect(rated.take()).toEqual([]);
        topic.lab.advance(210);
        expect(rated.take()).toEqual(['merged 2-4', 'a=5', 'b=6']);
        topic.publish(null, { key: 'b', delete: true });
        topic.publishKeys('c');
        topic.lab.advance(210);
        expect(rated.take()).toEqual(['b delete', 'c=7']);
        topic.lab.advance(1000);
        expect(rated.take(), 'nothing new').toEqual([]);
      });

      it('gives the last at a rate where there are no keys', () => {
        const topic = new ReadingLab(home);
        const rated = topic.reader(codec, { maxRate: 0.5 });
        for (let n = 1; n <= 4; n++) topic.publish(n);
        expect(rated.take()).toEqual(['null=1']);
        topic.lab.advance(2010);
        expect(rated.take()).toEqual(['merged 2-3', 'null=4']);
      });

      it('merges: values for those who do not get all', () => {
        const topic = new ReadingLab(home, { keyed: true, merge: true });
        const every = topic.reader(codec);
        const latest = topic.reader(codec, { mode: 'latest' });
        topic.publish({ bid: 1, ask: 2 }, { key: 'a' });
        latest.block(topic.lab);
        topic.publish({ bid: 3 }, { key: 'a' });
        topic.publish({ last: 4 }, { key: 'a' });
        latest.drain(topic.lab);
        expect(every.take()).toEqual(['a={"bid":1,"ask":2}', 'a={"bid":3}', 'a={"last":4}']);
        expect(latest.take()).toEqual(['a={"bid":1,"ask":2}', 'merged 2-2', 'a={"ask":2,"bid":3,"last":4}']);
        expect(topic.reader(codec, { snapshot: true }).take()).toEqual(['[a={"ask":2,"bid":3,"last":4}]@3']);
      });

      it('projects, and leaves out what changes none of the fields', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const reader = topic.reader(codec, { fields: ['bid', 'ask.size'] });
        topic.publish({ bid: 1, ask: { price: 2, size: 3 }, x: 1 }, { key: 'a' });
        topic.publish({ bid: 1, ask: { price: 9, size: 3 }, x: 2 }, { key: 'a' });
        topic.publish({ bid: 1, ask: { price: 9, size: 3 } }, { key: 'b' });
        topic.publish({ bid: 2, ask: { price: 9, size: 3 } }, { key: 'a' });
        topic.publish('no map', { key: 'c' });
        topic.publish({ other: 1 }, { key: 'd' });
        const values = [
          'a={"bid":1,"ask":{"size":3}}',
          'b={"bid":1,"ask":{"size":3}}',
          'a={"bid":2,"ask":{"size":3}}',
          'd={}',
        ];
        expect(
          reader
            .take()
            .map((each) => each.replace(/=.*/, (value) => `=${JSON.stringify(ordered(JSON.parse(value.slice(1))))}`)),
        ).toEqual(values);
      });

      it('filters, and says what leaves', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const filter = "price > 100 && symbol in ['A','B']";
        const reader = topic.reader(codec, { filter });
        const tracking = topic.reader(codec, { filter: "price>100&&symbol in ['A', 'B']", track: true });
        const put = (symbol: string, price: unknown): void => topic.publish({ symbol, price }, { key: symbol });
        put('A', 50);
        put('A', 150);
        put('C', 150);
        put('B', 101);
        put('A', 99);
        put('A', 98);
        put('A', 'text');
        expect(reader.take()).toEqual(['A={"symbol":"A","price":150}', 'B={"symbol":"B","price":101}']);
        expect(tracking.take()).toEqual(['A={"symbol":"A","price":150}', 'B={"symbol":"B","price":101}', 'A leave']);
        expect(topic.reader(codec, { filter, snapshot: true }).take()).toEqual(['[B={"symbol":"B","price":101}]@7']);
        const entry = topic.lab.topics.find('t')!;
        expect(new Set(entry.streams.map(({ options }) => options.spec.key)).size, 'equal filters are one stream').toBe(
          2,
        );
      });

      it('says only what has changed, whole at first and now and then', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const long = 'x'.repeat(30);
        topic.publish({ a: 1, b: long }, { key: 'k' });
        const reader = topic.reader(codec, { delta: true, deltaFullEvery: 3 });
        topic.publish({ a: 2, b: long }, { key: 'k' });
        topic.publish({ b: long, c: 3 }, { key: 'k' });
        topic.publish({ b: long, c: 4 }, { key: 'k' });
        topic.publish({ b: long, c: 5 }, { key: 'k' });
        expect(reader.take()).toEqual([
          `[k={"a":1,"b":"${long}"}]@1`,
          'k~[{"a":2},[]]',
          'k~[{"c":3},["a"]]',
          `k={"b":"${long}","c":4}`,
          'k~[{"c":5},[]]',
        ]);
      });

      it('may be read otherwise from some moment on', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const reader = topic.reader(codec);
        topic.publishKeys('a');
        reader.block(topic.lab);
        topic.publishKeys('aab');
        reader.update({ mode: 'latest' });
        reader.drain(topic.lab);
        expect(reader.take()).toEqual(['a=1', 'merged 2-2', 'a=3', 'b=4']);
        reader.update({ maxRate: 10 });
        topic.publishKeys('aa');
        expect(reader.take()).toEqual(['a=5']);
        topic.lab.advance(110);
        expect(reader.take()).toEqual(['a=6']);
        reader.update({ mode: 'every' });
        topic.publishKeys('bb');
        expect(reader.take()).toEqual(['b=7', 'b=8']);
        expect(topic.lab.delivery.load.subscriptions).toBe(1);
      });

      it('may be deleted while it is read', () => {
        const random = new Random(testSeed('deletions'));
        const topic = new ReadingLab(home, { keyed: true });
        const { lab } = topic;
        for (let round = 0; round < 60; round++) {
          topic.publishKeys('abc');
          const wishes = [
            { snapshot: true },
            { snapshot: true, fields: ['n'] },
            { delta: true },
            {},
            { mode: 'latest' },
          ] as const;
          const readers = Array.from({ length: 6 }, () => {
            const reader = topic.reader(codec, wishes[random.below(wishes.length)]);
            if (random.below(3) === 0) reader.block(lab);
            if (random.below(3) === 0) lab.settle();
            if (random.below(3) === 0) reader.update({ mode: random.below(2) === 0 ? 'latest' : 'every' });
            return reader;
          });
          if (random.below(2) === 0) lab.handOver.move(lab.topics.find('t')!, random.below(2) - 1);
          if (random.below(2) === 0) lab.settle();
          expect(lab.topics.delete('t')).toBe(true);
          for (const reader of readers) reader.drain(lab);
          lab.settle();
          lab.advance(20);
          for (const reader of readers) {
            const heard: { type?: unknown }[] = codec === 'json' ? reader.client.takeJson() : reader.client.take();
            expect(heard.filter(({ type }) => type === 'unsubscribed')).toHaveLength(1);
            reader.client.close();
          }
          while (!lab.topics.sweep());
        }
        expect(lab.faults).toEqual([]);
        lab.settle();
        expect(lab.delivery.load).toMatchObject({ consumers: 1, subscriptions: 0, streams: 0, waiting: 0, blocked: 0 });
      });

      it('goes on through moves and deaths', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const readers = [
          topic.reader(codec, { snapshot: true, mode: 'latest' }),
          topic.reader(codec, { fields: ['n'] }),
          topic.reader(codec, { filter: 'n < 100', track: true }),
        ];
        const put = (n: number): void => topic.publish({ n }, { key: 'k' });
        const expectAll = (n: number): void => {
          put(n);
          for (const reader of readers) expect(reader.take()).toEqual([`k={"n":${n}}`]);
        };
        readers[0]?.take();
        expectAll(1);
        const entry = topic.lab.topics.find('t')!;
        for (const [n, target] of [home === 'hot' ? -1 : 0, home === 'hot' ? 0 : -1, 0].entries()) {
          topic.lab.handOver.move(entry, target);
          topic.lab.settle();
          expectAll(n + 2);
        }
        for (const thread of topic.lab.threads.alive) thread.die(new Error('dies'));
        topic.lab.advance(100);
        expectAll(10);
        put(200);
        expect(readers[2]?.take(), 'it is remembered who was in').toEqual(['k leave']);
      });
    });
  }
}

/** As it was asked for, whatever the order of fields. */
function ordered(value: Record<string, unknown>): Record<string, unknown> {
  const { bid, ask } = value;
  return { ...(bid === undefined ? {} : { bid }), ...(ask === undefined ? {} : { ask }) };
}

describe('a rule', () => {
  it('bounds the rate of every subscription', () => {
    const topic = new ReadingLab('cold', { keyed: true, maxRate: 10 });
    const readers = [{}, { maxRate: 100 }, { mode: 'latest' }, { maxRate: 5 }] as const;
    const given = readers.map((wishes) => topic.reader('msgpack', wishes));
    topic.publishKeys('a');
    topic.publishKeys('a');
    topic.lab.advance(100);
    topic.publishKeys('a');
    topic.lab.advance(100);
    const tenTimes = ['a=1', 'a=2', 'a=3'];
    expect(given.map((reader) => reader.take())).toEqual([tenTimes, tenTimes, tenTimes, ['a=1', 'merged 2-2', 'a=3']]);
    expect(topic.reader('msgpack', { mode: 'every' }).take()).toEqual(['BAD_REQUEST']);
    given[0]?.update({ mode: 'every' });
    expect(given[0]?.take()).toEqual(['BAD_REQUEST']);
  });
});

describe('many different wishes', () => {
  it('are as many streams as a topic may have, and no more', () => {
    const topic = new ReadingLab('cold');
    const readers = Array.from({ length: 40 }, (_, n) => topic.reader('msgpack', { filter: `n == ${n}` }));
    topic.publish({ n: 3 });
    const answers = readers.map((reader) => reader.take());
    expect(answers.filter(([answer]) => answer === 'LIMIT_EXCEEDED')).toHaveLength(20);
    expect(answers[3]).toEqual(['null={"n":3}']);
    expect(topic.reader('msgpack', { filter: '3 == n' }).take(), 'another text').toEqual(['LIMIT_EXCEEDED']);
    expect(topic.reader('msgpack', { filter: 'n==7' }).take(), 'one that is there').toEqual([]);
    expect(topic.reader('json').take(), 'a plain one').toEqual([]);
  });
});

describe('wishes that make no sense', () => {
  it.each<[SubscribeOptions, string]>([
    [{ maxRate: 5, mode: 'every' }, 'BAD_REQUEST'],
    [{ delta: true, mode: 'latest' }, 'BAD_REQUEST'],
    [{ track: true }, 'BAD_REQUEST'],
    [{ deltaFullEvery: 5 }, 'BAD_REQUEST'],
    [{ filter: 'price >' }, 'BAD_REQUEST'],
    [{ fields: ['a..b'] }, 'BAD_REQUEST'],
  ])('%o', (options, code) => {
    const topic = new ReadingLab('cold');
    expect(topic.reader('msgpack', options).take()).toEqual([code]);
    expect(topic.lab.delivery.load).toMatchObject({ subscriptions: 0, streams: 0 });
  });
});
