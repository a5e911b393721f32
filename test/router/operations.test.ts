// Every operation: frames in, answers and deliveries out.

import { describe, expect, it, vi } from 'vitest';
import { decode } from '#src/protocol/msgpack.js';
import { RouterLab } from './router-lab.js';

const HOT = { rules: [{ match: 'hot:*', home: 'hot' as const }] };
const EPOCH = expect.stringMatching(/^[\w-]{8}$/);

describe('CONNECT and PING', () => {
  it('are answered', () => {
    const lab = new RouterLab();
    const one = lab.client();
    one.send({ type: 'connect', id: 1, options: { clientId: 'c', token: 't' } }, { type: 'ping', id: 'p' });
    const { connectionId } = one.session;
    expect(one.take()).toEqual([
      { type: 'ok', id: 1, result: { connectionId, clientId: 'c' } },
      { type: 'pong', id: 'p', time: lab.scheduler.epochMs() },
    ]);
    expect(one.session.token).toBe('t');
    one.send({ type: 'connect' });
    expect(one.take(), 'no id, no answer').toEqual([]);
    expect(one.session.clientId, 'what is not said again stays').toBe('c');
  });
});

for (const [home, options, prefix] of [
  ['cold', {}, 'cold:'],
  ['hot', { laneRingBytes: 2 ** 16, registry: HOT }, 'hot:'],
] as const) {
  describe(`SUBSCRIBE to ${home} topics`, () => {
    it('is answered with alias, epoch and position; the events follow', () => {
      const lab = new RouterLab(options);
      const [one, feed] = [lab.client(), lab.client()];
      one.send({ type: 'subscribe', id: 1, topic: `${prefix}a` });
      feed.send({ type: 'publish', id: 2, topic: `${prefix}a`, payload: { n: 1 }, options: { id: 'm-1' } });
      const [ok, event] = one.take();
      expect(ok).toEqual({ type: 'ok', id: 1, result: { topic: `${prefix}a`, alias: 1, epoch: EPOCH, seq: 0 } });
      expect(event).toMatchObject({ type: 'event', alias: 1, seq: 1, time: lab.scheduler.epochMs(), id: 'm-1' });
      expect(decode((event as { payloadBytes: Uint8Array }).payloadBytes)).toEqual({ n: 1 });
      const result = { seq: 1, time: lab.scheduler.epochMs(), pressure: 0 };
      expect(feed.take()).toEqual([{ type: 'ok', id: 2, result }]);
    });

    it('replays the last n messages', () => {
      const lab = new RouterLab(options);
      const feed = lab.client();
      for (let i = 0; i < 9; i++) feed.send({ type: 'publish', topic: `${prefix}a`, payload: i });
      lab.settle();
      const one = lab.client();
      one.send({ type: 'subscribe', id: 1, topic: `${prefix}a`, options: { lastN: 3 } });
      feed.send({ type: 'publish', topic: `${prefix}a`, payload: 'live' });
      expect(one.takeShort()).toEqual(['ok 1', 'event 7', 'event 8', 'event 9', 'event 10']);
      const json = lab.jsonClient();
      json.sendJson({ type: 'subscribe', topic: `${prefix}a`, last_n: 2, request_id: 'r' });
      const messages = json.takeJson();
      expect(messages[0]).toMatchObject({ type: 'ack', request_id: 'r', status: 'ok', seq: 8 });
      expect(messages.slice(1).map(({ seq }) => seq)).toEqual([9, 10]);
    });

    it('twice is answered with the same alias, and changes nothing', () => {
      const lab = new RouterLab(options);
      const [one, feed] = [lab.client(), lab.client()];
      one.send({ type: 'subscribe', id: 1, topic: `${prefix}a` }, { type: 'subscribe', id: 2, topic: `${prefix}a` });
      feed.send({ type: 'publish', topic: `${prefix}a`, payload: 1 });
      const [first, second, ...rest] = one.take();
      expect((second as { result: unknown }).result).toEqual((first as { result: unknown }).result);
      expect(rest).toHaveLength(1);
      one.send({ type: 'subscribe', id: 3, topic: `${prefix}a`, options: { lastN: 10 } });
      expect(one.takeShort()).toEqual(['ok 3']);
      expect(lab.delivery.load.subscriptions).toBe(1);
    });

    it('without an id is not answered', () => {
      const lab = new RouterLab(options);
      const one = lab.client();
      one.send({ type: 'subscribe', topic: `${prefix}a` });
      one.send({ type: 'publish', topic: `${prefix}a`, payload: 1 });
      expect(one.takeShort()).toEqual(['event 1']);
    });
  });

  describe(`UNSUBSCRIBE from ${home} topics`, () => {
    it('by name and by alias ends the events', () => {
      const lab = new RouterLab(options);
      const [one, feed] = [lab.client(), lab.client()];
      for (const topic of ['a', 'b', 'c']) one.send({ type: 'subscribe', topic: `${prefix}${topic}` });
      one.send({ type: 'unsubscribe', id: 1, topic: `${prefix}a` }, { type: 'unsubscribe', id: 2, topic: 2 });
      for (const topic of ['a', 'b', 'c']) feed.send({ type: 'publish', topic: `${prefix}${topic}`, payload: 1 });
      expect(one.take()).toMatchObject([
        { type: 'ok', id: 1, result: { topic: `${prefix}a`, alias: 1 } },
        { type: 'ok', id: 2, result: { topic: `${prefix}b`, alias: 2 } },
        { type: 'event', alias: 3 },
      ]);
    });

    it('of nothing is TOPIC_NOT_FOUND', () => {
      const lab = new RouterLab(options);
      const [one, other] = [lab.client(), lab.client()];
      other.send({ type: 'subscribe', topic: `${prefix}a` });
      one.send({ type: 'unsubscribe', id: 1, topic: `${prefix}a` }, { type: 'unsubscribe', id: 2, topic: 1 });
      one.send({ type: 'unsubscribe', id: 3, topic: 'nothing' }, { type: 'unsubscribe', id: 4, topic: 99 });
      const wanted = [1, 2, 3, 4].map((id) => `error ${id} TOPIC_NOT_FOUND`);
      expect(one.takeShort()).toEqual(wanted);
    });

    it('tells the codecs apart: each has a subscription of its own', () => {
      const lab = new RouterLab(options);
      const [binary, text] = [lab.client(), lab.jsonClient()];
      binary.send({ type: 'subscribe', topic: `${prefix}a` });
      text.sendJson({ type: 'subscribe', topic: `${prefix}a` });
      binary.send({ type: 'unsubscribe', id: 1, topic: `${prefix}a` });
      binary.send({ type: 'publish', topic: `${prefix}a`, payload: 'x' });
      expect(binary.takeShort()).toEqual(['ok 1']);
      expect(text.takeJson()).toMatchObject([{ type: 'event', message: { payload: 'x' }, seq: 1 }]);
      text.sendJson({ type: 'unsubscribe', topic: `${prefix}a`, request_id: 7 });
      expect(text.takeJson()).toMatchObject([{ type: 'ack', request_id: 7, status: 'ok' }]);
      for (let n = 0; n < 2; n++) while (!lab.topics.sweep());
      expect(lab.delivery.load.streams).toBe(0);
    });

    it('and back again and again has the history transcoded once', () => {
      const lab = new RouterLab(options);
      lab.client().send({ type: 'publish', topic: `${prefix}a`, payload: 'x' });
      lab.settle();
      const openStream = vi.spyOn(lab.topics.find(`${prefix}a`)!.link, 'openStream');
      const text = lab.jsonClient();
      for (let n = 0; n < 10; n++) {
        text.sendJson({ type: 'subscribe', topic: `${prefix}a`, last_n: 1 });
        expect(text.takeJson()).toMatchObject([{ type: 'event', seq: 1 }]);
        text.sendJson({ type: 'unsubscribe', topic: `${prefix}a` });
        if (n === 5) while (!lab.topics.sweep());
      }
      expect(openStream).toHaveBeenCalledTimes(1);
      lab.topics.delete(`${prefix}a`);
      expect(lab.delivery.load.streams).toBe(0);
    });
  });

  describe(`PUBLISH to ${home} topics`, () => {
    it('by alias: of a subscription, and of one that was opened', () => {
      const lab = new RouterLab(options);
      const [one, feed] = [lab.client(), lab.client()];
      one.send({ type: 'subscribe', id: 1, topic: `${prefix}a` }, { type: 'publish', id: 2, topic: 1, payload: 'x' });
      feed.send({ type: 'publish', id: 3, topic: `${prefix}a`, payload: null, options: { open: true } });
      expect(feed.take()).toMatchObject([
        { type: 'ok', id: 3, result: { topic: `${prefix}a`, alias: 1, epoch: EPOCH } },
      ]);
      feed.send({ type: 'publish', topic: 1, payload: 'y' }, { type: 'publish', id: 4, topic: 1, payload: 'z' });
      expect(one.takeShort().sort()).toEqual(['event 1', 'event 2', 'event 3', 'ok 1', 'ok 2']);
      expect(feed.take()).toMatchObject([{ type: 'ok', id: 4, result: { seq: 3 } }]);
    });

    it('with open publishes nothing', () => {
      const lab = new RouterLab(options);
      const [one, feed] = [lab.client(), lab.client()];
      one.send({ type: 'subscribe', topic: `${prefix}a` });
      feed.send({ type: 'publish', id: 1, topic: `${prefix}a`, payload: null, options: { open: true } });
      feed.send({ type: 'publish', topic: `${prefix}a`, payload: null, options: { open: true } });
      expect([one.take(), feed.takeShort()]).toEqual([[], ['ok 1']]);
      expect(lab.router.publishing.acceptedMessages).toBe(0);
    });

    it('to an alias that this connection was not given is TOPIC_NOT_FOUND', () => {
      const lab = new RouterLab(options);
      const [one, other] = [lab.client(), lab.client()];
      other.send({ type: 'subscribe', topic: `${prefix}a` });
      one.send({ type: 'publish', id: 1, topic: 1, payload: 'x' }, { type: 'publish', id: 2, topic: 77, payload: 'x' });
      one.send({ type: 'publish', topic: 77, payload: 'x' });
      const wanted = [1, 2, null].map((id) => `error ${id} TOPIC_NOT_FOUND`);
      expect([one.takeShort(), other.take()]).toEqual([wanted, []]);
    });

    it('with noEcho goes to all but the publisher', () => {
      const lab = new RouterLab(options);
      const [one, other, text] = [lab.client(), lab.client(), lab.jsonClient()];
      for (const each of [one, other]) each.send({ type: 'subscribe', topic: `${prefix}a` });
      text.sendJson({ type: 'subscribe', topic: `${prefix}a` });
      one.send(
        { type: 'publish', topic: `${prefix}a`, payload: 1 },
        { type: 'publish', id: 5, topic: `${prefix}a`, payload: 2, options: { noEcho: true } },
        { type: 'publish', topic: `${prefix}a`, payload: 3 },
      );
      text.sendJson({ type: 'publish', topic: `${prefix}a`, message: { payload: 4 }, no_echo: true });
      expect(one.takeShort().filter((frame) => frame !== 'ok 5')).toEqual(['event 1', 'event 3', 'event 4']);
      expect(other.takeShort()).toEqual(['event 1', 'event 2', 'event 3', 'event 4']);
      expect(text.takeJson().map(({ seq }) => seq)).toEqual([1, 2, 3]);
    });

    it('takes effect in the order in which the frames came, whoever sent them', () => {
      const lab = new RouterLab(options);
      const [one, a, b] = [lab.client(), lab.client(), lab.client()];
      one.send({ type: 'subscribe', topic: `${prefix}a` });
      const wanted: unknown[] = [];
      for (let i = 0; i < 50; i++) {
        (i % 3 === 0 ? a : b).send({ type: 'publish', topic: `${prefix}a`, payload: i });
        wanted.push(i);
      }
      const values = one.take().map((event) => decode((event as { payloadBytes: Uint8Array }).payloadBytes));
      expect(values).toEqual(wanted);
    });

    it('refuses JSON that is too large as MessagePack, and harms nobody', () => {
      const lab = new RouterLab({ ...options, maxPayloadBytes: 8192 });
      const [one, text] = [lab.client(), lab.jsonClient()];
      one.send({ type: 'subscribe', topic: `${prefix}a` });
      // 4 bytes of JSON each, 9 of MessagePack.
      const payload = new Array<number>(2000).fill(0.5);
      text.sendJson({ type: 'publish', topic: `${prefix}a`, message: { payload }, request_id: 1 });
      text.sendJson({ type: 'publish', topic: `${prefix}a`, message: { payload: 'small' }, request_id: 2 });
      const answers = text.takeJson();
      expect(answers[0]).toMatchObject({ type: 'error', request_id: 1, error: { code: 'TOO_LARGE' } });
      expect(answers[1]).toMatchObject({ type: 'ack', request_id: 2, seq: 1 });
      expect(one.takeShort()).toEqual(['event 1']);
    });
  });

  describe(`HISTORY of ${home} topics`, () => {
    it('gives the newest messages, oldest first', () => {
      const lab = new RouterLab(options);
      const [one, feed] = [lab.client(), lab.client()];
      feed.send({ type: 'publish', topic: `${prefix}a`, payload: 'x', options: { id: 'm' } });
      feed.send(
        { type: 'publish', topic: `${prefix}a`, payload: [1] },
        { type: 'publish', topic: `${prefix}a`, payload: 2 },
      );
      lab.settle();
      const time = lab.scheduler.epochMs();
      one.send({ type: 'history', id: 1, topic: `${prefix}a`, options: { lastN: 2 } });
      one.send({ type: 'history', id: 2, topic: `${prefix}a` }, { type: 'history', topic: `${prefix}a` });
      one.send({ type: 'history', id: 3, topic: `${prefix}a`, options: { lastN: 0 } });
      const head = { topic: `${prefix}a`, epoch: EPOCH, seq: 3 };
      const newest = [
        [2, time, [1]],
        [3, time, 2],
      ];
      expect(one.take()).toEqual([
        { type: 'ok', id: 1, result: { ...head, messages: newest } },
        { type: 'ok', id: 2, result: { ...head, messages: [[1, time, 'x', 'm'], ...newest] } },
        { type: 'ok', id: 3, result: { ...head, messages: [] } },
      ]);
    });

    it('of a topic that does not exist is TOPIC_NOT_FOUND, and creates none', () => {
      const lab = new RouterLab(options);
      const one = lab.client();
      one.send({ type: 'history', id: 1, topic: `${prefix}none` });
      expect(one.takeShort()).toEqual(['error 1 TOPIC_NOT_FOUND']);
      expect(lab.topics.count).toBe(0);
    });
  });
}

describe('a second SUBSCRIBE', () => {
  it('is answered with the position of the subscription: the events that are still to come have a higher seq', () => {
    const lab = new RouterLab();
    const [one, feed] = [lab.client(), lab.client()];
    one.send({ type: 'subscribe', id: 1, topic: 'a' });
    one.take();
    feed.send({ type: 'publish', topic: 'a', payload: 1 }, { type: 'publish', topic: 'a', payload: 2 });
    // Before the turn that delivers them.
    one.send({ type: 'subscribe', id: 2, topic: 'a' });
    const [ok, ...events] = one.take();
    expect(events).toMatchObject([{ seq: 1 }, { seq: 2 }]);
    expect(ok).toMatchObject({ type: 'ok', id: 2, result: { seq: 0 } });
  });
});

describe('a full ring', () => {
  it('is OVERLOADED for each message with an id, and once per batch for those without', () => {
    const lab = new RouterLab({ laneRingBytes: 4096, registry: HOT });
    const [one, feed] = [lab.client(), lab.client()];
    one.send({ type: 'subscribe', topic: 'hot:a' });
    lab.settle();
    const payload = 'x'.repeat(300);
    const frames = Array.from({ length: 40 }, () => ({ type: 'publish' as const, topic: 'hot:a', payload }));
    feed.send(...frames, { type: 'publish', id: 1, topic: 'hot:a', payload });
    const answers = feed.take();
    const [withId, aggregated] = answers;
    expect(answers).toHaveLength(2);
    expect(withId).toMatchObject({ type: 'error', id: 1, code: 'OVERLOADED', details: { topic: 'hot:a' } });
    expect(aggregated).toMatchObject({ type: 'error', id: null, code: 'OVERLOADED', details: { topic: 'hot:a' } });
    const { count } = (aggregated as { details: { count: number } }).details;
    expect(one.takeShort()).toEqual(Array.from({ length: 40 - count }, (_, i) => `event ${i + 1}`));
    expect(lab.router.publishing.overloadedMessages).toBe(count + 1);
    expect(lab.router.publishing.acceptedMessages).toBe(40 - count);
    expect(lab.router.publishing.pendingAcks.count).toBe(0);
    feed.send({ type: 'publish', id: 2, topic: 'hot:a', payload });
    expect(feed.takeShort()).toEqual(['ok 2']);
  });
});
