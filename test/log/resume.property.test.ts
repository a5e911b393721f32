// Writers of shared logs that die between any two of their stores, and the successors that go on in the same memory.

import { describe, expect, it } from 'vitest';
import { FrameLog } from '#src/log/frame-log.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import { Random, testSeed } from '../ring/random.js';
import { DyingWriter } from './dying-writer.js';
import { HEAD_BYTES } from './frame-bytes.mjs';
import { LogLab, randomFrameBytes } from './log-lab.js';

/** The low words of all but the first wrap within a run, as signed or as unsigned numbers. */
const FIRST_SEQS = [1, 2 ** 31 - 100, 2 ** 32 - 100, 2 ** 33 + 2 ** 31 - 100, 2 ** 45 + 17];
const SIZES = [
  { dataBytes: 64, frames: 4 },
  { dataBytes: 256, frames: 16 },
  { dataBytes: 4096, frames: 8 },
  { dataBytes: 4096, frames: 32 },
];
const DEATHS = 300;
const STORES_MAX = 150;

function labOver(memory: SharedArrayBuffer, firstSeq: number, frameMaxBytes: number): LogLab {
  return new LogLab(FrameLog.shared(memory), FrameLog.shared(memory), firstSeq, frameMaxBytes);
}

/** The log as its readers see it, one that was there before and one that has just come. */
function checkReaders(lab: LogLab, memory: SharedArrayBuffer): void {
  lab.checkAll();
  const { reader } = lab;
  lab.reader = FrameLog.shared(memory, lab.headSeq);
  lab.checkAll();
  lab.reader = reader;
}

describe("a successor in a shared log's memory", () => {
  for (const firstSeq of FIRST_SEQS) {
    it(`finds every published frame and nothing of an unpublished one, whenever its predecessor died, from seq ${firstSeq} on`, () => {
      const random = new Random(testSeed('resumed log') + (firstSeq % 1000));
      for (const sizes of SIZES) {
        const memory = allocateSharedLog(sizes, firstSeq);
        const lab = labOver(memory, firstSeq, sizes.dataBytes);
        for (let death = 0; death < DEATHS; death++) {
          const nearSeq = random.chance(0.5) ? undefined : Math.max(1, lab.headSeq - 2000 + random.below(4000));
          const writer = new DyingWriter(memory, nearSeq, random.below(STORES_MAX));
          lab.writer = writer.log;
          if (writer.log.headSeq !== lab.headSeq) throw new Error(`head ${writer.log.headSeq}, not ${lab.headSeq}`);
          checkReaders(lab, memory);
          while (writer.survives(() => lab.append(randomFrameBytes(random, sizes.dataBytes), random)));
        }
        expect(lab.frames.length, 'frames that were published between deaths').toBeGreaterThan(DEATHS / 4);
      }
    });
  }

  it('goes on behind the head after a death at each single store of an append that wraps all there is', () => {
    const random = new Random(testSeed('resumed append'));
    let deaths = 0;
    for (let isAlive = false; !isAlive; deaths += isAlive ? 0 : 1) {
      // Slot, byte and word numbers all wrap with the frame that the writer dies of; it evicts two others.
      const firstSeq = 2 ** 32 - 3;
      const memory = allocateSharedLog({ dataBytes: 128, frames: 4 }, firstSeq);
      const lab = labOver(memory, firstSeq, 128);
      for (let i = 0; i < 3; i++) lab.append(36, random);
      const writer = new DyingWriter(memory, undefined, deaths);
      lab.writer = writer.log;
      isAlive = writer.survives(() => lab.append(80, random));
      lab.writer = FrameLog.shared(memory);
      expect(lab.writer.headSeq).toBe(isAlive ? 2 ** 32 : 2 ** 32 - 1);
      checkReaders(lab, memory);
      for (let i = 0; i < 6; i++) {
        lab.append(HEAD_BYTES + 5 * i, random);
        checkReaders(lab, memory);
      }
    }
    expect(deaths, 'an entry of four fields, 80 bytes in pieces, two words and the next position').toBeGreaterThan(10);
  });

  it('goes on after a death at each store of a skip: from the old first seq or from the new one', () => {
    const random = new Random(testSeed('resumed skip'));
    const firstSeqs = new Set<number>();
    for (let storesLeft = 0, isAlive = false; !isAlive; storesLeft++) {
      const memory = allocateSharedLog({ dataBytes: 128, frames: 4 }, 2 ** 32 - 2);
      const reader = FrameLog.shared(memory);
      const writer = new DyingWriter(memory, undefined, storesLeft);
      isAlive = writer.survives(() => writer.log.skipTo(2 ** 32 + 5));
      reader.refresh();
      expect(reader.retainedFrames).toBe(0);
      const successor = FrameLog.shared(memory);
      expect([successor.tailSeq, successor.headSeq]).toEqual([reader.tailSeq, reader.headSeq]);
      firstSeqs.add(successor.tailSeq);
      if (successor.tailSeq < 2 ** 32 + 5) successor.skipTo(2 ** 32 + 5);
      const lab = new LogLab(successor, reader, 2 ** 32 + 5, 128);
      for (let i = 0; i < 6; i++) {
        lab.append(40, random);
        checkReaders(lab, memory);
      }
    }
    expect([...firstSeqs]).toEqual([2 ** 32 - 2, 2 ** 32 + 5]);
  });
});

describe('a shared log that is opened while it is in use', () => {
  it('has its head and tail at once, found near any seq that is not 2^31 away', () => {
    const random = new Random(testSeed('opened log'));
    const memory = allocateSharedLog({ dataBytes: 1024, frames: 8 }, 2 ** 40 - 3);
    const lab = labOver(memory, 2 ** 40 - 3, 1024);
    for (let i = 0; i < 20; i++) lab.append(50, random);
    for (const nearSeq of [undefined, lab.headSeq, lab.headSeq - 2 ** 31 + 20, lab.headSeq + 2 ** 31 - 20]) {
      const { tailSeq, headSeq } = FrameLog.shared(memory, nearSeq);
      expect([tailSeq, headSeq]).toEqual([lab.writer.tailSeq, lab.writer.headSeq]);
    }
  });

  it('needs a near seq when the first one is 2^31 or more away, to read and to go on', () => {
    const random = new Random(testSeed('far log'));
    const memory = allocateSharedLog({ dataBytes: 1024, frames: 8 }, 7);
    const farSeq = 2 ** 35 + 2 ** 31 + 7;
    FrameLog.shared(memory).skipTo(farSeq);
    const near = () => FrameLog.shared(memory, farSeq - 1000);
    const lab = new LogLab(near(), near(), farSeq, 1024);
    for (let i = 0; i < 20; i++) {
      lab.append(50, random);
      lab.writer = near();
      lab.checkAll();
    }
  });

  it('tells its memory, and a plain log has none to tell', () => {
    const memory = allocateSharedLog({ dataBytes: 64, frames: 4 }, 1);
    expect(FrameLog.shared(memory).memory).toBe(memory);
    const limits = { dataBytes: 256, frames: 4, retainMs: 0, historyMessages: 0, historyBytes: 0 };
    expect(FrameLog.plain(limits).memory).toBe(null);
  });
});
