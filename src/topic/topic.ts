/**
 * Topic: the state machine of one topic, the same code in both homes (accept thread and lane).
 *
 * It decides which messages it takes, numbers them, encodes each one once per stream and appends it to the stream's frame
 * log. It knows no socket and no subscriber. The canonical stream is MessagePack; derived ones exist only while someone
 * reads them.
 */

import { SLICE_MAX_BYTES } from '../limits.js';
import type { FrameLog } from '../log/frame-log.js';
import { GAP_MARK, withTtl } from '../log/layout.js';
import { EventHead, EventView } from '../protocol/event.js';
import { SnapshotParts } from '../protocol/snapshot.js';
import {
  CANONICAL,
  intervalOf,
  isBook,
  isMerged,
  needsBase,
  STATE,
  type StreamSpec,
  sinceOf,
} from '../variant/stream-spec.js';
import type { Variant, VariantCounters } from '../variant/variant.js';
import { variantOf } from '../variant/variants.js';
import { BookStreams } from './book-streams.js';
import type { DedupWindow } from './deduplication.js';
import { type BookSpec, KeptBook } from './kept-book.js';
import { type KeySpec, KeyTable } from './key-table.js';
import { mergedEvent } from './merged-event.js';
import { ANY_SEQ, type TopicMessage } from './message.js';
import { OUTCOME, Selection, TAKEN } from './selection.js';
import { TimedStreams } from './timed-streams.js';

/** Messages younger than `ms` are kept; so many, and as many as take no more than so many bytes; 0: what the log holds. */
export interface Retention {
  readonly ms: number;
  readonly messages: number;
  readonly bytes: number;
}

/** What is rare is left out, and not undefined: there may be 100,000 of them. */
export interface TopicSpec {
  /** The engine's number of the topic; also the alias of its canonical stream on the wire. */
  readonly alias: number;
  readonly topic: string;
  /** Random at each incarnation, or given from outside: a seq means something only together with it. */
  readonly epoch: string;
  /** So many newest messages are offered to `lastN`, HISTORY and a new derived stream … */
  readonly historyMessages: number;
  /** … as long as they take no more than this. */
  readonly historyBytes: number;
  /** Number of its first message; by default 1. */
  readonly firstSeq?: number;
  /** What is kept for those who lag, or come back, in a home that does not keep all that its log holds; by default what that says. */
  readonly retention?: Retention;
  /** It keeps the newest message of each key. */
  readonly keys?: KeySpec;
  /** Its messages are those of an order book. Then it keeps nothing by key. */
  readonly book?: BookSpec;
  /** It takes no message twice. */
  readonly dedup?: DedupWindow;
}

/** A stream that is derived from the canonical one, with its log. */
export interface DerivedLog<Log extends FrameLog = FrameLog> {
  readonly spec: StreamSpec;
  readonly log: Log;
}

interface DerivedStream<Log extends FrameLog> extends DerivedLog<Log> {
  readonly variant: Variant;
  /** Made of the key's value, not of what was published. */
  readonly isMerged: boolean;
}

/** Threads that may die of one message's frame in a derived stream before it is left out: as many as may die of a message. */
const DERIVE_ATTEMPTS_MAX = 3;

/** Scratch of this thread: frames are made one after the other. */
const eventHead = new EventHead();
const scratchView = new EventView();
let frameScratch = new Uint8Array(1024);

const NO_STREAMS: readonly DerivedStream<never>[] = [];

/** What a topic may have beside its canonical log; most topics have nothing of it. */
interface MoreOfTopic<Log extends FrameLog> {
  readonly selection: Selection | null;
  derived: readonly DerivedStream<Log>[];
  /** The newest message of each key, once the state log is there. */
  keys: KeyTable | null;
  state: DerivedLog<Log> | null;
  /** Streams that are made at intervals. */
  timed: TimedStreams<Log> | null;
  /** The book, once the state log is there; and its streams. */
  book: KeptBook | null;
  bookStreams: BookStreams<Log> | null;
}

const NOTHING_MORE: MoreOfTopic<never> = {
  ...{ selection: null, derived: NO_STREAMS, keys: null, state: null, timed: null, book: null, bookStreams: null },
};

/** Frames that are valid at message `seq`. */
interface TopicSnapshotParts {
  readonly seq: number;
  readonly parts: readonly Uint8Array[];
}

/** For whom nobody keeps figures; what is made for a snapshot has been counted when it came. */
const NOT_COUNTED: VariantCounters = { undecodable: 0 };

/** A message has no form in a stream. */
const NO_FORM = Symbol('no form');

/** Writer: the topic's home. Readers: none; what others need is in the logs. */
export class Topic<Log extends FrameLog = FrameLog> {
  readonly spec: TopicSpec;
  readonly log: Log;
  #more: MoreOfTopic<Log> | null = null;

  constructor(spec: TopicSpec, log: Log) {
    this.spec = spec;
    this.log = log;
    if (spec.keys === undefined && spec.dedup === undefined) return;
    this.#more = { ...NOTHING_MORE, selection: new Selection(spec, log) };
  }

  /** Of all streams but the canonical one. */
  get derived(): readonly DerivedLog<Log>[] {
    const more = this.#more;
    if (more === null) return NO_STREAMS;
    const streams = [...more.derived, ...(more.timed?.streams ?? NO_STREAMS), ...(more.bookStreams?.streams ?? [])];
    return more.state === null ? streams : [more.state, ...streams];
  }

  get #keys(): KeyTable | null {
    return this.#more === null ? null : this.#more.keys;
  }

  get #withMore(): MoreOfTopic<Log> {
    this.#more ??= { ...NOTHING_MORE };
    return this.#more;
  }

  /** Of the message for which the last one was not taken. */
  get refusedForSeq(): number {
    return this.#more?.selection?.refusedForSeq ?? this.log.headSeq;
  }

  /** Whether it may refuse any message: then a record of a lane's ring need not have become a frame. */
  get isSelective(): boolean {
    return this.#more !== null && this.#more.selection !== null;
  }

  /**
   * Hot path: per message. Appends it, its payload undecoded, to every stream.
   * @returns the message's seq, or an OUTCOME: then `refusedForSeq` says for which message
   */
  publish(message: TopicMessage, ingressPosition: number): number {
    const more = this.#more;
    if (more !== null && more.selection !== null)
      return this.#publishSelected(more, more.selection, message, ingressPosition);
    if (message.ifSeq !== ANY_SEQ && message.ifSeq !== this.log.headSeq) return this.judge(message);
    const { bytes, start, end, tail } = message;
    const seq = this.#append(message, bytes, start, end, tail, message.tailElements, ingressPosition);
    if (more !== null) this.#derive(more, null, message.monotonicMs);
    return seq;
  }

  /** Makes those streams whose time has come. Returns whether there are any. */
  tick(nowMs: number): boolean {
    const more = this.#more;
    return more?.bookStreams?.tick(nowMs) ?? more?.timed?.tick(nowMs, this.#keys) ?? false;
  }

  /** When that is to be done next, on the monotonic clock (ms); Infinity: not before the next message. */
  get nextTickMs(): number {
    const more = this.#more;
    return more?.bookStreams?.nextMs ?? more?.timed?.nextMs ?? Number.POSITIVE_INFINITY;
  }

  /** Whether the message would be taken: TAKEN, or an OUTCOME. */
  judge(message: TopicMessage): number {
    const selection = this.#more?.selection;
    if (selection != null) return selection.judge(message, this.#keys);
    return message.ifSeq === ANY_SEQ || message.ifSeq === this.log.headSeq ? TAKEN : OUTCOME.conflict;
  }

  #publishSelected(
    more: MoreOfTopic<Log>,
    selection: Selection,
    message: TopicMessage,
    ingressPosition: number,
  ): number {
    const outcome = this.judge(message);
    if (outcome !== TAKEN) return outcome;
    const { bytes, start, end, inlineTailBytes } = message;
    const { tail, tailElements, key } = selection;
    const seq = this.#append(message, bytes, start, end - inlineTailBytes, tail, tailElements, ingressPosition);
    selection.taken(seq, message.monotonicMs);
    const { keys } = more;
    const isKept = keys !== null && (key !== null || keys.spec.isSingle);
    if (isKept) this.#keep(keys, key ?? '', this.log.head);
    this.#derive(more, isKept ? (key ?? '') : null, message.monotonicMs);
    return seq;
  }

  /** Hot path. Returns the seq. */
  #append(
    message: TopicMessage,
    bytes: Uint8Array,
    start: number,
    end: number,
    tail: Uint8Array | null,
    tailElements: number,
    ingressPosition: number,
  ): number {
    const { log } = this;
    const seq = log.headSeq + 1;
    const headBytes = eventHead.write(this.spec.alias, seq, message.timeMs, tailElements);
    const frameBytes = headBytes + (end - start) + (tail === null ? 0 : tail.length);
    const origin = message.ttlMs === 0 ? message.origin : withTtl(message.origin, message.ttlMs);
    log.begin(frameBytes, message.monotonicMs, ingressPosition, origin);
    log.write(eventHead.bytes, 0, headBytes);
    log.write(bytes, start, end);
    if (tail !== null) log.write(tail, 0, tail.length);
    log.commit(seq);
    return seq;
  }

  /** The frame becomes the newest of its key, and the one before it is marked: it may be left out where only the newest counts. */
  #keep(keys: KeyTable, key: string, index: number): void {
    const { log } = this;
    const timeMs = log.timeAt(index);
    const before = keys.get(key, timeMs);
    const beforeSeq = before?.seq ?? 0;
    const frame = this.#frameAt(index);
    const base = before === undefined || !keys.spec.merges ? null : keys.frameOf(before);
    keys.put(base === null ? frame : mergedEvent(base, frame), timeMs, log.ttlMsAt(index));
    if (beforeSeq > 0) log.markSuperseded(beforeSeq);
    else this.#forgetSaid(key);
    this.#more?.timed?.noteDeleted(frame);
  }

  /** The key has had no value: what was said of it before is nothing that all subscribers of a stream have. */
  #forgetSaid(key: string): void {
    const { derived, timed } = this.#withMore;
    for (const { variant } of derived) variant.forget?.(key);
    if (timed !== null) for (const { variant } of timed.streams) variant.forget?.(key);
  }

  /** The newest message of each key, as this stream's subscribers get it; where there are no keys, the last message. */
  snapshot(spec: StreamSpec, nowMs: number): TopicSnapshotParts {
    const { log } = this;
    const books = this.#more?.bookStreams ?? null;
    if (books !== null) return this.#bookSnapshot(books, spec, nowMs);
    // Who begins with it goes on with what the stream says next: where that is told only if it is something else, all has to be said by now.
    if (needsBase(spec)) this.#more?.timed?.makeNow(spec.key, this.#keys, nowMs);
    const seq = log.headSeq;
    const writer = new SnapshotParts(spec.codec, this.spec, seq, SLICE_MAX_BYTES);
    const keys = this.#keys;
    const variant = spec.kind === CANONICAL.kind ? null : variantOf(spec, NOT_COUNTED);
    const add = (frame: Uint8Array): void => {
      const entry = variant?.entry === undefined ? frame : variant.entry(this.spec, frame);
      if (entry !== null) writer.add(entry);
    };
    if (keys !== null) for (const entry of keys.changedSince(0, nowMs)) add(keys.frameOf(entry));
    else if (log.retainedFrames > 0 && log.expiryMsAt(log.head) > nowMs) add(this.#frameAt(log.head));
    return { seq, parts: writer.finish() };
  }

  #bookSnapshot(books: BookStreams<Log>, spec: StreamSpec, nowMs: number): TopicSnapshotParts {
    books.makeNow(spec.key, nowMs);
    const seq = this.log.headSeq;
    const since = sinceOf(spec);
    const frames: Uint8Array[] = [];
    if (since !== undefined && books.addDifference(spec, since, (frame) => frames.push(frame)))
      return { seq, parts: frames };
    const writer = new SnapshotParts(spec.codec, this.spec, seq, SLICE_MAX_BYTES);
    books.addTo(writer, spec);
    return { seq, parts: writer.finish() };
  }

  /**
   * Begins a derived stream, or goes on with one: `log` is given what the canonical log retains and it lacks, then follows.
   * @param onFrame called before each of these frames
   */
  openStream(spec: StreamSpec, log: Log, counters = NOT_COUNTED, onFrame: () => void = () => {}): void {
    if (spec.kind === STATE.kind) {
      this.#openState(log, counters);
      return;
    }
    const more = this.#withMore;
    if (isBook(spec)) {
      if (more.bookStreams === null) throw new Error(`${this.spec.topic} is no book`);
      more.bookStreams.add(spec, log);
      return;
    }
    const canonical = this.log;
    const stream = { spec, log, variant: variantOf(spec, counters), isMerged: isMerged(spec) };
    if (stream.isMerged) this.#skipReplaced(log);
    this.#prime(stream);
    if (intervalOf(spec) > 0) {
      more.timed ??= new TimedStreams<Log>(this.spec, canonical);
      more.timed.add(stream);
      return;
    }
    if (log.attemptSeq < canonical.tailSeq) log.skipTo(canonical.tailSeq);
    for (let index = canonical.indexOf(log.attemptSeq); index <= canonical.head; index++) {
      onFrame();
      this.#deriveFrame(stream, index, this.#sourceAt(stream, index));
    }
    more.derived = [...more.derived, stream];
  }

  /** Values that have been replaced are not known any more: a stream of values begins behind the last of them, and its readers with a snapshot. */
  #skipReplaced(log: Log): void {
    const canonical = this.log;
    const keys = this.#keys;
    if (keys === null) return;
    for (let index = canonical.head; index >= canonical.tail && canonical.seqAt(index) >= log.attemptSeq; index--) {
      const frame = this.#frameAt(index);
      if (!scratchView.read(frame, 0, frame.length) || (scratchView.key === null && !keys.spec.isSingle)) continue;
      const newest = keys.get(scratchView.key ?? '', Number.NEGATIVE_INFINITY);
      if (newest?.seq === canonical.seqAt(index) || scratchView.change === 'delete') continue;
      log.skipTo(canonical.seqAt(index) + 1);
      return;
    }
  }

  #prime({ variant, log }: DerivedStream<Log>): void {
    const keys = this.#keys;
    if (variant.prime === undefined || keys === null) return;
    const toCome = log.attemptSeq;
    for (const entry of keys.changedSince(0, Number.NEGATIVE_INFINITY))
      variant.prime(keys.frameOf(entry), entry.seq >= toCome);
  }

  /** What a stream makes its frame of. */
  #sourceAt({ isMerged: needsValue }: DerivedStream<Log>, index: number): Uint8Array {
    const frame = this.#frameAt(index);
    const keys = this.#keys;
    if (!needsValue || keys === null || !scratchView.read(frame, 0, frame.length)) return frame;
    const entry = keys.get(scratchView.key ?? '', Number.NEGATIVE_INFINITY);
    return entry?.seq === this.log.seqAt(index) ? keys.frameOf(entry) : frame;
  }

  #openState(log: Log, counters: VariantCounters): void {
    const { keys: spec, book } = this.spec;
    if (book !== undefined) {
      this.#openBook(book, log, counters);
      return;
    }
    if (spec === undefined) throw new Error(`${this.spec.topic} keeps nothing by key`);
    const keys = new KeyTable(log, spec);
    const more = this.#withMore;
    more.keys = keys;
    more.state = { spec: STATE, log };
    // A predecessor may have died between a frame and its place in the state log.
    const canonical = this.log;
    const view = new EventView();
    for (let index = canonical.indexOf(log.headSeq + 1); index <= canonical.head; index++) {
      const frame = this.#frameAt(index);
      if (!view.read(frame, 0, frame.length)) throw new Error('a canonical frame is an EVENT');
      if (view.key !== null || spec.isSingle) this.#keep(keys, view.key ?? '', index);
    }
  }

  #openBook(spec: BookSpec, log: Log, counters: VariantCounters): void {
    const canonical = this.log;
    const more = this.#withMore;
    const book = new KeptBook(this.spec, spec, log, counters);
    more.book = book;
    more.bookStreams = new BookStreams(this.spec, canonical, book);
    more.state = { spec: STATE, log };
    // A predecessor may have died between a frame and its place in the state log.
    for (let index = canonical.indexOf(log.headSeq + 1); index <= canonical.head; index++)
      book.take(this.#frameAt(index), canonical.timeAt(index));
  }

  closeStream(key: string): void {
    const more = this.#withMore;
    more.bookStreams?.remove(key);
    more.timed?.remove(key);
    more.derived = more.derived.filter(({ spec }) => spec.key !== key);
  }

  /** The newest message, in all other streams. @param key of one that is kept by it; null: it is not */
  #derive(more: MoreOfTopic<Log>, key: string | null, nowMs: number): void {
    const { book, bookStreams } = more;
    if (book !== null && bookStreams !== null) {
      const frame = this.#frameAt(this.log.head);
      bookStreams.taken(book.take(frame, nowMs), frame, nowMs);
    }
    if (more.derived.length > 0) this.#deriveNewest(more, key);
    more.timed?.tick(nowMs, more.keys);
  }

  #deriveNewest({ derived, keys }: MoreOfTopic<Log>, key: string | null): void {
    const { head } = this.log;
    const frame = this.#frameAt(head);
    for (const stream of derived) {
      const entry = stream.isMerged && key !== null ? keys?.get(key, Number.NEGATIVE_INFINITY) : undefined;
      this.#deriveFrame(stream, head, entry === undefined ? frame : (keys as KeyTable).frameOf(entry));
    }
  }

  /**
   * The message is in the canonical log by now: whoever fails here would fail again and again. So nothing may. What has no
   * form, or none that the log can hold, or one that threads died of making, is announced as missed.
   */
  #deriveFrame({ log, variant }: DerivedStream<Log>, index: number, canonicalFrame: Uint8Array): void {
    const canonical = this.log;
    const seq = canonical.seqAt(index);
    const frame = log.noteAttempt(seq) < DERIVE_ATTEMPTS_MAX ? this.#form(variant, canonicalFrame) : NO_FORM;
    if (frame === null) {
      log.notePassed(seq);
      return;
    }
    const isWhole = frame !== NO_FORM && log.canHold(frame.length);
    const bytes = isWhole ? frame : variant.gap(this.spec, seq);
    if (!log.canHold(bytes.length)) {
      // Not even the announcement: readers are lapped, which delivery tells them.
      log.skipTo(seq + 1);
      return;
    }
    log.begin(bytes.length, canonical.timeAt(index), isWhole ? 0 : GAP_MARK, canonical.originWithTtlAt(index));
    log.write(bytes, 0, bytes.length);
    log.commit(seq);
    if (variant.superseded !== undefined && variant.superseded > 0) log.markSuperseded(variant.superseded);
  }

  /** Good until the next call, of whichever topic of this thread. */
  #frameAt(index: number): Uint8Array {
    const bytes = this.log.sliceBytes(index, index + 1);
    if (frameScratch.length < bytes) frameScratch = new Uint8Array(2 * bytes);
    this.log.copy(index, index + 1, frameScratch, 0);
    return frameScratch.subarray(0, bytes);
  }

  #form(variant: Variant, canonicalFrame: Uint8Array): Uint8Array | typeof NO_FORM | null {
    try {
      return variant.derive(this.spec, canonicalFrame);
    } catch {
      return NO_FORM;
    }
  }
}
