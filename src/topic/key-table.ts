/**
 * Key table: the newest message of each key of a topic.
 *
 * Its messages lie in a log of their own, the topic's *state log*, as the EVENTs that they were (or, where values are merged,
 * would have been). A lane's successor finds them there, and so does the topic's next home. The log never loses a key's newest
 * frame: before it gets tight, frames at its tail that are still the newest are written once more at its head, and the
 * others dropped. It is kept at most half full of newest frames, so that this costs one copy per message at most. Frames that are
 * no key's newest any more are marked as superseded, so that they are dropped unread, as many at once as lie there.
 */

import type { FrameLog, LogSizes } from '../log/frame-log.js';
import { withTtl } from '../log/layout.js';
import { EventView } from '../protocol/event.js';

/** What a topic keeps by key. */
export interface KeySpec {
  /** The field of the payload that holds the key, as a path by dots; null: PUBLISH says it. */
  readonly field: string | null;
  /** One key for all messages, which is not told: the topic is not keyed, but merges. */
  readonly isSingle: boolean;
  /** What becomes of messages without a key: they are refused, or belong to none. */
  readonly onMissing: 'refuse' | 'pass';
  readonly maxKeys: number;
  /** When there are so many: new ones are refused, or the one that has not changed for longest goes. */
  readonly onFull: 'refuse' | 'evict';
  /** A key is no more when nothing has come for so long (ms); 0: it stays. */
  readonly ttlMs: number;
  /** Messages hold fields that replace those of the key's value. */
  readonly merges: boolean;
}

/** Room for a key's newest frame, on average: where others take less it may be larger. */
const BYTES_PER_KEY = 256;
const DATA_MIN_BYTES = 1024 * 1024;
/** A frame takes this part of the log at most, so that there is room for it whatever lies at the tail. */
const FRAME_SHARE = 8;
/** Frames and bytes that the log may hold beyond twice the newest ones. */
const SLACK_FRAMES = 16;
const SLACK_BYTES = 4096;

/** Sizes of the state log, that it may grow to. */
export function stateLogSizes({ maxKeys }: KeySpec): LogSizes {
  const dataBytes = powerOfTwoFrom(Math.max(DATA_MIN_BYTES, 2 * maxKeys * BYTES_PER_KEY));
  return { dataBytes, frames: powerOfTwoFrom(2 * maxKeys + 2 * SLACK_FRAMES) };
}

function powerOfTwoFrom(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

export interface KeyEntry {
  /** Its newest frame in the state log. */
  index: number;
  /** Of its newest message. */
  seq: number;
  /** The publisher's; null: it has none. */
  version: number | null;
}

/** Writer and reader: the topic's home. */
export class KeyTable {
  readonly log: FrameLog;
  readonly spec: KeySpec;
  readonly #view = new EventView();
  readonly #movedView = new EventView();
  readonly #byKey = new Map<string, KeyEntry>();
  #liveBytes = 0;
  #scratch = new Uint8Array(1024);

  /** @param log the state log: new, or what a predecessor has left */
  constructor(log: FrameLog, spec: KeySpec) {
    this.log = log;
    this.spec = spec;
    for (let index = log.tail; index <= log.head; index++) {
      // A predecessor has been through with it.
      if (log.isSupersededAt(index)) continue;
      const frame = this.#frameAt(index);
      if (!this.#view.read(frame, 0, frame.length)) throw new Error('a state frame is an EVENT');
      this.#note(index, frame.length);
    }
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** The key's newest message, unless it has expired. */
  get(key: string, nowMs: number): KeyEntry | undefined {
    const entry = this.#byKey.get(key);
    return entry === undefined || this.#isExpired(entry, nowMs) ? undefined : entry;
  }

  /** Its frame, an EVENT. Good until the next call. */
  frameOf(entry: KeyEntry): Uint8Array {
    return this.#frameAt(entry.index);
  }

  /** Whether a message of this key can be kept; keys may have gone for it. */
  makeRoomFor(key: string, frameBytes: number, nowMs: number): boolean {
    if (frameBytes * FRAME_SHARE > this.log.frameMaxBytes) return false;
    if (this.#holds(key, frameBytes)) return true;
    for (const [old, entry] of this.#byKey) if (this.#isExpired(entry, nowMs)) this.#forget(old, entry);
    if (this.spec.onFull === 'evict') {
      for (const [old, entry] of this.#byKey) {
        if (this.#holds(key, frameBytes)) break;
        if (old !== key) this.#forget(old, entry);
      }
    }
    return this.#holds(key, frameBytes);
  }

  /**
   * Hot path: per message. Keeps one, whose frame is an EVENT with this key.
   * @param timeMs of its acceptance, on the monotonic clock. @param ttlMs how long it counts; 0: for ever
   */
  put(frame: Uint8Array, timeMs: number, ttlMs: number): void {
    if (!this.#view.read(frame, 0, frame.length)) throw new Error('a state frame is an EVENT');
    this.#tidy(frame.length);
    this.#append(frame, timeMs, withTtl(0, ttlMs), Math.max(this.#view.seq, this.log.headSeq));
    this.#note(this.log.head, frame.length);
  }

  /** Keys that have changed since `fromSeq`, in the order of their messages. Good until the next call of `put`. */
  changedSince(fromSeq: number, nowMs: number): KeyEntry[] {
    const changed: KeyEntry[] = [];
    for (const entry of this.#byKey.values()) {
      if (entry.seq >= fromSeq && !this.#isExpired(entry, nowMs)) changed.push(entry);
    }
    return changed.sort((a, b) => a.seq - b.seq);
  }

  #isExpired({ index }: KeyEntry, nowMs: number): boolean {
    const { ttlMs } = this.spec;
    const isOld = ttlMs > 0 && this.log.timeAt(index) + ttlMs <= nowMs;
    return isOld || this.log.expiryMsAt(index) <= nowMs;
  }

  #holds(key: string, frameBytes: number): boolean {
    const old = this.#byKey.get(key);
    const keys = this.#byKey.size + (old === undefined ? 1 : 0);
    const oldBytes = old === undefined ? 0 : this.log.sliceBytes(old.index, old.index + 1);
    const liveBytes = this.#liveBytes - oldBytes + frameBytes;
    return keys <= this.spec.maxKeys && 2 * liveBytes + 4 * frameBytes + SLACK_BYTES <= this.log.frameMaxBytes;
  }

  /** The frame in the state log, which has been read, is its key's newest; or it says that the key is no more. */
  #note(index: number, frameBytes: number): void {
    const { key, seq, version, change } = this.#view;
    const old = this.#byKey.get(key ?? '');
    if (change === 'delete') {
      if (old !== undefined) this.#forget(key ?? '', old);
      // Last, so that a successor sees the end of the key as long as its value may not be marked.
      this.log.markSupersededAt(index);
      return;
    }
    this.#liveBytes += frameBytes;
    if (old === undefined) {
      this.#byKey.set(key ?? '', { index, seq, version });
      return;
    }
    this.#pass(old);
    old.index = index;
    old.seq = seq;
    old.version = version;
    if (this.spec.onFull !== 'evict') return;
    // It is the last to go.
    this.#byKey.delete(key ?? '');
    this.#byKey.set(key ?? '', old);
  }

  #forget(key: string, entry: KeyEntry): void {
    this.#pass(entry);
    this.#byKey.delete(key);
  }

  /** The entry's frame is its key's newest no more. */
  #pass({ index }: KeyEntry): void {
    this.#liveBytes -= this.log.sliceBytes(index, index + 1);
    this.log.markSupersededAt(index);
  }

  /** Makes room by dropping frames that are no key's newest any more, and moving those that are. */
  #tidy(frameBytes: number): void {
    const { log } = this;
    const maxBytes = 2 * (this.#liveBytes + frameBytes) + SLACK_BYTES;
    const maxFrames = 2 * this.#byKey.size + SLACK_FRAMES;
    while (log.sliceBytes(log.tail, log.head + 1) + frameBytes > maxBytes || log.head - log.tail + 1 >= maxFrames) {
      if (!log.isSupersededAt(log.tail)) this.#move(log.tail);
      let until = log.tail + 1;
      while (until <= log.head && log.isSupersededAt(until)) until++;
      log.forgetBefore(until);
    }
  }

  /** Writes a key's newest frame once more, at the head. */
  #move(index: number): void {
    const { log } = this;
    const frame = this.#frameAt(index);
    const view = this.#movedView;
    view.read(frame, 0, frame.length);
    const entry = this.#byKey.get(view.key ?? '');
    if (entry?.index !== index) return;
    this.#append(frame, log.timeAt(index), log.originWithTtlAt(index), log.headSeq);
    entry.index = log.head;
  }

  #append(frame: Uint8Array, timeMs: number, origin: number, seq: number): void {
    const { log } = this;
    log.begin(frame.length, timeMs, 0, origin);
    log.write(frame, 0, frame.length);
    log.commit(seq);
  }

  #frameAt(index: number): Uint8Array {
    const bytes = this.log.sliceBytes(index, index + 1);
    if (this.#scratch.length < bytes) this.#scratch = new Uint8Array(2 * bytes);
    this.log.copy(index, index + 1, this.#scratch, 0);
    return this.#scratch.subarray(0, bytes);
  }
}
