// What a connection keeps alive by publishing, what it is remembered for, and that neither grows without bound.

import { describe, expect, it } from 'vitest';
import { ENDED_LOG } from '#src/delivery/stream.js';
import { NO_HISTORY, RouterLab } from './router-lab.js';

/** All steps of a sweep, as the engine makes them. */
function sweep(lab: RouterLab): void {
  while (!lab.topics.sweep());
}

describe('a connection that publishes', () => {
  it('by name keeps no topic: one without history and subscribers vanishes once nothing comes to it', () => {
    for (const laneRingBytes of [undefined, 2 ** 16]) {
      const rules = laneRingBytes === undefined ? [] : [{ match: '*', home: 'hot' as const }];
      const lab = new RouterLab({
        registry: { defaults: NO_HISTORY, rules },
        ...(laneRingBytes ? { laneRingBytes } : {}),
      });
      const feed = lab.client();
      for (let n = 0; n < 50; n++) feed.send({ type: 'publish', topic: `once-${n}`, payload: n });
      feed.send({ type: 'publish', topic: 'again', payload: 1 });
      lab.settle();
      sweep(lab);
      expect(lab.topics.count).toBe(51);
      feed.send({ type: 'publish', topic: 'again', payload: 2 });
      lab.settle();
      sweep(lab);
      lab.settle();
      expect(lab.topics.count).toBe(1);
      const { epoch } = lab.topics.find('again')!.spec;
      sweep(lab);
      lab.settle();
      expect([lab.topics.count, lab.coldLink.topicCount]).toEqual([0, 0]);
      feed.send({ type: 'publish', id: 1, topic: 'again', payload: 3 });
      expect(feed.takeShort()).toEqual(['ok 1']);
      expect(lab.topics.find('again')!.spec.epoch).not.toBe(epoch);
    }
  });

  it('by alias keeps the topic, and its number, until it ends, whether it was opened or subscribed to', () => {
    const lab = new RouterLab({ registry: { defaults: NO_HISTORY } });
    const [opener, subscriber] = [lab.client(), lab.client()];
    opener.send({ type: 'publish', id: 1, topic: 'opened', payload: null, options: { open: true } });
    subscriber.send({ type: 'subscribe', id: 1, topic: 'subscribed' });
    const { alias } = lab.topics.find('subscribed')!.spec;
    subscriber.send(
      { type: 'publish', topic: 'subscribed', payload: 0 },
      { type: 'publish', topic: alias, payload: 1 },
    );
    subscriber.send({ type: 'unsubscribe', topic: 'subscribed' });
    for (let n = 0; n < 5; n++) sweep(lab);
    expect(lab.topics.count).toBe(2);
    subscriber.take();
    subscriber.send({ type: 'publish', id: 2, topic: alias, payload: 2 });
    expect(subscriber.takeShort()).toEqual(['ok 2']);
    opener.close();
    subscriber.close();
    expect(lab.topics.count).toBe(0);
  });

  it('lets go of many topics in steps when it ends', () => {
    const lab = new RouterLab({
      registry: { defaults: NO_HISTORY, maxTopics: 5000 },
      maxSubscriptionsPerConnection: 5000,
    });
    const opener = lab.client();
    for (let n = 0; n < 3000; n++) {
      opener.send({ type: 'publish', topic: `t${n}`, payload: null, options: { open: true } });
    }
    opener.close();
    for (let steps = 0, left = lab.topics.count; ; steps++) {
      const isDone = lab.topics.sweep();
      expect(left - lab.topics.count).toBeLessThanOrEqual(500);
      left = lab.topics.count;
      if (!isDone) continue;
      expect([left, steps > 3]).toEqual([0, true]);
      break;
    }
  });

  it('is remembered for as many topics as it may subscribe to: for the others it is authorised again', () => {
    const asked: string[] = [];
    const hooks = {
      authorize: ({ topic }: { topic: string }) => {
        asked.push(topic);
        return true;
      },
    };
    const lab = new RouterLab({ hooks, maxSubscriptionsPerConnection: 10 });
    const feed = lab.client();
    const publish = (topic: string): void => feed.send({ type: 'publish', topic, payload: 1 });
    for (let round = 0; round < 3; round++) for (let n = 0; n < 10; n++) publish(`t${n}`);
    expect(asked).toHaveLength(10);
    publish('one more');
    publish('t0');
    publish('t5');
    expect(asked.slice(10)).toEqual(['one more', 't0']);
    expect(feed.session.grants?.count).toBe(10);
  });

  it('holds no more topics than that by alias, and is told so', () => {
    const lab = new RouterLab({ registry: { defaults: NO_HISTORY }, maxSubscriptionsPerConnection: 3 });
    const feed = lab.client();
    for (let n = 1; n <= 4; n++) {
      feed.send({ type: 'publish', id: n, topic: `t${n}`, payload: null, options: { open: true } });
    }
    feed.send({ type: 'publish', id: 5, topic: 't1', payload: null, options: { open: true } });
    expect(feed.takeShort()).toEqual(['ok 1', 'ok 2', 'ok 3', 'error 4 LIMIT_EXCEEDED', 'ok 5']);
    lab.topics.delete('t2');
    feed.send({ type: 'publish', id: 6, topic: 't4', payload: null, options: { open: true } });
    expect(feed.takeShort()).toEqual(['ok 6']);
    sweep(lab);
    expect(lab.topics.count).toBe(3);
  });

  it('keeps nothing of topics that were deleted', () => {
    for (const options of [undefined, { open: true }]) {
      const lab = new RouterLab();
      const feed = lab.client();
      for (let n = 0; n < 2000; n++) {
        feed.send({
          type: 'publish',
          topic: 'room',
          payload: options === undefined ? 'x'.repeat(1000) : null,
          ...(options && { options }),
        });
        const entry = lab.topics.find('room')!;
        lab.topics.delete('room');
        expect(entry.log).toBe(ENDED_LOG);
      }
      expect(feed.session.grants?.count).toBeLessThan(130);
      expect(lab.coldLink.logBytes).toBe(0);
    }
  });
});

describe('as many topics as there may be', () => {
  const MAX_TOPICS = 20;
  const fill = (lab: RouterLab): void => {
    const leaver = lab.client();
    for (let n = 0; n < MAX_TOPICS; n++) leaver.send({ type: 'publish', topic: `left-${n}`, payload: n });
    leaver.close();
  };
  const subscribe = (lab: RouterLab, topic: string): string | undefined => {
    const one = lab.client();
    one.send({ type: 'subscribe', id: 1, topic });
    return one.takeShort()[0];
  };

  it('that nobody uses make room: at once without history, else when nothing has come for a minute', () => {
    const without = new RouterLab({ registry: { defaults: NO_HISTORY, maxTopics: MAX_TOPICS } });
    fill(without);
    expect([subscribe(without, 'mine'), without.topics.count]).toEqual(['ok 1', MAX_TOPICS]);
    const lab = new RouterLab({ registry: { maxTopics: MAX_TOPICS } });
    fill(lab);
    lab.scheduler.advance(30_000);
    expect(subscribe(lab, 'mine')).toBe('error 1 LIMIT_EXCEEDED');
    lab.client().send({ type: 'publish', topic: 'left-7', payload: 'still in use' });
    lab.scheduler.advance(30_001);
    for (let n = 0; n < MAX_TOPICS - 1; n++) expect(subscribe(lab, `mine-${n}`)).toBe('ok 1');
    expect(subscribe(lab, 'one too many')).toBe('error 1 LIMIT_EXCEEDED');
    expect([lab.topics.count, lab.topics.find('left-7') !== undefined]).toEqual([MAX_TOPICS, true]);
  });

  it('that are subscribed to, held or declared stay, however quiet', () => {
    const lab = new RouterLab({ registry: { maxTopics: 3 } });
    lab.topics.declare('declared');
    const one = lab.client();
    one.send({ type: 'subscribe', id: 1, topic: 'subscribed' });
    one.send({ type: 'publish', id: 2, topic: 'held', payload: null, options: { open: true } });
    one.take();
    lab.scheduler.advance(3_600_000);
    expect(subscribe(lab, 'mine')).toBe('error 1 LIMIT_EXCEEDED');
    expect(lab.topics.count).toBe(3);
  });
});

describe('a subscriber of a topic that is deleted and made anew', () => {
  it('is told of the end before the new subscription, whatever its codec and whatever is pending', () => {
    const lab = new RouterLab();
    for (const isText of [false, true]) {
      const one = isText ? lab.jsonClient() : lab.client();
      const subscribe = (id: number): void => {
        if (isText) one.sendJson({ type: 'subscribe', topic: 'a', request_id: id });
        else one.send({ type: 'subscribe', id, topic: 'a' });
      };
      subscribe(1);
      lab.delivery.blocked(one.session.consumer);
      lab.client().send({ type: 'publish', topic: 'a', payload: 'pending' });
      lab.settle();
      lab.topics.delete('a');
      subscribe(2);
      lab.delivery.drained(one.session.consumer);
      const types = isText ? one.takeJson().map(({ type }) => type) : one.take().map(({ type }) => type);
      expect(types).toEqual([isText ? 'ack' : 'ok', 'unsubscribed', isText ? 'ack' : 'ok']);
      one.close();
    }
  });
});
