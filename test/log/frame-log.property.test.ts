// Random histories of frame logs, compared step by step with a model that is an array.

import { describe, expect, it } from 'vitest';
import { DATA_MIN_BYTES, ENTRY_BYTES, FRAMES_MIN } from '#src/log/layout.js';
import { LogBudget } from '#src/log/log-budget.js';
import type { PlainLogLimits } from '#src/log/log-limits.js';
import { PlainLog } from '#src/log/plain-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { Random, testSeed } from '../ring/random.js';
import { LogLab, randomFrameBytes, sharedMemoryAt } from './log-lab.js';

/** The low words of these wrap within a run: signed at 2^31, unsigned at 2^32, and again beyond. */
const FIRST_INDEXES = [1, 2 ** 31 - 100, 2 ** 32 - 100, 2 ** 33 + 2 ** 31 - 100, 2 ** 45 + 17];
const SHARED_SIZES = [
  { dataBytes: 64, frames: 4 },
  { dataBytes: 256, frames: 64 },
  { dataBytes: 4096, frames: 8 },
  { dataBytes: 4096, frames: 32 },
  { dataBytes: 32768, frames: 256 },
];
const SHARED_STEPS = 2_000;
const PLAIN_STEPS = 2_000;

describe('shared log', () => {
  for (const firstIndex of FIRST_INDEXES) {
    it(`retains exactly what fits and gives back every byte of it, from index ${firstIndex} on`, () => {
      const random = new Random(testSeed('shared log') + (firstIndex % 1000));
      for (const sizes of SHARED_SIZES) runShared(sizes, firstIndex, random);
    });
  }
});

function runShared(sizes: { dataBytes: number; frames: number }, firstIndex: number, random: Random): void {
  const memory = sharedMemoryAt(sizes, firstIndex);
  const side = (): SharedLog => new SharedLog(memory, firstIndex);
  const lab = new LogLab(side(), side(), sizes.dataBytes);
  for (let step = 0; step < SHARED_STEPS; step++) {
    lab.append(randomFrameBytes(random, sizes.dataBytes), random);
    checkSharedTail(lab, sizes);
    if (random.chance(1 / 8)) lab.checkRandomSlice(random);
    if (random.chance(1 / 64)) lab.checkAll();
    // The reader's view may be old, also in what follows.
    if (lab.reader.retainedFrames > 0) {
      lab.checkOldCursor(lab.reader.tailSeq + random.below(lab.reader.headSeq + 1 - lab.reader.tailSeq));
    }
    const { tail } = lab.writer;
    if (random.chance(1 / 32) && tail > firstIndex) {
      // The reader's view may be old: it asks for what it believes to be there.
      lab.checkEvicted(tail - 1 - random.below(Math.min(2 * sizes.frames, tail - firstIndex)));
    }
  }
  lab.checkAll();
}

/** The longest run of newest frames that the memory can hold: not one less. */
function checkSharedTail(lab: LogLab, sizes: { dataBytes: number; frames: number }): void {
  const { tail } = lab.writer;
  const frames = lab.head - tail + 1;
  const bytes = lab.bytesFrom(tail);
  if (bytes > sizes.dataBytes || frames > sizes.frames - 1)
    throw new Error(`${frames} frames, ${bytes} bytes retained`);
  if (tail === lab.firstIndex) return;
  const isFull = frames === sizes.frames - 1 || bytes + lab.frame(tail - 1).frameBytes > sizes.dataBytes;
  if (!isFull) throw new Error(`frame ${tail - 1} was evicted, although it fitted`);
}

/** A plain log and its model. */
class PlainLab extends LogLab {
  declare writer: PlainLog;

  constructor(log: PlainLog, frameMaxBytes: number) {
    super(log, log, frameMaxBytes);
  }
}

const PLAIN_LIMITS: PlainLogLimits[] = [
  { dataBytes: 65536, frames: 1024, retainMs: 1000, historyMessages: 20, historyBytes: 8192 },
  { dataBytes: 65536, frames: 64, retainMs: 1000, historyMessages: 0, historyBytes: 0 },
  { dataBytes: 4096, frames: 1024, retainMs: 0, historyMessages: 50, historyBytes: 2048 },
  { dataBytes: 4096, frames: 4, retainMs: 5000, historyMessages: 100, historyBytes: 4096 },
  { dataBytes: 128, frames: 16, retainMs: 5000, historyMessages: 3, historyBytes: 128 },
  { dataBytes: 262144, frames: 2048, retainMs: 20_000, historyMessages: 5, historyBytes: 300 },
];

describe('plain log', () => {
  for (const firstSeq of [1, 2 ** 32 - 100, 2 ** 45 + 17]) {
    it(`grows for what it has to keep, forgets the rest when it is trimmed, from seq ${firstSeq} on`, () => {
      const random = new Random(testSeed('plain log') + (firstSeq % 1000));
      for (const limits of PLAIN_LIMITS) runPlain(limits, firstSeq, random);
    });
  }
});

function runPlain(limits: PlainLogLimits, firstSeq: number, random: Random): void {
  const log = new PlainLog(limits, firstSeq);
  const lab = new PlainLab(log, limits.dataBytes);
  // Busy and quiet times, so that there is something to grow for and something to give back.
  let pauseMaxMs = 10;
  for (let step = 0; step < PLAIN_STEPS; step++) {
    if (random.chance(1 / 200)) pauseMaxMs = random.chance(0.5) ? 10 : 1000;
    lab.nowMs += random.below(pauseMaxMs);
    lab.append(
      randomFrameBytes(random, Math.min(limits.dataBytes, pauseMaxMs === 10 ? 400 : limits.dataBytes)),
      random,
    );
    checkKept(lab, limits);
    if (random.chance(1 / 8)) lab.checkRandomSlice(random);
    if (random.chance(1 / 64)) lab.checkAll();
    if (random.chance(1 / 50)) checkTrim(lab, limits, random);
  }
  lab.checkAll();
}

/** What history and age keep is retained, as far as the largest sizes allow. */
function checkKept(lab: PlainLab, limits: PlainLogLimits): void {
  const { tail } = lab.writer;
  if (lab.writer.dataCapacityBytes > Math.max(limits.dataBytes, DATA_MIN_BYTES)) throw new Error('beyond its limit');
  if (lab.head - tail + 1 > limits.frames - 1) throw new Error('more frames than its limit');
  if (tail === lab.firstIndex) return;
  const evicted = tail - 1;
  const bytes = lab.bytesFrom(evicted);
  const fits = bytes <= limits.dataBytes && lab.head - evicted + 1 <= limits.frames - 1;
  if (fits && isKept(lab, evicted, limits)) {
    throw new Error(`frame ${evicted} was evicted: ${lab.head - evicted + 1} newest frames, ${bytes} bytes`);
  }
}

const SMALLEST_BYTES = DATA_MIN_BYTES + FRAMES_MIN * ENTRY_BYTES;

describe('plain logs with a common budget', () => {
  it('do not take more together, refuse no frame that one of them may hold, and give all of it back', () => {
    const random = new Random(testSeed('log budget'));
    const budget = new LogBudget(60_000);
    const limits = { dataBytes: 16384, frames: 256, retainMs: 1000, historyMessages: 50, historyBytes: 8192, budget };
    const labs: PlainLab[] = [];
    let nowMs = 1_000_000;
    let timesFull = 0;
    for (let step = 0; step < 20_000; step++) {
      if (labs.length < 25 && random.chance(0.01)) {
        const log = new PlainLog(limits);
        labs.push(new PlainLab(log, limits.dataBytes));
      }
      const lab = labs[random.below(Math.max(1, labs.length))];
      if (lab === undefined) continue;
      nowMs += random.below(20);
      lab.nowMs = nowMs;
      const frameBytes = randomFrameBytes(random, limits.dataBytes);
      if (!lab.writer.canHold(frameBytes)) throw new Error(`step ${step}: a frame of ${frameBytes} bytes was refused`);
      lab.append(frameBytes, random);
      if (random.chance(0.02)) lab.checkAll();
      if (random.chance(0.02)) lab.writer.trim(nowMs + random.below(2000));
      if (random.chance(0.003)) labs.splice(labs.indexOf(lab), 1)[0].writer.dispose();
      const usedBytes = labs.reduce((sum, { writer }) => sum + writer.memoryBytes, 0);
      if (budget.usedBytes !== usedBytes) throw new Error(`step ${step}: ${budget.usedBytes}, not ${usedBytes}`);
      // A log has its smallest size whatever the others take.
      const takenBytes = usedBytes - labs.length * SMALLEST_BYTES;
      if (takenBytes > budget.maxBytes) throw new Error(`step ${step}: ${takenBytes} of ${budget.maxBytes} bytes`);
      if (takenBytes > budget.maxBytes - 16384) timesFull++;
    }
    expect(timesFull, 'the budget was exhausted now and then').toBeGreaterThan(100);
    for (const lab of labs) lab.checkAll();
    for (const { writer } of labs) writer.dispose();
    expect(budget.usedBytes).toBe(0);
  });

  it('leave each other their shares: who takes much and stays does not cost those who take little', () => {
    const budget = new LogBudget(2 ** 20);
    const limits = {
      dataBytes: 2 ** 18,
      frames: 64,
      retainMs: 1000,
      historyMessages: 63,
      historyBytes: 2 ** 18,
      budget,
    };
    const lab = (): PlainLab => {
      const log = new PlainLog(limits);
      return new PlainLab(log, limits.dataBytes);
    };
    const random = new Random(1);
    const modest = Array.from({ length: 20 }, lab);
    for (const one of modest) for (let n = 0; n < 10; n++) one.append(400, random);
    // All of them are idle for an hour when somebody fills the budget several times over, and leaves.
    const greedy = Array.from({ length: 100 }, lab);
    for (const one of greedy) {
      one.nowMs += 3_600_000;
      for (let n = 0; n < 5; n++) one.append(40_000, random);
    }
    expect(modest.map(({ writer }) => writer.retainedFrames)).toEqual(modest.map(() => 10));
    // Whoever comes later has as much as anybody, up to the size that all can have.
    const late = lab();
    late.nowMs += 3_600_000;
    for (let n = 0; n < 10; n++) late.append(400, random);
    expect(late.writer.retainedFrames).toBe(10);
    expect(Math.min(...greedy.map(({ writer }) => writer.memoryBytes))).toBeLessThanOrEqual(
      late.writer.memoryBytes * 16,
    );
    for (const one of [...modest, ...greedy, late]) one.checkAll();
  });
});

function isKept(lab: LogLab, index: number, limits: PlainLogLimits): boolean {
  if (lab.frame(index).timeMs > lab.nowMs - limits.retainMs) return true;
  return lab.head - index < limits.historyMessages && lab.bytesFrom(index) <= limits.historyBytes;
}

function checkTrim(lab: PlainLab, limits: PlainLogLimits, random: Random): void {
  const { writer } = lab;
  lab.nowMs += random.below(2 * limits.retainMs + 1);
  let wanted = writer.tail;
  while (wanted <= lab.head && !isKept(lab, wanted, limits)) wanted++;
  writer.trim(lab.nowMs);
  if (writer.tail !== wanted) throw new Error(`tail ${writer.tail} after a trim, not ${wanted}`);
  const isSmall = writer.dataCapacityBytes <= DATA_MIN_BYTES || lab.bytesFrom(wanted) * 4 > writer.dataCapacityBytes;
  if (!isSmall) throw new Error(`${writer.dataCapacityBytes} bytes for ${lab.bytesFrom(wanted)} after a trim`);
  if (lab.head - wanted + 1 < FRAMES_MIN / 4 && lab.bytesFrom(wanted) * 4 <= DATA_MIN_BYTES && writer.isInflated) {
    throw new Error('an all but empty log stays inflated after a trim');
  }
  lab.checkAll();
}
