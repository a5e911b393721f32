/**
 * Latest: what a reader gets that is not to get every message. Conflation is a way of reading, not a queue: the topic's home
 * marks the frame of a key when a newer one comes, and a reader of the newest leaves out what is marked by the time it comes
 * there: tick by tick while it keeps up, the newest of each key when it does not. So is left out what has expired: its time to
 * live is over, or it is older than the reader wants. What was left out is announced in its place.
 *
 * A mark may be seen late. Then the reader gets a message more, which is right as well.
 */

import { SLICE_MAX_BYTES } from '../limits.js';
import { EVICTED, type FrameLog } from '../log/frame-log.js';
import { GAP_MARK, MERGED_MARK } from '../log/layout.js';
import type { FrameEncoder } from '../protocol/encoder.js';
import { jsonEncoder } from '../protocol/encoder-json.js';
import { msgpackEncoder } from '../protocol/encoder-msgpack.js';
import { type GapReason, type StreamRef, TOPIC_MAX_BYTES } from '../protocol/messages.js';

/** Frames that are looked at for one slice: some 0.1 ms. */
const FRAMES_PER_SLICE = 8192;

/** Room for an announcement: its fields, and a topic's name as JSON may write it. */
const ANNOUNCEMENT_MAX_BYTES = 256 + 6 * TOPIC_MAX_BYTES;
const FULL_BYTES = SLICE_MAX_BYTES - ANNOUNCEMENT_MAX_BYTES;

const ENCODERS: Readonly<Record<'msgpack' | 'json', FrameEncoder>> = { msgpack: msgpackEncoder, json: jsonEncoder };

/** What is read from. */
export interface LatestSource {
  readonly topic: StreamRef;
  readonly codec: 'msgpack' | 'json';
  readonly log: FrameLog;
  /** Only the newest of each key counts. */
  readonly isLatest: boolean;
  /** Where superseded messages are marked: the canonical log. Null: the topic is not keyed, only its last message is the newest. */
  readonly marks: FrameLog | null;
  /** Only messages count that are younger (ms); 0: of any age. */
  readonly maxAgeMs: number;
}

type LeftOutReason = Extract<GapReason, 'merged' | 'expired'>;

/** What one reader may have of a slice. */
export interface SliceLimits {
  readonly messages: number;
  readonly bytes: number;
}

const NO_LIMITS: SliceLimits = { messages: 0, bytes: SLICE_MAX_BYTES };

/** Frames and announcements, one behind the other. */
export class LatestSlice {
  bytes = new Uint8Array(SLICE_MAX_BYTES);
  length = 0;
  /** Ends of the messages in it, for those who get one message per frame. */
  readonly ends: number[] = [];
  /** Of the frames. */
  messages = 0;
  /** Of the messages, where they are counted. */
  readonly seqs: number[] = [];
  /** Messages that were left out, and how often that is said. */
  readonly leftOut: Record<LeftOutReason, number> = { merged: 0, expired: 0 };
  readonly gaps: Record<LeftOutReason, number> = { merged: 0, expired: 0 };
  /** When the first of its messages expires. */
  expiryMs = 0;
  /** The cursor behind it. */
  until = 0;

  get view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /**
   * Reads from `cursor`, which is retained, as much as a message may have.
   * @param origin connection whose messages are left out without a word (noEcho); 0: none
   * @param limits of a metered row: so many messages, whose seqs are noted, or 0, and so many bytes, but for a first frame
   * @returns false: the log's writer was faster, or the first frame is larger than a slice
   */
  read(source: LatestSource, cursor: number, nowMs: number, origin = 0, limits = NO_LIMITS): boolean {
    this.#clear();
    const { log } = source;
    const first = log.indexOf(cursor);
    const end = Math.min(log.head + 1, first + FRAMES_PER_SLICE);
    let index = first;
    /** Of what has been left out since the last frame or announcement; null: nothing. */
    let reason: LeftOutReason | null = null;
    let from = 0;
    let to = 0;
    for (; index < end; index++) {
      const isEcho = origin !== 0 && log.originAt(index) === origin;
      const merged = isEcho ? 0 : mergedAt(source, index);
      const expiryMs = merged > 0 ? 0 : expiryMsAt(source, index);
      const left = merged > 0 ? 'merged' : !isEcho && expiryMs <= nowMs ? 'expired' : null;
      if (left !== null) {
        const fullBytes = reason === null ? FULL_BYTES : FULL_BYTES - ANNOUNCEMENT_MAX_BYTES;
        if (reason !== left && this.length > fullBytes) break;
        if (reason !== null && reason !== left) this.#announce(gapOf(source, from, to, reason), reason);
        to = log.seqAt(index);
        if (reason !== left) from = merged > 1 ? Math.max(cursor, log.firstSeqAt(index)) : to;
        reason = left;
        this.leftOut[left] += Math.max(1, merged);
      } else if (!isEcho) {
        if (limits.messages > 0 && this.seqs.length === limits.messages) break;
        // Not a number, or negative: the writer has overwritten the index.
        const bytes = log.sliceBytes(index, index + 1);
        const gap = reason === null ? null : gapOf(source, from, to, reason);
        if (!(bytes > 0) || !this.#fits(bytes, gap, limits.bytes)) break;
        if (gap !== null) this.#announce(gap, reason as LeftOutReason);
        reason = null;
        if (log.copy(index, index + 1, this.bytes, this.length) === EVICTED) return false;
        this.length += bytes;
        this.ends.push(this.length);
        this.messages++;
        if (limits.messages > 0 && log.ingressPositionAt(index) !== GAP_MARK) this.seqs.push(log.seqAt(index));
        this.expiryMs = Math.min(this.expiryMs, expiryMs);
      }
    }
    if (reason !== null) this.#announce(gapOf(source, from, to, reason), reason);
    this.until = log.firstSeqAt(index);
    return index > first && log.isStillRetained(first);
  }

  #clear(): void {
    this.length = 0;
    this.ends.length = this.seqs.length = 0;
    this.messages = this.leftOut.merged = this.leftOut.expired = this.gaps.merged = this.gaps.expired = 0;
    this.expiryMs = Number.POSITIVE_INFINITY;
  }

  /** A frame by itself may fill the slice; otherwise room is left for what is to be said behind it. */
  #fits(bytes: number, gap: Uint8Array | null, maxBytes: number): boolean {
    if (this.length === 0 && gap === null) return bytes <= SLICE_MAX_BYTES;
    return this.length + bytes + (gap?.length ?? 0) <= Math.min(FULL_BYTES, maxBytes);
  }

  #announce(gap: Uint8Array, reason: LeftOutReason): void {
    this.bytes.set(gap, this.length);
    this.length += gap.length;
    this.ends.push(this.length);
    this.gaps[reason]++;
  }
}

/** How many messages frame `index` stands for that newer ones have taken the place of; 0: none. */
function mergedAt({ log, isLatest, marks }: LatestSource, index: number): number {
  if (!isLatest) return 0;
  // An announcement of what had been left out before.
  if (log.ingressPositionAt(index) === MERGED_MARK) return log.originAt(index);
  if (marks === null) return index < log.head ? 1 : 0;
  if (marks === log) return log.isSupersededAt(index) ? 1 : 0;
  const seq = log.seqAt(index);
  if (seq < marks.tailSeq || seq > marks.headSeq) return 0;
  return marks.isSupersededAt(marks.indexOf(seq)) ? 1 : 0;
}

function expiryMsAt({ log, maxAgeMs }: LatestSource, index: number): number {
  const expiryMs = log.expiryMsAt(index);
  return maxAgeMs === 0 ? expiryMs : Math.min(expiryMs, log.timeAt(index) + maxAgeMs);
}

export function gapOf({ topic, codec }: LatestSource, fromSeq: number, toSeq: number, reason: GapReason): Uint8Array {
  return ENCODERS[codec].gap(topic, fromSeq, toSeq, reason);
}
