// Order books: what their subscribers get, of either codec, in either home.

import { describe, expect, it } from 'vitest';
import { bookChecksum } from '#src/book/checksum.js';
import type { Level } from '#src/book/order-book.js';
import type { SubscribeOptions } from '#src/protocol/messages.js';
import { CODECS, HOMES, ReadingLab } from '../router/reading-lab.js';

const snapshot = (last: number, bids: unknown, asks: unknown = []) => ({ lastUpdateId: last, bids, asks });
const difference = (first: number, last: number, b: unknown, a: unknown = []) => ({ U: first, u: last, b, a });
const short = (payload: unknown) => `null=${JSON.stringify(payload)}`;
const whole = (last: number, bids: unknown, asks: unknown = []) => ({ book: 'snapshot', bids, asks, last });
const update = (last: number, bids: unknown, asks: unknown = []) => ({ book: 'update', bids, asks, last });

class BookLab extends ReadingLab {
  #last = 2;

  constructor(home: 'cold' | 'hot', book: 'binance' | 'kraken' = 'binance') {
    super(home, { type: 'book', book });
  }

  /** A book with one bid. */
  begin(): void {
    this.publish(snapshot(2, [['10', '1']]));
    // Those who come later do not share what was made for others.
    this.lab.advance(300);
  }

  /** So many differences, each of which changes the quantity of one bid. */
  change(times = 1): void {
    for (let n = 0; n < times; n++) {
      this.#last++;
      this.publish(difference(this.#last, this.#last, [['10', `${this.#last}`]]));
    }
  }
}

for (const home of HOMES) {
  for (const codec of CODECS) {
    describe(`a ${home} book, as ${codec}`, () => {
      it('begins with the book, and goes on with what the feed sends, as it is', () => {
        const topic = new BookLab(home);
        const early = topic.reader(codec);
        const messages = [
          snapshot(2, [['10.0', '1.50']], [['11.0', '2']]),
          difference(3, 4, [['9.5', '3']], [['11.0', '0.000']]),
          { ...difference(5, 5, [], [[12.5, 1]]), E: 1, more: { than: 'levels' } },
        ];
        for (const message of messages) topic.publish(message);
        // What has come before, and what is none of the book's.
        topic.publish(difference(3, 4, [['9.5', '9']]));
        topic.publish({ heartbeat: 1 });
        expect(early.take()).toEqual(['[]@0', ...messages.map(short)]);
        topic.lab.advance(300);
        const book = whole(
          5,
          [
            ['10.0', '1.50'],
            ['9.5', '3'],
          ],
          [['12.5', '1']],
        );
        expect(topic.reader(codec).take()).toEqual([`[${short(book)}]@5`]);
        expect(topic.reader(codec, { lastN: 9 }).take()).toEqual([`[${short(book)}]@5`]);
      });

      it('says that it is stale, and nothing until the next snapshot, behind which counts what came meanwhile', () => {
        const topic = new BookLab(home);
        topic.begin();
        const wishes: SubscribeOptions[] = [{}, { depth: 1 }, { mode: 'latest' }, { maxRate: 20 }];
        const readers = wishes.map((options) => topic.reader(codec, options));
        for (const reader of readers) reader.take();
        topic.publish(difference(4, 5, [['9', '3']]));
        topic.publish(difference(6, 6, [['8', '1']]));
        topic.lab.advance(300);
        for (const reader of readers) expect(reader.take()).toEqual(['stale']);
        expect(topic.reader(codec).take()).toEqual(['[]@3']);
        topic.publish(snapshot(3, [['10', '2']]));
        const [plain, best, latest, rated] = readers as [
          (typeof readers)[0],
          (typeof readers)[0],
          (typeof readers)[0],
          (typeof readers)[0],
        ];
        const book = whole(6, [
          ['10', '2'],
          ['9', '3'],
          ['8', '1'],
        ]);
        expect(plain.take()).toEqual([short(book)]);
        expect(best.take()).toEqual([short(whole(6, [['10', '2']]))]);
        expect(latest.take()).toEqual([short(book)]);
        topic.lab.advance(60);
        expect(rated.take()).toEqual([short(book)]);
      });

      it('shows the best levels, at coarser prices, and what has changed of them', () => {
        const topic = new BookLab(home);
        topic.publish(
          snapshot(
            2,
            [
              ['10.4', '1.5'],
              ['10.1', '2.5'],
              ['9.9', '1'],
              ['9.4', '1'],
            ],
            [['10.5', '1']],
          ),
        );
        const reader = topic.reader(codec, { depth: 2, tick: 0.5 });
        topic.reader(codec, { tick: 0.5, depth: 2, mode: 'every' });
        topic.publish(difference(3, 3, [['9.1', '7']]));
        topic.publish(
          difference(4, 4, [
            ['10.4', '0'],
            ['10.1', '0'],
          ]),
        );
        expect(reader.take()).toEqual([
          `[${short(
            whole(
              2,
              [
                ['10.0', '4.0'],
                ['9.5', '1'],
              ],
              [['10.5', '1']],
            ),
          )}]@1`,
          short(
            update(4, [
              ['10.0', '0'],
              ['9.0', '8'],
            ]),
          ),
        ]);
        const keys = topic.lab.topics.find('t')!.streams.map(({ options }) => options.spec.key);
        expect(new Set(keys).size, 'equal views are one stream').toBe(1);
      });

      it('gives all that has changed, at a rate', () => {
        const topic = new BookLab(home);
        topic.begin();
        const reader = topic.reader(codec, { maxRate: 5 });
        expect(reader.take()).toEqual([`[${short(whole(2, [['10', '1']]))}]@1`]);
        topic.lab.advance(1000);
        topic.change(3);
        expect(reader.take(), 'the first at once, after a pause').toEqual([short(update(3, [['10', '3']]))]);
        topic.lab.advance(210);
        expect(reader.take()).toEqual(['merged 3-3', short(update(5, [['10', '5']]))]);
        topic.lab.advance(1000);
        expect(reader.take(), 'nothing new').toEqual([]);
      });

      it('gives who reads the newest one difference when it falls behind', () => {
        const topic = new BookLab(home);
        topic.begin();
        const latest = topic.reader(codec, { mode: 'latest' });
        topic.change(2);
        expect(latest.take().length, 'tick by tick').toBe(3);
        latest.block(topic.lab);
        topic.change(1);
        topic.publish(
          difference(6, 6, [
            ['10', '0'],
            ['9', '1'],
          ]),
        );
        for (let id = 7; id < 60; id++) topic.publish(difference(id, id, [['9', `${id}`]]));
        latest.drain(topic.lab);
        expect(latest.take()).toEqual([
          'merged 4-57',
          short(
            update(59, [
              ['9', '59'],
              ['10', '0'],
            ]),
          ),
        ]);
        topic.publish(difference(60, 60, [['9', '1']]));
        expect(latest.take()).toEqual([short(difference(60, 60, [['9', '1']]))]);
      });

      it('goes on at a position with one difference, or with the book', () => {
        const topic = new BookLab(home);
        topic.begin();
        topic.change(3);
        const { epoch } = topic.lab.topics.find('t')!.spec;
        expect(topic.reader(codec, { since: { epoch, seq: 2 } }).take()).toEqual([
          'merged 3-3',
          short(update(5, [['10', '5']])),
        ]);
        expect(topic.reader(codec, { since: { epoch, seq: 4 } }).take(), 'nothing is missing').toEqual([
          `[${short(whole(5, [['10', '5']]))}]@4`,
        ]);
        topic.lab.advance(300);
        const all = [`[${short(whole(5, [['10', '5']]))}]@4`];
        expect(topic.reader(codec, { since: { epoch: 'other', seq: 2 } }).take()).toEqual(all);
        expect(topic.reader(codec, { since: { epoch: 'other', seq: 2 }, onGap: 'error' }).take()).toEqual([
          'UNRECOVERABLE_POSITION',
        ]);
        expect(topic.reader(codec, { since: { epoch, seq: 2 }, depth: 1 }).take()).toEqual(all);
      });

      it('is read otherwise after an UPDATE, beginning with the book', () => {
        const topic = new BookLab(home);
        topic.begin();
        const reader = topic.reader(codec, { depth: 3 });
        reader.take();
        reader.update({ maxRate: 5 });
        topic.lab.advance(300);
        topic.change(2);
        topic.lab.advance(210);
        expect(reader.take()).toEqual([
          `[${short(whole(2, [['10', '1']]))}]@1`,
          short(update(3, [['10', '3']])),
          short(update(4, [['10', '4']])),
        ]);
        reader.update({ mode: 'every' });
        topic.change(1);
        expect(reader.take().at(-1)).toEqual(short(update(5, [['10', '5']])));
      });

      it('ends when it is deleted, and begins with the next snapshot', () => {
        const topic = new BookLab(home);
        topic.begin();
        const reader = topic.reader(codec);
        reader.take();
        topic.publish(null, { delete: true });
        topic.publish(difference(3, 3, [['9', '1']]));
        topic.publish(snapshot(1, [['1', '1']]));
        expect(reader.take()).toEqual(['stale']);
        topic.publish(snapshot(2, [['2', '1']]));
        expect(reader.take()).toEqual([
          short(
            whole(3, [
              ['9', '1'],
              ['2', '1'],
            ]),
          ),
        ]);
      });

      it.each([
        ['broken numbers', { U: 3, u: 3, b: [['x', '1']], a: [] }],
        ['levels that are none', { U: 3, u: 3, b: 7 }],
        ['an id beyond 2^53', { U: 3, u: '99999999999999999999', b: [] }],
      ])('is stale after a message with %s', (_, payload) => {
        const topic = new BookLab(home);
        topic.begin();
        const reader = topic.reader(codec);
        reader.take();
        topic.publish(payload);
        expect(reader.take()).toEqual(['stale']);
        expect(topic.lab.faults).toEqual([]);
      });

      it('checks what Kraken’s feed says of itself', () => {
        const topic = new ReadingLab(home, { type: 'book', book: 'kraken', verifyChecksum: true });
        const reader = topic.reader(codec);
        const message = (type: string, bids: unknown, checksum: number) => ({
          ...{ channel: 'book', type },
          data: [{ symbol: 'X', bids, asks: [], checksum }],
        });
        const bids: Level[] = [['5.5', '2.25']];
        const right = bookChecksum({ bids, asks: [] });
        topic.publish(message('snapshot', [{ price: 5.5, qty: 2.25 }], right));
        topic.publish(message('update', [{ price: 5.5, qty: 2.25 }], right));
        topic.publish({ channel: 'heartbeat' });
        topic.publish(message('update', [{ price: 5.5, qty: 2.5 }], right));
        topic.publish(message('update', [{ price: 5.5, qty: 2.25 }], right));
        expect(reader.take().map((each) => each.slice(0, 10))).toEqual(['[]@0', 'null={"cha', 'null={"cha', 'stale']);
      });

      it('counts what it cannot read', () => {
        const topic = new BookLab(home);
        topic.begin();
        for (const payload of [5, { heartbeat: 1 }, { b: 5 }]) topic.publish(payload);
        const { lanes, coldLink } = topic.lab;
        const counted = lanes.lanes.reduce(
          (sum, lane) => sum + lane.counters.undecodable,
          coldLink.counters.undecodable,
        );
        expect(counted).toBe(3);
      });

      it('comes by a pattern, too, as far as topics are books', () => {
        const topic = new BookLab(home);
        topic.begin();
        const reader = topic.reader(codec, { depth: 1 }, 't*');
        // A part begins with the next message.
        topic.change(2);
        expect(reader.take()).toEqual([
          'topic',
          `[${short(whole(3, [['10', '3']]))}]@2`,
          short(update(4, [['10', '4']])),
        ]);
        expect(topic.reader(codec, { depth: 1, filter: 'a' }, 't*').take()).toEqual(['BAD_REQUEST']);
        expect(new ReadingLab(home).reader(codec, { tick: 1 }, 't*').take()).toEqual([]);
      });

      it.each<[string, object]>([
        ['depth 0', { depth: 0 }],
        ['depth 1e9', { depth: 1e9 }],
        ['half a level', { depth: 1.5 }],
        ['depth as text', { depth: '10' }],
        ['tick 0', { tick: 0 }],
        ['a negative tick', { tick: -0.5 }],
        ['a tick that is no number', { tick: codec === 'json' ? 'NaN' : Number.NaN }],
        ['a huge tick', { tick: 1e300 }],
        ['checksum as text', { checksum: 'yes' }],
      ])('refuses %s, whatever the topic', (_, options) => {
        const topic = new BookLab(home);
        expect(() => topic.reader(codec, options as SubscribeOptions)).toThrow(/option (depth|tick|checksum) must be/);
      });

      it.each<[string, object]>([
        ['a filter', { filter: 'u > 1' }],
        ['fields', { fields: ['b'] }],
        ['a delta', { delta: true }],
        ['an age', { maxAgeMs: 5 }],
        ['every message at a rate', { mode: 'every', maxRate: 5 }],
      ])('refuses %s', (_, options) => {
        const topic = new BookLab(home);
        expect(topic.reader(codec, options as SubscribeOptions).take()).toEqual(['BAD_REQUEST']);
      });

      it.each([{ depth: 10 }, { tick: 1 }, { checksum: true }])('is what %j is for, and no other topic', (options) => {
        const topic = new ReadingLab(home);
        expect(topic.reader(codec, options).take()).toEqual(['BAD_REQUEST']);
      });
    });
  }
}
