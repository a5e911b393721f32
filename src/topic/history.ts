/** RetainedHistory: the newest retained messages of a topic, read from its log. */

import { HISTORY_ANSWER_MAX_BYTES } from '../limits.js';
import { EVICTED, type FrameLog } from '../log/frame-log.js';
import type { FrameRange } from '../protocol/encoder.js';
import type { HistoryOptions } from '../protocol/messages.js';
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

/** The oldest frame from `from` on with which all frames before `until` take at most so many bytes. */
function oldestWithin(log: FrameLog, from: number, maxBytes: number, until = log.head + 1): number {
  const end = log.positionAt(until);
  let [low, high] = [from, Math.max(from, until)];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (end - log.positionAt(middle) > maxBytes) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The cursor that gets the first retained message which was accepted at `timeMs` (on the monotonic clock) or later, and then what comes. */
export function cursorSince(log: FrameLog, timeMs: number): number {
  for (;;) {
    log.refresh();
    let [low, high] = [log.tail, log.head + 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (log.timeAt(middle) < timeMs) low = middle + 1;
      else high = middle;
    }
    if (low > log.head) return log.headSeq + 1;
    const cursor = log.firstSeqAt(low);
    // A shared log's writer may have overwritten the entries.
    if (log.isStillRetained(Math.min(low, log.tail))) return cursor;
  }
}

export interface RetainedHistory {
  /** Oldest first, unless asked for in reverse. */
  readonly frames: readonly FrameRange[];
  /** The newest message's seq; one less than the topic's first when there has been none. */
  readonly seq: number;
  /** More of them were wanted: together they are too many, or too large. */
  readonly isTruncated: boolean;
}

/**
 * What history offers of the range that is asked for: at most `limit` messages and `maxBytes`, but at least one: the oldest
 * of the range; its newest with `lastN` or `reverse`. What has expired is left out. A shared log may lose some to its writer meanwhile: then it is read again.
 */
export function readHistory(
  log: FrameLog,
  spec: HistoryLimits,
  query: HistoryOptions,
  nowMs: number,
  maxBytes = HISTORY_ANSWER_MAX_BYTES,
): RetainedHistory {
  const { lastN, fromSeq = 0, toSeq = Number.POSITIVE_INFINITY, limit = lastN ?? Number.POSITIVE_INFINITY } = query;
  // Without a range its newest messages tell most.
  const isRange = query.fromSeq !== undefined || query.toSeq !== undefined || query.limit !== undefined;
  const takesNewest = query.reverse === true || lastN !== undefined || !isRange;
  for (;;) {
    log.refresh();
    const offered = oldestIndex(log, spec, Number.POSITIVE_INFINITY);
    const first = Math.max(offered, fromSeq < log.tailSeq ? 0 : log.indexOf(fromSeq));
    const end = Math.max(first, toSeq >= log.headSeq ? log.head + 1 : toSeq < log.tailSeq ? 0 : log.indexOf(toSeq + 1));
    const wantedFrom = takesNewest ? Math.max(first, end - limit) : first;
    const wantedUntil = takesNewest ? end : Math.min(end, first + limit);
    const isEmpty = wantedFrom >= wantedUntil;
    const from = takesNewest && !isEmpty ? Math.min(end - 1, oldestWithin(log, wantedFrom, maxBytes, end)) : wantedFrom;
    const until = takesNewest || isEmpty ? wantedUntil : Math.min(wantedUntil, log.fit(from, maxBytes));
    const bytes = new Uint8Array(Math.max(0, log.sliceBytes(from, until)));
    const start = log.positionAt(from);
    const frames: FrameRange[] = [];
    for (let index = from; index < until; index++) {
      if (log.expiryMsAt(index) <= nowMs) continue;
      frames.push({ bytes, start: log.positionAt(index) - start, end: log.positionAt(index + 1) - start });
    }
    const { headSeq: seq } = log;
    if (from < until && log.copy(from, until, bytes, 0) === EVICTED) continue;
    if (query.reverse === true) frames.reverse();
    const wanted = lastN === undefined ? end - first : Math.min(lastN, end - first);
    return { frames, seq, isTruncated: limit > 0 && until - from < wanted };
  }
}
