// A log between two threads: the writer never waits, readers on this side are lapped again and again. Whatever they are
// given must be whole, in order and without a hole, except for what the tail says is gone.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { EVICTED, FrameLog } from '#src/log/frame-log.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import { testSeed } from '../ring/random.js';
import { checkFrames } from './frame-bytes.mjs';

const FIRST_SEQ = 2 ** 32 - 100_000;

/** Where a lapped reader goes on: on the edge that is overwritten next, in the middle, or at the head. */
const JUMPS = {
  edge: (log: FrameLog) => log.tailSeq,
  middle: (log: FrameLog) => log.tailSeq + (log.retainedFrames >> 1),
  head: (log: FrameLog) => Math.max(log.tailSeq, log.headSeq),
};

class StressReader {
  readonly log: FrameLog;
  cursor = FIRST_SEQ;
  readFrames = 0;
  lostFrames = 0;
  evictedCopies = 0;
  readonly #jump: (log: FrameLog) => number;
  readonly #sliceMaxBytes: number;
  readonly #target: Uint8Array;

  constructor(memory: SharedArrayBuffer, jump: (log: FrameLog) => number, sliceMaxBytes: number) {
    this.log = FrameLog.shared(memory);
    this.#jump = jump;
    this.#sliceMaxBytes = sliceMaxBytes;
    this.#target = new Uint8Array(this.log.frameMaxBytes);
  }

  /** Reads one slice, as delivery does. False: there was nothing new. */
  step(): boolean {
    const { log } = this;
    log.refresh();
    if (log.retainedFrames < 0 || log.retainedFrames > 2 ** 20)
      throw new Error(`${log.retainedFrames} frames retained`);
    if (this.cursor > log.headSeq) return false;
    if (this.cursor < log.tailSeq) {
      const next = Math.max(this.cursor, this.#jump(log));
      this.lostFrames += next - this.cursor;
      this.cursor = next;
      if (next > log.headSeq) return true;
    }
    const from = this.cursor;
    const until = log.fit(from, this.#sliceMaxBytes);
    const times = [log.timeOf(from), log.ingressPositionOf(from), log.originOf(from)];
    const copied = log.copy(from, until, this.#target, 0);
    if (copied === EVICTED) {
      if (from >= log.tailSeq) throw new Error(`frame ${from} was refused, but the tail is ${log.tailSeq}`);
      this.evictedCopies++;
      return true;
    }
    checkFrames(this.#target, copied, from, until);
    // Retained after the copy, so the index entry read before it was the frame's own.
    if (times[0] !== from + 0.5 || times[1] !== from * 2 || times[2] !== from % 1000)
      throw new Error(`index of ${from}`);
    this.readFrames += until - from;
    this.cursor = until;
    return true;
  }
}

interface Setup {
  frames: number;
  sizes: { dataBytes: number; frames: number };
  frameMaxBytes: number;
  leadFrames: number;
  readers: (memory: SharedArrayBuffer) => StressReader[];
}

/** Lets the readers run until the writer is done and everybody is at the head. */
async function run({ frames, sizes, frameMaxBytes, leadFrames, readers: makeReaders }: Setup): Promise<StressReader[]> {
  const memory = allocateSharedLog(sizes, FIRST_SEQ);
  const readers = makeReaders(memory);
  const followed = new SharedArrayBuffer(4);
  const slowest = new Int32Array(followed);
  const worker = new Worker(new URL('./two-threads-writer.mjs', import.meta.url), {
    workerData: { memory, frames, frameMaxBytes, leadFrames, followed, seed: testSeed('two threads') },
  });
  const failed = once(worker, 'error').then(([error]) => Promise.reject(error));
  failed.catch(() => {});
  let isWritten = false;
  const written = once(worker, 'message').then(() => {
    isWritten = true;
  });
  try {
    while (!isWritten) {
      for (let turn = 0; turn < 200; turn++) {
        for (const reader of readers) reader.step();
        if (leadFrames > 0) Atomics.store(slowest, 0, Math.min(...readers.map(({ cursor }) => cursor - FIRST_SEQ)));
      }
      await Promise.race([new Promise((resolve) => setImmediate(resolve)), failed]);
    }
    await written;
    for (const reader of readers) while (reader.step());
  } finally {
    await worker.terminate();
  }
  return readers;
}

describe('frame log between two threads', () => {
  it('hands out no torn, lost, doubled or reordered frame to readers that are lapped', async () => {
    const frames = 700_000;
    const readers = await run({
      frames,
      sizes: { dataBytes: 16384, frames: 256 },
      frameMaxBytes: 16384,
      leadFrames: 0,
      readers: (memory) => [
        new StressReader(memory, JUMPS.edge, 4096),
        new StressReader(memory, JUMPS.edge, 100),
        new StressReader(memory, JUMPS.middle, 15 * 1024),
        new StressReader(memory, JUMPS.head, 2048),
      ],
    });
    const figures = readers.map(({ readFrames, lostFrames, evictedCopies }) => ({
      readFrames,
      lostFrames,
      evictedCopies,
    }));
    console.log(figures);
    for (const reader of readers) {
      expect(reader.readFrames + reader.lostFrames, 'each frame was read or below a reported tail').toBe(frames);
      expect(reader.lostFrames, 'it was lapped').toBeGreaterThan(0);
    }
    const sum = (of: (reader: StressReader) => number) => readers.reduce((total, reader) => total + of(reader), 0);
    expect(sum((reader) => reader.readFrames)).toBeGreaterThan(20_000);
    expect(
      sum((reader) => reader.evictedCopies),
      'the writer overtook copies',
    ).toBeGreaterThan(20);
  }, 60_000);

  it('hands out every frame to readers that keep up', async () => {
    const frames = 120_000;
    const readers = await run({
      frames,
      sizes: { dataBytes: 65536, frames: 512 },
      frameMaxBytes: 128,
      leadFrames: 500,
      readers: (memory) => [new StressReader(memory, JUMPS.edge, 15 * 1024), new StressReader(memory, JUMPS.edge, 700)],
    });
    for (const reader of readers) {
      expect([reader.readFrames, reader.lostFrames, reader.evictedCopies]).toEqual([frames, 0, 0]);
    }
  }, 60_000);
});
