// Reference: code that has nothing to do with ringcast and never changes. What changes here between two commands is the
// machine, and so the noise floor of every comparison is at least that (see comparison.ts).

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Group, Work } from '../bench.js';

const STEPS = 1000;
const CHASE_WORDS = 2 ** 21;
const CHASE_STEP = 40_503;
const OBJECTS = 100;
const WAIT_TIMEOUT_MS = 5000;

/** xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003): bound by the core's clock. */
function xorshift(state: number, steps: number): number {
  for (let step = 0; step < steps; step++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
  }
  return state >>> 0;
}

function integers(): Work {
  // Every operation starts alike, so that any number of them has a known result.
  const run = (times: number): number => {
    let sum = 0;
    for (let time = 0; time < times; time++) sum += xorshift((time & 7) + 1, STEPS);
    return sum;
  };
  const once8 = run(8);
  return { run, expected: (times) => Math.floor(times / 8) * once8 + run(times % 8) };
}

/** One cycle through 8 MiB in steps that no prefetcher follows: bound by the caches behind the core's own. */
function chase(): Work {
  // An odd step visits every word of a power of two; one of some 160 KiB is in another page every time.
  const next = new Int32Array(CHASE_WORDS);
  for (let word = 0; word < CHASE_WORDS; word++) next[word] = (word + CHASE_STEP) & (CHASE_WORDS - 1);
  let at = 0;
  return {
    run(times: number): number {
      let steps = 0;
      for (; steps < times * STEPS; steps++) at = next[at];
      return at < 0 ? -1 : steps;
    },
    expected: (times) => times * STEPS,
  };
}

interface Item {
  readonly number: number;
  readonly text: string;
  readonly before: Item | null;
}

/** Short-lived objects: bound by allocation and the garbage collector. */
function objects(): Work {
  return {
    run(times: number): number {
      let sum = 0;
      for (let time = 0; time < times; time++) {
        let last: Item | null = null;
        for (let number = 0; number < OBJECTS; number++) last = { number, text: `item ${number}`, before: last };
        for (let item = last; item !== null; item = item.before) sum += item.number + item.text.length;
      }
      return sum;
    },
    // "item " and one digit, or two from 10 on.
    expected: (times) => times * ((OBJECTS * (OBJECTS - 1)) / 2 + OBJECTS * 7 - 10),
  };
}

/** The other thread's side. A source text, because it must be nothing but the wait. */
const PONG = `
  const { workerData } = require('node:worker_threads');
  const words = new Int32Array(workerData);
  while (Atomics.load(words, 0) >= 0) {
    Atomics.wait(words, 0, 0, ${WAIT_TIMEOUT_MS});
    if (Atomics.compareExchange(words, 0, 1, 0) !== 1) continue;
    Atomics.store(words, 32, 1);
    Atomics.notify(words, 32);
  }
`;

/** Two threads that wake each other with nothing but Atomics: bound by the operating system's scheduler. */
function wakeUps(): Work {
  const words = new Int32Array(new SharedArrayBuffer(256));
  const worker = new Worker(PONG, { eval: true, workerData: words.buffer });
  return {
    run(times: number): number {
      let count = 0;
      for (; count < times; count++) {
        Atomics.store(words, 0, 1);
        Atomics.notify(words, 0);
        if (Atomics.wait(words, 32, 0, WAIT_TIMEOUT_MS) === 'timed-out') throw new Error('the other thread is gone');
        Atomics.store(words, 32, 0);
      }
      return count;
    },
    expected: (times) => times,
    async close(): Promise<void> {
      const exit = once(worker, 'exit');
      Atomics.store(words, 0, -1);
      Atomics.notify(words, 0);
      await exit;
    },
  };
}

export const group: Group = {
  name: 'reference',
  title: 'code that never changes: how fast is the machine just now?',
  benches: [
    { kind: 'time', name: 'integers', item: 'step', items: STEPS, prepare: integers },
    { kind: 'time', name: 'memory', item: 'step', items: STEPS, prepare: chase },
    { kind: 'time', name: 'objects', item: 'object', items: OBJECTS, prepare: objects },
    { kind: 'time', name: 'threads', item: 'round trip', items: 1, isThreaded: true, prepare: wakeUps },
  ],
};
