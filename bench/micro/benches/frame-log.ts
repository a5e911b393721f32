// Frame log: what a topic's home does per message, and what delivery does per slice.

import { EVICTED, type FrameLog } from '../../../dist/log/frame-log.js';
import { PlainLog } from '../../../dist/log/plain-log.js';
import { SharedLog } from '../../../dist/log/shared-log.js';
import { allocateSharedLog } from '../../../dist/log/shared-memory.js';
import { type Group, type TimeBench, verify, type Work } from '../bench.js';

/** The defaults of a hot topic's log. */
const LOG_BYTES = 4 * 1024 * 1024;
const LOG_FRAMES = 16_384;
/** A cold topic's log that keeps a second of its messages. */
const PLAIN_LIMITS = {
  dataBytes: LOG_BYTES,
  frames: 8192,
  retainMs: 1000,
  historyMessages: 100,
  historyBytes: 2 ** 20,
};
const HEAD_BYTES = 21;
const EPOCH_MS = 1_700_000_000_000;
const FRAME_BYTES = [64, 256, 1024, 16 * 1024];
const SLICE_FRAMES = [1, 16, 128];
const SLICE_MAX_BYTES = 15 * 1024;

type Home = 'shared' | 'plain';

function openLog(home: Home): FrameLog {
  if (home === 'plain') return new PlainLog(PLAIN_LIMITS);
  return new SharedLog(allocateSharedLog({ dataBytes: LOG_BYTES, frames: LOG_FRAMES }, 1));
}

/** A frame in two pieces, as topics write them, a millisecond after the one before. Its last byte is its seq's. */
function append(log: FrameLog, head: Uint8Array, payload: Uint8Array): number {
  const seq = log.headSeq + 1;
  log.begin(head.length + payload.length, EPOCH_MS + seq, 0, 0);
  payload[payload.length - 1] = seq;
  log.write(head, 0, head.length);
  log.write(payload, 0, payload.length);
  log.commit(seq);
  return seq;
}

function pieces(frameBytes: number): [head: Uint8Array, payload: Uint8Array] {
  return [new Uint8Array(HEAD_BYTES).fill(0x95), new Uint8Array(frameBytes - HEAD_BYTES).fill(0x61)];
}

function fill(log: FrameLog, frames: number, frameBytes: number): void {
  const [head, payload] = pieces(frameBytes);
  for (let frame = 0; frame < frames; frame++) append(log, head, payload);
}

/** Into a log that is full: frames evict old ones, as in a log that has run for a while. */
function appending(home: Home, frameBytes: number): Work {
  const log = openLog(home);
  const [head, payload] = pieces(frameBytes);
  let seq = 0;
  while (log.tailSeq === 1) seq = append(log, head, payload);
  const copy = new Uint8Array(frameBytes);
  verify(log.copy(seq, seq + 1, copy, 0) === frameBytes, 'the frame has another length');
  verify(Buffer.compare(copy, Buffer.concat([head, payload])) === 0, 'the frame has other bytes');
  verify(log.timeAt(seq) === EPOCH_MS + seq, 'the frame has another time');
  return {
    run(times: number): number {
      const before = log.headSeq;
      let last = before;
      for (let time = 0; time < times; time++) last = append(log, head, payload);
      return last - before;
    },
    expected: (times) => times,
  };
}

/** Slices from all over the log, copied out of shared memory. */
function copying(frames: number): Work {
  const frameBytes = 64;
  const log = openLog('shared');
  fill(log, LOG_FRAMES, frameBytes);
  const { tailSeq } = log;
  const slices = Math.floor(log.retainedFrames / frames);
  const target = new Uint8Array(frames * frameBytes);
  let slice = 0;
  return {
    run(times: number): number {
      let sum = 0;
      for (let time = 0; time < times; time++) {
        slice = slice + 1 === slices ? 0 : slice + 1;
        const from = tailSeq + slice * frames;
        const copied = log.copy(from, from + frames, target, 0);
        if (copied === EVICTED) throw new Error('wrong result: nobody writes, and yet a slice was evicted');
        // The last byte of the last frame says which one it is.
        sum += copied + (((target[copied - 1] - (from + frames - 1)) & 0xff) === 0 ? 1 : 0);
      }
      return sum;
    },
    expected: (times) => times * (frames * frameBytes + 1),
  };
}

/** Slices of a small plain log, looked at where they lie. */
function viewing(frames: number): Work {
  const log = openLog('plain');
  fill(log, 2000, 64);
  // Behind the buffer's end it would have to be copied: those are left out, delivery copies them.
  const starts = Array.from({ length: log.retainedFrames - frames }, (_, index) => log.tailSeq + index).filter(
    (seq) => log.viewInPlace(seq, seq + frames) !== null,
  );
  let at = 0;
  return {
    run(times: number): number {
      let sum = 0;
      for (let time = 0; time < times; time++) {
        at = at + 1 === starts.length ? 0 : at + 1;
        const from = starts[at];
        const view = log.viewInPlace(from, from + frames)!;
        sum += view.length + (((view[view.length - 1] - (from + frames - 1)) & 0xff) === 0 ? 1 : 0);
      }
      return sum;
    },
    expected: (times) => times * (frames * 64 + 1),
  };
}

/** Random seqs of a full log: where they start and when they were accepted. */
function finding(): Work {
  const log = openLog('shared');
  fill(log, LOG_FRAMES, 64);
  const { tailSeq, retainedFrames } = log;
  verify(retainedFrames === LOG_FRAMES - 1, 'the log is not full');
  let at = 0;
  return {
    run(times: number): number {
      let sum = 0;
      for (let time = 0; time < times; time++) {
        at = (at + 7919) % retainedFrames;
        const seq = tailSeq + at;
        sum += log.positionAt(seq) - (seq - 1) * 64 + (log.timeAt(seq) - EPOCH_MS - seq) + 1;
      }
      return sum;
    },
    expected: (times) => times,
  };
}

/** How many frames fit into one message, from anywhere in a full log: a binary search. */
function fitting(): Work {
  const log = openLog('shared');
  fill(log, LOG_FRAMES, 64);
  const fits = Math.floor(SLICE_MAX_BYTES / 64);
  const { tailSeq } = log;
  const starts = log.retainedFrames - fits - 1;
  let at = 0;
  return {
    run(times: number): number {
      let sum = 0;
      for (let time = 0; time < times; time++) {
        at = (at + 7919) % starts;
        sum += log.fit(tailSeq + at, SLICE_MAX_BYTES) - (tailSeq + at);
      }
      return sum;
    },
    expected: (times) => times * fits,
  };
}

/** A reader learns of new frames: what delivery does per stream and turn. */
function refreshing(): Work {
  const memory = allocateSharedLog({ dataBytes: LOG_BYTES, frames: LOG_FRAMES }, 1);
  const writer = new SharedLog(memory);
  const reader = new SharedLog(memory);
  fill(writer, 3, 64);
  return {
    run(times: number): number {
      let sum = 0;
      for (let time = 0; time < times; time++) {
        reader.refresh();
        sum += reader.headSeq;
      }
      return sum;
    },
    expected: (times) => times * 3,
  };
}

const frame = { kind: 'time', item: 'frame' } as const;
const appends = (home: Home, bytes: number): TimeBench => ({
  ...frame,
  ...{ name: `append/${home}/${bytes}B`, items: 1, prepare: () => appending(home, bytes) },
});

export const group: Group = {
  name: 'frame-log',
  title: 'append (evicting), slices of 64-byte frames, find by seq; shared: a hot topic’s, plain: a cold one’s',
  benches: [
    ...FRAME_BYTES.map((bytes) => appends('shared', bytes)),
    ...FRAME_BYTES.slice(0, 2).map((bytes) => appends('plain', bytes)),
    ...SLICE_FRAMES.map((frames): TimeBench => {
      return { ...frame, name: `slice/copy/frames=${frames}`, items: frames, prepare: () => copying(frames) };
    }),
    ...SLICE_FRAMES.map((frames): TimeBench => {
      return { ...frame, name: `slice/in-place/frames=${frames}`, items: frames, prepare: () => viewing(frames) };
    }),
    { ...frame, name: 'find/position-and-time', items: 1, prepare: finding },
    { ...frame, name: 'find/fit-15KiB', items: 1, prepare: fitting },
    { ...frame, name: 'refresh', items: 1, prepare: refreshing },
  ],
};
