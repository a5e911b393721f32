// Order books through a real server: the client keeps them, subscribers within the process are told.
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { connect } from '#src/client/client.js';
import { startEngine } from '../support/engines.js';
import { until } from '../support/until.js';

const RULES = [
  { match: 'cold:*', home: 'cold', type: 'book', book: 'binance' },
  { match: 'hot:*', home: 'hot', type: 'book', book: 'binance' },
] as const;

const difference = (id: number, b: unknown) => ({ U: id, u: id, b, a: [] });

describe.each(['cold:book', 'hot:book'])('the book %s', (topic) => {
  it('is kept by the client, and told of within the process', async () => {
    const { engine, url } = await startEngine({ lanes: 1, topics: [...RULES] });
    const local: unknown[] = [];
    engine.subscribe(
      topic,
      {
        depth: 1,
        onSnapshot: ({ entries }) => local.push(entries.map(({ payload }) => payload)),
        onStale: () => local.push('stale'),
      },
      ({ payload }) => local.push(payload),
    );
    const client = await connect(url, { WebSocket });
    const notices: string[] = [];
    client.on('notice', ({ kind }) => notices.push(kind));
    const seen: unknown[] = [];
    const all = await client.subscribe(topic, { book: 'binance' }, (_, { book }) => seen.push(book?.bids()));
    const other = await connect(url, { WebSocket });
    const best = await other.subscribe(topic, { depth: 1, checksum: true }, () => {});
    expect([all.book?.isValid, best.book?.isValid]).toEqual([false, false]);
    await client.publish(topic, {
      lastUpdateId: 1,
      bids: [
        ['10.0', '1'],
        ['9.0', '2'],
      ],
      asks: [['11.0', '3']],
    });
    await client.publish(topic, difference(2, [['10.0', '5']]));
    await until(() => seen.length === 2 && best.book?.last === 2);
    expect(seen.at(-1)).toEqual([
      ['10.0', '5'],
      ['9.0', '2'],
    ]);
    expect([best.book?.bids(), best.book?.asks()]).toEqual([[['10.0', '5']], [['11.0', '3']]]);
    expect(best.book?.checksum()).toBeGreaterThan(0);
    await client.publish(topic, difference(9, [['10.0', '6']]));
    await until(() => notices.length === 1 && best.book?.isValid === false && local.at(-1) === 'stale');
    expect([notices, all.book?.isValid, all.book?.bids()]).toEqual([['stale'], false, []]);
    await client.publish(topic, { lastUpdateId: 9, bids: [['8.0', '1']], asks: [] });
    await until(() => best.book?.isValid === true && all.book?.isValid === true);
    expect([all.book?.last, best.book?.bids()]).toEqual([9, [['8.0', '1']]]);
    expect(local).toEqual([
      [],
      { book: 'snapshot', bids: [['10.0', '1']], asks: [['11.0', '3']], last: 1 },
      { book: 'update', bids: [['10.0', '5']], asks: [], last: 2 },
      'stale',
      { book: 'snapshot', bids: [['8.0', '1']], asks: [], last: 9 },
    ]);
    const plain = await connect(url, { WebSocket });
    expect((await plain.subscribe(topic, {}, () => {})).book).toBe(null);
    await expect(plain.subscribe('another', { depth: 1 }, () => {})).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});
