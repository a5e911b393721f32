/**
 * Timed streams: those whose subscribers want the newest message of each key so many times a second, and no more. A stream is made
 * when a message comes and its interval is over, or later, when it is; the cost is that of the keys that have changed, whatever the
 * number of messages and of subscribers.
 */

import type { FrameLog } from '../log/frame-log.js';
import { GAP_MARK, MERGED_MARK, withTtl } from '../log/layout.js';
import { jsonEncoder } from '../protocol/encoder-json.js';
import { msgpackEncoder } from '../protocol/encoder-msgpack.js';
import { EventView } from '../protocol/event.js';
import { intervalOf, type ViewWishes } from '../variant/stream-spec.js';
import type { Variant } from '../variant/variant.js';
import type { KeyTable } from './key-table.js';
import type { DerivedLog, TopicSpec } from './topic.js';

interface TimedStream<Log extends FrameLog> extends DerivedLog<Log> {
  readonly variant: Variant;
  readonly isMerged: boolean;
}

interface Timing {
  /** When it was made last, on the monotonic clock (ms). */
  madeMs: number;
  readonly intervalMs: number;
}

/** The end of a key, which the key table does not remember. */
interface Deletion {
  readonly seq: number;
  readonly key: string;
  readonly frame: Uint8Array;
}

/** Ends of keys that are remembered until all streams have told them; beyond it the oldest are not told. */
const DELETIONS_MAX = 10_000;

const view = new EventView();

/** Writer and reader: the topic's home. */
export class TimedStreams<Log extends FrameLog> {
  streams: readonly TimedStream<Log>[] = [];
  readonly #spec: TopicSpec;
  readonly #canonical: FrameLog;
  readonly #timings = new Map<string, Timing>();
  #deletions: Deletion[] = [];

  constructor(spec: TopicSpec, canonical: FrameLog) {
    this.#spec = spec;
    this.#canonical = canonical;
  }

  /** Begins a stream, or goes on with one of a predecessor's: the ends of keys that it has not told are in the topic's log. */
  add(stream: TimedStream<Log>): void {
    const { log, variant } = stream;
    const canonical = this.#canonical;
    // What is not there any more cannot be told: who reads it gets a snapshot.
    if (log.attemptSeq < canonical.tailSeq) log.skipTo(canonical.headSeq + 1);
    const known = new Set(this.#deletions.map(({ seq }) => seq));
    for (let index = canonical.indexOf(log.attemptSeq); index <= canonical.head; index++) {
      const frame = frameAt(canonical, index);
      if (!known.has(canonical.seqAt(index))) this.#note(frame);
      // Its key may have a value again by now, and had one before.
      if (view.read(frame, 0, frame.length) && view.change === 'delete') variant.prime?.(frame, true);
    }
    this.#deletions.sort((a, b) => a.seq - b.seq);
    this.streams = [...this.streams, stream];
    this.#timings.set(stream.spec.key, { madeMs: Number.NEGATIVE_INFINITY, intervalMs: intervalOf(stream.spec) });
  }

  remove(key: string): void {
    this.streams = this.streams.filter(({ spec }) => spec.key !== key);
    this.#timings.delete(key);
  }

  /** When a stream is to be made next, on the monotonic clock (ms); Infinity: there is nothing to say. */
  get nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const stream of this.streams) if (this.#hasNews(stream)) next = Math.min(next, this.#dueMs(stream));
    return next;
  }

  /** A message was kept: remembered if it is the end of its key. */
  noteDeleted(frame: Uint8Array): void {
    if (this.streams.length > 0) this.#note(frame);
  }

  #note(frame: Uint8Array): void {
    if (!view.read(frame, 0, frame.length) || view.change !== 'delete') return;
    this.#deletions.push({ seq: view.seq, key: view.key ?? '', frame: frame.slice() });
    if (this.#deletions.length > DELETIONS_MAX) this.#deletions.shift();
  }

  /** Makes one before its time: what it has said is then what its keys are. */
  makeNow(key: string, keys: KeyTable | null, nowMs: number): void {
    const stream = this.streams.find(({ spec }) => spec.key === key);
    if (stream !== undefined && this.#hasNews(stream)) this.#make(stream, keys, nowMs);
  }

  /** Makes those whose time has come. Returns whether there were any. */
  tick(nowMs: number, keys: KeyTable | null): boolean {
    let hasMade = false;
    for (const stream of this.streams) {
      if (!this.#hasNews(stream) || this.#dueMs(stream) > nowMs) continue;
      (this.#timings.get(stream.spec.key) as Timing).madeMs = nowMs;
      this.#make(stream, keys, nowMs);
      hasMade = true;
    }
    if (hasMade && this.#deletions.length > 0) this.#forgetTold();
    return hasMade;
  }

  #hasNews({ log }: TimedStream<Log>): boolean {
    return this.#canonical.headSeq >= log.attemptSeq;
  }

  #dueMs({ spec }: TimedStream<Log>): number {
    const { madeMs, intervalMs } = this.#timings.get(spec.key) as Timing;
    return madeMs + intervalMs;
  }

  #make(stream: TimedStream<Log>, keys: KeyTable | null, nowMs: number): void {
    const { log, variant } = stream;
    let next = log.attemptSeq;
    for (const { seq, frame } of this.#newest(next, keys, nowMs)) {
      const bytes = this.#form(variant, frame);
      if (bytes === null) continue;
      if (seq > next) this.#appendMerged(stream, next, seq - 1, nowMs);
      if (bytes.length * 2 <= log.frameMaxBytes && log.canHold(bytes.length))
        this.#append(stream, bytes, seq, 0, 0, nowMs);
      else this.#append(stream, variant.gap(this.#spec, seq), seq, GAP_MARK, 0, nowMs);
      if (variant.superseded !== undefined && variant.superseded > 0) log.markSuperseded(variant.superseded);
      next = seq + 1;
    }
    const { headSeq } = this.#canonical;
    const lastSeq = Math.min(headSeq, keys?.log.headSeq ?? headSeq);
    if (next <= lastSeq && saysAll(stream)) this.#appendExpired(stream, next, lastSeq, nowMs);
    if (log.attemptSeq <= headSeq) log.notePassed(headSeq);
  }

  #appendMerged(stream: TimedStream<Log>, fromSeq: number, toSeq: number, nowMs: number): void {
    const { codec } = stream.spec;
    const encoder = codec === 'json' ? jsonEncoder : msgpackEncoder;
    const gap = encoder.gap(this.#spec, fromSeq, toSeq, 'merged');
    this.#append(stream, gap, toSeq, MERGED_MARK, toSeq - fromSeq + 1, nowMs);
  }

  /** The newest of these messages has no value any more, as those before it have not: it ended before its turn. Readers announce it. */
  #appendExpired(stream: TimedStream<Log>, fromSeq: number, toSeq: number, nowMs: number): void {
    if (toSeq > fromSeq) this.#appendMerged(stream, fromSeq, toSeq - 1, nowMs);
    this.#append(stream, stream.variant.gap(this.#spec, toSeq), toSeq, 0, withTtl(0, 1), nowMs - 1);
  }

  /** The newest message of each key since `fromSeq`, in their order. */
  *#newest(fromSeq: number, keys: KeyTable | null, nowMs: number): Iterable<{ seq: number; frame: Uint8Array }> {
    const { headSeq, head, retainedFrames } = this.#canonical;
    if (keys === null) {
      if (retainedFrames === 0 || this.#canonical.expiryMsAt(head) <= nowMs) return;
      yield { seq: headSeq, frame: frameAt(this.#canonical, head) };
      return;
    }
    const ended = this.#deletions.filter(({ seq, key }) => seq >= fromSeq && keys.get(key, nowMs) === undefined);
    for (const entry of keys.changedSince(fromSeq, nowMs)) {
      while (ended.length > 0 && ended[0].seq < entry.seq) yield ended.shift() as Deletion;
      yield { seq: entry.seq, frame: keys.frameOf(entry) };
    }
    yield* ended;
  }

  #form(variant: Variant, frame: Uint8Array): Uint8Array | null {
    try {
      return variant.derive(this.#spec, frame);
    } catch {
      return null;
    }
  }

  #append(
    { log }: TimedStream<Log>,
    bytes: Uint8Array,
    seq: number,
    mark: number,
    origin: number,
    nowMs: number,
  ): void {
    if (!log.canHold(bytes.length)) {
      log.skipTo(seq + 1);
      return;
    }
    log.begin(bytes.length, nowMs, mark, origin);
    log.write(bytes, 0, bytes.length);
    log.commit(seq);
  }

  #forgetTold(): void {
    const told = Math.min(...this.streams.map(({ log }) => log.attemptSeq));
    this.#deletions = this.#deletions.filter(({ seq }) => seq >= told);
  }
}

/** Whether each message that is kept by its key is in it, or is announced. */
function saysAll<Log extends FrameLog>({ spec }: TimedStream<Log>): boolean {
  const { filter, fields } = spec.options as ViewWishes;
  return filter === undefined && fields === undefined;
}

function frameAt(log: FrameLog, index: number): Uint8Array {
  const frame = new Uint8Array(log.sliceBytes(index, index + 1));
  log.copy(index, index + 1, frame, 0);
  return frame;
}
