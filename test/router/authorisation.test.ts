// The authorize hook: who may do what, answered at once, later, or not at all.

import { describe, expect, it } from 'vitest';
import { decode } from '#src/protocol/msgpack.js';
import type { AuthorizeRequest, MaybePromise } from '#src/router/hooks.js';
import { deferred } from '../ring/deferred.js';
import { RouterLab } from './router-lab.js';

/** A hook that is answered by the test. */
function askedLater() {
  const asked: (AuthorizeRequest & { answer: (isAllowed: boolean) => void; fail: (fault: unknown) => void })[] = [];
  const authorize = (request: AuthorizeRequest): Promise<boolean> =>
    new Promise((answer, fail) => asked.push({ ...request, answer, fail }));
  return { asked, hooks: { authorize } };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('authorize', () => {
  it('is asked with who, what and which topic', () => {
    const asked: AuthorizeRequest[] = [];
    const lab = new RouterLab({
      hooks: {
        authorize(request) {
          asked.push(request);
          return true;
        },
      },
    });
    const one = lab.client();
    one.send(
      { type: 'connect', options: { clientId: 'me', token: 'secret' } },
      { type: 'subscribe', id: 1, topic: 'a' },
    );
    one.send({ type: 'publish', id: 2, topic: 'b', payload: 1 }, { type: 'history', id: 3, topic: 'b' });
    const { connectionId } = one.session;
    const who = { connectionId, clientId: 'me', token: 'secret', context: { from: 'test' } };
    expect(asked).toEqual([
      { ...who, action: 'subscribe', topic: 'a' },
      { ...who, action: 'publish', topic: 'b' },
      { ...who, action: 'subscribe', topic: 'b' },
    ]);
    expect(one.takeShort()).toEqual(['ok 1', 'ok 2', 'ok 3']);
  });

  it('refuses with FORBIDDEN, and no topic is made', () => {
    const lab = new RouterLab({ hooks: { authorize: () => false } });
    const one = lab.client();
    one.send({ type: 'subscribe', id: 1, topic: 'a' }, { type: 'publish', id: 2, topic: 'a', payload: 1 });
    one.send({ type: 'history', id: 3, topic: 'a' }, { type: 'publish', topic: 'a', payload: 1 });
    one.send({ type: 'publish', id: 4, topic: 'a', payload: null, options: { open: true } });
    expect(one.takeShort()).toEqual([1, 2, 3, null, 4].map((id) => `error ${id} FORBIDDEN`));
    expect(lab.topics.count).toBe(0);
  });

  it('is asked once per connection and topic for publishing, for each subscription anew', () => {
    const asked: string[] = [];
    const lab = new RouterLab({
      hooks: {
        authorize({ action, topic }) {
          asked.push(`${action} ${topic}`);
          return true;
        },
      },
    });
    const one = lab.client();
    for (let i = 0; i < 3; i++) {
      for (const topic of ['a', 'b', 1]) one.send({ type: 'publish', topic, payload: i });
      one.send({ type: 'subscribe', topic: 'a' });
    }
    expect(asked).toEqual(['publish a', 'publish b', 'subscribe a', 'subscribe a', 'subscribe a']);
    const other = lab.client();
    other.send({ type: 'publish', topic: 'a', payload: 1 });
    expect(asked).toHaveLength(6);
  });

  it('is asked for publishing also where an alias is known from a subscription', () => {
    const lab = new RouterLab({ hooks: { authorize: ({ action }) => action === 'subscribe' } });
    const one = lab.client();
    one.send({ type: 'subscribe', id: 1, topic: 'a' }, { type: 'publish', id: 2, topic: 1, payload: 'x' });
    expect(one.takeShort()).toEqual(['ok 1', 'error 2 FORBIDDEN']);
  });

  it('that throws is INTERNAL for the client and a fault for the application', async () => {
    const fault = new Error('database down');
    const lab = new RouterLab({
      hooks: {
        authorize() {
          throw fault;
        },
      },
    });
    const one = lab.client();
    one.send({ type: 'subscribe', id: 1, topic: 'a' }, { type: 'ping', id: 2 });
    expect(one.takeShort()).toEqual(['error 1 INTERNAL', 'pong 2']);
    await Promise.resolve(); // faults are told in their own time
    expect(lab.faults).toEqual([fault]);
  });

  it('that rejects, too', async () => {
    const fault = new Error('database down');
    const lab = new RouterLab({ hooks: { authorize: () => Promise.reject(fault) } });
    const one = lab.client();
    one.send({ type: 'publish', id: 1, topic: 'a', payload: 1 }, { type: 'ping', id: 2 });
    await one.idle();
    expect(one.takeShort()).toEqual(['error 1 INTERNAL', 'pong 2']);
    expect(lab.faults).toEqual([fault]);
    expect(lab.topics.count).toBe(0);
  });

  it('of which the answer is a promise of another make is waited for, not taken for a yes', async () => {
    // biome-ignore lint/suspicious/noThenProperty: this is the point
    const thenable = { then: (settle: (isAllowed: boolean) => void) => void setImmediate(() => settle(false)) };
    const lab = new RouterLab({ hooks: { authorize: () => thenable as unknown as MaybePromise<boolean> } });
    const one = lab.client();
    one.send({ type: 'subscribe', id: 1, topic: 'a' });
    expect(one.takeShort()).toEqual([]);
    await one.idle();
    expect(one.takeShort()).toEqual(['error 1 FORBIDDEN']);
  });
});

describe('authorize by a promise', () => {
  it('keeps the order of the connection’s frames, and holds up nobody else', async () => {
    const { asked, hooks } = askedLater();
    const lab = new RouterLab({ hooks });
    const [one, other] = [lab.client(), lab.client()];
    one.send(
      { type: 'ping', id: 1 },
      { type: 'subscribe', id: 2, topic: 'a' },
      { type: 'ping', id: 3 },
      { type: 'subscribe', id: 4, topic: 'b' },
      { type: 'ping', id: 5 },
    );
    one.send({ type: 'ping', id: 6 });
    other.send({ type: 'ping', id: 7 });
    expect([one.takeShort(), other.takeShort()]).toEqual([['pong 1'], ['pong 7']]);
    asked[0].answer(true);
    await turn();
    expect(one.takeShort()).toEqual(['ok 2', 'pong 3']);
    asked[1].answer(false);
    await one.idle();
    expect(one.takeShort()).toEqual(['error 4 FORBIDDEN', 'pong 5', 'pong 6']);
  });

  it('publishes what was sent, although the socket has taken its buffer back', async () => {
    const { asked, hooks } = askedLater();
    const lab = new RouterLab({ hooks });
    const [one, listener] = [lab.client(), lab.client()];
    listener.send({ type: 'subscribe', topic: 'a' });
    asked[0].answer(true);
    await listener.idle();
    one.send(
      { type: 'publish', id: 1, topic: 'a', payload: 'first', options: { id: 'm' } },
      { type: 'publish', id: 2, topic: 'a', payload: 'second' },
    );
    one.send({ type: 'publish', id: 3, topic: 'a', payload: 'third' });
    asked[1].answer(true);
    await one.idle();
    const events = listener.take().map((frame) => {
      if (frame.type !== 'event') throw new Error(frame.type);
      return [frame.seq, decode(frame.payloadBytes), frame.id];
    });
    expect(events).toEqual([
      [1, 'first', 'm'],
      [2, 'second', null],
      [3, 'third', null],
    ]);
    expect(one.takeShort()).toEqual(['ok 1', 'ok 2', 'ok 3']);
  });

  it('gives a message the time at which it was accepted, not that of a batch long ago', async () => {
    const { asked, hooks } = askedLater();
    const defaults = {
      historyMessages: 10,
      historyBytes: 10_000,
      maxDelayMs: 0,
      slowConsumerPolicy: 'drop_oldest' as const,
      maxLagMs: 1000,
      maxLagMessages: 0,
    };
    const lab = new RouterLab({ hooks, registry: { defaults } });
    const [one, listener] = [lab.client(), lab.client()];
    listener.send({ type: 'subscribe', topic: 'a' });
    asked[0].answer(true);
    await listener.idle();
    one.send({ type: 'publish', id: 1, topic: 'a', payload: 'x' });
    lab.scheduler.advance(5000);
    asked[1].answer(true);
    await one.idle();
    expect(one.take()).toMatchObject([{ type: 'ok', id: 1, result: { time: lab.scheduler.epochMs() } }]);
    expect(listener.takeShort(), 'not too late, but in time').toEqual(['event 1']);
  });

  it('tells of a full ring, also when nothing else comes from the connection', async () => {
    const { asked, hooks } = askedLater();
    const rules = [{ match: '*', home: 'hot' as const }];
    const lab = new RouterLab({ hooks, laneRingBytes: 4096, registry: { rules } });
    const [one, feed] = [lab.client(), lab.client()];
    feed.send({ type: 'publish', topic: 'a', payload: 1 });
    asked[0].answer(true);
    await feed.idle();
    for (let i = 0; i < 40; i++) feed.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(300) });
    one.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(300) });
    asked[1].answer(true);
    await one.idle();
    expect(one.takeShort()).toEqual(['error null OVERLOADED']);
  });

  it('does nothing any more when the connection has ended meanwhile', async () => {
    const { asked, hooks } = askedLater();
    const lab = new RouterLab({ hooks });
    const [a, b, c] = [lab.client(), lab.client(), lab.client()];
    a.send({ type: 'subscribe', id: 1, topic: 'a' });
    b.send({ type: 'publish', id: 1, topic: 'a', payload: 1 });
    c.send({ type: 'subscribe', id: 1, topic: 'a' });
    for (const one of [a, b, c]) one.close();
    asked[0].answer(true);
    asked[1].answer(true);
    asked[2].fail(new Error('late'));
    for (const one of [a, b, c]) await one.idle();
    expect([a, b, c].flatMap((one) => one.take())).toEqual([]);
    expect(lab.topics.count).toBe(0);
    expect(lab.delivery.load).toMatchObject({ consumers: 0, subscriptions: 0 });
  });
});

describe('onSubscribe and onClose', () => {
  it('are told', () => {
    const told: unknown[] = [];
    const lab = new RouterLab({
      hooks: { onSubscribe: (subscription) => told.push(subscription), onClose: (connection) => told.push(connection) },
    });
    const one = lab.client();
    one.send({ type: 'subscribe', topic: 'a' }, { type: 'subscribe', topic: 'a' });
    lab.router.end(one.session, 1001, 'bye');
    const who = { connectionId: one.session.connectionId, clientId: null, token: null, context: { from: 'test' } };
    expect(told).toEqual([
      { ...who, topic: 'a', epoch: expect.any(String), seq: 0 },
      { ...who, code: 1001, reason: 'bye' },
    ]);
  });

  it('may throw or reject: that is a fault, and harms nobody', async () => {
    const rejected = deferred();
    const lab = new RouterLab({
      hooks: {
        onSubscribe() {
          throw new Error('thrown');
        },
        onClose: async () => {
          rejected.resolve();
          throw new Error('rejected');
        },
      },
    });
    const one = lab.client();
    one.send({ type: 'subscribe', id: 1, topic: 'a' }, { type: 'publish', topic: 'a', payload: 1 });
    expect(one.takeShort()).toEqual(['ok 1', 'event 1']);
    one.close();
    await rejected.promise;
    await turn();
    expect(lab.faults).toEqual([new Error('thrown'), new Error('rejected')]);
  });
});
