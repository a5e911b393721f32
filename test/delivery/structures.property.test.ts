// The structures under delivery, in random use, against models that are arrays, maps and sets.

import { describe, expect, it } from 'vitest';
import { AutoDelay } from '#src/delivery/auto-delay.js';
import { Consumer, WAITING } from '#src/delivery/consumer.js';
import { DELAY_MAX_MS, DelayWheel } from '#src/delivery/delay-wheel.js';
import { NONE, SubscriptionTable } from '#src/delivery/subscription-table.js';
import { WorkQueue } from '#src/delivery/work-queue.js';
import { AUTO_DELAY_MAX_MS } from '#src/limits.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { Random, testSeed } from '../ring/random.js';
import { FakeSink } from '../support/fake-sink.js';

function consumers(count: number): Consumer[] {
  return Array.from({ length: count }, (_, slot) => new Consumer(slot, slot + 1, new FakeSink(), msgpackEncoder));
}

describe('delay wheel', () => {
  it('hands out each consumer once, in the first expiry at or after its due time', () => {
    const random = new Random(testSeed('delay wheel'));
    for (const startMs of [0, 123.456, 2 ** 31 - 500.25, 2 ** 40]) runWheel(startMs, random);
  });

  it('holds the longest delay', () => {
    const wheel = new DelayWheel(0);
    const [one] = consumers(1);
    wheel.insert(one!, DELAY_MAX_MS);
    wheel.expire(DELAY_MAX_MS - 1, () => expect.unreachable());
    const due: Consumer[] = [];
    wheel.expire(DELAY_MAX_MS, (consumer) => due.push(consumer));
    expect(due).toEqual([one]);
  });
});

function runWheel(startMs: number, random: Random): void {
  const all = consumers(60);
  const dueMs = new Map<Consumer, number>();
  const wheel = new DelayWheel(startMs);
  let nowMs = startMs;
  for (let step = 0; step < 5_000; step++) {
    const consumer = all[random.below(all.length)];
    const known = dueMs.get(consumer);
    if (known === undefined) {
      const due = nowMs + random.below(DELAY_MAX_MS * 10) / 10;
      wheel.insert(consumer, due);
      dueMs.set(consumer, due);
    } else if (random.chance(0.3)) {
      wheel.remove(consumer);
      dueMs.delete(consumer);
    }
    if (random.chance(0.2)) {
      // Mostly small steps, now and then a pause longer than the wheel.
      nowMs += random.chance(0.02) ? 5000 + random.below(5000) : random.below(400) / 10;
      expireAndCompare(wheel, nowMs, dueMs);
    }
    if (wheel.count !== dueMs.size) throw new Error(`${wheel.count} consumers wait, not ${dueMs.size}`);
    checkNextDue(wheel, nowMs, dueMs);
  }
}

function expireAndCompare(wheel: DelayWheel, nowMs: number, dueMs: Map<Consumer, number>): void {
  const handedOut = new Set<Consumer>();
  wheel.expire(nowMs, (consumer) => {
    if (handedOut.has(consumer)) throw new Error('handed out twice');
    if ((consumer.flags & WAITING) !== 0) throw new Error('still marked as waiting');
    handedOut.add(consumer);
  });
  for (const [consumer, due] of dueMs) {
    // A slot is a whole millisecond: up to one of them later, never earlier.
    if (handedOut.has(consumer) && due > nowMs) throw new Error(`due at ${due}, handed out at ${nowMs}`);
    if (!handedOut.has(consumer) && due <= nowMs - 1) throw new Error(`due at ${due}, not handed out at ${nowMs}`);
  }
  for (const consumer of handedOut) if (!dueMs.delete(consumer)) throw new Error('was not waiting');
}

function checkNextDue(wheel: DelayWheel, nowMs: number, dueMs: Map<Consumer, number>): void {
  const next = wheel.nextDueInMs(nowMs);
  if (dueMs.size === 0) {
    if (next !== -1) throw new Error(`next due in ${next}, but nobody waits`);
    return;
  }
  const first = Math.min(...dueMs.values()) - nowMs;
  if (next < 0 || next < first - 1e-6 || next > first + 2) throw new Error(`next due in ${next} ms, not ${first}`);
}

describe('consumer queue', () => {
  it('is first in, first out, however it grows', () => {
    const random = new Random(testSeed('consumer queue'));
    const all = consumers(100);
    const queue = new WorkQueue<Consumer>();
    const model: Consumer[] = [];
    for (let step = 0; step < 50_000; step++) {
      const mayGrow = step % 10_000 < 5_000 ? 0.55 : 0.45;
      if (model.length === 0 || random.chance(mayGrow)) {
        const consumer = all[random.below(all.length)];
        queue.push(consumer);
        model.push(consumer);
      } else if (queue.shift() !== model.shift()) throw new Error(`step ${step}: not the first one`);
      if (queue.length !== model.length) throw new Error(`step ${step}: ${queue.length}, not ${model.length}`);
    }
  });
});

describe('subscription table', () => {
  it('finds every subscription that was added and not removed, and no other', () => {
    const random = new Random(testSeed('subscription table'));
    const table = new SubscriptionTable();
    const model = new Map<string, number>();
    // Few connections and streams, so that the same pairs come again; numbers that lie close, and far apart.
    const ids = [...Array.from({ length: 40 }, (_, i) => i), 1 << 16, 1 << 20, (1 << 20) + 1, 2 ** 30];
    for (let step = 0; step < 60_000; step++) {
      const connection = ids[random.below(ids.length)];
      const stream = ids[random.below(ids.length)];
      const key = `${connection} ${stream}`;
      const row = model.get(key);
      if (table.find(connection, stream) !== (row ?? NONE)) throw new Error(`step ${step}: ${key} is not row ${row}`);
      if (random.chance(step % 20_000 < 10_000 ? 0.7 : 0.3)) {
        const added = table.add(connection, stream);
        if ((added === NONE) !== (row !== undefined)) throw new Error(`step ${step}: ${key} was added twice or not`);
        if (row === undefined) fill(table, added, model, key);
      } else if (row !== undefined) {
        check(table, row);
        table.remove(row);
        model.delete(key);
      }
      if (table.count !== model.size) throw new Error(`step ${step}: ${table.count} rows, not ${model.size}`);
    }
    for (const [key, row] of model) {
      const [connection, stream] = key.split(' ').map(Number);
      expect([table.connection[row], table.stream[row]]).toEqual([connection, stream]);
      check(table, row);
    }
    expect(new Set(model.values()).size).toBe(model.size);
  });

  it('takes at most 96 bytes per row, whatever their number', () => {
    const table = new SubscriptionTable();
    let most = 0;
    for (let i = 0; i < 300_000; i++) {
      table.add(i % 1000, Math.floor(i / 1000));
      if (i >= 1000) most = Math.max(most, table.allocatedBytes / table.count);
    }
    console.log(`at most ${most.toFixed(1)} bytes per row`);
    expect(most).toBeLessThanOrEqual(96);
  });

  it('uses rows again', () => {
    const table = new SubscriptionTable();
    for (let i = 0; i < 1000; i++) table.add(i, 0);
    const { allocatedBytes } = table;
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 1000; i++) table.remove(table.find(i, round));
      for (let i = 0; i < 1000; i++) table.add(i, round + 1);
    }
    expect(table.allocatedBytes).toBe(allocatedBytes);
  });
});

/** Gives the row values that depend on its number, so that a mix-up shows. */
function fill(table: SubscriptionTable, row: number, model: Map<string, number>, key: string): void {
  if (table.policy(row) !== 0 || table.isPending(row)) throw new Error(`row ${row} was not made new`);
  table.cursor[row] = row * 2 ** 33;
  table.delayMs[row] = row % 1001;
  table.setPolicy(row, row % 3);
  if (row % 2 === 1) table.setPending(row, row % 4 === 1);
  model.set(key, row);
}

function check(table: SubscriptionTable, row: number): void {
  const right =
    table.cursor[row] === row * 2 ** 33 &&
    table.delayMs[row] === row % 1001 &&
    table.policy(row) === row % 3 &&
    table.isPending(row) === (row % 2 === 1) &&
    table.isHot(row) === (row % 4 === 1);
  if (!right) throw new Error(`row ${row} has another's values`);
}

describe('auto delay', () => {
  function loaded(utilisation: number, forMs: number): AutoDelay {
    let busyMs = 0;
    const delay = new AutoDelay(() => busyMs, 0);
    for (let nowMs = 1; nowMs <= forMs; nowMs++) {
      busyMs += utilisation;
      delay.update(nowMs);
    }
    return delay;
  }

  it('is 0 while the thread is idle half of the time', () => {
    expect(loaded(0.5, 5000).hotMs).toBe(0);
    expect(loaded(0.5, 5000).coldMs).toBe(0);
  });

  it('grows with utilisation up to its maximum; cold topics wait only when the thread is all but saturated', () => {
    expect(loaded(0.75, 5000).hotMs).toBeGreaterThan(0);
    expect(loaded(0.75, 5000).hotMs).toBeLessThan(AUTO_DELAY_MAX_MS);
    expect(loaded(0.9, 5000).coldMs).toBe(0);
    expect([loaded(1, 5000).hotMs, loaded(1, 5000).coldMs]).toEqual([AUTO_DELAY_MAX_MS, AUTO_DELAY_MAX_MS]);
  });

  it('follows a change of load within half a second', () => {
    expect(loaded(1, 500).hotMs).toBeGreaterThanOrEqual(4);
  });

  it('trusts the newest sample alone after a long pause', () => {
    let busyMs = 0;
    const delay = new AutoDelay(() => busyMs, 0);
    for (let nowMs = 1; nowMs <= 2000; nowMs++) {
      busyMs = nowMs;
      delay.update(nowMs);
    }
    delay.update(60_000);
    expect(delay.hotMs).toBe(0);
  });
});
