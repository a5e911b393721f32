// Messages that count for a while only: a time to live of the message or its topic, and the age that a subscriber bears.

import { describe, expect, it } from 'vitest';
import { Random } from '../ring/random.js';
import { CODECS, HOMES, ReadingLab, type TopicReader } from './reading-lab.js';

for (const home of HOMES) {
  for (const codec of CODECS) {
    describe(`a ${home} topic, in ${codec}`, () => {
      it('does not send what has expired to who stalls, and says so', () => {
        const topic = new ReadingLab(home);
        const reader = topic.reader(codec);
        reader.block(topic.lab);
        topic.publish(1, { ttlMs: 100 });
        topic.publish(2);
        topic.publish(3, { ttlMs: 1000 });
        topic.publish(4, { ttlMs: 100 });
        topic.publish(5, { ttlMs: 100 });
        topic.lab.advance(100);
        topic.publish(6, { ttlMs: 100 });
        reader.drain(topic.lab);
        topic.lab.settle();
        expect(reader.take()).toEqual(['expired 1-1', 'null=2', 'null=3', 'expired 4-5', 'null=6']);
        const { counters } = topic.lab.delivery;
        expect(counters).toMatchObject({ expiredMessages: 3, lostMessages: 0, mergedMessages: 0 });
      });

      it('gives nothing that has expired to who comes later: replay, history, snapshot', () => {
        const topic = new ReadingLab(home, { keyed: true });
        topic.publish(1, { key: 'a', ttlMs: 100 });
        topic.publish(2, { key: 'b' });
        topic.publish(3, { key: 'c', ttlMs: 1_000_000 });
        topic.lab.advance(100);
        expect(topic.reader(codec, { lastN: 10 }).take()).toEqual(['expired 1-1', 'b=2', 'c=3']);
        expect(topic.reader(codec, { snapshot: true }).take()).toEqual(['[b=2 c=3]@3']);
        const client = topic.lab.client();
        client.send({ type: 'history', id: 1, topic: 't' });
        const [answer] = client.take();
        const { messages } = (answer as unknown as { result: { messages: [number][] } }).result;
        expect(messages.map(([seq]) => seq)).toEqual([2, 3]);
        topic.publish(4, { key: 'a', ifSeq: 0 });
        expect(topic.reader(codec, { lastN: 1 }).take(), 'the key had no value any more').toEqual(['a=4']);
      });

      it('goes by its rule where the message says nothing', () => {
        const topic = new ReadingLab(home, { ttlMs: 100 });
        const reader = topic.reader(codec);
        reader.block(topic.lab);
        topic.publish(1);
        topic.publish(2, { ttlMs: 5000 });
        topic.lab.advance(100);
        reader.drain(topic.lab);
        topic.lab.settle();
        expect(reader.take()).toEqual(['expired 1-1', 'null=2']);
        expect(topic.reader(codec, { snapshot: true }).take()).toEqual(['[null=2]@2']);
        topic.lab.advance(5000);
        expect(topic.reader(codec, { snapshot: true }).take()).toEqual(['[]@2']);
      });

      it('sends nothing older than its subscriber bears, which an UPDATE changes', () => {
        const topic = new ReadingLab(home);
        const [young, any] = [topic.reader(codec, { maxAgeMs: 50 }), topic.reader(codec)];
        const publishAt = (waitMs: number): void => {
          for (const reader of [young, any]) reader.block(topic.lab);
          topic.publish('old');
          topic.lab.advance(waitMs);
          topic.publish('new');
          for (const reader of [young, any]) reader.drain(topic.lab);
          topic.lab.settle();
        };
        publishAt(50);
        expect(young.take()).toEqual(['expired 1-1', 'null=new']);
        expect(any.take()).toEqual(['null=old', 'null=new']);
        publishAt(40);
        expect(young.take()).toEqual(['null=old', 'null=new']);
        any.take();
        any.update({ maxAgeMs: 30 });
        publishAt(30);
        expect(any.take().slice(-2)).toEqual(['expired 5-5', 'null=new']);
      });

      it('tells what was merged from what has expired', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const reader = topic.reader(codec, { mode: 'latest' });
        reader.block(topic.lab);
        for (const [payload, key, ttlMs] of [
          [1, 'a', 0],
          [2, 'b', 100],
          [3, 'c', 100],
          [4, 'a', 100],
          [5, 'a', 0],
        ] as const)
          topic.publish(payload, { key, ...(ttlMs === 0 ? {} : { ttlMs }) });
        topic.lab.advance(100);
        reader.drain(topic.lab);
        topic.lab.settle();
        expect(reader.take()).toEqual(['merged 1-1', 'expired 2-3', 'merged 4-4', 'a=5']);
        expect(topic.lab.delivery.counters).toMatchObject({ mergedMessages: 2, expiredMessages: 2 });
      });

      it('keeps the time to live through moves', () => {
        const topic = new ReadingLab(home, { keyed: true });
        topic.publish(1, { key: 'a', ttlMs: 100 });
        topic.publish(2, { key: 'b', ttlMs: 400 });
        const entry = topic.lab.topics.find('t');
        if (entry === undefined) throw new Error('there is no topic');
        topic.lab.handOver.move(entry, entry.isHot ? -1 : 0);
        topic.lab.settle();
        topic.lab.advance(100);
        expect(topic.reader(codec, { lastN: 10 }).take()).toEqual(['expired 1-1', 'b=2']);
        expect(topic.reader(codec, { snapshot: true }).take()).toEqual(['[b=2]@2']);
      });

      it('sends each message before it expires, or says that it has: seeded', () => {
        for (let seed = 1; seed <= 25; seed++) new ExpiryHistory(home, codec, seed).run();
      });
    });
  }
}

describe('a wish that makes no sense', () => {
  it.each([{ delta: true }, { fields: ['n'] }, { filter: 'n > 1', track: true }])(
    'an age with what builds on every message: %j',
    (options) => {
      expect(new ReadingLab('cold').reader('msgpack', { ...options, maxAgeMs: 50 }).take()).toEqual(['BAD_REQUEST']);
    },
  );
});

interface Sent {
  readonly key: string;
  readonly expiryMs: number;
  readonly acceptedMs: number;
}

interface Listener {
  readonly reader: TopicReader;
  readonly isLatest: boolean;
  readonly maxAgeMs: number;
  covered: number;
  isBlocked: boolean;
  heardMs: number;
}

/** What each of some readers gets, held against what was sent when. */
class ExpiryHistory {
  readonly #topic: ReadingLab;
  readonly #random: Random;
  readonly #sent: Sent[] = [];
  readonly #name: string;
  readonly #readers: readonly Listener[];

  constructor(home: (typeof HOMES)[number], codec: (typeof CODECS)[number], seed: number) {
    this.#random = new Random(seed);
    this.#name = `seed ${seed}`;
    this.#topic = new ReadingLab(home, { keyed: true });
    const wishes = [{}, { mode: 'latest' }, { maxAgeMs: 70 }, { mode: 'latest', maxAgeMs: 70 }] as const;
    this.#readers = wishes.map((wish) => ({
      reader: this.#topic.reader(codec, wish),
      isLatest: 'mode' in wish,
      maxAgeMs: 'maxAgeMs' in wish ? wish.maxAgeMs : Number.POSITIVE_INFINITY,
      covered: 0,
      isBlocked: false,
      heardMs: 0,
    }));
  }

  run(): void {
    const random = this.#random;
    for (let step = 0; step < 60; step++) {
      if (random.below(3) > 0) this.#publish();
      const each = this.#readers[random.below(this.#readers.length)] as Listener;
      if (random.below(4) === 0) this.#toggle(each);
      for (let left = random.below(6); left > 0; left--) {
        this.#topic.lab.advance(10);
        this.#hear();
      }
      this.#hear();
    }
    for (const each of this.#readers) if (each.isBlocked) this.#toggle(each);
    this.#hear();
    for (const { covered } of this.#readers) expect(covered, this.#name).toBe(this.#sent.length);
  }

  #publish(): void {
    const key = 'abc'[this.#random.below(3)] as string;
    const ttlMs = [0, 30, 90][this.#random.below(3)] as number;
    const { now } = this.#topic.lab.scheduler;
    this.#sent.push({ key, acceptedMs: now, expiryMs: ttlMs === 0 ? Number.POSITIVE_INFINITY : now + ttlMs });
    this.#topic.publish(this.#sent.length, { key, ...(ttlMs === 0 ? {} : { ttlMs }) });
  }

  #toggle(each: Listener): void {
    if (each.isBlocked) each.reader.drain(this.#topic.lab);
    else each.reader.block(this.#topic.lab);
    each.isBlocked = !each.isBlocked;
    this.#topic.lab.settle();
  }

  #hear(): void {
    const { now } = this.#topic.lab.scheduler;
    for (const each of this.#readers) {
      for (const frame of each.reader.take()) {
        const [, reason, from, to] = /^(merged|expired) (\d+)-(\d+)$/.exec(frame) ?? [null, null, frame.slice(2)];
        const first = Number(from);
        const last = Number(to ?? from);
        expect(first, `${this.#name}: ${frame} after ${each.covered}`).toBe(each.covered + 1);
        each.covered = last;
        for (let seq = first; seq <= last; seq++) {
          const { key, acceptedMs, expiryMs } = this.#sent[seq - 1] as Sent;
          const untilMs = Math.min(expiryMs, acceptedMs + each.maxAgeMs);
          const what = `${this.#name}: ${frame} at ${now}, ${JSON.stringify(this.#sent[seq - 1])}`;
          if (reason === 'expired') expect(untilMs, what).toBeLessThanOrEqual(now);
          else if (reason === 'merged') {
            expect(each.isLatest, what).toBe(true);
            expect(
              this.#sent.slice(seq).some((later) => later.key === key),
              what,
            ).toBe(true);
          } else expect(untilMs, what).toBeGreaterThan(each.heardMs);
        }
      }
      each.heardMs = now;
    }
  }
}
