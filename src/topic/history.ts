/** History: the newest retained messages of a topic, read from its log. */

import { EVICTED, type FrameLog } from '../log/frame-log.js';
import type { FrameRange } from '../protocol/encoder.js';
import type { TopicSpec } from './topic.js';

/** Frames in one answer, unless there is only one: an answer is made in one go, and waits in memory for who does not read. */
export const HISTORY_ANSWER_MAX_BYTES = 1024 * 1024;

/** Oldest seq that history still offers: bounded by messages, by bytes, and by what the log retains. */
export function oldestHistorySeq(log: FrameLog, limits: Pick<TopicSpec, 'historyMessages' | 'historyBytes'>): number {
  const oldest = Math.max(log.tailSeq, log.headSeq - limits.historyMessages + 1);
  return oldestWithin(log, oldest, limits.historyBytes);
}

/** The oldest seq from `from` on with which all frames up to the head take at most so many bytes. */
function oldestWithin(log: FrameLog, from: number, maxBytes: number): number {
  const end = log.positionOf(log.headSeq + 1);
  let [low, high] = [from, Math.max(from, log.headSeq + 1)];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (end - log.positionOf(middle) > maxBytes) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface History {
  readonly frames: readonly FrameRange[];
  /** The newest message's seq; 0 when there has been none. */
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
): History {
  for (;;) {
    log.refresh();
    const seq = log.headSeq;
    const wanted = Math.max(oldestHistorySeq(log, spec), seq - lastN + 1);
    const from = wanted > seq ? wanted : Math.min(seq, oldestWithin(log, wanted, maxBytes));
    const until = seq + 1;
    const bytes = new Uint8Array(Math.max(0, log.sliceBytes(from, until)));
    const start = log.positionOf(from);
    const ends: number[] = [];
    for (let next = from + 1; next <= until; next++) ends.push(log.positionOf(next) - start);
    if (log.copy(from, until, bytes, 0) === EVICTED && from <= seq) continue;
    const frames = ends.map((end, index) => ({ bytes, start: index === 0 ? 0 : ends[index - 1], end }));
    return { frames, seq, isTruncated: from > wanted };
  }
}
