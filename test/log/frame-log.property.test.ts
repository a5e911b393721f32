// Random histories of frame logs, compared step by step with a model that is an array.

import { describe, expect, it } from 'vitest';
import { FrameLog } from '#src/log/frame-log.js';
import { DATA_MIN_BYTES, ENTRY_BYTES, FRAMES_MIN } from '#src/log/layout.js';
import { LogBudget } from '#src/log/log-budget.js';
import type { PlainLogLimits } from '#src/log/log-limits.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import { Random, testSeed } from '../ring/random.js';
import { LogLab, randomFrameBytes } from './log-lab.js';

/** The low words of these wrap within a run: signed at 2^31, unsigned at 2^32, and again beyond. */
const FIRST_SEQS = [1, 2 ** 31 - 100, 2 ** 32 - 100, 2 ** 33 + 2 ** 31 - 100, 2 ** 45 + 17];
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
  for (const firstSeq of FIRST_SEQS) {
    it(`retains exactly what fits and gives back every byte of it, from seq ${firstSeq} on`, () => {
      const random = new Random(testSeed('shared log') + (firstSeq % 1000));
      for (const sizes of SHARED_SIZES) runShared(sizes, firstSeq, random);
    });
  }
});

function runShared(sizes: { dataBytes: number; frames: number }, firstSeq: number, random: Random): void {
  const memory = allocateSharedLog(sizes, firstSeq);
  const lab = new LogLab(FrameLog.shared(memory), FrameLog.shared(memory), firstSeq, sizes.dataBytes);
  for (let step = 0; step < SHARED_STEPS; step++) {
    lab.append(randomFrameBytes(random, sizes.dataBytes), random);
    checkSharedTail(lab, sizes);
    if (random.chance(1 / 8)) lab.checkRandomSlice(random);
    if (random.chance(1 / 64)) lab.checkAll();
    const { tailSeq } = lab.writer;
    if (random.chance(1 / 32) && tailSeq > firstSeq) {
      // The reader's view may be old: it asks for what it believes to be there.
      lab.checkEvicted(tailSeq - 1 - random.below(Math.min(2 * sizes.frames, tailSeq - firstSeq)));
    }
  }
  lab.checkAll();
}

/** The longest run of newest frames that the memory can hold: not one less. */
function checkSharedTail(lab: LogLab, sizes: { dataBytes: number; frames: number }): void {
  const { tailSeq } = lab.writer;
  const frames = lab.headSeq - tailSeq + 1;
  const bytes = lab.bytesFrom(tailSeq);
  if (bytes > sizes.dataBytes || frames > sizes.frames - 1)
    throw new Error(`${frames} frames, ${bytes} bytes retained`);
  if (tailSeq === lab.firstSeq) return;
  const isFull = frames === sizes.frames - 1 || bytes + lab.frame(tailSeq - 1).frameBytes > sizes.dataBytes;
  if (!isFull) throw new Error(`frame ${tailSeq - 1} was evicted, although it fitted`);
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
  for (const firstSeq of FIRST_SEQS) {
    it(`grows for what it has to keep, forgets the rest when it is trimmed, from seq ${firstSeq} on`, () => {
      const random = new Random(testSeed('plain log') + (firstSeq % 1000));
      for (const limits of PLAIN_LIMITS) runPlain(limits, firstSeq, random);
    });
  }
});

function runPlain(limits: PlainLogLimits, firstSeq: number, random: Random): void {
  const log = FrameLog.plain(limits, firstSeq);
  const lab = new LogLab(log, log, firstSeq, limits.dataBytes);
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
function checkKept(lab: LogLab, limits: PlainLogLimits): void {
  const { tailSeq } = lab.writer;
  if (lab.writer.dataCapacityBytes > Math.max(limits.dataBytes, DATA_MIN_BYTES)) throw new Error('beyond its limit');
  if (lab.headSeq - tailSeq + 1 > limits.frames - 1) throw new Error('more frames than its limit');
  if (tailSeq === lab.firstSeq) return;
  const evicted = tailSeq - 1;
  const bytes = lab.bytesFrom(evicted);
  const fits = bytes <= limits.dataBytes && lab.headSeq - evicted + 1 <= limits.frames - 1;
  if (fits && isKept(lab, evicted, limits)) {
    throw new Error(`frame ${evicted} was evicted: ${lab.headSeq - evicted + 1} newest frames, ${bytes} bytes`);
  }
}

const SMALLEST_BYTES = DATA_MIN_BYTES + FRAMES_MIN * ENTRY_BYTES;

describe('plain logs with a common budget', () => {
  it('do not take more together, refuse no frame that one of them may hold, and give all of it back', () => {
    const random = new Random(testSeed('log budget'));
    const budget = new LogBudget(60_000);
    const limits = { dataBytes: 16384, frames: 256, retainMs: 1000, historyMessages: 50, historyBytes: 8192, budget };
    const labs: LogLab[] = [];
    let nowMs = 1_000_000;
    let timesFull = 0;
    for (let step = 0; step < 20_000; step++) {
      if (labs.length < 25 && random.chance(0.01)) {
        const log = FrameLog.plain(limits);
        labs.push(new LogLab(log, log, 1, limits.dataBytes));
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
      if (random.chance(0.003)) labs.splice(labs.indexOf(lab), 1)[0]!.writer.dispose();
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
    const lab = (): LogLab => {
      const log = FrameLog.plain(limits);
      return new LogLab(log, log, 1, limits.dataBytes);
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

function isKept(lab: LogLab, seq: number, limits: PlainLogLimits): boolean {
  if (lab.frame(seq).timeMs > lab.nowMs - limits.retainMs) return true;
  return lab.headSeq - seq < limits.historyMessages && lab.bytesFrom(seq) <= limits.historyBytes;
}

function checkTrim(lab: LogLab, limits: PlainLogLimits, random: Random): void {
  const { writer } = lab;
  lab.nowMs += random.below(2 * limits.retainMs + 1);
  let wanted = writer.tailSeq;
  while (wanted <= lab.headSeq && !isKept(lab, wanted, limits)) wanted++;
  writer.trim(lab.nowMs);
  if (writer.tailSeq !== wanted) throw new Error(`tail ${writer.tailSeq} after a trim, not ${wanted}`);
  const isSmall = writer.dataCapacityBytes <= DATA_MIN_BYTES || lab.bytesFrom(wanted) * 4 > writer.dataCapacityBytes;
  if (!isSmall) throw new Error(`${writer.dataCapacityBytes} bytes for ${lab.bytesFrom(wanted)} after a trim`);
  if (lab.headSeq - wanted + 1 < FRAMES_MIN / 4 && lab.bytesFrom(wanted) * 4 <= DATA_MIN_BYTES && writer.isInflated) {
    throw new Error('an all but empty log stays inflated after a trim');
  }
  lab.checkAll();
}
