// Subscriptions to patterns: what they bring, in which order, and what ends it; both codecs, both homes.

import { describe, expect, it } from 'vitest';
import { PatternClient } from './pattern-lab.js';
import { DEFAULTS, RouterLab, type RouterLabOptions } from './router-lab.js';

const CODECS = ['msgpack', 'json'] as const;
const HOMES = ['cold', 'hot'] as const;
const CASES = CODECS.flatMap((codec) => HOMES.map((home) => ({ codec, home })));

function open(home: 'cold' | 'hot', options: RouterLabOptions = {}) {
  const rules = [
    { match: 'k:*', home, keyed: true },
    { match: '*', home },
  ];
  const lab = new RouterLab({ laneRingBytes: 2 ** 18, ...options, registry: { rules, ...options.registry } });
  const feed = lab.client();
  const publish = (topic: string, payload: unknown, key?: string) =>
    feed.send({ type: 'publish', topic, payload, ...(key === undefined ? {} : { options: { key } }) });
  return { lab, publish };
}

describe.each(CASES)('a pattern, $codec, $home', ({ codec, home }) => {
  it('brings every topic that matches, those to come too, each introduced before its first event', () => {
    const { lab, publish } = open(home);
    publish('a:1', 'old');
    const reader = new PatternClient(lab, codec);
    expect(reader.take()).toEqual([]);
    reader.subscribe('a:*');
    publish('a:1', 'x');
    publish('b', 'other');
    publish('a:2', 'y');
    publish('a:1', 'z');
    const [ok, ...rest] = reader.take();
    expect(ok).toBe('ok 1');
    expect(rest.filter((line) => line.includes('a:1'))).toEqual(['topic a:1@1', 'a:1 2="x"', 'a:1 3="z"']);
    expect(rest.filter((line) => !line.includes('a:1'))).toEqual(['topic a:2@0', 'a:2 1="y"']);
    publish('a:1', 'more');
    expect(reader.take()).toEqual(['a:1 4="more"']);
    expect(lab.faults).toEqual([]);
  });

  it('ends with all its parts, and not with subscriptions of their own or those of another pattern', () => {
    const { lab, publish } = open(home);
    const reader = new PatternClient(lab, codec);
    reader.subscribe('a:own');
    reader.subscribe('a:*');
    reader.subscribe('*:2');
    for (const topic of ['a:own', 'a:1', 'a:2', 'b:2']) publish(topic, 1);
    expect(
      reader
        .take()
        .filter((line) => line.endsWith('=1'))
        .sort(),
    ).toEqual(['a:1 1=1', 'a:2 1=1', 'a:own 1=1', 'b:2 1=1']);
    reader.unsubscribe('a:*');
    // Another pattern has it from there on.
    expect(reader.take()).toEqual(['topic a:2@1', 'ok 4']);
    for (const topic of ['a:own', 'a:1', 'a:2', 'b:2', 'a:3']) publish(topic, 2);
    expect(reader.take().sort()).toEqual(['a:2 2=2', 'a:own 2=2', 'b:2 2=2']);
    reader.unsubscribe('a:*');
    expect(reader.take()).toEqual(['error 5 TOPIC_NOT_FOUND']);
  });

  it('tells when a topic is deleted, and introduces the next one of the name', () => {
    const { lab, publish } = open(home);
    const reader = new PatternClient(lab, codec);
    reader.subscribe('**');
    publish('t', 1);
    expect(reader.take()).toEqual(['ok 1', 'topic t@0', 't 1=1']);
    lab.topics.delete('t');
    publish('t', 2);
    expect(reader.take()).toEqual(['end t', 'topic t@0', 't 1=2']);
  });

  it('asks for each topic, and brings none that is refused', async () => {
    const asked: string[] = [];
    const hooks = {
      authorize: ({ action, topic }: { action: string; topic: string }) => {
        if (action !== 'subscribe') return true;
        asked.push(topic);
        return topic.endsWith('later') ? Promise.resolve(true) : !topic.endsWith('secret');
      },
    };
    const { lab, publish } = open(home, { hooks });
    const reader = new PatternClient(lab, codec);
    reader.subscribe('*');
    for (const topic of ['open', 'secret', 'later', 'open', 'secret']) publish(topic, 1);
    expect(reader.take()).toEqual(['ok 1', 'topic open@0', 'open 1=1', 'open 2=1']);
    await Promise.resolve();
    publish('secret', 2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(reader.take()).toEqual(['topic later@0', 'later 1=1']);
    expect(asked).toEqual(['open', 'secret', 'later']);
    expect(lab.router.patterns.refusedMatches).toBe(1);
  });

  it('says once that there are too many', () => {
    const { lab, publish } = open(home, { maxSubscriptionsPerConnection: 3 });
    const reader = new PatternClient(lab, codec);
    reader.subscribe('*');
    for (const topic of ['a', 'b', 'c', 'd']) publish(topic, 1);
    expect(reader.take().sort()).toEqual(
      ['ok 1', 'topic a@0', 'topic b@0', 'a 1=1', 'b 1=1', 'missed LIMIT_EXCEEDED'].sort(),
    );
    reader.subscribe('e');
    reader.subscribe('e*');
    expect(reader.take()).toEqual(['error 2 LIMIT_EXCEEDED', 'error 3 LIMIT_EXCEEDED']);
  });

  it('begins with what its options want of the past', () => {
    const { lab, publish } = open(home);
    for (const topic of ['k:1', 'k:2', 'x']) for (const value of [1, 2, 3]) publish(topic, value, 'key');
    const [lastTwo, snapshot] = [new PatternClient(lab, codec), new PatternClient(lab, codec)];
    lab.settle();
    lastTwo.subscribe('*', { lastN: 2 });
    snapshot.subscribe('k:*', { snapshot: true });
    expect(lastTwo.take().filter((line) => line.startsWith('k:1'))).toEqual(['k:1 2=2', 'k:1 3=3']);
    expect(snapshot.take().sort()).toEqual(
      ['ok 1', 'topic k:1@3', 'topic k:2@3', 'k:1 snapshot @3', 'k:2 snapshot @3'].sort(),
    );
    publish('k:2', 4, 'key');
    publish('k:3', 1, 'key');
    expect(lastTwo.take().sort()).toEqual(['k:2 4=4', 'k:3 1=1', 'topic k:3@0']);
    expect(snapshot.take().sort()).toEqual([
      'k:2 4=4',
      'k:3 snapshot @1',
      // A lane has not numbered the message by then.
      home === 'hot' ? 'topic k:3@0' : 'topic k:3@1',
    ]);
  });

  it('reads all topics as its options say, also from their first message on', () => {
    const { lab, publish } = open(home);
    const reader = new PatternClient(lab, codec);
    reader.subscribe('*', { fields: ['a'], filter: 'a > 1' });
    for (const topic of ['s', 't']) for (const a of [1, 2, 3]) publish(topic, { a, b: 1 });
    expect(
      reader
        .take()
        .filter((line) => line.includes('='))
        .sort(),
    ).toEqual(['s 2={"a":2}', 's 3={"a":3}', 't 2={"a":2}', 't 3={"a":3}'].sort());
  });

  it('has all parts changed by UPDATE, those to come too', () => {
    const { lab, publish } = open(home);
    const reader = new PatternClient(lab, codec);
    reader.subscribe('k:*');
    publish('k:1', 1, 'key');
    expect(reader.take()).toEqual(['ok 1', 'topic k:1@0', 'k:1 1=1']);
    reader.update('k:*', { mode: 'latest', maxRate: 10 });
    expect(reader.take()).toEqual(['ok 2']);
    lab.advance(200);
    for (const value of [2, 3, 4]) for (const topic of ['k:1', 'k:2']) publish(topic, value, 'key');
    lab.advance(200);
    const got = reader.take().filter((line) => line.includes('='));
    // The first one at once, then the newest of an interval.
    expect(got).toEqual(expect.arrayContaining(['k:1 4=4', 'k:2 3=4']));
    expect(got.filter((line) => line.endsWith('=3'))).toEqual([]);
  });
});

describe('a topic of a pattern', () => {
  function begun(options: RouterLabOptions = {}) {
    const { lab, publish } = open('cold', options);
    const reader = new PatternClient(lab, 'msgpack');
    reader.subscribe('t*');
    publish('t', 1);
    expect(reader.take()).toEqual(['ok 1', 'topic t@0', 't 1=1']);
    return { lab, publish, reader };
  }

  it('is left out when it is unsubscribed from, until it begins anew', () => {
    const { lab, publish, reader } = begun();
    const quiet = lab.topics.declare('t2');
    reader.unsubscribe('t');
    reader.unsubscribe('t2');
    reader.unsubscribe('u');
    expect(reader.take()).toEqual(['ok 2', 'ok 3', 'error 4 TOPIC_NOT_FOUND']);
    for (const topic of ['t', 't2', 't3']) publish(topic, 2);
    expect(reader.take()).toEqual(['topic t3@0', 't3 1=2']);
    expect(quiet.isClosed).toBe(false);
    lab.topics.delete('t');
    publish('t', 3);
    expect(reader.take()).toEqual(['topic t@0', 't 1=3']);
  });

  it('becomes the connection’s own by a SUBSCRIBE, and is the pattern’s again behind UNSUBSCRIBE', () => {
    const { publish, reader } = begun();
    reader.subscribe('t', { filter: '"x" == "x"' });
    publish('t', 2);
    reader.unsubscribe('t');
    publish('t', { a: 1 });
    expect(reader.take()).toEqual(['ok 2', 'ok 3', 'topic t@1', 't 2=2', 't 3={"a":1}']);
    reader.subscribe('t', { lastN: 2 });
    reader.unsubscribe('t*');
    publish('t', 4);
    expect(reader.take()).toEqual(['ok 4', 'ok 5', 't 2=2', 't 3={"a":1}', 't 4=4']);
  });

  it('is not kept by it: it ends when nothing has come for a minute', () => {
    const { lab, publish, reader } = begun({ registry: { defaults: { ...DEFAULTS, historyMessages: 0 } } });
    lab.core.sweeps.start();
    lab.advance(30_000);
    publish('t', 2);
    lab.advance(50_000);
    expect(reader.take()).toEqual(['t 2=2']);
    lab.advance(15_000);
    expect(reader.take()).toEqual(['end t']);
    expect(lab.topics.count).toBe(0);
    publish('t', 3);
    expect(reader.take()).toEqual(['topic t@0', 't 1=3']);
  });

  it('that nobody is allowed does not begin anew with each message', () => {
    const hooks = { authorize: ({ action }: { action: string }) => action === 'publish' };
    const { lab, publish } = open('cold', { hooks, registry: { defaults: { ...DEFAULTS, historyMessages: 0 } } });
    new PatternClient(lab, 'msgpack').subscribe('*');
    for (let round = 0; round < 3; round++) {
      publish('t', round);
      lab.settle();
    }
    expect(lab.topics.find('t')?.acceptedMessages).toBe(3);
    expect(lab.router.patterns.refusedMatches).toBe(1);
  });

  it('is kept by a subscription of its own', () => {
    const { lab, reader } = begun({ registry: { defaults: { ...DEFAULTS, historyMessages: 0 } } });
    reader.subscribe('t');
    lab.core.sweeps.start();
    lab.advance(70_000);
    expect(reader.take()).toEqual(['ok 2']);
    reader.unsubscribe('t');
    lab.advance(5_000);
    expect(reader.take()).toEqual(['ok 3', 'topic t@1', 'end t']);
  });

  it('makes room for a new one when there may be no more', () => {
    const defaults = { ...DEFAULTS, historyMessages: 0 };
    const { lab, publish, reader } = begun({ registry: { defaults, maxTopics: 2 } });
    publish('t2', 1);
    publish('u', 1);
    expect(reader.take()).toEqual(['topic t2@0', 't2 1=1']);
    expect(lab.topics.find('u')).toBeUndefined();
    lab.advance(61_000);
    publish('u', 1);
    expect(reader.take()).toHaveLength(1);
    expect(lab.topics.find('u')).toBeDefined();
  });
});

describe('what a pattern cannot have', () => {
  it.each([
    ['*', { since: { epoch: 'e', seq: 1 } }, /sinceTime/],
    ['*', { durable: 'd' }, /durable/],
    ['*', { lastN: 1, sinceTime: 1 }, /only one/],
    ['*', { track: true }, /track/],
    ['*', { filter: '(' }, /filter/],
    ['*', { delta: true, mode: 'latest' as const }, /delta/],
  ])('%s %o', (topic, options, message) => {
    const client = open('cold').lab.client();
    client.send({ type: 'subscribe', id: 1, topic, options });
    const [frame] = client.take();
    expect(frame).toMatchObject({ type: 'error', id: 1, code: 'BAD_REQUEST', message: expect.stringMatching(message) });
  });

  it('more than a hundred of them', () => {
    const reader = new PatternClient(open('cold', { maxSubscriptionsPerConnection: 1000 }).lab, 'msgpack');
    for (let index = 0; index < 101; index++) reader.subscribe(`${index}*`);
    reader.subscribe('0**');
    expect(reader.take().slice(-2)).toEqual(['error 101 LIMIT_EXCEEDED', 'ok 102']);
  });
});
