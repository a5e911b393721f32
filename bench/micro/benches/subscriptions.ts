// Subscription table: adding, finding and removing rows, and the memory that they take.

import { NONE, SubscriptionTable } from '../../../dist/delivery/subscription-table.js';
import {
  type Group,
  type Held,
  type MemoryBench,
  type Stopwatch,
  type TimeBench,
  verify,
  type Work,
} from '../bench.js';

const ROWS = 100_000;
const TOPICS_PER_CONNECTION = 40;

/** Connection and stream of the n-th subscription: watchlists of 40 of 5,000 topics. */
const connectionOf = (n: number): number => Math.floor(n / TOPICS_PER_CONNECTION);
const streamOf = (n: number): number => (connectionOf(n) * 17 + (n % TOPICS_PER_CONNECTION) * 125) % 5000;

function fill(table: SubscriptionTable, rows: number): SubscriptionTable {
  for (let n = 0; n < rows; n++) table.add(connectionOf(n), streamOf(n));
  return table;
}

function verifyTable(table: SubscriptionTable, rows: number): void {
  verify(table.count === rows, `${table.count} rows instead of ${rows}`);
  for (let n = 0; n < rows; n++) {
    const row = table.find(connectionOf(n), streamOf(n));
    verify(
      row !== NONE && table.connection[row] === connectionOf(n) && table.stream[row] === streamOf(n),
      'a lost row',
    );
  }
  verify(table.find(connectionOf(rows), streamOf(rows)) === NONE, 'a row that nobody added');
  verify(table.add(connectionOf(0), streamOf(0)) === NONE, 'a second row for the same subscription');
}

/** From an empty table on, growth included. */
function adding(): Work {
  verifyTable(fill(new SubscriptionTable(), ROWS), ROWS);
  return {
    run(times: number): number {
      let count = 0;
      for (let time = 0; time < times; time++) count += fill(new SubscriptionTable(), ROWS).count;
      return count;
    },
    expected: (times) => times * ROWS,
  };
}

/** All of them, in another order than they came in. */
function removing(): Work {
  const table = fill(new SubscriptionTable(), ROWS);
  const removeAll = (): number => {
    let removed = 0;
    let n = 0;
    for (let index = 0; index < ROWS; index++) {
      n += 77_773; // has no factor in common with the number of rows
      if (n >= ROWS) n -= ROWS;
      const row = table.find(connectionOf(n), streamOf(n));
      if (row === NONE) continue;
      table.remove(row);
      removed++;
    }
    return removed;
  };
  verify(removeAll() === ROWS && table.count === 0, 'not all rows were there to remove');
  verifyTable(fill(table, ROWS), ROWS);
  return {
    run(times: number, watch: Stopwatch): number {
      let removed = 0;
      for (let time = 0; time < times; time++) {
        if (table.count === 0) fill(table, ROWS);
        watch.start();
        removed += removeAll();
        watch.stop();
      }
      return removed + table.count;
    },
    expected: (times) => times * ROWS,
  };
}

/** One goes, another one comes, in a full table: what an engine does for weeks. */
function churning(): Work {
  const table = fill(new SubscriptionTable(), ROWS);
  let oldest = 0;
  return {
    run(times: number): number {
      let changed = 0;
      for (let time = 0; time < times; time++) {
        const row = table.find(connectionOf(oldest), streamOf(oldest));
        if (row !== NONE) table.remove(row);
        const next = oldest + ROWS;
        if (row !== NONE && table.add(connectionOf(next), streamOf(next)) !== NONE) changed++;
        oldest++;
      }
      return table.count === ROWS ? changed : -1;
    },
    expected: (times) => times,
  };
}

function finding(): Work {
  const table = fill(new SubscriptionTable(), ROWS);
  verifyTable(table, ROWS);
  let n = 0;
  return {
    run(times: number): number {
      let found = 0;
      for (let time = 0; time < times; time++) {
        n += 77_773;
        if (n >= ROWS) n -= ROWS;
        if (table.find(connectionOf(n), streamOf(n)) !== NONE) found++;
      }
      return found;
    },
    expected: (times) => times,
  };
}

/** So many rows at least, in as many tables as it takes: of less, what else is in the heap is too large a part. */
const MEASURED_ROWS = 500_000;

function memory(label: string, rows: number): MemoryBench {
  const count = Math.ceil(MEASURED_ROWS / rows);
  return {
    ...{ kind: 'memory', name: `memory/rows=${label}`, item: 'subscription', items: rows * count },
    build(): Held {
      const tables = Array.from({ length: count }, () => fill(new SubscriptionTable(), rows));
      return { kept: tables, check: () => verifyTable(tables.at(-1)!, rows) };
    },
  };
}

const time = (name: string, items: number, prepare: () => Work): TimeBench => {
  return { kind: 'time', name, item: 'subscription', items, prepare };
};

export const group: Group = {
  name: 'subscriptions',
  title: 'the subscription table, with 100,000 rows; memory: heap and array buffers after a garbage collection',
  benches: [
    time('add', ROWS, adding),
    time('remove', ROWS, removing),
    time('remove-and-add', 1, churning),
    time('find', 1, finding),
    memory('10k', 10_000),
    memory('100k', 100_000),
    memory('1M', 1_000_000),
  ],
};
