// The slice that a stream's subscribers got last: right for every cursor and state of the log, looked up once.

import { describe, expect, it } from 'vitest';
import { SliceCache } from '#src/delivery/slice-cache.js';
import { SLICE_MAX_BYTES } from '#src/limits.js';
import type { FrameLog } from '#src/log/frame-log.js';
import { LogSlabs } from '#src/log/log-slabs.js';
import { PlainLog } from '#src/log/plain-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';

const LIMITS = { dataBytes: 2 ** 20, frames: 1024, retainMs: 0, historyMessages: 3, historyBytes: 2 ** 20 };

/** Appends a frame of `bytes` bytes that all hold the frame's seq (its low byte). */
function append(log: FrameLog, bytes: number): void {
  const frame = new Uint8Array(bytes).fill(log.headSeq + 1);
  log.begin(bytes, 1000, 0, 0);
  log.write(frame, 0, bytes);
  log.commit(log.headSeq + 1);
}

/** The seqs in a slice of frames of `bytes` bytes. */
function seqsIn(view: Uint8Array, bytes: number): number[] {
  expect(view.length % bytes).toBe(0);
  return Array.from({ length: view.length / bytes }, (_, i) => {
    const frame = view.subarray(i * bytes, (i + 1) * bytes);
    expect(new Set(frame).size).toBe(1);
    return frame[0];
  });
}

describe('the slice cache', () => {
  it('holds the frames from the cursor to the head, and follows the head', () => {
    const log = new PlainLog(LIMITS);
    const cache = new SliceCache();
    append(log, 10);
    append(log, 10);
    expect(cache.load(log, 1, [])).toBe(true);
    expect([seqsIn(cache.view, 10), cache.until]).toEqual([[1, 2], 3]);
    append(log, 10);
    expect(cache.load(log, 1, [])).toBe(true);
    expect(seqsIn(cache.view, 10)).toEqual([1, 2, 3]);
    expect(cache.load(log, 3, [])).toBe(true);
    expect(seqsIn(cache.view, 10)).toEqual([3]);
  });

  it('gives the next subscriber at the same cursor the same view', () => {
    const log = new PlainLog(LIMITS);
    const cache = new SliceCache();
    append(log, 10);
    cache.load(log, 1, []);
    const { view } = cache;
    cache.load(log, 1, []);
    expect(cache.view).toBe(view);
  });

  it('ends a slice at the last frame that fits, and leaves a larger frame to travel alone', () => {
    const log = new PlainLog(LIMITS);
    const cache = new SliceCache();
    for (let i = 0; i < 4; i++) append(log, 5000);
    expect(cache.load(log, 2, [])).toBe(true);
    expect([cache.view.length, cache.until]).toEqual([15_000, 5]);
    append(log, SLICE_MAX_BYTES + 1);
    expect(cache.load(log, 5, [])).toBe(false);
  });

  it('is right where the frames lie on both sides of the end of the memory, and after the log moved', () => {
    const slabs = new LogSlabs();
    const log = new PlainLog({ ...LIMITS, slabs });
    const neighbour = new PlainLog({ ...LIMITS, slabs });
    const cache = new SliceCache();
    for (let step = 1; step <= 200; step++) {
      append(log, 70);
      append(neighbour, 70);
      for (let from = log.tailSeq; from <= log.headSeq; from++) {
        expect(cache.load(log, from, [])).toBe(true);
        const wanted = Array.from({ length: log.headSeq - from + 1 }, (_, i) => (from + i) & 0xff);
        expect(seqsIn(cache.view, 70)).toEqual(wanted);
      }
    }
  });

  it('refuses what a shared log has evicted, and is not changed by what its writer does later', () => {
    const memory = allocateSharedLog({ dataBytes: 256, frames: 16 }, 1);
    const [writer, reader] = [new SharedLog(memory), new SharedLog(memory)];
    const cache = new SliceCache();
    append(writer, 50);
    append(writer, 50);
    reader.refresh();
    expect(cache.load(reader, 1, [])).toBe(true);
    for (let i = 0; i < 10; i++) append(writer, 50);
    expect(seqsIn(cache.view, 50)).toEqual([1, 2]);
    reader.refresh();
    expect(cache.load(reader, 1, [])).toBe(false);
    expect(cache.load(reader, reader.tailSeq, [])).toBe(true);
    expect(seqsIn(cache.view, 50).at(-1)).toBe(12);
  });
});
