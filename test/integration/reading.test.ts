// One engine, three ways to it: within the process, by this package's client, by a socket that speaks JSON. Whatever is wished for, all
// of them get the same.
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { connect } from '#src/client/client.js';
import type { Engine } from '#src/index.js';
import { type SubscribeOptions as AllOptions, OPTIONS } from '#src/protocol/messages.js';
import { Values } from '#src/protocol/values.js';
import { startEngine } from '../support/engines.js';
import { until } from '../support/until.js';

const KEYED = { keyed: true } as const;
const RULES = [
  { match: 'cold:*', home: 'cold', ...KEYED },
  { match: 'hot:*', home: 'hot', ...KEYED },
] as const;

type SubscribeOptions = Omit<AllOptions, 'onGap' | 'clientId'>;

interface Told {
  readonly seq: number;
  readonly key: string | null;
  readonly change: string | null;
  readonly payload: unknown;
}

/** What a subscriber has been told, in order: events, and the entries of snapshots. */
type Heard = Told[];

/** Four keys in turn, with a price that goes up and a name that stays; the last message ends what is listened for. */
const MESSAGES = Array.from({ length: 24 }, (_, n) => ({
  key: `k${n % 4}`,
  payload: { price: Math.floor(n / 2), size: { bid: n % 8 < 4 ? 1 : 2 }, name: `n${n % 4}` },
}));
const LAST = { key: 'end', payload: { price: 1000, size: { bid: 9 }, name: 'end' } };
const BEFORE = 8;

const SEQ_OF_LAST = MESSAGES.length + 1;

async function subscribeLocally(engine: Engine, topic: string, options: SubscribeOptions): Promise<Heard> {
  const record: Heard = [];
  const onSnapshot = ({ entries }: { entries: readonly Omit<Told, 'change'>[] }) => {
    for (const { seq, key, payload } of entries) record.push({ seq, key, change: 'snapshot', payload });
  };
  engine.subscribe(topic, { ...options, onSnapshot }, ({ seq, key = null, change = null, payload }) =>
    record.push({ seq, key, change, payload }),
  );
  return record;
}

async function subscribeByClient(url: string, topic: string, options: SubscribeOptions): Promise<Heard> {
  const record: Heard = [];
  const client = await connect(url, { WebSocket });
  client.on('snapshot', ({ entries }) => {
    for (const { seq, key, payload } of entries) record.push({ seq, key, change: 'snapshot', payload });
  });
  await client.subscribe(topic, options, ({ seq, key = null, change = null, payload }) =>
    record.push({ seq, key, change, payload }),
  );
  return record;
}

async function subscribeByJson(url: string, topic: string, options: SubscribeOptions): Promise<Heard> {
  const record: Heard = [];
  const values = new Values();
  const socket = new WebSocket(`${url}?codec=json`);
  let isAnswered = false;
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    if (message.type === 'ack') isAnswered = true;
    if (message.type === 'error') throw new Error(message.message);
    if (message.type === 'snapshot') {
      values.take(
        message.entries.map(({ seq, key, payload }: Told) => [key, seq, 0, payload]),
        message.first,
      );
      for (const { seq, key, payload } of message.entries) record.push({ seq, key, change: 'snapshot', payload });
    }
    if (message.type !== 'event') return;
    const { seq, key = null, change = null } = message;
    const said = message.message.payload;
    const payload = options.delta === true ? values.valueOf({ key, change }, said) : said;
    record.push({ seq, key, change: change === 'delta' ? null : change, payload });
  });
  await new Promise((resolve) => socket.once('open', resolve));
  const named = Object.entries(options).map(([name, value]) => [
    OPTIONS.SUBSCRIBE[name as keyof typeof OPTIONS.SUBSCRIBE].json,
    value,
  ]);
  socket.send(JSON.stringify({ type: 'subscribe', request_id: 1, topic, ...Object.fromEntries(named) }));
  await until(() => isAnswered, 'the answer to a JSON client');
  return record;
}

const after = (from: number) => [...MESSAGES, LAST].map((message, n) => ({ seq: n + 1, ...message })).slice(from);
const event = ({ seq, key, payload }: { seq: number; key: string; payload: unknown }): Told => {
  return { seq, key, change: null, payload };
};
const snapshot = (payloadOf: (payload: (typeof LAST)['payload']) => unknown = (payload) => payload): Told[] =>
  after(BEFORE - 4)
    .slice(0, 4)
    .map((message) => ({ ...event(message), payload: payloadOf(message.payload), change: 'snapshot' }));
const live = after(BEFORE).map(event);
const sized = (payload: { size: { bid: number } }) => ({ size: { bid: payload.size.bid } });

/** What is wished for, and what comes of it. */
const CASES: readonly (readonly [SubscribeOptions, Told[]])[] = [
  [{}, live],
  [{ lastN: 3 }, after(BEFORE - 3).map(event)],
  [{ snapshot: true }, [...snapshot(), ...live]],
  [
    { filter: 'price > 8 && name in ["n1", "end"]' },
    live.filter(({ payload }) => {
      const { price, name } = payload as (typeof LAST)['payload'];
      return price > 8 && (name === 'n1' || name === 'end');
    }),
  ],
  [
    { fields: ['size.bid'] },
    // Each message of a key has another size than the one before.
    after(BEFORE).map((message) => ({ ...event(message), payload: sized(message.payload) })),
  ],
  [{ delta: true, deltaFullEvery: 3 }, [...snapshot(), ...live]],
  [{ sinceTime: 0 }, after(0).map(event)],
];

describe.each(['cold:t', 'hot:t'])('of %s', (topic) => {
  it.each(CASES)('with %j everybody gets the same', async (options, expected) => {
    const { engine, url } = await startEngine({ topics: RULES });
    for (const { key, payload } of MESSAGES.slice(0, BEFORE)) await engine.publish(topic, payload, { key });
    const records = [
      await subscribeLocally(engine, topic, options),
      await subscribeByClient(url, topic, options),
      await subscribeByJson(url, topic, options),
    ];
    for (const { key, payload } of [...MESSAGES.slice(BEFORE), LAST]) await engine.publish(topic, payload, { key });
    const isThrough = () => records.every((record) => record.at(-1)?.seq === SEQ_OF_LAST);
    await until(isThrough, () => JSON.stringify(records.map((record) => record.at(-1))));
    for (const record of records) expect(record).toEqual(expected);
  });

  it('a rate is changed while it is read', async () => {
    const { engine, url } = await startEngine({ topics: RULES });
    const newest = new Map<string, unknown>();
    const own = engine.subscribe(topic, {}, ({ key, payload }) => newest.set(`own ${key}`, payload));
    const client = await connect(url, { WebSocket });
    await client.subscribe(topic, {}, ({ key, payload }) => newest.set(`client ${key}`, payload));
    for (const maxRate of [1000, 20]) {
      own.update({ maxRate });
      await client.update(topic, { maxRate });
      for (let n = 0; n < 200; n++) void engine.publish(topic, { n, maxRate }, { key: `k${n % 2}` });
      const isNewest = (who: string) =>
        [198, 199].every((n) => {
          const value = newest.get(`${who} k${n % 2}`) as { n: number; maxRate: number } | undefined;
          return value?.n === n && value.maxRate === maxRate;
        });
      await until(() => isNewest('own') && isNewest('client'), 'the newest values');
    }
    expect(engine.stats().mergedMessages).toBeGreaterThan(0);
    expect(engine.stats().lostMessages).toBe(0);
    expect(() => own.update({ maxRate: 0 })).toThrow('option maxRate must be a number from 0.01 to 1000');
    expect(() => own.update({ mode: 'every', maxRate: 5 })).toThrow('the mode every, and deltas, are not for it');
    expect(() => own.update({ lastN: 5 } as never)).toThrow('unknown option "lastN" of update');
    own.close();
    expect(() => own.update({ mode: 'every' })).toThrow('no subscription to');
    await client.close();
  });
});
