// Where wishes meet the end of a key: its time is over, it had to go, or it was replaced before anybody looked.

import { describe, expect, it } from 'vitest';
import type { PlacementRule } from '#src/directory/placement-rules.js';
import type { SubscribeOptions } from '#src/protocol/messages.js';
import { CODECS, HOMES, ReadingLab } from './reading-lab.js';

const PAD = 'x'.repeat(40);
const ENDS: readonly { how: string; rule: Partial<PlacementRule>; ttlMs?: number }[] = [
  { how: 'its own time to live', rule: {}, ttlMs: 50 },
  { how: 'that of its topic’s keys', rule: { keyTtlMs: 50 } },
  { how: 'too many others', rule: { maxKeys: 2, keysFull: 'evict' } },
];

for (const home of HOMES) {
  for (const codec of CODECS) {
    describe(`a ${home} topic, in ${codec}`, () => {
      it.each(ENDS)('says a key whole that had ended by $how', ({ rule, ttlMs }) => {
        const topic = new ReadingLab(home, { keyed: true, ...rule });
        const put = (key: string, value: object): void =>
          topic.publish({ ...value, pad: PAD }, { key, ...(ttlMs === undefined ? {} : { ttlMs }) });
        const wishes: SubscribeOptions[] = [
          { delta: true },
          { fields: ['a', 'pad'] },
          { fields: ['a', 'pad'], maxRate: 100 },
        ];
        // Somebody reads the streams before.
        const first = wishes.map((each) => topic.reader(codec, each));
        put('k', { a: 1 });
        topic.lab.advance(100);
        put('l', { a: 0 });
        put('m', { a: 0 });
        // No snapshot of before is shared any more.
        topic.lab.advance(300);
        const readers = wishes.map((each) => topic.reader(codec, { ...each, snapshot: true }));
        topic.lab.advance(20);
        for (const reader of readers) expect(reader.take().join(), 'without the key').not.toContain('k=');
        put('k', { a: 1 });
        topic.lab.advance(20);
        for (const reader of [...first, ...readers]) expect(reader.take().at(-1)).toBe(`k={"a":1,"pad":"${PAD}"}`);
      });

      it('announces at a rate what has expired before its turn', () => {
        for (const [rule, options] of [
          [{ keyed: true, keyTtlMs: 60 }, {}],
          [{ keyed: true }, { ttlMs: 60 }],
          [{}, { ttlMs: 60 }],
        ] as const) {
          const topic = new ReadingLab(home, rule);
          const reader = topic.reader(codec, { maxRate: 2 });
          const put = (n: number, key: string, more: object = {}): void =>
            topic.publish(n, { ...more, ...('keyed' in rule ? { key } : {}) });
          put(1, 'a');
          topic.lab.advance(100);
          put(2, 'b', options);
          put(3, 'b', options);
          topic.lab.advance(1000);
          put(4, 'c');
          topic.lab.advance(600);
          const key = (name: string): string => ('keyed' in rule ? name : 'null');
          expect(reader.take()).toEqual([`${key('a')}=1`, 'merged 2-2', 'expired 3-3', `${key('c')}=4`]);
          const { counters } = topic.lab.topics.find('t')!;
          expect(counters).toMatchObject({ mergedMessages: 1, expiredMessages: 1, lostMessages: 0 });
        }
      });

      it('gives values, and no parts of them, to who comes while they are replaced', () => {
        const topic = new ReadingLab(home, { keyed: true, merge: true });
        topic.publish({ a: 1, b: 0 }, { key: 'k' });
        // On their way when the subscribers come: the lane has not had its turn.
        const send = (b: number): void =>
          topic.feed.send({ type: 'publish', topic: 't', payload: { b }, options: { key: 'k' } });
        for (let b = 1; b <= 5; b++) send(b);
        const readers = [
          { fields: ['a'] },
          { filter: 'a == 1' },
          { filter: 'a == 1', track: true },
          { mode: 'latest' },
        ].map((wishes) => topic.reader(codec, wishes as SubscribeOptions));
        topic.lab.settle();
        send(6);
        topic.lab.settle();
        const values = readers.map((reader) => reader.take());
        for (const [which, lines] of values.entries()) {
          const said = lines.filter((line) => !line.startsWith('merged'));
          expect(
            said.every((line) => line.includes('"a":1') && !line.includes('leave')),
            `${which}: ${lines}`,
          ).toBe(true);
        }
      });

      it.each<SubscribeOptions>([{ fields: ['n'] }, { filter: 'n > 0', track: true }])(
        'begins in the past with %o, or says that it cannot',
        (wishes) => {
          const topic = new ReadingLab(home);
          for (let n = 1; n <= 4; n++) topic.publish({ n });
          const epoch = topic.lab.topics.find('t')!.spec.epoch;
          const all = [2, 3, 4].map((n) => `null={"n":${n}}`);
          expect(topic.reader(codec, { ...wishes, since: { epoch, seq: 1 }, onGap: 'error' }).take()).toEqual(all);
          expect(topic.reader(codec, { ...wishes, lastN: 3 }).take()).toEqual(all);
          const foreign = { since: { epoch: 'other', seq: 1 }, onGap: 'error' } as const;
          expect(topic.reader(codec, { ...wishes, ...foreign }).take()).toEqual(['UNRECOVERABLE_POSITION']);
        },
      );

      it('refuses a position that a stream does not reach back to', () => {
        const topic = new ReadingLab(home, { keyed: true });
        topic.publishKeys('ab');
        const reader = topic.reader(codec, { maxRate: 10 });
        const epoch = topic.lab.topics.find('t')!.spec.epoch;
        const since = { epoch, seq: 1 };
        expect(topic.reader(codec, { maxRate: 10, since, onGap: 'error' }).take()).toEqual(['UNRECOVERABLE_POSITION']);
        expect(topic.reader(codec, { maxRate: 20, since, onGap: 'error' }).take()).toEqual(['UNRECOVERABLE_POSITION']);
        reader.take();
        reader.client.close();
        while (!topic.lab.topics.sweep());
        while (!topic.lab.topics.sweep());
        expect(topic.lab.delivery.load.streams).toBe(0);
      });

      it('keeps a rate when others join', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const reader = topic.reader(codec, { maxRate: 10 });
        for (let n = 0; n < 40; n++) {
          topic.publishKeys('a');
          const other = topic.reader(codec, { maxRate: 10, snapshot: true });
          topic.lab.advance(10);
          other.client.close();
        }
        expect(reader.take().filter((line) => line.startsWith('a=')).length).toBeLessThanOrEqual(5);
      });

      it('takes the policy that stands for a mode as that, by UPDATE too', () => {
        const topic = new ReadingLab(home, { keyed: true });
        const reader = topic.reader(codec);
        const stalled = (changes: object): string[] => {
          reader.update(changes);
          reader.block(topic.lab);
          topic.publishKeys('aa');
          reader.drain(topic.lab);
          return reader.take();
        };
        expect(stalled({ policy: 'conflate' })).toEqual(['merged 1-1', 'a=2']);
        expect(stalled({ policy: 'drop_oldest' })).toEqual(['a=3', 'a=4']);
        expect(stalled({ mode: 'every', policy: 'conflate' })).toEqual(['BAD_REQUEST', 'a=5', 'a=6']);
      });
    });
  }
}
