// What users of a frame log rely on, one behaviour each.

import { describe, expect, it } from 'vitest';
import { EVICTED, type FrameLog } from '#src/log/frame-log.js';
import { DATA_MIN_BYTES } from '#src/log/layout.js';
import type { PlainLogLimits } from '#src/log/log-limits.js';
import { PlainLog } from '#src/log/plain-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import { sharedMemoryAt } from './log-lab.js';

const LIMITS: PlainLogLimits = {
  dataBytes: 4096,
  frames: 64,
  retainMs: 1000,
  historyMessages: 5,
  historyBytes: 1024,
};

/** Appends a frame of `frameBytes` bytes that all are the low byte of its seq. */
function append(log: FrameLog, frameBytes: number, timeMs = 0, origin = 0): number {
  log.begin(frameBytes, timeMs, 0, origin);
  const bytes = new Uint8Array(frameBytes).fill(log.headSeq + 1);
  log.write(bytes, 0, frameBytes);
  log.commit(log.headSeq + 1);
  return log.headSeq;
}

/** Bytes of the frames from one cursor to another. */
function read(log: FrameLog, fromSeq: number, untilSeq: number): number[] {
  const [from, until] = [log.indexOf(fromSeq), log.indexOf(untilSeq)];
  const target = new Uint8Array(log.sliceBytes(from, until));
  expect(log.copy(from, until, target, 0)).toBe(target.length);
  return [...target];
}

function sharedPair(dataBytes: number, frames: number, firstSeq = 1): { writer: FrameLog; reader: FrameLog } {
  const memory = allocateSharedLog({ dataBytes, frames }, firstSeq);
  return { writer: new SharedLog(memory), reader: new SharedLog(memory) };
}

describe('frame log', () => {
  it('is empty at first: the tail is the first seq, the head the one before', () => {
    for (const log of [new PlainLog(LIMITS, 7), sharedPair(64, 4, 7).reader]) {
      expect([log.tailSeq, log.headSeq, log.retainedFrames]).toEqual([7, 6, 0]);
    }
  });

  it('does not show a frame before it is committed', () => {
    const { writer, reader } = sharedPair(256, 8);
    writer.begin(3, 0, 0, 0);
    writer.write(Uint8Array.of(1, 2, 3), 0, 3);
    reader.refresh();
    expect(reader.headSeq).toBe(0);
    writer.commit(1);
    expect(reader.headSeq, 'the view is as old as its last refresh').toBe(0);
    reader.refresh();
    expect(read(reader, 1, 2)).toEqual([1, 2, 3]);
  });

  it('gives back a frame that wraps around the end of the memory', () => {
    const { writer, reader } = sharedPair(64, 8);
    append(writer, 50);
    append(writer, 40);
    reader.refresh();
    expect(reader.tailSeq).toBe(2);
    expect(read(reader, 2, 3)).toEqual(new Array(40).fill(2));
  });

  it('takes a frame as large as itself, which evicts all others', () => {
    for (const log of [sharedPair(4096, 8).writer, new PlainLog(LIMITS)]) {
      append(log, 100);
      append(log, 4096);
      expect([log.tailSeq, log.headSeq]).toEqual([2, 2]);
      expect(read(log, 2, 3)).toHaveLength(4096);
      append(log, 1);
      expect([log.tailSeq, log.headSeq]).toEqual([3, 3]);
    }
  });

  it('refuses a frame larger than itself, and is as before', () => {
    for (const log of [sharedPair(4096, 8).writer, new PlainLog(LIMITS)]) {
      append(log, 10);
      expect(() => log.begin(4097, 0, 0, 0)).toThrow(RangeError);
      expect(append(log, 20)).toBe(2);
      expect(read(log, 1, 3)).toHaveLength(30);
    }
  });

  it('refuses sizes that are no powers of two', () => {
    expect(() => allocateSharedLog({ dataBytes: 100, frames: 8 }, 1)).toThrow(RangeError);
    expect(() => allocateSharedLog({ dataBytes: 128, frames: 2 }, 1)).toThrow(RangeError);
    expect(() => new PlainLog({ ...LIMITS, frames: 65 })).toThrow(RangeError);
    expect(() => new PlainLog({ ...LIMITS, dataBytes: 0 })).toThrow(RangeError);
  });

  it('keeps time and origin of each frame', () => {
    const { writer, reader } = sharedPair(256, 8);
    append(writer, 10, 111.5, 9);
    append(writer, 10, 112.25, 2 ** 32 - 1);
    reader.refresh();
    expect([reader.timeAt(1), reader.originAt(1)]).toEqual([111.5, 9]);
    expect([reader.timeAt(2), reader.originAt(2)]).toEqual([112.25, 2 ** 32 - 1]);
  });

  it('says EVICTED for what its writer has overwritten, whatever the old view of the reader says', () => {
    const { writer, reader } = sharedPair(64, 8);
    append(writer, 20);
    append(writer, 20);
    reader.refresh();
    for (let i = 0; i < 5; i++) append(writer, 30);
    const target = new Uint8Array(64);
    expect(reader.copy(1, 3, target, 0)).toBe(EVICTED);
    expect(reader.tailSeq, 'the reader has learnt the tail').toBe(writer.tailSeq);
  });

  it('does not write beyond the target, however wrong an overwritten index entry is', () => {
    const { writer, reader } = sharedPair(4096, 8);
    append(writer, 10);
    reader.refresh();
    for (let i = 0; i < 20; i++) append(writer, 1000);
    expect(reader.copy(1, 2, new Uint8Array(10), 0)).toBe(EVICTED);
    expect(reader.tailSeq, 'the reader has learnt the tail').toBe(writer.tailSeq);
  });

  it('fits at least one frame, also one that is larger than the limit', () => {
    const { writer } = sharedPair(4096, 32);
    for (const frameBytes of [100, 50, 50, 200]) append(writer, frameBytes);
    expect(writer.fit(1, 1)).toBe(2);
    expect(writer.fit(1, 149)).toBe(2);
    expect(writer.fit(1, 150)).toBe(3);
    expect(writer.fit(1, 399)).toBe(4);
    expect(writer.fit(1, 400)).toBe(5);
    expect(writer.fit(4, 1)).toBe(5);
  });

  it('begins at a later seq when it is told so while it is empty', () => {
    const { writer, reader } = sharedPair(256, 8, 10);
    writer.skipTo(15);
    reader.refresh();
    expect([reader.tailSeq, reader.headSeq]).toEqual([15, 14]);
    expect(append(writer, 5)).toBe(15);
    reader.refresh();
    expect(read(reader, 15, 16)).toEqual(new Array(5).fill(15));
    expect(() => sharedPair(256, 8, 10).writer.skipTo(9), 'backwards').toThrow(RangeError);
  });

  it('laps its readers when it skips what it cannot hold', () => {
    const { writer, reader } = sharedPair(256, 8, 10);
    for (let n = 0; n < 3; n++) append(writer, 5);
    reader.refresh();
    writer.skipTo(14);
    expect(append(writer, 5)).toBe(14);
    expect(reader.copy(reader.indexOf(11), reader.indexOf(12), new Uint8Array(100), 0), 'with an old view').toBe(
      EVICTED,
    );
    reader.refresh();
    expect([reader.tailSeq, reader.headSeq]).toEqual([14, 14]);
    expect(read(reader, 14, 15)).toEqual(new Array(5).fill(14));
  });

  it('follows the writer through the wrap of the shared words', () => {
    for (const firstIndex of [2 ** 31 - 2, 2 ** 32 - 2, 2 ** 40 + 2 ** 31 - 2]) {
      const memory = sharedMemoryAt({ dataBytes: 64, frames: 4 }, firstIndex, 7);
      const [writer, reader] = [new SharedLog(memory, firstIndex), new SharedLog(memory, firstIndex)];
      for (let i = 0; i < 6; i++) {
        append(writer, 9);
        reader.refresh();
        expect([reader.tail, reader.head, reader.headSeq]).toEqual([writer.tail, firstIndex + i, 7 + i]);
      }
    }
  });

  it('answers a cursor by the first frame whose seq is not smaller, and knows who is lapped by holes', () => {
    for (const log of [sharedPair(64, 4).writer, new PlainLog({ ...LIMITS, frames: 4 })]) {
      const put = (seq: number): void => {
        log.begin(1, 0, 0, 0);
        log.write(Uint8Array.of(seq), 0, 1);
        log.commit(seq);
      };
      for (const seq of [3, 7, 8]) put(seq);
      expect([1, 2, 3, 4, 7, 8, 9].map((cursor) => log.indexOf(cursor))).toEqual([1, 1, 1, 2, 2, 3, 4]);
      expect([log.tailSeq, log.headSeq]).toEqual([1, 8]);
      put(20);
      // Frame 1 is gone: whoever has not had it is lapped, and the others have lost nothing.
      expect([log.tailSeq, log.headSeq, log.newestCursor()]).toEqual([4, 20, 9]);
      expect([4, 9, 20, 21].map((cursor) => log.framesFrom(cursor))).toEqual([3, 1, 1, 0]);
    }
  });
});

describe('plain log', () => {
  it('starts as small as it can', () => {
    const log = new PlainLog(LIMITS);
    expect(log.isInflated).toBe(false);
    expect(log.dataCapacityBytes).toBe(DATA_MIN_BYTES);
    expect(log.frameMaxBytes).toBe(4096);
  });

  it('keeps the history, whatever its age', () => {
    const log = new PlainLog(LIMITS);
    for (let i = 0; i < 50; i++) append(log, 100, i * 10_000);
    expect(log.retainedFrames).toBeGreaterThanOrEqual(5);
    log.trim(10_000_000);
    expect([log.tailSeq, log.headSeq]).toEqual([46, 50]);
    expect(read(log, 46, 51)).toHaveLength(500);
  });

  it('keeps no more history than its bytes', () => {
    const log = new PlainLog(LIMITS);
    for (let i = 0; i < 10; i++) append(log, 300, i * 10_000);
    log.trim(10_000_000);
    expect(log.retainedFrames).toBe(3);
  });

  it('keeps young frames beyond the history, for those that lag a little', () => {
    const log = new PlainLog(LIMITS);
    for (let i = 0; i < 40; i++) append(log, 50, 1000 + i);
    expect(log.retainedFrames).toBe(40);
    log.trim(1500);
    expect(log.retainedFrames).toBe(40);
    log.trim(2020);
    expect(log.retainedFrames, 'frames older than a second are gone').toBe(19);
  });

  it('never takes more than its largest sizes', () => {
    const log = new PlainLog(LIMITS);
    for (let i = 0; i < 200; i++) append(log, 100, 0);
    expect(log.dataCapacityBytes).toBe(4096);
    expect(log.retainedFrames).toBe(40);
    for (let i = 0; i < 200; i++) append(log, 10, 0);
    expect(log.retainedFrames).toBe(63);
  });

  it('gives memory back when it is trimmed, and loses nothing that it keeps', () => {
    const log = new PlainLog(LIMITS);
    for (let i = 0; i < 60; i++) append(log, 60, 0);
    expect(log.isInflated).toBe(true);
    log.trim(5000);
    expect(log.dataCapacityBytes).toBe(1024);
    expect(read(log, 56, 61)).toEqual([56, 57, 58, 59, 60].flatMap((seq) => new Array<number>(60).fill(seq)));
    expect(append(log, 1, 5000)).toBe(61);
  });

  it('is as small as a new one after a busy time, when there is no history to keep', () => {
    const log = new PlainLog({ ...LIMITS, historyMessages: 0 });
    for (let i = 0; i < 60; i++) append(log, 60, 0);
    log.trim(5000);
    expect(log.retainedFrames).toBe(0);
    expect(log.isInflated).toBe(false);
    expect([log.tailSeq, log.headSeq]).toEqual([61, 60]);
    append(log, 60, 5000);
    expect(read(log, 61, 62)).toEqual(new Array(60).fill(61));
  });
});
