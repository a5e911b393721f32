/**
 * Book streams: what subscribers of a topic that is a book get. Plain ones get the feed's messages as they came, as far as
 * they belong to the book: not what came while something was missing. Views, and those with a rate, get what this server makes of
 * them (`book/book-message.ts`). That the book has become stale is said in each stream, in its place.
 *
 * What a stream says builds on what it has said before, and that on the snapshot that its subscribers began with.
 */

import type { BookStep } from '../book/book-chain.js';
import type { BookMessage } from '../book/book-message.js';
import { BookView } from '../book/book-view.js';
import type { FrameLog } from '../log/frame-log.js';
import { MERGED_MARK } from '../log/layout.js';
import type { FrameEncoder } from '../protocol/encoder.js';
import { jsonEncoder } from '../protocol/encoder-json.js';
import { msgpackEncoder } from '../protocol/encoder-msgpack.js';
import { EventHead } from '../protocol/event.js';
import { eventToJson } from '../protocol/json-event.js';
import { encode } from '../protocol/msgpack.js';
import type { SnapshotParts } from '../protocol/snapshot.js';
import { type BookWishes, intervalOf, isPlainBook, type StreamSpec } from '../variant/stream-spec.js';
import type { KeptBook } from './kept-book.js';
import type { DerivedLog, TopicSpec } from './topic.js';

interface BookStream<Log extends FrameLog> extends DerivedLog<Log> {
  readonly view: BookView;
  /** The feed's messages, not what is made of them. */
  readonly isPlain: boolean;
  /** 0: with each message. */
  readonly intervalMs: number;
  /** When it was made last, on the monotonic clock (ms). */
  madeMs: number;
  /** Its subscribers have been told of a book, not that it is stale. */
  hasBook: boolean;
}

/** Threads that may die of one message's frame before its readers get a snapshot instead. */
const DERIVE_ATTEMPTS_MAX = 3;

const ENCODERS: Readonly<Record<StreamSpec['codec'], FrameEncoder>> = { msgpack: msgpackEncoder, json: jsonEncoder };

const head = new EventHead();

/** Writer and reader: the topic's home. */
export class BookStreams<Log extends FrameLog> {
  streams: readonly BookStream<Log>[] = [];
  readonly #topic: TopicSpec;
  readonly #canonical: FrameLog;
  readonly #kept: KeptBook;

  constructor(topic: TopicSpec, canonical: FrameLog, kept: KeptBook) {
    this.#topic = topic;
    this.#canonical = canonical;
    this.#kept = kept;
  }

  /** Begins a stream, or goes on with one of a predecessor's. */
  add(spec: StreamSpec, log: Log): void {
    const { current } = this.#kept;
    const { headSeq } = this.#canonical;
    const hasMissed = log.attemptSeq <= headSeq;
    const [isPlain, intervalMs] = [isPlainBook(spec), intervalOf(spec)];
    const stream: BookStream<Log> = {
      ...{ spec, log, isPlain, intervalMs },
      view: new BookView(spec.options as BookWishes),
      madeMs: Number.NEGATIVE_INFINITY,
      hasBook: current !== null || hasMissed,
    };
    // One with a rate says later what it has missed. Who reads another gets a snapshot.
    if (hasMissed && intervalMs === 0) log.skipTo(headSeq + 1);
    if (current !== null && log.attemptSeq > headSeq) stream.view.hasSaid(current);
    this.streams = [...this.streams, stream];
  }

  remove(key: string): void {
    this.streams = this.streams.filter(({ spec }) => spec.key !== key);
  }

  /** When a stream is to be made next, on the monotonic clock (ms); Infinity: there is nothing to say. */
  get nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const stream of this.streams) {
      if (stream.intervalMs > 0 && this.#hasNews(stream)) next = Math.min(next, stream.madeMs + stream.intervalMs);
    }
    return next;
  }

  /** The topic's newest message has done that to the book. */
  taken(step: BookStep, frame: Uint8Array, nowMs: number): void {
    const { headSeq } = this.#canonical;
    for (const stream of this.streams) {
      if (stream.intervalMs > 0) continue;
      if (stream.log.noteAttempt(headSeq) < DERIVE_ATTEMPTS_MAX) this.#derive(stream, step, frame, nowMs);
      else stream.log.skipTo(headSeq + 1);
    }
    this.tick(nowMs);
  }

  /** Makes those whose time has come. Returns whether there were any. */
  tick(nowMs: number): boolean {
    let hasMade = false;
    for (const stream of this.streams) {
      if (stream.intervalMs === 0 || stream.madeMs + stream.intervalMs > nowMs || !this.#hasNews(stream)) continue;
      stream.madeMs = nowMs;
      this.#make(stream, nowMs);
      hasMade = true;
    }
    return hasMade;
  }

  /**
   * What who has had all of a plain stream before `since` is to be told: one difference, and which messages it stands for.
   * False: it cannot be told, or there is nothing; then a snapshot serves. @param add takes the frames
   */
  addDifference(spec: StreamSpec, since: number, add: (frame: Uint8Array) => void): boolean {
    const { current } = this.#kept;
    const { headSeq } = this.#canonical;
    if (current === null || since > headSeq || !current.book.knowsSince(since - 1)) return false;
    const message = new BookView(spec.options as BookWishes).next(current, since - 1);
    const told = message === null ? headSeq : headSeq - 1;
    if (since <= told) add(ENCODERS[spec.codec].gap(this.#topic, since, told, 'merged'));
    if (message !== null) add(this.#formOf(spec, this.#event(message, headSeq)));
    return true;
  }

  /** The whole, as this stream's subscribers get it, if there is a book. It is valid at the topic's last message. */
  addTo(writer: SnapshotParts, spec: StreamSpec): void {
    const { current, seq } = this.#kept;
    if (current !== null) writer.add(this.#event(new BookView(spec.options as BookWishes).whole(current), seq));
  }

  /** Makes a stream before its time: what it has said is then what the book is. */
  makeNow(key: string, nowMs: number): void {
    const stream = this.streams.find(({ spec }) => spec.key === key);
    if (stream !== undefined && stream.intervalMs > 0 && this.#hasNews(stream)) this.#make(stream, nowMs);
  }

  #hasNews({ log }: BookStream<Log>): boolean {
    return this.#canonical.headSeq >= log.attemptSeq;
  }

  #derive(stream: BookStream<Log>, step: BookStep, frame: Uint8Array, nowMs: number): void {
    const { headSeq } = this.#canonical;
    if (step === 'none') stream.log.notePassed(headSeq);
    else if (step === 'stale') this.#tellStale(stream, nowMs);
    else if (stream.isPlain && step !== 'completed')
      this.#append(stream, () => this.#formOf(stream.spec, frame), nowMs);
    else this.#tell(stream, headSeq - 1, nowMs, step !== 'changed');
    stream.hasBook = step === 'none' ? stream.hasBook : step !== 'stale';
  }

  /** One with a rate: all that has come since it was made last. */
  #make(stream: BookStream<Log>, nowMs: number): void {
    const { log } = stream;
    const isThere = this.#kept.current !== null;
    if (isThere) this.#tell(stream, log.attemptSeq - 1, nowMs, !stream.hasBook);
    else if (stream.hasBook) this.#tellStale(stream, nowMs);
    else log.notePassed(this.#canonical.headSeq);
    stream.hasBook = isThere;
  }

  /** @param saidSeq the last message that it has told of. @param isWhole all of it is new to its readers */
  #tell(stream: BookStream<Log>, saidSeq: number, nowMs: number, isWhole: boolean): void {
    const { current } = this.#kept;
    const { log, view, spec } = stream;
    const { headSeq } = this.#canonical;
    if (current === null) throw new Error('a book that is not there has nothing to tell');
    if (isWhole) view.hasSaid(current);
    const message = isWhole ? view.whole(current) : view.next(current, saidSeq);
    if (message === null) {
      log.notePassed(headSeq);
      return;
    }
    const from = log.attemptSeq;
    if (headSeq > from) this.#appendMerged(stream, from, headSeq - 1, nowMs);
    this.#append(stream, () => this.#formOf(spec, this.#event(message, headSeq)), nowMs);
  }

  #tellStale(stream: BookStream<Log>, nowMs: number): void {
    const { alias, topic } = this.#topic;
    this.#append(stream, () => ENCODERS[stream.spec.codec].notice('stale', { topic, alias }), nowMs);
  }

  #event(message: BookMessage, seq: number): Uint8Array {
    const payload = encode(message);
    const headBytes = head.write(this.#topic.alias, seq, this.#kept.timeMs, 0);
    const event = new Uint8Array(headBytes + payload.length);
    event.set(head.bytes.subarray(0, headBytes));
    event.set(payload, headBytes);
    return event;
  }

  #formOf({ codec }: StreamSpec, event: Uint8Array): Uint8Array {
    return codec === 'json' ? eventToJson(this.#topic.topic, event, 0, event.length) : event;
  }

  #appendMerged({ log, spec }: BookStream<Log>, fromSeq: number, toSeq: number, nowMs: number): void {
    const frame = ENCODERS[spec.codec].gap(this.#topic, fromSeq, toSeq, 'merged');
    log.begin(frame.length, nowMs, MERGED_MARK, toSeq + 1 - fromSeq);
    log.write(frame, 0, frame.length);
    log.commit(toSeq);
  }

  /** What has no form here, or one that the log cannot hold, laps its readers: they get a snapshot. */
  #append({ log }: BookStream<Log>, form: () => Uint8Array, nowMs: number): void {
    const { headSeq } = this.#canonical;
    const frame = orNull(form);
    if (frame === null || !log.canHold(frame.length)) {
      log.skipTo(headSeq + 1);
      return;
    }
    log.begin(frame.length, nowMs, 0, 0);
    log.write(frame, 0, frame.length);
    log.commit(headSeq);
  }
}

function orNull(form: () => Uint8Array): Uint8Array | null {
  try {
    return form();
  } catch {
    return null;
  }
}
