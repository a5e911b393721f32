/** RetainedHistory: the newest retained messages of a topic, read from its log. */

import { HISTORY_ANSWER_MAX_BYTES } from '../limits.js';
import { EVICTED, type FrameLog } from '../log/frame-log.js';
import type { FrameRange } from '../protocol/encoder.js';
import type { TopicSpec } from './topic.js';

type HistoryLimits = Pick<TopicSpec, 'historyMessages' | 'historyBytes'>;

/** The cursor that gets up to `lastN` newest messages that history still offers, and then what comes. */
export function historyCursor(log: FrameLog, limits: HistoryLimits, lastN = Number.POSITIVE_INFINITY): number {
  for (;;) {
    log.refresh();
    const index = oldestIndex(log, limits, lastN);
    if (index > log.head) return log.headSeq + 1;
    const cursor = log.firstSeqAt(index);
    // A shared log's writer may have overwritten the entry.
    if (log.isStillRetained(index)) return cursor;
  }
}

/** Oldest frame of up to `lastN` that history still offers: bounded by messages, by bytes, and by what the log retains. */
function oldestIndex(log: FrameLog, { historyMessages, historyBytes }: HistoryLimits, lastN: number): number {
  const oldest = Math.max(log.tail, log.head + 1 - historyMessages);
  return Math.max(oldestWithin(log, oldest, historyBytes), log.head + 1 - lastN);
}

/** The oldest frame from `from` on with which all frames up to the head take at most so many bytes. */
function oldestWithin(log: FrameLog, from: number, maxBytes: number): number {
  const end = log.positionAt(log.head + 1);
  let [low, high] = [from, Math.max(from, log.head + 1)];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (end - log.positionAt(middle) > maxBytes) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface RetainedHistory {
  readonly frames: readonly FrameRange[];
  /** The newest message's seq; one less than the topic's first when there has been none. */
  readonly seq: number;
  /** Older ones that were wanted are left out: together they are too large. */
  readonly isTruncated: boolean;
}

/**
 * Up to `lastN` newest frames that history offers, of at most `maxBytes`, but at least one. A shared log may lose some to
 * its writer meanwhile: then it is read again.
 */
export function readHistory(
  log: FrameLog,
  spec: TopicSpec,
  lastN: number,
  maxBytes = HISTORY_ANSWER_MAX_BYTES,
): RetainedHistory {
  for (;;) {
    log.refresh();
    const { head, headSeq: seq } = log;
    const wanted = oldestIndex(log, spec, lastN);
    const from = wanted > head ? wanted : Math.min(head, oldestWithin(log, wanted, maxBytes));
    const until = head + 1;
    const bytes = new Uint8Array(Math.max(0, log.sliceBytes(from, until)));
    const start = log.positionAt(from);
    const ends: number[] = [];
    for (let next = from + 1; next <= until; next++) ends.push(log.positionAt(next) - start);
    if (log.copy(from, until, bytes, 0) === EVICTED && from <= head) continue;
    const frames = ends.map((end, index) => ({ bytes, start: index === 0 ? 0 : ends[index - 1], end }));
    return { frames, seq, isTruncated: from > wanted };
  }
}
