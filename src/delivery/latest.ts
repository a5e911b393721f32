/**
 * Latest: what a reader gets that wants the newest of each key only. Conflation is a way of reading, not a queue: the topic's
 * home marks the frame of a key when a newer one comes, and a reader leaves out what is marked by the time it comes there:
 * tick by tick while it keeps up, the newest of each key when it does not. What was left out is announced in its place.
 *
 * A mark may be seen late. Then the reader gets a message more, which is right as well.
 */

import { SLICE_MAX_BYTES } from '../limits.js';
import { EVICTED, type FrameLog } from '../log/frame-log.js';
import { MERGED_MARK } from '../log/layout.js';
import type { FrameEncoder } from '../protocol/encoder.js';
import { jsonEncoder } from '../protocol/encoder-json.js';
import { msgpackEncoder } from '../protocol/encoder-msgpack.js';
import { type StreamRef, TOPIC_MAX_BYTES } from '../protocol/messages.js';

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
  /** Where superseded messages are marked: the canonical log. Null: the topic is not keyed, only its last message is the newest. */
  readonly marks: FrameLog | null;
}

/** Frames and announcements, one behind the other. */
export class LatestSlice {
  bytes = new Uint8Array(SLICE_MAX_BYTES);
  length = 0;
  /** Ends of the messages in it, for those who get one message per frame. */
  readonly ends: number[] = [];
  /** Of the frames. */
  messages = 0;
  /** Messages that were left out, and how often that is said. */
  merged = 0;
  gaps = 0;
  /** The cursor behind it. */
  until = 0;

  get view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /**
   * Reads from `cursor`, which is retained, as much as a message may have.
   * @param origin connection whose messages are left out without a word (noEcho); 0: none
   * @returns false: the log's writer was faster, or the first frame is larger than a slice
   */
  read(source: LatestSource, cursor: number, origin = 0): boolean {
    this.length = 0;
    this.ends.length = 0;
    this.messages = this.merged = this.gaps = 0;
    const { log } = source;
    const first = log.indexOf(cursor);
    const end = Math.min(log.head + 1, first + FRAMES_PER_SLICE);
    let index = first;
    /** Of what has been left out since the last frame; 0: nothing. */
    let mergedFrom = 0;
    let mergedTo = 0;
    let merged = 0;
    for (; index < end; index++) {
      const isEcho = origin !== 0 && log.originAt(index) === origin;
      const left = isEcho ? 0 : leftOutAt(source, index);
      if (left > 0) {
        if (mergedFrom === 0 && this.length > FULL_BYTES) break;
        mergedTo = log.seqAt(index);
        if (mergedFrom === 0) mergedFrom = left === 1 ? mergedTo : Math.max(cursor, log.firstSeqAt(index));
        merged += left;
      } else if (!isEcho) {
        // Not a number, or negative: the writer has overwritten the index.
        const bytes = log.sliceBytes(index, index + 1);
        const gap = mergedFrom === 0 ? null : gapOf(source, mergedFrom, mergedTo);
        if (!(bytes > 0) || !this.#fits(bytes, gap)) break;
        if (gap !== null) this.#announce(gap, merged);
        mergedFrom = merged = 0;
        if (log.copy(index, index + 1, this.bytes, this.length) === EVICTED) return false;
        this.length += bytes;
        this.ends.push(this.length);
        this.messages++;
      }
    }
    if (mergedFrom !== 0) this.#announce(gapOf(source, mergedFrom, mergedTo), merged);
    this.until = log.firstSeqAt(index);
    return index > first && log.isStillRetained(first);
  }

  /** A frame by itself may fill the slice; otherwise room is left for what is to be said behind it. */
  #fits(bytes: number, gap: Uint8Array | null): boolean {
    if (this.length === 0 && gap === null) return bytes <= SLICE_MAX_BYTES;
    return this.length + bytes + (gap?.length ?? 0) <= FULL_BYTES;
  }

  #announce(gap: Uint8Array, merged: number): void {
    this.bytes.set(gap, this.length);
    this.length += gap.length;
    this.ends.push(this.length);
    this.merged += merged;
    this.gaps++;
  }
}

/** How many messages frame `index` stands for that are left out; 0: it is not. */
function leftOutAt({ log, marks }: LatestSource, index: number): number {
  // An announcement of what had been left out before.
  if (log.ingressPositionAt(index) === MERGED_MARK) return log.originAt(index);
  if (marks === null) return index < log.head ? 1 : 0;
  if (marks === log) return log.isSupersededAt(index) ? 1 : 0;
  const seq = log.seqAt(index);
  if (seq < marks.tailSeq || seq > marks.headSeq) return 0;
  return marks.isSupersededAt(marks.indexOf(seq)) ? 1 : 0;
}

export function gapOf({ topic, codec }: LatestSource, fromSeq: number, toSeq: number): Uint8Array {
  return ENCODERS[codec].gap(topic, fromSeq, toSeq, 'merged');
}
