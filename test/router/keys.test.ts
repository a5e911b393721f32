// Keyed topics, deduplication, versions, compare-and-publish: what a topic takes, and what its publisher is told.

import { describe, expect, it } from 'vitest';
import type { PlacementRule } from '#src/directory/placement-rules.js';
import type { PublishOptions, ServerMessage } from '#src/protocol/messages.js';
import { publishLocally, RouterLab } from './router-lab.js';

type Rule = Omit<PlacementRule, 'match' | 'home'>;

const HOMES = ['cold', 'hot'] as const;

function labOf(home: 'cold' | 'hot', rule: Rule): RouterLab {
  return new RouterLab({ laneRingBytes: 2 ** 18, registry: { rules: [{ match: '*', home, ...rule }] } });
}

/** Publishes to `t`; the answer in short. */
function publish(lab: RouterLab, options: PublishOptions, payload: unknown = 1): string {
  const client = lab.client();
  client.send({ type: 'publish', id: 1, topic: 't', payload, options });
  const [answer] = client.take();
  client.close();
  return short(answer);
}

function short(answer: ServerMessage | undefined): string {
  if (answer?.type === 'error')
    return `${answer.code}${answer.details === null ? '' : ` ${JSON.stringify(answer.details)}`}`;
  if (answer?.type !== 'ok') return `${answer?.type}`;
  const { seq, duplicate, stale } = answer.result;
  return `${seq}${duplicate === true ? ' duplicate' : ''}${stale === true ? ' stale' : ''}`;
}

/** What a subscriber gets of all messages: seq, key, change. */
function events(lab: RouterLab): string[] {
  const client = lab.client();
  client.send({ type: 'subscribe', topic: 't', options: { lastN: 1000 } });
  return client.take().map((frame) => {
    if (frame.type !== 'event') return frame.type;
    return `${frame.seq} ${frame.key}${frame.change === null ? '' : ` ${frame.change}`}${frame.version === null ? '' : ` v${frame.version}`}`;
  });
}

for (const home of HOMES) {
  describe(`a keyed ${home} topic`, () => {
    it('hands keys on, those that PUBLISH says and those that stand in the payload', () => {
      const lab = labOf(home, { key: 'a.b' });
      expect(publish(lab, {}, { a: { b: 'x' } })).toBe('1');
      expect(publish(lab, {}, { a: { b: 7 } })).toBe('2');
      expect(publish(lab, { key: 'given', id: 'm', version: 3 }, { a: { b: 'x' } })).toBe('3');
      expect(publish(lab, { id: 'n' }, { a: { b: '__proto__' } })).toBe('4');
      expect(publish(lab, { key: 'x', delete: true })).toBe('5');
      expect(events(lab)).toEqual(['1 x', '2 7', '3 given v3', '4 __proto__', '5 x delete']);
      const json = lab.jsonClient();
      json.sendJson({
        type: 'publish',
        topic: 't',
        key: 'j',
        version: 9,
        request_id: 1,
        message: { id: 'i', payload: {} },
      });
      lab.settle();
      json.sendJson({ type: 'subscribe', topic: 't', last_n: 2 });
      expect(json.takeJson()).toMatchObject([
        { type: 'ack', seq: 6 },
        { key: 'x', change: 'delete', seq: 5, message: { payload: null } },
        { key: 'j', version: 9, seq: 6, message: { id: 'i', payload: {} } },
      ]);
    });

    it.each<[string, unknown]>([
      ['no map', 5],
      ['no such field', { b: 1 }],
      ['a fraction', { a: 0.5 }],
      ['a map', { a: {} }],
      ['nil', { a: null }],
      ['an empty text', { a: '' }],
      ['a long text', { a: 'x'.repeat(256) }],
      ['a megabyte', { a: 'x'.repeat(100_000) }],
    ])('refuses what has no key: %s; or passes it on without', (_, payload) => {
      expect(publish(labOf(home, { key: 'a' }), {}, payload)).toBe('BAD_REQUEST');
      const lab = labOf(home, { key: 'a', missingKey: 'pass' });
      expect(publish(lab, {}, payload)).toBe('1');
      expect(events(lab)).toEqual(['1 null']);
      expect(publish(lab, { delete: true }), 'of nothing').toBe('BAD_REQUEST');
    });

    it('tells the publisher that gives no id of refusals only', () => {
      const lab = labOf(home, { keyed: true });
      const client = lab.client();
      client.send(
        { type: 'publish', topic: 't', payload: 1 },
        { type: 'publish', topic: 't', payload: 1, options: { key: 'a' } },
      );
      expect(client.takeShort()).toEqual(['error null BAD_REQUEST']);
    });

    it('has as many keys as its rule says', () => {
      const lab = labOf(home, { keyed: true, maxKeys: 2 });
      for (const key of ['a', 'b', 'a']) publish(lab, { key });
      expect(publish(lab, { key: 'c' })).toBe('LIMIT_EXCEEDED');
      expect(publish(lab, { key: 'a', delete: true })).toBe('4');
      expect(publish(lab, { key: 'c' })).toBe('5');
      const evicting = labOf(home, { keyed: true, maxKeys: 2, keysFull: 'evict' });
      for (const key of ['a', 'b', 'a', 'c']) publish(evicting, { key, version: 5 });
      expect(publish(evicting, { key: 'b', version: 1 }), 'it went: a newer version is not known').toBe('5');
      expect(publish(evicting, { key: 'c', version: 1 })).toBe('4 stale');
    });

    it('refuses values that are too large together', () => {
      const lab = labOf(home, { keyed: true, maxKeys: 100 });
      const payload = new Uint8Array(100_000);
      const answers = Array.from({ length: 8 }, (_, n) => publish(lab, { key: `${n}` }, payload));
      expect(answers.filter((answer) => answer === 'LIMIT_EXCEEDED').length).toBeGreaterThan(2);
      expect(answers.slice(0, 2)).toEqual(['1', '2']);
    });

    it('takes no older version than a key has', () => {
      const lab = labOf(home, { keyed: true });
      const answers = [5, 5, 4, undefined, 4, 6].map((version) =>
        publish(lab, { key: 'a', ...(version === undefined ? {} : { version }) }),
      );
      expect(answers).toEqual(['1', '2', '2 stale', '3', '4', '5']);
      expect(publish(lab, { key: 'b', version: 1 })).toBe('6');
    });

    it('compares with the key’s last message', () => {
      const lab = labOf(home, { keyed: true });
      expect(publish(lab, { key: 'a', ifSeq: 0 })).toBe('1');
      expect(publish(lab, { key: 'b', ifSeq: 0 })).toBe('2');
      expect(publish(lab, { key: 'a', ifSeq: 0 })).toBe('CONFLICT {"seq":1}');
      expect(publish(lab, { key: 'a', ifSeq: 1 })).toBe('3');
      expect(publish(lab, { key: 'a', ifSeq: 2 })).toBe('CONFLICT {"seq":3}');
    });
  });

  describe(`a ${home} topic`, () => {
    it('compares with its last message', () => {
      const lab = labOf(home, {});
      expect(publish(lab, { ifSeq: 1 })).toBe('CONFLICT {"seq":0}');
      expect(publish(lab, { ifSeq: 0 })).toBe('1');
      expect(publish(lab, { ifSeq: 0 })).toBe('CONFLICT {"seq":1}');
      expect(publish(lab, { ifSeq: 1, key: 'a' })).toBe('2');
      expect(events(lab)).toEqual(['1 null', '2 a']);
    });

    it('takes no message twice within its window', () => {
      const lab = labOf(home, { dedupWindow: { messages: 3, ms: 1000 } });
      const answers = (...ids: string[]): string[] => ids.map((id) => publish(lab, { id }));
      expect(answers('a', 'b', 'a', 'a', 'c')).toEqual(['1', '2', '1 duplicate', '1 duplicate', '3']);
      expect(publish(lab, {}), 'without an id').toBe('4');
      expect(answers('d', 'a'), 'a is the fourth').toEqual(['5', '6']);
      lab.advance(1001);
      expect(answers('d'), 'forgotten').toEqual(['7']);
    });

    it('remembers ids and versions through moves and deaths', () => {
      const lab = labOf(home, { keyed: true, dedupWindow: { messages: 100, ms: 60_000 } });
      for (let n = 0; n < 20; n++) publish(lab, { key: `k${n % 3}`, id: `m${n}`, version: n });
      const expectMemory = (): void => {
        expect(publish(lab, { key: 'k1', id: 'm3' })).toBe('4 duplicate');
        expect(publish(lab, { key: 'k1', version: 18 })).toBe('20 stale');
        expect(publish(lab, { key: 'k1', ifSeq: 19 })).toBe('CONFLICT {"seq":20}');
      };
      const entry = lab.topics.find('t')!;
      for (const target of [home === 'hot' ? -1 : 0, home === 'hot' ? 0 : -1, 0]) {
        lab.handOver.move(entry, target);
        lab.settle();
        expect(entry.lane).toBe(target);
        expectMemory();
      }
      for (const thread of lab.threads.alive) thread.die(new Error('dies'));
      lab.advance(100);
      expect(lab.laneReports.length).toBeGreaterThan(0);
      expectMemory();
    });
  });

  describe(`within the process, to a ${home} topic`, () => {
    it('is told the same', () => {
      const lab = labOf(home, { keyed: true, dedupWindow: { messages: 3, ms: 1000 } });
      const outcomes: unknown[] = [];
      for (const options of [{ key: 'a', id: 'x' }, { key: 'a', id: 'x' }, {}, { key: 'a', ifSeq: 5 }]) {
        publishLocally(lab, 't', Uint8Array.of(5), (outcome) => outcomes.push(outcome), options);
      }
      lab.settle();
      expect(outcomes).toMatchObject([
        { seq: 1 },
        { seq: 1, duplicate: true },
        { code: 'BAD_REQUEST' },
        { code: 'CONFLICT' },
      ]);
    });
  });
}
