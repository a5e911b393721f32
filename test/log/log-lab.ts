// A frame log beside a model of it: an array of everything that was appended. Whatever the log says is compared with it.

import { EVICTED, type FrameLog, type LogSizes } from '#src/log/frame-log.js';
import { ENTRY_FIELDS, FIRST_SEQ_FIELD, HEAD_WORD, HEADER_BYTES, TAIL_WORD } from '#src/log/layout.js';
import { allocateSharedLog } from '#src/log/shared-memory.js';
import type { Random } from '../ring/random.js';
import { checkFrames, FrameMaker, HEAD_BYTES } from './frame-bytes.mjs';

/** The memory of a shared log whose first frame has this index: its words wrap at 2^31 and 2^32. */
export function sharedMemoryAt(sizes: LogSizes, firstIndex: number, firstSeq = firstIndex): SharedArrayBuffer {
  const memory = allocateSharedLog(sizes, firstSeq);
  const words = new Int32Array(memory);
  words[HEAD_WORD] = (firstIndex - 1) | 0;
  words[TAIL_WORD] = firstIndex | 0;
  const slot = firstIndex & (sizes.frames - 1);
  const index = new Float64Array(memory, HEADER_BYTES, sizes.frames * ENTRY_FIELDS);
  index.copyWithin(slot * ENTRY_FIELDS, ENTRY_FIELDS, 2 * ENTRY_FIELDS);
  index[slot * ENTRY_FIELDS + FIRST_SEQ_FIELD] = firstSeq;
  return memory;
}

export interface ModelFrame {
  readonly seq: number;
  readonly timeMs: number;
  readonly ingressPosition: number;
  readonly origin: number;
  readonly frameBytes: number;
}

/** A failed comparison; a plain exception, because millions of `expect` take minutes. */
function same(actual: unknown, wanted: unknown, what: string): void {
  if (!Object.is(actual, wanted)) throw new Error(`${what}: ${String(actual)}, not ${String(wanted)}`);
}

/** Part of the frames that are not numbered like the one before plus one. */
const HOLES = 1 / 16;

export class LogLab {
  writer: FrameLog;
  /** The same object as the writer for plain logs. */
  reader: FrameLog;
  readonly firstIndex: number;
  readonly firstSeq: number;
  readonly frames: ModelFrame[] = [];
  nowMs = 1_000_000;
  readonly #maker: FrameMaker;
  readonly #target: Uint8Array;

  /** @param writer of a log that is empty */
  constructor(writer: FrameLog, reader: FrameLog, frameMaxBytes: number) {
    this.writer = writer;
    this.reader = reader;
    this.firstIndex = writer.head + 1;
    this.firstSeq = writer.headSeq + 1;
    this.#maker = new FrameMaker(Math.max(frameMaxBytes, HEAD_BYTES));
    this.#target = new Uint8Array(2 * frameMaxBytes + 64);
  }

  get head(): number {
    return this.firstIndex + this.frames.length - 1;
  }

  get headSeq(): number {
    return this.frames.at(-1)?.seq ?? this.firstSeq - 1;
  }

  frame(index: number): ModelFrame {
    return this.frames[index - this.firstIndex];
  }

  /** Seq of the frame before. */
  seqBefore(index: number): number {
    return index === this.firstIndex ? this.firstSeq - 1 : this.frame(index - 1).seq;
  }

  /** Bytes of the frames from … head. */
  bytesFrom(from: number): number {
    let bytes = 0;
    for (let index = from; index <= this.head; index++) bytes += this.frame(index).frameBytes;
    return bytes;
  }

  /** The log's frames are now in another one, which they did not reach through its ring. */
  moveTo(writer: FrameLog, reader: FrameLog): void {
    this.writer = writer;
    this.reader = reader;
    this.frames.forEach((frame, i) => {
      if (frame.ingressPosition !== 0) this.frames[i] = { ...frame, ingressPosition: 0 };
    });
  }

  append(frameBytes: number, random: Random): void {
    const index = this.head + 1;
    const seq = this.headSeq + 1 + (random.chance(HOLES) ? random.below(1000) : 0);
    const frame = { seq, timeMs: this.nowMs, ingressPosition: index * 3, origin: random.below(3), frameBytes };
    this.#maker.make(index, frameBytes);
    this.writer.begin(frameBytes, frame.timeMs, frame.ingressPosition, frame.origin);
    // In up to three pieces, as head, payload and tail are.
    const first = random.below(frameBytes + 1);
    const second = first + random.below(frameBytes + 1 - first);
    const { bytes } = this.#maker;
    this.writer.write(bytes, 0, first);
    this.writer.write(bytes, first, second);
    this.writer.write(bytes, second, frameBytes);
    this.writer.commit(seq);
    this.frames.push(frame);
  }

  /** Everything that a reader which is up to date can ask, against the model. */
  checkAll(): void {
    const { reader } = this;
    reader.refresh();
    same(reader.head, this.head, 'head');
    same(reader.headSeq, this.headSeq, 'seq of the head');
    same(reader.tail, this.writer.tail, 'tail');
    same(reader.tailSeq, this.seqBefore(reader.tail) + 1, 'smallest cursor that is not lapped');
    same(reader.retainedFrames, this.head - reader.tail + 1, 'retained frames');
    if (reader.retainedFrames < 0) throw new Error('a tail beyond the head');
    for (let index = reader.tail; index <= reader.head; index++) {
      const frame = this.frame(index);
      same(reader.seqAt(index), frame.seq, `seq of ${index}`);
      same(reader.timeAt(index), frame.timeMs, `time of ${index}`);
      same(reader.ingressPositionAt(index), frame.ingressPosition, `ingress position of ${index}`);
      same(reader.originAt(index), frame.origin, `origin of ${index}`);
      same(reader.sliceBytes(index, index + 1), frame.frameBytes, `bytes of ${index}`);
      for (const cursor of [this.seqBefore(index) + 1, frame.seq]) {
        same(reader.indexOf(cursor), index, `frame of cursor ${cursor}`);
        same(reader.framesFrom(cursor), this.head + 1 - index, `frames from cursor ${cursor}`);
      }
    }
    same(reader.indexOf(this.headSeq + 1), this.head + 1, 'a cursor behind the head');
    if (reader.retainedFrames > 0) this.checkSlice(reader.tail, reader.head + 1);
  }

  checkSlice(from: number, until: number): void {
    const { reader } = this;
    const bytes = reader.sliceBytes(from, until);
    const at = from % 7;
    const target = bytes + at <= this.#target.length ? this.#target : new Uint8Array(bytes + at);
    same(reader.copy(from, until, target, at), bytes, `bytes copied of ${from} … ${until - 1}`);
    checkFrames(target.subarray(at), bytes, from, until);
  }

  /** `fit` against a walk over the model. */
  checkFit(from: number, maxBytes: number): void {
    let until = from;
    let bytes = 0;
    while (until <= this.reader.head && bytes + this.frame(until).frameBytes <= maxBytes) {
      bytes += this.frame(until).frameBytes;
      until++;
    }
    same(this.reader.fit(from, maxBytes), Math.max(until, from + 1), `fit of ${maxBytes} bytes from ${from}`);
  }

  /** A random retained slice, and whatever a random size allows from there. */
  checkRandomSlice(random: Random): void {
    const { reader } = this;
    reader.refresh();
    if (reader.retainedFrames === 0) return;
    const from = reader.tail + random.below(reader.retainedFrames);
    const until = from + 1 + random.below(reader.head + 1 - from);
    this.checkSlice(from, until);
    this.checkFit(from, random.below(2 * reader.sliceBytes(reader.tail, reader.head + 1)));
  }

  /** What the tail has passed is refused, not made up. */
  checkEvicted(index: number): void {
    same(this.reader.copy(index, index + 1, this.#target, 0), EVICTED, `copy of the evicted frame ${index}`);
  }

  /** A cursor that was good when the reader looked last is answered by the right frame, or by one that is refused. */
  checkOldCursor(cursor: number): void {
    const found = this.reader.indexOf(cursor);
    if (this.reader.copy(found, found + 1, this.#target, 0) === EVICTED) return;
    if (cursor <= this.seqBefore(found) || cursor > this.frame(found).seq) throw new Error(`${cursor} gets ${found}`);
  }
}

/** Mostly small, now and then any size up to the largest, sometimes the largest. */
export function randomFrameBytes(random: Random, frameMaxBytes: number): number {
  const most = frameMaxBytes - HEAD_BYTES + 1;
  if (random.chance(1 / 64)) return frameMaxBytes;
  if (random.chance(1 / 16)) return HEAD_BYTES + random.below(most);
  return HEAD_BYTES + random.below(Math.min(most, 90));
}
