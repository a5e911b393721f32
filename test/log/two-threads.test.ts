// A log between two threads: the writer never waits, readers on this side are lapped again and again. Whatever they are
// given must be whole, in order and without a hole, except for what the tail says is gone.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { EVICTED, type FrameLog } from '#src/log/frame-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { testSeed } from '../ring/random.js';
import { checkFrames } from './frame-bytes.mjs';
import { sharedMemoryAt } from './log-lab.js';

/** The shared words wrap. */
const FIRST_INDEX = 2 ** 32 - 100_000;
const FIRST_SEQ = 1000;
/** Between two frames, so that cursors have to be looked for. */
const SEQ_STEP = 3;

/** Where a lapped reader goes on: on the edge that is overwritten next, in the middle, or at the head. */
const JUMPS = {
  edge: (log: FrameLog) => log.tailSeq,
  middle: (log: FrameLog) => log.tailSeq + SEQ_STEP * (log.retainedFrames >> 1),
  head: (log: FrameLog) => log.newestCursor(),
};

class StressReader {
  readonly log: FrameLog;
  cursor = FIRST_SEQ;
  /** Frames behind the cursor. */
  passedFrames = 0;
  readFrames = 0;
  lostFrames = 0;
  evictedCopies = 0;
  readonly #jump: (log: FrameLog) => number;
  readonly #sliceMaxBytes: number;
  readonly #target: Uint8Array;

  constructor(memory: SharedArrayBuffer, jump: (log: FrameLog) => number, sliceMaxBytes: number) {
    this.log = new SharedLog(memory, FIRST_INDEX);
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
    if (this.cursor < log.tailSeq) this.cursor = Math.max(this.cursor, this.#jump(log));
    const from = log.indexOf(this.cursor);
    if (from > log.head) return true;
    const until = log.fit(from, this.#sliceMaxBytes);
    const next = log.firstSeqAt(until);
    const times = [log.timeAt(from), log.ingressPositionAt(from), log.originAt(from)];
    const copied = log.copy(from, until, this.#target, 0);
    if (copied === EVICTED) {
      if (from >= log.tail) throw new Error(`frame ${from} was refused, but the tail is ${log.tail}`);
      this.evictedCopies++;
      return true;
    }
    checkFrames(this.#target, copied, from, until);
    // Retained after the copy, so the index entries read before it were the frames' own.
    if (times[0] !== from + 0.5 || times[1] !== from * 2 || times[2] !== from % 1000)
      throw new Error(`index of ${from}`);
    const passed = from - FIRST_INDEX;
    if (this.cursor !== FIRST_SEQ + passed * SEQ_STEP) throw new Error(`cursor ${this.cursor} got frame ${from}`);
    if (next !== this.cursor + (until - from) * SEQ_STEP) throw new Error(`${next} behind frame ${until - 1}`);
    this.lostFrames += passed - this.passedFrames;
    this.readFrames += until - from;
    this.passedFrames = until - FIRST_INDEX;
    this.cursor = next;
    return true;
  }
}

interface Setup {
  seed?: number;
  frames: number;
  sizes: { dataBytes: number; frames: number };
  frameMaxBytes: number;
  leadFrames: number;
  readers: (memory: SharedArrayBuffer) => StressReader[];
}

/** Lets the readers run until the writer is done and everybody is at the head. */
async function run({
  seed = testSeed('two threads'),
  frames,
  sizes,
  frameMaxBytes,
  leadFrames,
  readers: makeReaders,
}: Setup): Promise<StressReader[]> {
  const memory = sharedMemoryAt(sizes, FIRST_INDEX, FIRST_SEQ);
  const readers = makeReaders(memory);
  const followed = new SharedArrayBuffer(4);
  const slowest = new Int32Array(followed);
  const worker = new Worker(new URL('./two-threads-writer.mjs', import.meta.url), {
    workerData: {
      memory,
      firstIndex: FIRST_INDEX,
      seqStep: SEQ_STEP,
      frames,
      frameMaxBytes,
      leadFrames,
      followed,
      seed,
    },
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
        if (leadFrames > 0) Atomics.store(slowest, 0, Math.min(...readers.map(({ passedFrames }) => passedFrames)));
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
    const seed = testSeed('two threads');
    let read = 0;
    let evictedCopies = 0;
    // On a busy machine the two threads seldom run at the same time: again, until they have met often enough.
    for (let round = 0; read <= 20_000 || evictedCopies <= 20; round++) {
      const readers = await run({
        seed: seed + round,
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
      for (const reader of readers) {
        expect(reader.readFrames + reader.lostFrames, 'each frame was read or below a reported tail').toBe(frames);
        expect(reader.lostFrames, 'it was lapped').toBeGreaterThan(0);
        read += reader.readFrames;
        evictedCopies += reader.evictedCopies;
      }
      console.log({ round, read, evictedCopies });
    }
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
      expect([reader.readFrames, reader.lostFrames]).toEqual([frames, 0]);
    }
  }, 60_000);
});
