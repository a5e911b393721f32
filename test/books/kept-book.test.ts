// The book in its home: what a successor makes of its state log is what it was, at any time, and the log stays bounded.

import { describe, expect, it } from 'vitest';
import { BOOK_PRESETS } from '#src/book/book-fields.js';
import { bookStateBytes } from '#src/book/book-memory.js';
import type { Level } from '#src/book/order-book.js';
import { PlainLog } from '#src/log/plain-log.js';
import { EventHead } from '#src/protocol/event.js';
import { encode } from '#src/protocol/msgpack.js';
import { bookLogSizes, KeptBook } from '#src/topic/kept-book.js';
import { Random, testSeed } from '../ring/random.js';
import { expectLevels } from './same-levels.js';

const TOPIC = { alias: 1, topic: 't' };
const SPEC = { fields: BOOK_PRESETS.binance, maxLevels: 200, verifies: false };
const LIMITS = { ...bookLogSizes(SPEC), retainMs: Number.POSITIVE_INFINITY, historyMessages: 0, historyBytes: 0 };

const head = new EventHead();

function event(seq: number, payload: unknown): Uint8Array {
  const bytes = encode(payload);
  const headBytes = head.write(1, seq, seq, 0);
  const frame = new Uint8Array(headBytes + bytes.length);
  frame.set(head.bytes.subarray(0, headBytes));
  frame.set(bytes, headBytes);
  return frame;
}

function expectState(actual: KeptBook, wanted: KeptBook): void {
  const rest = ({ current, seq }: KeptBook) => ({ hasBook: current !== null, lastId: current?.lastId, seq });
  expect(rest(actual)).toEqual(rest(wanted));
  if (actual.current !== null && wanted.current !== null)
    expectLevels(actual.current.book.levels(), wanted.current.book.levels());
}

function levelsOf(random: Random, count: number): Level[] {
  return Array.from({ length: count }, () => [
    `${100 + random.below(400)}.${random.below(10)}0000000`,
    random.below(3) === 0 ? '0.00000000' : `${random.below(1000)}.12345678`,
  ]);
}

describe('a kept book', () => {
  it('is found again in its log', () => {
    const random = new Random(testSeed('kept books'));
    let restored = 0;
    const most = bookStateBytes(SPEC.maxLevels);
    for (let round = 0; round < 6; round++) {
      const log = new PlainLog(LIMITS);
      const counters = { undecodable: 0 };
      const book = new KeptBook(TOPIC, SPEC, log, counters);
      let id = 0;
      let read = 0;
      for (let seq = 1; seq <= 3000; seq++) {
        const choice = random.below(1000);
        const many = choice < 3 ? 3000 : choice < 50 ? 100 : random.below(8);
        const levels = { b: levelsOf(random, many), a: levelsOf(random, many) };
        let payload: unknown = { U: id + 1, u: ++id, ...levels };
        if (choice > 997) payload = { U: ++id + 1, u: ++id, ...levels };
        else if (choice > 988)
          payload = { lastUpdateId: Math.max(0, id - random.below(3)), bids: levels.b, asks: levels.a };
        else if (choice > 980) payload = { x: 'y'.repeat(random.below(100_000)) };
        const isRead = typeof payload === 'object' && payload !== null && !('x' in payload);
        if (!isRead) read++;
        book.take(event(seq, payload), seq);
        const logBytes = log.sliceBytes(log.tail, log.head + 1);
        if (logBytes >= most || log.headSeq !== seq) expect([logBytes, log.headSeq]).toEqual([most - 1, seq]);
        if (random.below(20) > 0) continue;
        const copy = new PlainLog(LIMITS);
        copy.takeOver(log);
        const successor = new KeptBook(TOPIC, SPEC, copy, { undecodable: 0 });
        expectState(successor, book);
        // What is put aside is part of it.
        const next = event(seq + 1, { lastUpdateId: id - 1, bids: [['1', '1']], asks: [] });
        const again = new PlainLog(LIMITS);
        again.takeOver(log);
        const other = new KeptBook(TOPIC, SPEC, again, { undecodable: 0 });
        expect(successor.take(next, seq + 1)).toBe(other.take(next, seq + 1));
        expectState(successor, other);
        restored++;
      }
      expect(counters.undecodable).toBe(read);
    }
    expect(restored).toBeGreaterThan(500);
  });

  it('keeps what came while it was stale, when its log is written anew', () => {
    const log = new PlainLog(LIMITS);
    const book = new KeptBook(TOPIC, SPEC, log, { undecodable: 0 });
    for (let seq = 1; seq <= 3000; seq++)
      expect(book.take(event(seq, { U: seq, u: seq, b: [[`${seq}`, '1']], a: [] }), seq)).toBe('none');
    const copy = new PlainLog(LIMITS);
    copy.takeOver(log);
    const successor = new KeptBook(TOPIC, SPEC, copy, { undecodable: 0 });
    const snapshot = event(3001, { lastUpdateId: 2900, bids: [], asks: [] });
    expect([book.take(snapshot, 3001), successor.take(snapshot, 3001)]).toEqual(['completed', 'completed']);
    expectState(successor, book);
    expect(book.current?.book.levels().bids).toHaveLength(100);
  });
});
