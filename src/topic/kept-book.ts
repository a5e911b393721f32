/**
 * Kept book: the order book of a topic, made of its messages, in the topic's home.
 *
 * So that it can be made again, after a move or a death, the topic's *state log* holds a checkpoint, which is the book as an
 * EVENT, and behind it every message since. When those take more than a new checkpoint would, there is a new one. A message that
 * the log cannot hold has its place taken by a checkpoint.
 */

import { BookChain, type BookStep } from '../book/book-chain.js';
import {
  BOOK_PRESETS,
  type BookFields,
  BookReader,
  type BookUpdate,
  BROKEN,
  type NO_UPDATE,
} from '../book/book-fields.js';
import { asideLevelsMax, bookStateBytes, STATE_SHARE } from '../book/book-memory.js';
import { type BookMessage, bookMessage } from '../book/book-message.js';
import type { ViewedBook } from '../book/book-view.js';
import type { FrameLog, LogSizes } from '../log/frame-log.js';
import { EventHead, EventView } from '../protocol/event.js';
import type { StreamRef } from '../protocol/messages.js';
import { decode, encode } from '../protocol/msgpack.js';
import type { VariantCounters } from '../variant/variant.js';

/** What a topic keeps as a book. */
export interface BookSpec {
  /** Where messages say what. */
  readonly fields: BookFields;
  /** Of each side: beyond it the worst ones go. */
  readonly maxLevels: number;
  /** Checksums of messages are compared with the book's. */
  readonly verifies: boolean;
}

const STATE_FRAMES = 4096;
/** Messages behind a checkpoint, and their bytes where that is small. */
const JOURNAL_FRAMES_MAX = 2000;
const JOURNAL_MIN_BYTES = 16 * 1024;
/** What is put aside while there is no book. */
const ASIDE_MAX = 1000;

/** Sizes of the state log, that it may grow to. */
export function bookLogSizes({ maxLevels }: BookSpec): LogSizes {
  return { dataBytes: bookStateBytes(maxLevels), frames: STATE_FRAMES };
}

/** The origin of a checkpoint in the state log; messages have none there. */
const CHECKPOINT = 1;

const ownReader = new BookReader(BOOK_PRESETS.ringcast);
const view = new EventView();
const head = new EventHead();

/** Writer and reader: the topic's home. */
export class KeptBook {
  readonly #topic: StreamRef;
  readonly #counters: VariantCounters;
  readonly #log: FrameLog;
  readonly #reader: BookReader;
  readonly #chain: BookChain;
  /** Of the message that changed it last, and when that was accepted (ms since 1970). */
  seq = 0;
  timeMs = 0;
  /** Of the last checkpoint in the log, which may have gone by now; messages behind it count. */
  #checkpointIndex: number;
  #checkpointBytes = 0;
  /** The last message says something of a book. */
  #isUnderstood = true;

  /** @param log the state log: new, or what a predecessor has left */
  constructor(topic: StreamRef, spec: BookSpec, log: FrameLog, counters: VariantCounters) {
    this.#topic = topic;
    this.#counters = counters;
    this.#log = log;
    this.#reader = new BookReader(spec.fields);
    const maxBytes = Math.floor(log.frameMaxBytes / STATE_SHARE);
    const { maxLevels, verifies } = spec;
    const aside = { asideMax: ASIDE_MAX, asideLevelsMax: asideLevelsMax(maxLevels) };
    this.#chain = new BookChain({ maxLevels, maxBytes, verifies, ...aside });
    this.#checkpointIndex = log.tail - 1;
    this.#restore();
  }

  /** Null: there is no book, as something is missing. */
  get current(): ViewedBook | null {
    return this.#chain.isValid ? this.#chain : null;
  }

  /** A message of the topic, an EVENT. @param timeMs of its acceptance, on the monotonic clock */
  take(frame: Uint8Array, timeMs: number): BookStep {
    const step = this.#apply(frame);
    if (!this.#isUnderstood) this.#counters.undecodable++;
    const { seq } = view;
    const log = this.#log;
    const isLarge = frame.length * STATE_SHARE > log.frameMaxBytes;
    if (!isLarge) this.#append(frame, timeMs, seq, 0);
    const messages = log.head - this.#checkpointIndex;
    const isFull =
      messages > JOURNAL_FRAMES_MAX || log.sliceBytes(log.head + 1 - messages, log.head + 1) > this.#mostBytes;
    if (isLarge || isFull) this.#checkpoint(seq, timeMs);
    return step;
  }

  /** Of messages behind a checkpoint. */
  get #mostBytes(): number {
    if (this.#chain.asideCount > 0) return (2 * this.#log.frameMaxBytes) / STATE_SHARE;
    return Math.max(JOURNAL_MIN_BYTES, this.#checkpointBytes);
  }

  /** `view` holds the frame then. */
  #apply(frame: Uint8Array): BookStep {
    if (!view.read(frame, 0, frame.length)) throw new Error('a message of a topic is an EVENT');
    const { seq, time } = view;
    const isEnd = view.change === 'delete';
    const update = isEnd ? BROKEN : this.#updateOf(frame);
    this.#isUnderstood = isEnd || typeof update !== 'symbol';
    const step = isEnd ? this.#chain.end(seq) : this.#chain.take(update, seq);
    if (step !== 'none') {
      this.seq = seq;
      this.timeMs = time;
    }
    return step;
  }

  #updateOf(frame: Uint8Array): BookUpdate | typeof NO_UPDATE | typeof BROKEN {
    try {
      return this.#reader.read(decode(frame, view.payloadStart, view.payloadEnd));
    } catch {
      return BROKEN;
    }
  }

  /** Writes down the book, and behind it what has been put aside; what lies before is needed no more. */
  #checkpoint(seq: number, timeMs: number): void {
    const log = this.#log;
    const until = log.head + 1;
    const oldest = Math.max(this.#checkpointIndex + 1, until - this.#chain.asideCount);
    const frame = this.#checkpointFrame();
    this.#append(frame, timeMs, seq, CHECKPOINT);
    this.#checkpointIndex = log.head;
    this.#checkpointBytes = frame.length;
    // What is put aside are the last messages: nothing else comes to a book that there is not.
    let bytesLeft = log.frameMaxBytes / STATE_SHARE;
    let from = until;
    while (from > oldest && bytesLeft > 0) bytesLeft -= log.sliceBytes(--from, from + 1);
    for (let index = from; index < until; index++) this.#append(frameAt(log, index), log.timeAt(index), seq, 0);
    log.forgetBefore(this.#checkpointIndex);
  }

  #checkpointFrame(): Uint8Array {
    const { current } = this;
    const payload = encode(current === null ? null : wholeOf(current));
    const headBytes = head.write(this.#topic.alias, this.seq, this.timeMs, 0);
    const frame = new Uint8Array(headBytes + payload.length);
    frame.set(head.bytes.subarray(0, headBytes));
    frame.set(payload, headBytes);
    return frame;
  }

  #append(frame: Uint8Array, timeMs: number, seq: number, origin: number): void {
    const log = this.#log;
    log.begin(frame.length, timeMs, 0, origin);
    log.write(frame, 0, frame.length);
    log.commit(Math.max(seq, log.headSeq));
  }

  /** From the last checkpoint on. */
  #restore(): void {
    const log = this.#log;
    for (let index = log.tail; index <= log.head; index++)
      if (log.originAt(index) === CHECKPOINT) this.#checkpointIndex = index;
    if (this.#checkpointIndex >= log.tail) this.#restoreCheckpoint(frameAt(log, this.#checkpointIndex));
    for (let index = this.#checkpointIndex + 1; index <= log.head; index++) this.#apply(frameAt(log, index));
  }

  #restoreCheckpoint(frame: Uint8Array): void {
    view.read(frame, 0, frame.length);
    this.seq = view.seq;
    this.timeMs = view.time;
    this.#checkpointBytes = frame.length;
    const update = ownReader.read(decode(frame, view.payloadStart, view.payloadEnd));
    if (typeof update === 'symbol') this.#chain.book.clear(this.seq);
    else this.#chain.restore(update, update.last, this.seq);
  }
}

function wholeOf({ book, lastId }: ViewedBook): BookMessage {
  return bookMessage('snapshot', book.levels(), { lastId, checksum: null });
}

function frameAt(log: FrameLog, index: number): Uint8Array {
  const frame = new Uint8Array(log.sliceBytes(index, index + 1));
  log.copy(index, index + 1, frame, 0);
  return frame;
}
