// PUBLISH_BATCH: many messages, one answer.

import { describe, expect, it } from 'vitest';
import type { PlacementRule } from '#src/directory/placement-rules.js';
import type { MessageOptions, ServerMessage } from '#src/protocol/messages.js';
import { decode } from '#src/protocol/msgpack.js';
import { type RouterClient, RouterLab, type RouterLabOptions } from './router-lab.js';

type Message = readonly [payload: unknown, options?: MessageOptions];

const HOMES = ['cold', 'hot'] as const;
const CODECS = ['msgpack', 'json'] as const;

function labOf(
  home: (typeof HOMES)[number],
  rule: Omit<PlacementRule, 'match' | 'home'> = {},
  options: RouterLabOptions = {},
): RouterLab {
  return new RouterLab({ laneRingBytes: 2 ** 18, registry: { rules: [{ match: '*', home, ...rule }] }, ...options });
}

/** Sends a batch to `t`; the answers, without their time. */
function publish(lab: RouterLab, codec: (typeof CODECS)[number], messages: readonly Message[], id: number | null = 1) {
  const client = codec === 'json' ? lab.jsonClient() : lab.client();
  if (codec === 'json') {
    const named = messages.map(([payload, { noEcho, ttlMs, ifSeq, ...rest } = {}]) => {
      return { payload, no_echo: noEcho, ttl_ms: ttlMs, if_seq: ifSeq, ...rest };
    });
    client.sendJson({ type: 'publish_batch', request_id: id, topic: 't', messages: named });
    return client.takeJson().map((answer) => {
      const { seq, first, count, pressure, error } = answer as Record<string, unknown>;
      return error ?? { seq, first, count, pressure };
    });
  }
  client.send({ type: 'publish_batch', id, topic: 't', messages });
  return client.take().map((answer) => {
    if (answer.type === 'error') return { code: answer.code, message: answer.message, details: answer.details };
    const { seq, first, count, pressure } = (answer as ServerMessage & { result: Record<string, unknown> }).result;
    return { seq, first, count, pressure };
  });
}

function received(client: RouterClient): unknown[] {
  return client.take().flatMap((frame) => {
    return frame.type === 'event' ? [[frame.seq, decode(frame.payloadBytes), frame.key, frame.id]] : [];
  });
}

for (const home of HOMES) {
  for (const codec of CODECS) {
    describe(`a batch to a ${home} topic, in ${codec}`, () => {
      it('is answered once, with its first and its last number', () => {
        const lab = labOf(home, { keyed: true, missingKey: 'pass' });
        const reader = lab.client();
        reader.send({ type: 'subscribe', topic: 't' });
        expect(
          publish(lab, codec, [['a'], [{ b: [1] }, { key: 'k', id: 'i', version: 3, ttlMs: 50 }], [null]]),
        ).toEqual([{ seq: 3, first: 1, count: 3, pressure: 0 }]);
        expect(publish(lab, codec, [['d']])).toEqual([{ seq: 4, first: 4, count: 1, pressure: 0 }]);
        expect(received(reader)).toEqual([
          [1, 'a', null, null],
          [2, { b: [1] }, 'k', 'i'],
          [3, null, null, null],
          [4, 'd', null, null],
        ]);
        expect(publish(lab, codec, [['e']], null), 'nobody waits for an answer').toEqual([]);
      });

      it('may be sent again where messages have ids', () => {
        const lab = labOf(home, { dedupWindow: { messages: 100, ms: 1000 } });
        const messages = [1, 2, 3].map((n): Message => [n, { id: `m${n}` }]);
        expect(publish(lab, codec, messages.slice(0, 2))).toMatchObject([{ seq: 2, first: 1, count: 2 }]);
        expect(publish(lab, codec, messages)).toMatchObject([{ seq: 3, first: 3, count: 1 }]);
        expect(publish(lab, codec, messages)).toEqual([{ seq: 3, first: undefined, count: 0, pressure: 0 }]);
      });

      it('says which of its messages were refused, and takes the others', () => {
        const lab = labOf(home, { keyed: true });
        expect(
          publish(lab, codec, [[1, { key: 'a' }], [2], [3, { key: 'b' }], [4, { key: 'a', ifSeq: 7 }]]),
        ).toMatchObject([{ code: 'BAD_REQUEST', details: { index: 1, refused: [1, 3], count: 2, first: 1, seq: 2 } }]);
        expect(publish(lab, codec, [[4, { key: 'a', ifSeq: 7 }]], null)).toMatchObject([
          { code: 'CONFLICT', details: { seq: 1, index: 0, refused: [0], count: 0 } },
        ]);
      });

      it('is refused from where its rate, or its home, takes no more', () => {
        const slow = labOf(home, { maxPublishRate: 2 });
        expect(publish(slow, codec, [[1], [2], [3], [4]])).toMatchObject([
          {
            code: 'RATE_LIMITED',
            details: { index: 2, refused: [2, 3], count: 2, first: 1, seq: 2 },
          },
        ]);
        const large = labOf(home, {}, { maxPayloadBytes: 100 });
        expect(publish(large, codec, [[1], ['x'.repeat(100)], [3]])).toMatchObject([
          { code: 'TOO_LARGE', details: { index: 1, refused: [1], count: 2, first: 1, seq: 2 } },
        ]);
      });

      it('is kept while a hook is waited for', async () => {
        let allow = (_: boolean): void => {};
        const authorize = () => new Promise<boolean>((resolve) => (allow = resolve));
        const lab = labOf(home, {}, { hooks: { authorize } });
        const client = codec === 'json' ? lab.jsonClient() : lab.client();
        if (codec === 'json')
          client.sendJson({
            type: 'publish_batch',
            topic: 't',
            messages: [{ payload: 'one' }, { payload: 'two', id: 'i' }],
          });
        else client.send({ type: 'publish_batch', topic: 't', messages: [['one'], ['two', { id: 'i' }]] });
        allow(true);
        await client.idle();
        const entry = lab.topics.find('t');
        lab.settle();
        entry?.log.refresh();
        expect(entry?.log.headSeq).toBe(2);
      });
    });
  }
}

describe('an alias', () => {
  it('is the same on the next connection, for as long as the topic lives', () => {
    const lab = labOf('hot');
    const open = (client: RouterClient): unknown => {
      client.send({ type: 'publish', id: 1, topic: 't', payload: null, options: { open: true } });
      const [answer] = client.take();
      return (answer as ServerMessage & { result: { alias: unknown } }).result.alias;
    };
    const first = lab.client();
    const alias = open(first) as number;
    first.send({ type: 'publish', topic: alias, payload: 1 });
    first.close();
    const again = lab.client();
    again.send({ type: 'publish', id: 2, topic: alias, payload: 2 });
    expect(again.takeShort(), 'not before it has asked').toEqual(['error 2 TOPIC_NOT_FOUND']);
    expect(open(again)).toBe(alias);
    again.send({ type: 'publish', id: 3, topic: alias, payload: 2 });
    expect(again.take()).toMatchObject([{ type: 'ok', id: 3, result: { seq: 2 } }]);
    lab.topics.delete('t');
    expect(open(again)).not.toBe(alias);
  });
});
