// A frame log beside a model of it: an array of everything that was appended. Whatever the log says is compared with it.

import { EVICTED, type FrameLog } from '#src/log/frame-log.js';
import type { Random } from '../ring/random.js';
import { checkFrames, FrameMaker, HEAD_BYTES } from './frame-bytes.mjs';

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

export class LogLab {
  writer: FrameLog;
  /** The same object as the writer for plain logs. */
  reader: FrameLog;
  readonly firstSeq: number;
  readonly frames: ModelFrame[] = [];
  nowMs = 1_000_000;
  readonly #maker: FrameMaker;
  readonly #target: Uint8Array;

  constructor(writer: FrameLog, reader: FrameLog, firstSeq: number, frameMaxBytes: number) {
    this.writer = writer;
    this.reader = reader;
    this.firstSeq = firstSeq;
    this.#maker = new FrameMaker(Math.max(frameMaxBytes, HEAD_BYTES));
    this.#target = new Uint8Array(2 * frameMaxBytes + 64);
  }

  get headSeq(): number {
    return this.firstSeq + this.frames.length - 1;
  }

  frame(seq: number): ModelFrame {
    return this.frames[seq - this.firstSeq]!;
  }

  /** Bytes of the frames fromSeq … head. */
  bytesFrom(fromSeq: number): number {
    let bytes = 0;
    for (let seq = fromSeq; seq <= this.headSeq; seq++) bytes += this.frame(seq).frameBytes;
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
    const seq = this.headSeq + 1;
    const frame = { seq, timeMs: this.nowMs, ingressPosition: seq * 3, origin: random.below(3), frameBytes };
    this.#maker.make(seq, frameBytes);
    this.writer.begin(frameBytes, frame.timeMs, frame.ingressPosition, frame.origin);
    // In up to three pieces, as head, payload and tail are.
    const first = random.below(frameBytes + 1);
    const second = first + random.below(frameBytes + 1 - first);
    const { bytes } = this.#maker;
    this.writer.write(bytes, 0, first);
    this.writer.write(bytes, first, second);
    this.writer.write(bytes, second, frameBytes);
    same(this.writer.commit(), seq, 'the seq that commit returns');
    this.frames.push(frame);
  }

  /** Everything that a reader which is up to date can ask, against the model. */
  checkAll(): void {
    const { reader } = this;
    reader.refresh();
    same(reader.headSeq, this.headSeq, 'head');
    same(reader.tailSeq, this.writer.tailSeq, 'tail');
    same(reader.retainedFrames, this.headSeq - reader.tailSeq + 1, 'retained frames');
    if (reader.retainedFrames < 0) throw new Error('a tail beyond the head');
    for (let seq = reader.tailSeq; seq <= reader.headSeq; seq++) {
      const frame = this.frame(seq);
      same(reader.timeOf(seq), frame.timeMs, `time of ${seq}`);
      same(reader.ingressPositionOf(seq), frame.ingressPosition, `ingress position of ${seq}`);
      same(reader.originOf(seq), frame.origin, `origin of ${seq}`);
      same(reader.sliceBytes(seq, seq + 1), frame.frameBytes, `bytes of ${seq}`);
    }
    if (reader.retainedFrames > 0) this.checkSlice(reader.tailSeq, reader.headSeq + 1);
  }

  checkSlice(fromSeq: number, untilSeq: number): void {
    const { reader } = this;
    const bytes = reader.sliceBytes(fromSeq, untilSeq);
    const at = fromSeq % 7;
    const target = bytes + at <= this.#target.length ? this.#target : new Uint8Array(bytes + at);
    same(reader.copy(fromSeq, untilSeq, target, at), bytes, `bytes copied of ${fromSeq} … ${untilSeq - 1}`);
    checkFrames(target.subarray(at), bytes, fromSeq, untilSeq);
  }

  /** `fit` against a walk over the model. */
  checkFit(fromSeq: number, maxBytes: number): void {
    let until = fromSeq;
    let bytes = 0;
    while (until <= this.reader.headSeq && bytes + this.frame(until).frameBytes <= maxBytes) {
      bytes += this.frame(until).frameBytes;
      until++;
    }
    same(this.reader.fit(fromSeq, maxBytes), Math.max(until, fromSeq + 1), `fit of ${maxBytes} bytes from ${fromSeq}`);
  }

  /** A random retained slice, and whatever a random size allows from there. */
  checkRandomSlice(random: Random): void {
    const { reader } = this;
    reader.refresh();
    if (reader.retainedFrames === 0) return;
    const fromSeq = reader.tailSeq + random.below(reader.retainedFrames);
    const untilSeq = fromSeq + 1 + random.below(reader.headSeq + 1 - fromSeq);
    this.checkSlice(fromSeq, untilSeq);
    this.checkFit(fromSeq, random.below(2 * reader.sliceBytes(reader.tailSeq, reader.headSeq + 1)));
  }

  /** What the tail has passed is refused, not made up. */
  checkEvicted(seq: number): void {
    same(this.reader.copy(seq, seq + 1, this.#target, 0), EVICTED, `copy of the evicted frame ${seq}`);
  }
}

/** Mostly small, now and then any size up to the largest, sometimes the largest. */
export function randomFrameBytes(random: Random, frameMaxBytes: number): number {
  const most = frameMaxBytes - HEAD_BYTES + 1;
  if (random.chance(1 / 64)) return frameMaxBytes;
  if (random.chance(1 / 16)) return HEAD_BYTES + random.below(most);
  return HEAD_BYTES + random.below(Math.min(most, 90));
}
