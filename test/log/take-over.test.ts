// A log that takes over what another one retains: plain and shared logs, in all directions.

import { describe, expect, it } from 'vitest';
import type { FrameLog, LogSizes } from '#src/log/frame-log.js';
import { DATA_MIN_BYTES, ENTRY_BYTES, FRAMES_MIN } from '#src/log/layout.js';
import { LogBudget } from '#src/log/log-budget.js';
import type { PlainLogLimits } from '#src/log/log-limits.js';
import { sharedSizesFor } from '#src/log/log-sizes.js';
import { LogSlabs } from '#src/log/log-slabs.js';
import { PlainLog } from '#src/log/plain-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { Random, testSeed } from '../ring/random.js';
import { LogLab, randomFrameBytes, sharedMemoryAt } from './log-lab.js';

const FRAME_MAX_BYTES = 256;
const SIZES: LogSizes[] = [
  { dataBytes: 256, frames: 4 },
  { dataBytes: 512, frames: 64 },
  { dataBytes: 4096, frames: 16 },
  { dataBytes: 8192, frames: 256 },
];
const FIRST_INDEXES = [1000, 2 ** 31 - 200, 2 ** 32 - 200, 2 ** 33 + 2 ** 31 - 200, 2 ** 45 + 17];
const SMALLEST_BYTES = DATA_MIN_BYTES + FRAMES_MIN * ENTRY_BYTES;

/** A log, and what reads it: another object where the memory is shared. */
interface LogSides {
  writer: FrameLog;
  reader: FrameLog;
}

interface PlainSides extends LogSides {
  writer: PlainLog;
}

function shared(sizes: LogSizes, firstIndex = 1): LogSides {
  const memory = sharedMemoryAt(sizes, firstIndex);
  return { writer: new SharedLog(memory, firstIndex), reader: new SharedLog(memory, firstIndex) };
}

/** Neither history nor age keeps anything in it, unless `more` says so. */
function plain(sizes: LogSizes, firstSeq = 1, more: Partial<PlainLogLimits> = {}): PlainSides {
  const writer = new PlainLog({ ...sizes, retainMs: 0, historyMessages: 0, historyBytes: 0, ...more }, firstSeq);
  return { writer, reader: writer };
}

const KINDS = { plain: (sizes: LogSizes, firstSeq: number) => plain(sizes, firstSeq, { retainMs: 1e9 }), shared };

function labOf({ writer, reader }: LogSides): LogLab {
  return new LogLab(writer, reader, FRAME_MAX_BYTES);
}

/** Lets `target` take over from the lab's log, which is used no more. */
function moveTo(lab: LogLab, target: LogSides): void {
  target.writer.takeOver(lab.reader);
  expect([target.writer.head, target.writer.headSeq]).toEqual([lab.head, lab.headSeq]);
  lab.moveTo(target.writer, target.reader);
  lab.checkAll();
}

/** The oldest frame from which all newer frames fit. */
function lowestThatFits(lab: LogLab, from: number, sizes: LogSizes): number {
  let tail = from;
  while (lab.bytesFrom(tail) > sizes.dataBytes || lab.head - tail + 1 > sizes.frames - 1) tail++;
  return tail;
}

function appendSome(lab: LogLab, random: Random, framesMax: number): void {
  for (let i = random.below(framesMax + 1); i > 0; i--) lab.append(randomFrameBytes(random, FRAME_MAX_BYTES), random);
}

describe('a log that takes over', () => {
  for (const [fromKind, makeFrom] of Object.entries(KINDS)) {
    for (const [toKind, makeTo] of Object.entries(KINDS)) {
      it(`has the same frames: ${fromKind} → ${toKind}, of all sizes, wrapped in bytes, slots and words`, () => {
        const random = new Random(testSeed(`${fromKind} to ${toKind}`));
        for (const firstIndex of FIRST_INDEXES) {
          for (const from of SIZES) {
            for (const to of SIZES) {
              const lab = labOf(makeFrom(from, firstIndex));
              appendSome(lab, random, 300);
              const wanted = lowestThatFits(lab, lab.writer.tail, to);
              moveTo(lab, makeTo(to, lab.head + 1 - random.below(100)));
              expect(lab.writer.tail).toBe(wanted);
              for (let i = 0; i < 5; i++) {
                appendSome(lab, random, 20);
                lab.checkAll();
                lab.checkRandomSlice(random);
              }
            }
          }
        }
      });
    }
  }

  it('loses and doubles nothing on a journey through many homes', () => {
    const random = new Random(testSeed('journey'));
    const lab = labOf(shared(SIZES[3], 2 ** 32 - 3000));
    for (let move = 0; move < 400; move++) {
      appendSome(lab, random, 30);
      const kind = random.chance(0.5) ? KINDS.plain : KINDS.shared;
      moveTo(lab, kind(SIZES[random.below(SIZES.length)], lab.head + 1 - random.below(3)));
    }
    expect(lab.frames.length).toBeGreaterThan(4000);
  });

  for (const [kind, make] of Object.entries(KINDS)) {
    it(`begins behind the head of an empty one (${kind})`, () => {
      const random = new Random(testSeed('empty'));
      for (const from of [plain(SIZES[0], 77), shared(SIZES[0], 77)]) {
        const target = make(SIZES[1], 5);
        target.writer.takeOver(from.reader);
        const lab = labOf(target);
        lab.checkAll();
        expect([lab.writer.tailSeq, lab.writer.headSeq]).toEqual([77, 76]);
        lab.append(100, random);
        lab.checkAll();
      }
    });

    it(`begins behind the head of one whose newest frame is too large for it (${kind})`, () => {
      const random = new Random(testSeed('too large'));
      const lab = labOf(shared(SIZES[1]));
      for (let i = 0; i < 3; i++) lab.append(100, random);
      moveTo(lab, make({ dataBytes: 64, frames: 4 }, 1));
      expect([lab.writer.tail, lab.writer.head]).toEqual([4, 3]);
      lab.append(60, random);
      lab.checkAll();
    });

    it(`does not take over when it has frames of its own (${kind})`, () => {
      const random = new Random(testSeed('refused'));
      const from = labOf(shared(SIZES[1], 10));
      for (let i = 0; i < 3; i++) from.append(50, random);
      const inUse = labOf(make(SIZES[1], 11));
      inUse.append(50, random);
      expect(() => inUse.writer.takeOver(from.reader), 'it is in use').toThrow(RangeError);
      inUse.checkAll();
    });
  }

  it('does not hand on what the record behind a frame was: its ring is not the new one', () => {
    const random = new Random(testSeed('ingress'));
    const lab = labOf(shared(SIZES[1]));
    for (let i = 0; i < 9; i++) lab.append(30, random);
    const target = shared(SIZES[1], 1);
    target.writer.takeOver(lab.reader);
    for (let index = target.writer.tail; index <= 9; index++) {
      expect(target.writer.ingressPositionAt(index)).toBe(0);
    }
  });

  it('learns first what a shared one has got since its reader looked last', () => {
    const random = new Random(testSeed('late look'));
    const lab = labOf(shared(SIZES[1]));
    for (let i = 0; i < 9; i++) lab.append(30, random);
    expect(lab.reader.headSeq).toBe(0);
    moveTo(lab, plain(SIZES[1], 1));
    expect(lab.head).toBe(9);
  });
});

describe('a plain log that takes over', () => {
  it('holds more than its history at first; the next trim drops the rest and what it took for it', () => {
    const random = new Random(testSeed('trim'));
    const lab = labOf(shared(SIZES[3]));
    for (let i = 0; i < 100; i++) lab.append(60, random);
    const slabs = new LogSlabs();
    const budget = new LogBudget(1e6);
    const target = plain(SIZES[3], 1, { historyMessages: 1, historyBytes: 1000, budget, slabs });
    moveTo(lab, target);
    expect([target.writer.retainedFrames, target.writer.isInflated]).toEqual([100, true]);
    target.writer.trim(lab.nowMs);
    lab.checkAll();
    expect([target.writer.retainedFrames, target.writer.isInflated]).toEqual([1, false]);
    expect(budget.usedBytes).toBe(SMALLEST_BYTES);
  });

  it('stays in its slab when what it takes over fits there', () => {
    const random = new Random(testSeed('slab'));
    const lab = labOf(shared(SIZES[3]));
    for (let i = 0; i < 3; i++) lab.append(60, random);
    const target = plain(SIZES[3], 1, { slabs: new LogSlabs() });
    moveTo(lab, target);
    expect([target.writer.retainedFrames, target.writer.isInflated]).toEqual([3, false]);
  });

  it('takes over no more than its budget leaves it, and not one frame less', () => {
    const random = new Random(testSeed('budget'));
    for (let round = 0; round < 200; round++) {
      const lab = labOf(shared(SIZES[3]));
      appendSome(lab, random, 300);
      const { tail } = lab.writer;
      const budget = new LogBudget(random.below(20_000));
      const limits = { dataBytes: 8192, frames: 256 };
      moveTo(lab, plain(limits, 1, { budget }));
      const { writer } = lab;
      expect(budget.usedBytes).toBe(writer.memoryBytes);
      expect(writer.memoryBytes).toBeLessThanOrEqual(budget.maxBytes + SMALLEST_BYTES);
      if (writer.tail === tail) continue;
      const { dataBytes, frames } = sharedSizesFor(writer, { dataBytes: DATA_MIN_BYTES, frames: FRAMES_MIN });
      expect(writer.memoryBytes, 'no larger than it has to be').toBe(dataBytes + frames * ENTRY_BYTES);
      let dataWithOneMore = dataBytes;
      while (dataWithOneMore < lab.bytesFrom(writer.tail - 1)) dataWithOneMore *= 2;
      const framesWithOneMore = writer.retainedFrames + 2 > frames ? frames * 2 : frames;
      expect(dataWithOneMore + framesWithOneMore * ENTRY_BYTES - SMALLEST_BYTES).toBeGreaterThan(budget.maxBytes);
    }
  });
});

describe('sizes for a shared log that takes over', () => {
  it('are those asked for, doubled just so far that nothing is lost', () => {
    const random = new Random(testSeed('sizes'));
    for (let round = 0; round < 100; round++) {
      const lab = labOf(round % 2 === 0 ? plain(SIZES[3], 1, { retainMs: 1e9 }) : shared(SIZES[3]));
      appendSome(lab, random, 300);
      const { tail } = lab.writer;
      const least = SIZES[random.below(SIZES.length)];
      const sizes = sharedSizesFor(lab.reader, least);
      const usedBytes = lab.bytesFrom(tail);
      expect(sizes.dataBytes === least.dataBytes || sizes.dataBytes < 2 * usedBytes).toBe(true);
      expect(sizes.frames === least.frames || sizes.frames < 2 * (lab.writer.retainedFrames + 1)).toBe(true);
      moveTo(lab, shared(sizes, lab.head + 1));
      expect(lab.writer.tail).toBe(tail);
    }
  });
});
