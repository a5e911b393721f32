// Subscriptions to patterns over real sockets, by this package's client, by URL, and within the process.
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { connect, type TopicBeginning, type TopicEvent } from '#src/client/client.js';
import type { LocalEvent } from '#src/index.js';
import { startEngine } from '../support/engines.js';
import { until } from '../support/until.js';

const TOPICS = [{ match: 'hot:*', home: 'hot' as const }];

async function start() {
  const { engine, url } = await startEngine({ lanes: 1, topics: TOPICS });
  const client = await connect(url, { WebSocket });
  return { engine, url, client };
}

const short = ({ topic, seq, payload }: TopicEvent | LocalEvent): string =>
  `${topic} ${seq} ${JSON.stringify(payload)}`;

describe('the client, subscribed to a pattern', () => {
  it('gets every topic that matches, cold and hot, from the first message on', async () => {
    const { engine, client } = await start();
    const events: string[] = [];
    const begun: TopicBeginning[] = [];
    client.on('topic', (topic) => begun.push(topic));
    await engine.publish('cold:a', 'before');
    const subscription = await client.subscribe('*:a**', {}, (event) => {
      expect(begun.find(({ topic }) => topic === event.topic)?.epoch).toBe(event.epoch);
      events.push(short(event));
    });
    expect(subscription).toMatchObject({ topic: '*:a*', alias: -1, epoch: '', seq: 0 });
    for (const topic of ['cold:a', 'hot:a', 'hot:b', 'cold:ab']) await engine.publish(topic, 1);
    await until(() => events.length === 3, 'three events');
    expect(events.sort()).toEqual(['cold:a 2 1', 'cold:ab 1 1', 'hot:a 1 1']);
    expect(begun.map(({ topic, pattern, seq }) => `${pattern} ${topic}@${seq}`).sort()).toEqual(
      ['*:a* cold:a@1', '*:a* cold:ab@0', '*:a* hot:a@0'].sort(),
    );
    await client.update('*:a*', { maxDelayMs: 5 });
    const own: string[] = [];
    const exact = await client.subscribe('hot:a', {}, (event) => own.push(short(event)));
    await engine.publish('hot:a', 2);
    await until(() => own.length === 1, 'an event of its own');
    await exact.close();
    await engine.publish('hot:a', 3);
    await until(() => events.length === 4, 'one of the pattern again');
    expect([own, events.at(-1)]).toEqual([['hot:a 2 2'], 'hot:a 3 3']);
    const ended: string[] = [];
    client.on('unsubscribed', ({ topic }) => ended.push(topic));
    engine.deleteTopic('cold:ab');
    await until(() => ended.length === 1, 'the end of a topic');
    await subscription.close();
    for (const topic of ['cold:a', 'hot:a', 'cold:ab']) await engine.publish(topic, 4);
    await client.ping();
    expect(events).toHaveLength(4);
    await client.close();
  });

  it('goes on by time after it was away, applies deltas of each topic, and has options refused', async () => {
    const { engine, client } = await start();
    const events: string[] = [];
    const before = Date.now() - 10_000;
    for (const topic of ['hot:d', 'cold:d']) await engine.publish(topic, { a: 1, b: 1 });
    await client.subscribe('*:d', { sinceTime: before }, (event) => events.push(short(event)));
    await until(() => events.length === 2, 'what was there');
    const values: string[] = [];
    const other = await connect(engine.url, { WebSocket });
    const snapshots: string[] = [];
    other.on('snapshot', ({ topic }) => snapshots.push(topic));
    await other.subscribe('*', { delta: true }, (event) => values.push(short(event)));
    for (const topic of ['hot:d', 'cold:d']) await engine.publish(topic, { a: 2, b: 1 });
    await until(() => snapshots.length === 2, 'what the deltas build on');
    for (const topic of ['hot:d', 'cold:d']) await engine.publish(topic, { a: 3, b: 1 });
    await until(() => values.length === 2, 'whole values');
    expect(values.sort()).toEqual(['cold:d 3 {"a":3,"b":1}', 'hot:d 3 {"a":3,"b":1}']);
    await expect(client.subscribe('x*', { since: { epoch: 'e', seq: 1 } }, () => {})).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    await expect(client.publish('x*', 1)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(engine.publish('x*', 1)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(() => engine.createTopic('x*')).toThrow(/star/);
    await other.close();
    await client.close();
  });
});

it('a URL may name patterns', async () => {
  const { engine, url, client } = await start();
  const socket = new WebSocket(`${url}/${encodeURIComponent('cold:*')}`);
  const lines: string[] = [];
  socket.on('message', (data) => lines.push(String(data)));
  await until(() => lines.length === 2, 'the welcome and the answer');
  expect(JSON.parse(lines[1])).toMatchObject({ type: 'ack', topic: 'cold:*' });
  await engine.publish('cold:x', 1);
  await until(() => lines.length === 4, 'an event');
  expect(lines.slice(2).map((line) => JSON.parse(line))).toMatchObject([
    { type: 'info', msg: 'topic', details: { topic: 'cold:x', seq: 0, pattern: 'cold:*' } },
    { type: 'event', topic: 'cold:x', seq: 1 },
  ]);
  socket.terminate();
  await client.close();
});

it('a subscriber of the process may have a pattern', async () => {
  const { engine, client } = await start();
  const told: string[] = [];
  const ends: string[] = [];
  const subscription = engine.subscribe(
    '*:p',
    {
      onTopic: ({ topic, epoch, seq }) => told.push(`${topic}@${seq} ${epoch === '' ? 'no epoch' : 'begins'}`),
      onTopicEnd: ({ topic, code }) => ends.push(`${topic} ${code}`),
      onEnd: () => ends.push('ended'),
    },
    (event) => told.push(short(event)),
  );
  for (const topic of ['cold:p', 'hot:p']) await client.publish(topic, 1);
  await until(() => told.length === 4, 'two events');
  expect(told.filter((line) => line.startsWith('hot'))).toEqual(['hot:p@0 begins', 'hot:p 1 1']);
  subscription.update({ maxDelayMs: 1 });
  expect(() => subscription.update({ mode: 'never' as never })).toThrow(/mode/);
  engine.deleteTopic('cold:p');
  await until(() => ends.length === 1, 'the end of a topic');
  await client.publish('hot:p', 2);
  await until(() => told.length === 5, 'another event');
  subscription.close();
  expect(() => subscription.update({})).toThrow(/no subscription/);
  await client.publish('hot:p', 3);
  await client.ping();
  expect([told.length, ends]).toEqual([5, ['cold:p TOPIC_NOT_FOUND']]);
  expect(engine.stats().subscriptions).toBe(0);
  await client.close();
});
