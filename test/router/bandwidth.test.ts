// maxBandwidth: a subscription gets so many bytes a second; what that leaves behind is conflated, or lag.

import { describe, expect, it } from 'vitest';
import { subscribeLocally } from '#src/local/local-subscribing.js';
import { OPTIONS, type SubscribeOptions } from '#src/protocol/messages.js';
import { optionProblem } from '#src/protocol/options.js';
import { seededRandom } from '../support/seeded.js';
import { CODECS, HOMES, ReadingLab, type TopicReader } from './reading-lab.js';

const LONG = { retainMs: 3_600_000 };
/** What may be sent at once: a burst, and a slice begun within it (ms at the rate). */
const AHEAD_MS = 200;

/** Bytes of events, gaps and snapshots so far. */
const sentBytes = ({ client: { sink } }: TopicReader): number => sink.sizes.reduce((sum, bytes) => sum + bytes, 0);

const numbersIn = (got: readonly string[]): number[] =>
  got.flatMap((each) => /"n":(\d+)/.exec(each)?.[1] ?? []).map(Number);

for (const home of HOMES) {
  for (const codec of CODECS) {
    const payload = (n: number, bytes = 60): object => ({ n, pad: 'x'.repeat(bytes) });

    describe(`a subscription with maxBandwidth to a ${home} topic, in ${codec}`, () => {
      it('gets what it may, no more and hardly less, of messages of any size at any time', () => {
        for (let seed = 1; seed <= 12; seed++) {
          const random = seededRandom(seed);
          const below = (limit: number): number => Math.floor(random() * limit);
          const maxBandwidth = 2 ** (10 + below(7));
          const topic = new ReadingLab(home, LONG);
          const reader = topic.reader(codec, { maxBandwidth });
          const sizes = below(2) === 0 ? 50 : 2000;
          let largest = 0;
          let n = 0;
          for (let step = 0; step < 20; step++) {
            for (let left = below(3) * below(8); left > 0; left--) {
              const bytes = below(sizes);
              largest = Math.max(largest, bytes + 300);
              topic.publish(payload(++n, bytes));
            }
            topic.lab.advance(below(300));
            const mayBytes = (maxBandwidth * (topic.lab.scheduler.now + AHEAD_MS)) / 1000 + largest;
            expect(sentBytes(reader), `seed ${seed}`).toBeLessThanOrEqual(mayBytes);
          }
          topic.lab.advance(300_000);
          expect(numbersIn(reader.take()), `seed ${seed}`).toEqual(Array.from({ length: n }, (_, index) => index + 1));
          expect(topic.lab.faults).toEqual([]);
        }
      });

      it('takes no longer than it has to', () => {
        const topic = new ReadingLab(home, LONG);
        const reader = topic.reader(codec, { maxBandwidth: 10_000 });
        const other = topic.reader(codec);
        for (let n = 1; n <= 500; n++) topic.publish(payload(n, 200));
        expect(numbersIn(other.take()), 'nobody else waits').toHaveLength(500);
        const before = sentBytes(reader);
        topic.lab.advance(2000);
        const perSecond = (sentBytes(reader) - before) / 2;
        expect(perSecond).toBeGreaterThan(9000);
        expect(perSecond).toBeLessThanOrEqual(10_200);
      });

      it('in the mode latest ends with the newest of each key, the rest merged', () => {
        const topic = new ReadingLab(home, { keyed: true, ...LONG });
        const reader = topic.reader(codec, { mode: 'latest', maxBandwidth: 2000 });
        for (let n = 1; n <= 400; n++) {
          topic.publish(payload(n), { key: 'abcd'[n % 4] });
          topic.lab.advance(5);
        }
        topic.lab.advance(2000);
        const got = reader.take();
        expect(sentBytes(reader)).toBeLessThan(2000 * 4.3);
        expect(numbersIn(got).length).toBeLessThan(100);
        expect(numbersIn(got).slice(-4).sort()).toEqual([397, 398, 399, 400]);
        expect(got.some((each) => each.startsWith('merged'))).toBe(true);
        const { counters } = topic.lab.delivery;
        expect(counters.lostMessages).toBe(0);
        expect(counters.mergedMessages).toBe(400 - numbersIn(got).length);
      });

      it('in the mode every lags, and then meets its policy', () => {
        for (const policy of ['drop_oldest', 'disconnect'] as const) {
          const topic = new ReadingLab(home, { maxLagMessages: 10, ...LONG });
          const reader = topic.reader(codec, { policy, maxBandwidth: 1000 });
          for (let n = 1; n <= 100; n++) topic.publish(payload(n));
          topic.lab.advance(60_000);
          const got = reader.take();
          expect(numbersIn(got).length).toBeLessThan(30);
          if (policy === 'disconnect') expect(reader.client.sink.ends).toHaveLength(1);
          else {
            expect(got.some((each) => each.startsWith('max_lag_messages'))).toBe(true);
            expect(numbersIn(got).at(-1)).toBe(100);
          }
        }
      });

      it('counts snapshots, too, and lets a frame of any size pass by itself', () => {
        const topic = new ReadingLab(home, { keyed: true, ...LONG });
        for (let n = 1; n <= 30; n++) topic.publish(payload(n, 5000), { key: `k${n}` });
        const reader = topic.reader(codec, { snapshot: true, maxBandwidth: 10_000 });
        topic.publish(payload(31, 40_000), { key: 'large' });
        topic.publish(payload(32), { key: 'small' });
        topic.lab.advance(10_000);
        expect(sentBytes(reader)).toBeLessThan(10_000 * 10.2 + 16_000);
        topic.lab.advance(30_000);
        const got = reader.take();
        expect([got.length, got[0][0], ...numbersIn(got.slice(1))]).toEqual([3, '[', 31, 32]);
      });

      it('is changed by UPDATE, live, and ended by 0', () => {
        const topic = new ReadingLab(home, { keyed: true, ...LONG });
        topic.publish(payload(0), { key: 'a' });
        const { timerCount } = topic.lab.scheduler;
        const reader = topic.reader(codec, { maxBandwidth: 500 });
        const publishAll = (): void => {
          for (let n = 1; n <= 100; n++) topic.publish(payload(n), { key: 'a' });
        };
        publishAll();
        topic.lab.advance(1000);
        expect(numbersIn(reader.take()).length).toBeLessThan(15);
        reader.update({ maxBandwidth: 10_000 });
        topic.lab.advance(2000);
        expect(numbersIn(reader.take()).at(-1)).toBe(100);
        reader.update({ maxBandwidth: 100 });
        publishAll();
        topic.lab.advance(100);
        expect(numbersIn(reader.take()).length).toBeLessThan(5);
        // What is not said stays as it is, through another stream.
        reader.update({ mode: 'latest' });
        topic.lab.advance(100);
        expect(numbersIn(reader.take()).length).toBeLessThan(5);
        reader.update({ mode: 'every', maxBandwidth: 0 });
        expect(numbersIn(reader.take()).at(-1)).toBe(100);
        publishAll();
        expect(numbersIn(reader.take())).toHaveLength(100);
        expect(topic.lab.scheduler.timerCount, 'nothing waits any more').toBe(timerCount);
      });

      it('is bounded by its topic’s rule', () => {
        for (const [wish, most] of [
          [undefined, 1000],
          [0, 1000],
          [50_000, 1000],
          [200, 200],
        ] as const) {
          const topic = new ReadingLab(home, { maxBandwidth: 1000, ...LONG });
          const options: SubscribeOptions = wish === undefined ? {} : { maxBandwidth: wish };
          const reader = topic.reader(codec, options);
          for (let n = 1; n <= 200; n++) topic.publish(payload(n));
          topic.lab.advance(2000);
          const per = sentBytes(reader) / most;
          expect(per).toBeGreaterThan(1.8);
          expect(per).toBeLessThan(3);
          reader.update({ maxBandwidth: 0 });
          topic.lab.advance(1000);
          expect(sentBytes(reader)).toBeLessThan(1000 * 4);
        }
      });

      it('goes with durable: both have to let a message through', () => {
        const topic = new ReadingLab(home, LONG);
        const { timerCount } = topic.lab.scheduler;
        const options = { durable: 'd', maxUnacked: 3, maxBandwidth: 1000 };
        const reader = topic.reader(codec, options);
        for (let n = 1; n <= 30; n++) topic.publish(payload(n));
        topic.lab.advance(60_000);
        expect(numbersIn(reader.take())).toEqual([1, 2, 3]);
        reader.ack(topic.lab, 3);
        topic.lab.settle();
        topic.lab.advance(60_000);
        expect(numbersIn(reader.take())).toEqual([4, 5, 6]);
        const next = [7, 8, 9, 10, 11, 12, 13, 14, 15];
        const before = [topic.lab.scheduler.now, sentBytes(reader)] as const;
        for (const seq of next) {
          reader.ack(topic.lab, seq - 1);
          topic.lab.advance(100);
        }
        const mayBytes = 1000 * ((topic.lab.scheduler.now - before[0] + AHEAD_MS) / 1000) + 300;
        expect(sentBytes(reader) - before[1]).toBeLessThanOrEqual(mayBytes);
        reader.client.close();
        expect(topic.lab.scheduler.timerCount).toBe(timerCount);
      });
    });
  }
}

describe('maxBandwidth', () => {
  it('of subscribers of the process, whose counts say what has become of each message', () => {
    for (const [options, rule, expected] of [
      [{}, {}, { received: 100, merged: 0, expired: 0, lost: 0 }],
      [{ mode: 'latest' }, {}, { expired: 0, lost: 0 }],
      [{}, { maxLagMessages: 5 }, { expired: 0, merged: 0 }],
      [{ maxAgeMs: 500 }, {}, { merged: 0, lost: 0 }],
    ] as const) {
      const topic = new ReadingLab('cold', { keyed: true, ...LONG, ...rule });
      const { topics, delivery, router, scheduler: loop } = topic.lab;
      const parts = { topics, delivery, durables: router.subscribing.durables, patterns: router.patterns, loop };
      const fail = (fault: unknown): void => {
        throw fault;
      };
      const given = { ...options, maxBandwidth: 1000 };
      const subscription = subscribeLocally(parts, 't', given, () => {}, fail);
      for (let n = 1; n <= 100; n++) topic.publish(n, { key: 'a' });
      topic.lab.advance(60_000);
      const { received, merged, expired, lost } = subscription.counts;
      expect(subscription.counts, JSON.stringify(options)).toMatchObject(expected);
      expect(received + merged + expired + lost).toBe(100);
      const { counters } = delivery;
      expect([counters.deliveries, counters.mergedMessages, counters.expiredMessages, counters.lostMessages]).toEqual([
        received,
        merged,
        expired,
        lost,
      ]);
      if (Object.keys({ ...options, ...rule }).length > 0) expect(received).toBeLessThan(100);
    }
  });

  it.each([-1, 1.5, 1_000_000_001, Number.NaN, Number.POSITIVE_INFINITY, '1000', true, null, [1]])(
    'refuses %o',
    (value) => {
      for (const options of [OPTIONS.SUBSCRIBE, OPTIONS.UPDATE])
        expect(optionProblem('maxBandwidth', options.maxBandwidth, value)).toMatch(/integer from 0 to 1000000000/);
    },
  );

  it('leaves no timer behind when the server stops', () => {
    const topic = new ReadingLab('cold', LONG);
    topic.reader('msgpack', { maxBandwidth: 1 });
    topic.publish(1);
    const { timerCount } = topic.lab.scheduler;
    topic.publish(2);
    expect(topic.lab.scheduler.timerCount).toBe(timerCount + 1);
    topic.lab.delivery.close();
    expect(topic.lab.scheduler.timerCount).toBe(timerCount);
  });
});
