// Durable subscriptions: what each way of reading makes of ACKs and of coming back, and what is refused. Any history of plain
// ones is in durables.property.test.ts.

import { describe, expect, it } from 'vitest';
import { RingcastError } from '#src/errors.js';
import type { LocalSubscribeOptions, LocalSubscription } from '#src/local/api.js';
import { subscribeLocally } from '#src/local/local-subscribing.js';
import type { SubscribeOptions } from '#src/protocol/messages.js';
import { CODECS, HOMES, ReadingLab } from './reading-lab.js';
import { NO_HISTORY, RouterLab } from './router-lab.js';

const LONG = { retainMs: 3_600_000 };

interface Case {
  readonly options: SubscribeOptions;
  /** What comes of `abcab` with room for two, then after the ACK of 2, then to who comes back behind 2 when `c` has come. */
  readonly first: readonly string[];
  readonly next: readonly string[];
  readonly back: readonly string[];
}

const EACH: Case = {
  options: {},
  first: ['a=1', 'b=2'],
  next: ['c=3', 'a=4'],
  back: ['c=3', 'a=4'],
};
const CASES: readonly Case[] = [
  EACH,
  { ...EACH, options: { lastN: 0, snapshot: false, maxDelayMs: 1 } },
  { ...EACH, options: { policy: 'disconnect' } },
  { ...EACH, options: { maxAgeMs: 60_000 } },
  // While it keeps up it gets each message; what has piled up since is merged.
  {
    options: { mode: 'latest' },
    first: ['a=1', 'b=2'],
    next: ['merged 3-3', 'a=4', 'b=5'],
    back: ['merged 3-3', 'a=4', 'b=5'],
  },
];

for (const home of HOMES) {
  for (const codec of CODECS) {
    describe(`a durable subscription to a ${home} topic, in ${codec}`, () => {
      it.each(CASES)('$options: waits for ACKs, and goes on behind the last one', ({ options, first, next, back }) => {
        const topic = new ReadingLab(home, { keyed: true, ...LONG });
        const all = { ...options, durable: 'd', maxUnacked: 2 };
        const reader = topic.reader(codec, all);
        const other = topic.reader(codec);
        topic.publishKeys('abcab');
        topic.lab.advance(1);
        expect(reader.take()).toEqual(first);
        expect(other.take(), 'nobody else waits').toEqual(['a=1', 'b=2', 'c=3', 'a=4', 'b=5']);
        topic.publishKeys('c');
        reader.ack(topic.lab, 2);
        expect(reader.take()).toEqual(next);
        reader.client.close();
        expect(topic.reader(codec, all).take()).toEqual(back);
      });

      it('of fields, deltas and rates gets values, and the newest in the end', () => {
        for (const options of [{ fields: ['n'] }, { delta: true }, { maxRate: 1000 }, { snapshot: true }] as const) {
          const topic = new ReadingLab(home, { keyed: true, ...LONG });
          for (let n = 1; n <= 9; n++) topic.publish({ n, m: 1 }, { key: 'ab'[n % 2] });
          const wishes = { ...options, durable: 'd', maxUnacked: 1 };
          const begin = topic.reader(codec, wishes);
          topic.lab.advance(20);
          begin.take();
          begin.client.close();
          const reader = topic.reader(codec, wishes);
          for (let n = 10; n <= 19; n++) topic.publish({ n, m: 1 }, { key: 'ab'[n % 2] });
          let last = 0;
          for (let round = 0; last < 19 && round < 40; round++) {
            topic.lab.advance(20);
            const got = reader.take();
            expect(got).not.toContain('BAD_REQUEST');
            const messages = got.filter((each) => /^[ab][=~]/.test(each));
            expect(messages.length, JSON.stringify([options, got])).toBeLessThanOrEqual(1);
            last = Number(/"n":(\d+)/.exec(messages[0] ?? '')?.[1] ?? got.join().split('@')[1] ?? last);
            reader.ack(topic.lab, last);
          }
          expect(last, JSON.stringify(options)).toBe(19);
        }
      });

      it('that began with a snapshot begins so again, until it has acknowledged something', () => {
        const topic = new ReadingLab(home, { keyed: true, ...LONG });
        topic.publishKeys('aba');
        const options = { snapshot: true, durable: 'd' };
        for (const _ of [1, 2]) {
          const reader = topic.reader(codec, options);
          expect(reader.take()).toEqual(['[b=2 a=3]@3']);
          reader.client.close();
        }
        const reader = topic.reader(codec, options);
        reader.take();
        reader.ack(topic.lab, 3);
        reader.client.close();
        topic.publishKeys('b');
        expect(topic.reader(codec, options).take()).toEqual(['b=4']);
      });

      it('is told what it has missed when that is gone, by its onGap', () => {
        for (const [onGap, expected] of [
          ['history', /^lapped 2-/],
          ['snapshot', /^\[/],
          ['error', /^UNRECOVERABLE_POSITION/],
        ] as const) {
          const topic = new ReadingLab(home, { keyed: true });
          const options = { durable: 'd', onGap };
          const reader = topic.reader(codec, options);
          topic.publish('x', { key: 'a' });
          reader.take();
          reader.ack(topic.lab, 1);
          reader.client.close();
          for (let n = 0; n < 30; n++) topic.publish('x'.repeat(100_000), { key: `${n % 3}` });
          topic.lab.advance(60_000);
          topic.publish('x', { key: 'a' });
          expect(topic.reader(codec, options).take()[0]).toMatch(expected);
          // Refused, it is what it was.
          expect(topic.reader(codec, { durable: 'd', onGap: 'error' }).take()).toEqual(['UNRECOVERABLE_POSITION']);
        }
      });

      it('meets its policy when it is woken, as anybody who is late', () => {
        for (const [policy, expected] of [
          ['drop_oldest', /^max_lag_messages 3-/],
          ['disconnect', undefined],
        ] as const) {
          const topic = new ReadingLab(home, { maxLagMessages: 3, ...LONG });
          const reader = topic.reader(codec, { durable: 'd', maxUnacked: 2, policy });
          topic.publishKeys('abcdefgh');
          expect(reader.take()).toHaveLength(2);
          expect(reader.client.sink.ends).toEqual([]);
          reader.ack(topic.lab, 2);
          if (expected !== undefined) expect(reader.take()[0]).toMatch(expected);
          topic.lab.settle();
          expect(reader.client.sink.ends).toHaveLength(expected === undefined ? 1 : 0);
        }
      });

      it('is a position of its topic’s life: another life is a gap', () => {
        const topic = new ReadingLab(home, LONG);
        const reader = topic.reader(codec, { durable: 'd', maxUnacked: 1 });
        topic.publishKeys('ab');
        expect(reader.take()).toEqual(['a=1']);
        topic.lab.topics.delete('t');
        expect(reader.take()).toEqual(['TOPIC_NOT_FOUND']);
        topic.publishKeys('cd');
        expect(topic.reader(codec, { durable: 'd', onGap: 'error' }).take()).toEqual(['UNRECOVERABLE_POSITION']);
        const again = topic.reader(codec, { durable: 'd' });
        expect(again.take()).toEqual(['c=3', 'd=4']);
        again.ack(topic.lab, 1);
        again.client.close();
        expect(topic.reader(codec, { durable: 'd' }).take()).toEqual(['d=4']);
      });

      it('is refused what makes no sense, and goes on', () => {
        const topic = new ReadingLab(home, LONG);
        const plain = topic.reader(codec);
        const reader = topic.reader(codec, { durable: 'd', maxUnacked: 2 });
        topic.publishKeys('abcd');
        plain.take();
        plain.ack(topic.lab, 1);
        expect(plain.take()).toEqual(['BAD_REQUEST']);
        expect(reader.take()).toEqual(['a=1', 'b=2']);
        for (const [seq, expected] of [
          [3, ['BAD_REQUEST']],
          [Number.MAX_SAFE_INTEGER, ['BAD_REQUEST']],
          [0, []],
          [1, ['c=3']],
          [1, []],
          [0, []],
        ] as const) {
          reader.ack(topic.lab, seq);
          expect(reader.take(), `${seq}`).toEqual(expected);
        }
      });

      it.each<[SubscribeOptions, string]>([
        [{ maxUnacked: 1 }, 'BAD_REQUEST'],
        [{ durable: 'd', maxUnacked: 1001 }, 'LIMIT_EXCEEDED'],
        [{ durable: 'd', since: { epoch: 'e', seq: 1 }, lastN: 1 }, 'BAD_REQUEST'],
        [{ durable: 'd', filter: '(' }, 'BAD_REQUEST'],
        [{ durable: 'd', since: { epoch: 'e', seq: 1 }, onGap: 'error' }, 'UNRECOVERABLE_POSITION'],
      ])('refused with %o leaves nothing behind', (options, code) => {
        const topic = new ReadingLab(home);
        expect(topic.reader(codec, options).take()).toEqual([code]);
        expect(topic.lab.router.subscribing.durables.count).toBe(0);
      });

      it('survives UPDATE with what it has not acknowledged', () => {
        const topic = new ReadingLab(home, { keyed: true, ...LONG });
        const reader = topic.reader(codec, { durable: 'd', maxUnacked: 2 });
        topic.publishKeys('aaaa');
        expect(reader.take()).toEqual(['a=1', 'a=2']);
        reader.update({ mode: 'latest' });
        expect(reader.take()).toEqual([]);
        reader.ack(topic.lab, 1);
        expect(reader.take()).toEqual(['merged 3-3', 'a=4']);
      });
    });
  }
}

describe('durable names', () => {
  const wish = (topic: string, durable: string): object => ({ type: 'subscribe', id: 1, topic, options: { durable } });

  it('are as many as they may be, of a topic and of all; who has one keeps it', () => {
    const lab = new RouterLab({ durables: { maxDurables: 3, maxDurablesPerTopic: 2 } });
    const answer = (topic: string, durable: string): string => {
      const client = lab.client();
      client.send(wish(topic, durable) as never);
      return client.takeShort()[0];
    };
    expect(['a', 'b', 'c', 'a'].map((name) => answer('t', name))).toEqual([
      'ok 1',
      'ok 1',
      'error 1 LIMIT_EXCEEDED',
      'ok 1',
    ]);
    expect([answer('u', 'a'), answer('u', 'b'), answer('v', 'a')]).toEqual([
      'ok 1',
      'error 1 LIMIT_EXCEEDED',
      'error 1 LIMIT_EXCEEDED',
    ]);
  });

  it('are forgotten when nobody has used them for long, and keep their topics until then', () => {
    const lab = new RouterLab({ durables: { durableTtlMs: 5000 }, registry: { defaults: { ...NO_HISTORY } } });
    lab.core.sweeps.start();
    const { durables } = lab.router.subscribing;
    const client = lab.client();
    client.send(wish('t', 'a') as never);
    lab.advance(60_000);
    expect([durables.count, lab.topics.count], 'it is used').toEqual([1, 1]);
    client.close();
    lab.advance(4000);
    expect([durables.count, lab.topics.count]).toEqual([1, 1]);
    lab.advance(4000);
    expect([durables.count, lab.topics.count]).toEqual([0, 0]);
    lab.core.sweeps.stop();
  });

  it('take ACKs only where there is such a subscription', () => {
    const lab = new RouterLab();
    const [client, json] = [lab.client(), lab.jsonClient()];
    client.send({ type: 'ack', topic: 99, seq: 1 }, { type: 'ack', topic: 'nothing', seq: 1 });
    expect(client.takeShort()).toEqual(['error null TOPIC_NOT_FOUND', 'error null TOPIC_NOT_FOUND']);
    json.sendJson({ type: 'ack', topic: 'nothing', seq: 1, request_id: 7 });
    expect(json.takeJson()).toMatchObject([{ type: 'error', request_id: 7, error: { code: 'TOPIC_NOT_FOUND' } }]);
    json.sendJson({ type: 'subscribe', topic: 't', durable: 'a' });
    json.sendJson({ type: 'ack', topic: 't', seq: 0, request_id: 8 });
    expect(json.takeJson().at(-1)).toMatchObject({ type: 'ack', request_id: 8, topic: 't', seq: 0 });
  });

  it('leave their topic to a pattern that has it, too, and which knows no ACKs', () => {
    const lab = new RouterLab();
    const [feed, client, other] = [lab.client(), lab.client(), lab.client()];
    const publish = (): void => {
      for (let n = 1; n <= 5; n++) feed.send({ type: 'publish', topic: 't', payload: n });
    };
    const durable = (id: number): object => ({ ...wish('t', 'a'), id, options: { durable: 'a', maxUnacked: 1 } });
    client.send({ type: 'subscribe', topic: 't*' }, durable(1) as never);
    publish();
    expect(client.takeShort()).toEqual(['ok 1', 'event 1']);
    client.send({ type: 'unsubscribe', id: 2, topic: 't' });
    expect(client.takeShort()).toEqual(['ok 2', 'notice', 'event 2', 'event 3', 'event 4', 'event 5']);
    client.send({ type: 'ack', topic: 't', seq: 2 });
    expect(client.takeShort()).toEqual(['error null BAD_REQUEST']);
    client.send(durable(3) as never, { type: 'ack', topic: 't', seq: 0 });
    expect(client.takeShort()).toEqual(['ok 3', 'event 1']);
    other.send(durable(4) as never);
    expect(other.takeShort()).toEqual(['ok 4', 'event 1']);
    expect(client.takeShort()).toEqual(['unsubscribed', 'notice', 'event 2', 'event 3', 'event 4', 'event 5']);
    publish();
    expect(client.takeShort()).toHaveLength(5);
    expect(other.takeShort()).toEqual([]);
  });

  it('are each topic’s own', () => {
    const lab = new RouterLab();
    const client = lab.client();
    client.send(wish('t', 'a') as never, wish('u', 'a') as never);
    expect(client.takeShort()).toEqual(['ok 1', 'ok 1']);
  });
});

describe('a durable subscription within the process', () => {
  it('waits for ACKs, goes on, and gives way', () => {
    const topic = new ReadingLab('cold', LONG);
    const { topics, delivery, router, scheduler: loop } = topic.lab;
    const got: number[] = [];
    const ends: string[] = [];
    const { patterns, subscribing } = router;
    const parts = { topics, delivery, patterns, durables: subscribing.durables, loop };
    const subscribe = (options: LocalSubscribeOptions, acks = false): LocalSubscription => {
      const onEnd = (code: string): void => void ends.push(code);
      const subscription = subscribeLocally(
        parts,
        't',
        { ...options, onEnd },
        ({ seq }) => {
          got.push(seq);
          if (acks) subscription.ack(seq);
        },
        (fault) => {
          throw fault;
        },
      );
      return subscription;
    };
    const first = subscribe({ durable: 'd', maxUnacked: 2 });
    topic.publishKeys('abcde');
    expect(got.splice(0)).toEqual([1, 2]);
    expect(first.ack(1)).toBe(true);
    topic.lab.settle();
    expect(got.splice(0)).toEqual([3]);
    for (const wrong of [4, -1, 1.5, Number.NaN, '1', null]) {
      expect(() => first.ack(wrong as number), String(wrong)).toThrow(RingcastError);
    }
    const second = subscribe({ durable: 'd' }, true);
    expect(second).toMatchObject({ seq: 1, recovered: true });
    topic.lab.settle();
    expect(ends).toEqual(['CONFLICT']);
    expect(got.splice(0), 'ACKs from within the handler').toEqual([2, 3, 4, 5]);
    expect(first.ack(2), 'it has ended').toBe(false);
    second.close();
    expect(second.ack(5)).toBe(false);
    topic.publishKeys('f');
    expect(subscribe({ durable: 'd' })).toMatchObject({ seq: 5, recovered: true });
    const plain = subscribe({});
    expect(() => plain.ack(1)).toThrow(/durable/);
  });
});
