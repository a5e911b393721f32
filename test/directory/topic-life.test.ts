// When topics come into being, where they live, and when they cease to be.

import { describe, expect, it } from 'vitest';
import { LocalSubscriber } from '#src/local/local-subscriber.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { encode } from '#src/protocol/msgpack.js';
import { publishLocally, RouterLab } from '../router/router-lab.js';

const HOT = [{ match: 'hot:*', home: 'hot' as const }];

describe('a topic', () => {
  it('is made on first use, and vanishes with its last user when it has no history', () => {
    const lab = new RouterLab();
    const [one, feed] = [lab.client(), lab.client()];
    one.send({ type: 'subscribe', topic: 'a' });
    feed.send({ type: 'publish', id: 1, topic: 'a', payload: null, options: { open: true } });
    expect(lab.topics.count).toBe(1);
    one.send({ type: 'unsubscribe', topic: 'a' });
    expect(lab.topics.count, 'its alias is held by the feed').toBe(1);
    feed.close();
    expect(lab.topics.count).toBe(0);
    expect(lab.coldLink.topicCount).toBe(0);
    expect(lab.coldLink.logBytes).toBe(0);
  });

  it('with history stays, with its epoch and numbers', () => {
    const lab = new RouterLab();
    const feed = lab.client();
    feed.send({ type: 'publish', topic: 'a', payload: 1 });
    const { epoch } = lab.topics.find('a')!.spec;
    feed.close();
    expect(lab.topics.count).toBe(1);
    const again = lab.client();
    again.send({ type: 'publish', id: 1, topic: 'a', payload: 2 });
    expect(again.take()).toMatchObject([{ type: 'ok', result: { seq: 2 } }]);
    expect(lab.topics.find('a')!.spec.epoch).toBe(epoch);
  });

  it('without history by configuration vanishes, and is another one afterwards', () => {
    const defaults = {
      historyMessages: 0,
      historyBytes: 0,
      maxDelayMs: 0,
      slowConsumerPolicy: 'drop_oldest' as const,
      maxLagMs: 0,
      maxLagMessages: 0,
    };
    for (const rules of [[], [{ match: '*', home: 'hot' as const }]]) {
      const lab = new RouterLab({ registry: { defaults, rules }, laneRingBytes: 2 ** 16 });
      const one = lab.client();
      one.send({ type: 'subscribe', topic: 'a' }, { type: 'publish', id: 1, topic: 'a', payload: 1 });
      lab.settle();
      const { epoch, alias } = lab.topics.find('a')!.spec;
      one.close();
      lab.settle();
      expect([lab.topics.count, lab.topics.hotCount]).toEqual([0, 0]);
      const other = lab.client();
      other.send({ type: 'subscribe', topic: 'a' });
      expect(lab.topics.find('a')!.spec.epoch).not.toBe(epoch);
      expect(lab.topics.find('a')!.spec.alias, 'a stale alias names no other topic').not.toBe(alias);
    }
  });

  it('that was declared stays', () => {
    const lab = new RouterLab();
    lab.topics.declare('a');
    const one = lab.client();
    one.send({ type: 'subscribe', topic: 'a' });
    one.close();
    expect(lab.topics.count).toBe(1);
    expect(lab.topics.declare('a')).toBe(lab.topics.find('a'));
  });

  it('has an alias of its own, an epoch of its own', () => {
    const lab = new RouterLab();
    const entries = Array.from({ length: 500 }, (_, i) => lab.topics.declare(`t${i}`));
    expect(new Set(entries.map(({ spec }) => spec.alias)).size).toBe(500);
    expect(new Set(entries.map(({ spec }) => spec.epoch)).size).toBe(500);
  });

  it('gets the settings of the first rule that matches', () => {
    const rules = [
      { match: 'a:*', home: 'cold' as const, historyMessages: 3, maxLagMs: undefined },
      { match: '*', home: 'cold' as const, historyMessages: 7 },
    ];
    const lab = new RouterLab({ registry: { rules } });
    expect(lab.topics.declare('a:1').spec.historyMessages).toBe(3);
    expect(lab.topics.declare('a:1').settings.maxLagMs).toBe(0);
    expect(lab.topics.declare('b').spec.historyMessages).toBe(7);
  });
});

describe('autoCreate: false', () => {
  it('makes unknown topics TOPIC_NOT_FOUND', () => {
    const lab = new RouterLab({ registry: { autoCreate: false } });
    lab.topics.declare('known');
    const one = lab.client();
    one.send({ type: 'subscribe', id: 1, topic: 'unknown' }, { type: 'publish', id: 2, topic: 'unknown', payload: 1 });
    one.send({ type: 'publish', id: 3, topic: 'unknown', payload: null, options: { open: true } });
    one.send({ type: 'subscribe', id: 4, topic: 'known' }, { type: 'publish', id: 5, topic: 'known', payload: 1 });
    const refused = [1, 2, 3].map((id) => `error ${id} TOPIC_NOT_FOUND`);
    expect(one.takeShort()).toEqual([...refused, 'ok 4', 'ok 5', 'event 1']);
  });
});

describe('limits', () => {
  it('of topics are told, and are free again when topics go', () => {
    const lab = new RouterLab({ registry: { maxTopics: 2 } });
    const one = lab.client();
    for (const topic of ['a', 'b', 'c']) one.send({ type: 'subscribe', id: topic, topic });
    expect(one.takeShort()).toEqual(['ok a', 'ok b', 'error c LIMIT_EXCEEDED']);
    one.send({ type: 'unsubscribe', topic: 'a' }, { type: 'subscribe', id: 'c', topic: 'c' });
    expect(one.takeShort()).toEqual(['ok c']);
    expect(() => lab.topics.declare('d')).toThrow('maxTopics');
  });

  it('of hot topics make the others cold', () => {
    const lab = new RouterLab({ registry: { maxHotTopics: 2, rules: HOT }, laneRingBytes: 2 ** 16 });
    const homes = ['hot:1', 'hot:2', 'hot:3', 'other'].map((name) => lab.topics.declare(name).isHot);
    expect(homes).toEqual([true, true, false, false]);
    lab.topics.delete('hot:1');
    expect(lab.topics.declare('hot:4').isHot).toBe(true);
    expect(lab.topics.hotCount).toBe(2);
  });

  it('of subscriptions are per connection, leave no topic behind, and allow a subscription that is there already', () => {
    const lab = new RouterLab({ maxSubscriptionsPerConnection: 2 });
    const [one, other] = [lab.client(), lab.client()];
    for (const topic of ['a', 'b', 'c', 'a']) one.send({ type: 'subscribe', id: topic, topic });
    other.send({ type: 'subscribe', id: 'c', topic: 'd' });
    expect(one.takeShort()).toEqual(['ok a', 'ok b', 'error c LIMIT_EXCEEDED', 'ok a']);
    expect(other.takeShort()).toEqual(['ok c']);
    expect(lab.topics.find('c')).toBeUndefined();
  });

  it('refuse bad names of declared topics', () => {
    const lab = new RouterLab();
    for (const name of ['', '$server', 'x'.repeat(256), 'a\nb']) expect(() => lab.topics.declare(name)).toThrow();
    expect(lab.topics.count).toBe(0);
  });
});

for (const [home, prefix] of [
  ['cold', 'cold:'],
  ['hot', 'hot:'],
] as const) {
  describe(`deleting a ${home} topic`, () => {
    const open = () => new RouterLab({ registry: { rules: HOT }, laneRingBytes: 2 ** 16 });
    const topic = `${prefix}a`;

    it('tells its subscribers, whatever their codec, and leaves nothing', () => {
      const lab = open();
      const [one, text, other] = [lab.client(), lab.jsonClient(), lab.client()];
      one.send({ type: 'subscribe', topic });
      text.sendJson({ type: 'subscribe', topic });
      other.send({ type: 'subscribe', topic: 'other' }, { type: 'publish', topic, payload: 1 });
      expect(one.takeShort()).toEqual(['event 1']);
      text.takeJson();
      expect(lab.topics.delete(topic)).toBe(true);
      expect(lab.topics.delete(topic)).toBe(false);
      expect(one.take()).toMatchObject([{ type: 'unsubscribed', code: 'TOPIC_NOT_FOUND' }]);
      expect(text.takeJson()).toMatchObject([{ type: 'unsubscribed', topic, code: 'TOPIC_NOT_FOUND' }]);
      expect(other.take()).toEqual([]);
      expect(lab.delivery.load).toMatchObject({ subscriptions: 1, streams: 1, ready: 0 });
      expect(lab.topics.find(topic)).toBeUndefined();
    });

    it('makes its alias worthless, also for a feed that publishes to it', () => {
      const lab = open();
      const feed = lab.client();
      feed.send({ type: 'publish', id: 1, topic, payload: null, options: { open: true } });
      const [ok] = feed.take();
      const { alias } = (ok as unknown as { result: { alias: number } }).result;
      feed.send({ type: 'publish', id: 2, topic: alias, payload: 1 });
      lab.settle();
      lab.topics.delete(topic);
      feed.send({ type: 'publish', id: 3, topic: alias, payload: 1 }, { type: 'publish', id: 4, topic, payload: 1 });
      expect(feed.takeShort()).toEqual(['ok 2', 'error 3 TOPIC_NOT_FOUND', 'ok 4']);
      feed.close();
      expect(lab.topics.count, 'the new one has history').toBe(1);
      expect(lab.topics.find(topic)!.log.headSeq).toBe(1);
    });

    it('acknowledges what was accepted before', () => {
      const lab = open();
      const one = lab.client();
      one.send({ type: 'publish', id: 1, topic, payload: 1 });
      lab.topics.delete(topic);
      expect(one.takeShort()).toEqual(['ok 1']);
      expect(lab.router.publishing.pendingAcks.count).toBe(0);
    });

    it('lets a subscriber that is told ask for the topic at once: it gets a new one', () => {
      const lab = open();
      const entry = lab.topics.declare(topic);
      const events: string[] = [];
      const subscribe = (name: string): void => {
        const onEnd = () => subscribe('again');
        const handlers = { onEvent: ({ seq }: { seq: number }) => void events.push(`${name} ${seq}`), onEnd };
        const subscriber = new LocalSubscriber(topic, handlers, () => {});
        const consumer = lab.delivery.addConsumer(subscriber, msgpackEncoder);
        const current = lab.topics.declare(topic);
        lab.delivery.subscribe(consumer, lab.topics.streamOf(current, consumer.spec), {
          cursor: 1,
          policy: 0,
          delayMs: -1,
        });
      };
      subscribe('first');
      subscribe('second');
      lab.topics.delete(topic);
      expect(lab.topics.find(topic)).not.toBe(entry);
      const feed = lab.client();
      feed.send({ type: 'publish', topic, payload: 1 });
      lab.settle();
      expect(events).toEqual(['again 1', 'again 1']);
      expect(lab.delivery.load).toMatchObject({ streams: 1, subscriptions: 2 });
      lab.topics.delete(topic);
    });
  });
}

describe('a hot topic without subscribers', () => {
  it('is followed all the same: the words in shared memory only tell the low half of a number', () => {
    const lab = new RouterLab({ registry: { rules: HOT }, laneRingBytes: 2 ** 16 });
    const feed = lab.client();
    for (let i = 0; i < 10; i++) feed.send({ type: 'publish', topic: 'hot:a', payload: i });
    lab.settle();
    expect(lab.topics.find('hot:a')!.log.headSeq).toBe(10);
  });
});

it('whatever came and went, nothing is left', () => {
  const lab = new RouterLab({ registry: { rules: HOT }, laneRingBytes: 2 ** 16 });
  const clients = Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? lab.jsonClient() : lab.client()));
  for (const [index, client] of clients.entries()) {
    for (const topic of ['hot:a', 'b', `c${index}`]) {
      if (index % 3 === 0) client.sendJson({ type: 'subscribe', topic });
      else client.send({ type: 'subscribe', topic }, { type: 'publish', id: 1, topic, payload: index });
    }
  }
  lab.settle();
  for (const client of clients) client.close();
  lab.settle();
  for (const entry of [...lab.topics.entries()]) lab.topics.delete(entry.spec.topic);
  lab.advance(2000);
  lab.lanes.close();
  const nothing = { consumers: 0, streams: 0, subscriptions: 0, ready: 0, waiting: 0, blocked: 0 };
  expect(lab.delivery.load).toEqual(nothing);
  expect([lab.topics.count, lab.topics.hotCount, lab.coldLink.topicCount, lab.coldLink.logBytes]).toEqual([0, 0, 0, 0]);
  expect([lab.router.publishing.pendingAcks.count, lab.scheduler.timerCount]).toEqual([0, 0]);
});

describe('the wait on the way to a lane', () => {
  const waitOf = (maxDelayMs: number | 'auto', ownDelayMs?: number): number => {
    const lab = new RouterLab({ laneRingBytes: 4096, registry: { rules: [{ ...HOT[0], maxDelayMs }] } });
    const options = ownDelayMs === undefined ? {} : { maxDelayMs: ownDelayMs };
    lab.client().send({ type: 'subscribe', topic: 'hot:a', options });
    return lab.topics.find('hot:a')!.mayWaitMs(lab.scheduler.nowMs());
  };

  it('is a quarter of the delay that subscribers accept, in whole milliseconds, at most 5', () => {
    expect([0, 3, 5, 10, 20, 1000].map((delayMs) => waitOf(delayMs))).toEqual([0, 0, 1, 2, 5, 5]);
  });

  it('is nothing where the delay is automatic, or a subscriber has one of its own', () => {
    expect([waitOf('auto'), waitOf(20, 0), waitOf(20, 20)]).toEqual([0, 0, 0]);
  });

  it('is a tenth of the interval of subscribers with a rate, at most 20 ms, but for the first message after a pause', () => {
    const waits = (...rates: (number | undefined)[]): number[] => {
      const lab = new RouterLab({ laneRingBytes: 4096, registry: { rules: [{ ...HOT[0], keyed: true }] } });
      for (const maxRate of rates)
        lab
          .client()
          .send({ type: 'subscribe', topic: 'hot:a', ...(maxRate === undefined ? {} : { options: { maxRate } }) });
      const entry = lab.topics.find('hot:a')!;
      const waitMs = (): number => entry.mayWaitMs(lab.scheduler.nowMs());
      const first = waitMs();
      publishLocally(lab, 'hot:a', encode(1), undefined, { key: 'k' });
      lab.advance(1);
      const next = waitMs();
      lab.advance(100);
      return [first, next, waitMs()];
    };
    expect(waits(20)).toEqual([0, 5, 0]);
    expect(waits(1)).toEqual([0, 20, 0]);
    expect(waits(1, 20)).toEqual([0, 5, 0]);
    expect(waits(20, undefined)).toEqual([0, 0, 0]);
  });
});
