/** History: the newest retained messages of a topic, read from its log. */

import { EVICTED, type FrameLog } from '../log/frame-log.js';
import type { FrameRange } from '../protocol/encoder.js';
import type { TopicSpec } from './topic.js';

/** Oldest seq that history still offers: bounded by messages, by bytes, and by what the log retains. */
export function oldestHistorySeq(log: FrameLog, limits: Pick<TopicSpec, 'historyMessages' | 'historyBytes'>): number {
  const head = log.headSeq;
  let seq = Math.max(log.tailSeq, head - limits.historyMessages + 1);
  const end = log.positionOf(head + 1);
  while (seq <= head && end - log.positionOf(seq) > limits.historyBytes) seq++;
  return seq;
}

export interface History {
  readonly frames: readonly FrameRange[];
  /** The newest message's seq; 0 when there has been none. */
  readonly seq: number;
}

/** Up to `lastN` newest frames that history offers. A shared log may lose some to its writer meanwhile: then it is read again. */
export function readHistory(log: FrameLog, spec: TopicSpec, lastN: number): History {
  for (;;) {
    log.refresh();
    const seq = log.headSeq;
    const from = Math.max(oldestHistorySeq(log, spec), seq - lastN + 1);
    const until = seq + 1;
    const bytes = new Uint8Array(Math.max(0, log.sliceBytes(from, until)));
    const start = log.positionOf(from);
    const ends: number[] = [];
    for (let next = from + 1; next <= until; next++) ends.push(log.positionOf(next) - start);
    if (log.copy(from, until, bytes, 0) === EVICTED && from <= seq) continue;
    const frames = ends.map((end, index) => ({ bytes, start: index === 0 ? 0 : ends[index - 1], end }));
    return { frames, seq };
  }
}
