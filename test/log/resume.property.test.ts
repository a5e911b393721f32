// Writers of shared logs that die between any two of their stores, and the successors that go on in the same memory.

import { describe, expect, it } from 'vitest';
import { SharedLog } from '#src/log/shared-log.js';
import { Random, testSeed } from '../ring/random.js';
import { DyingWriter } from './dying-writer.js';
import { HEAD_BYTES } from './frame-bytes.mjs';
import { LogLab, randomFrameBytes, sharedMemoryAt } from './log-lab.js';

/** The low words of all but the first wrap within a run, as signed or as unsigned numbers. */
const FIRST_INDEXES = [1, 2 ** 31 - 100, 2 ** 32 - 100, 2 ** 33 + 2 ** 31 - 100, 2 ** 45 + 17];
const SIZES = [
  { dataBytes: 64, frames: 4 },
  { dataBytes: 256, frames: 16 },
  { dataBytes: 4096, frames: 8 },
  { dataBytes: 4096, frames: 32 },
];
const DEATHS = 300;
const STORES_MAX = 150;

function labOver(memory: SharedArrayBuffer, firstIndex: number, frameMaxBytes: number): LogLab {
  return new LogLab(new SharedLog(memory, firstIndex), new SharedLog(memory, firstIndex), frameMaxBytes);
}

/** The log as its readers see it, one that was there before and one that has just come. */
function checkReaders(lab: LogLab, memory: SharedArrayBuffer): void {
  lab.checkAll();
  const { reader } = lab;
  lab.reader = new SharedLog(memory, lab.head);
  lab.checkAll();
  lab.reader = reader;
}

describe("a successor in a shared log's memory", () => {
  for (const firstIndex of FIRST_INDEXES) {
    it(`finds every published frame and nothing of an unpublished one, whenever its predecessor died, from index ${firstIndex} on`, () => {
      const random = new Random(testSeed('resumed log') + (firstIndex % 1000));
      for (const sizes of SIZES) {
        const memory = sharedMemoryAt(sizes, firstIndex);
        const lab = labOver(memory, firstIndex, sizes.dataBytes);
        for (let death = 0; death < DEATHS; death++) {
          const nearIndex = random.chance(0.5) ? firstIndex : Math.max(1, lab.head - 2000 + random.below(4000));
          const writer = new DyingWriter(memory, nearIndex, random.below(STORES_MAX));
          lab.writer = writer.log;
          if (writer.log.head !== lab.head) throw new Error(`head ${writer.log.head}, not ${lab.head}`);
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
      const firstIndex = 2 ** 32 - 3;
      const memory = sharedMemoryAt({ dataBytes: 128, frames: 4 }, firstIndex);
      const lab = labOver(memory, firstIndex, 128);
      for (let i = 0; i < 3; i++) lab.append(36, random);
      const writer = new DyingWriter(memory, firstIndex, deaths);
      lab.writer = writer.log;
      isAlive = writer.survives(() => lab.append(80, random));
      lab.writer = new SharedLog(memory, firstIndex);
      expect(lab.writer.head).toBe(isAlive ? 2 ** 32 : 2 ** 32 - 1);
      checkReaders(lab, memory);
      for (let i = 0; i < 6; i++) {
        lab.append(HEAD_BYTES + 5 * i, random);
        checkReaders(lab, memory);
      }
    }
    expect(deaths, 'an entry of five fields, 80 bytes in pieces, two words and the next position').toBeGreaterThan(10);
  });

  it('goes on after a death at each store of a skip: from the old first seq or from the new one', () => {
    const random = new Random(testSeed('resumed skip'));
    const firstSeqs = new Set<number>();
    for (let storesLeft = 0, isAlive = false; !isAlive; storesLeft++) {
      const memory = sharedMemoryAt({ dataBytes: 128, frames: 4 }, 1, 2 ** 32 - 2);
      const reader = new SharedLog(memory);
      const writer = new DyingWriter(memory, 1, storesLeft);
      isAlive = writer.survives(() => writer.log.skipTo(2 ** 32 + 5));
      reader.refresh();
      expect(reader.retainedFrames).toBe(0);
      const successor = new SharedLog(memory);
      expect([successor.tailSeq, successor.headSeq]).toEqual([reader.tailSeq, reader.headSeq]);
      firstSeqs.add(successor.tailSeq);
      if (successor.tailSeq < 2 ** 32 + 5) successor.skipTo(2 ** 32 + 5);
      const lab = new LogLab(successor, reader, 128);
      for (let i = 0; i < 6; i++) {
        lab.append(40, random);
        checkReaders(lab, memory);
      }
    }
    expect([...firstSeqs]).toEqual([2 ** 32 - 2, 2 ** 32 + 5]);
  });
});

describe('a shared log that is opened while it is in use', () => {
  it('has its head and tail at once, found near any index that is not 2^31 away', () => {
    const random = new Random(testSeed('opened log'));
    const memory = sharedMemoryAt({ dataBytes: 1024, frames: 8 }, 2 ** 40 - 3);
    const lab = labOver(memory, 2 ** 40 - 3, 1024);
    for (let i = 0; i < 20; i++) lab.append(50, random);
    for (const nearIndex of [2 ** 40 - 3, lab.head, lab.head - 2 ** 31 + 20, lab.head + 2 ** 31 - 20]) {
      const { tail, head, headSeq } = new SharedLog(memory, nearIndex);
      expect([tail, head, headSeq]).toEqual([lab.writer.tail, lab.writer.head, lab.headSeq]);
    }
  });

  it('tells its memory', () => {
    const memory = sharedMemoryAt({ dataBytes: 64, frames: 4 }, 1);
    expect(new SharedLog(memory).memory).toBe(memory);
  });
});
