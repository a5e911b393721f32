/** Log limits: how far a plain log may grow, and what it grows for. */

import type { FrameLog, LogSizes } from './frame-log.js';
import type { LogBudget } from './log-budget.js';
import type { LogSlabs } from './log-slabs.js';

export interface PlainLogLimits extends LogSizes {
  /** Frames younger than this are kept by growing rather than evicted, up to the sizes above (ms) … */
  readonly retainMs: number;
  /** … so many of the newest, that take so many bytes; 0: up to the sizes above. */
  readonly retainMessages?: number;
  readonly retainBytes?: number;
  /** So many newest frames are kept by growing, whatever their age … */
  readonly historyMessages: number;
  /** … as long as they take no more than this. */
  readonly historyBytes: number;
  /** What this log and others may take together: beyond it the largest keep less. */
  readonly budget?: LogBudget;
  /** Memory for logs that are as small as they can be; without it each has a buffer of its own. */
  readonly slabs?: LogSlabs;
}

/** Hot path: per message. Whether a retained frame is kept by growing. */
export function isKept(log: FrameLog, index: number, nowMs: number, limits: PlainLogLimits): boolean {
  const { retainMs, retainMessages = 0, retainBytes = 0, historyMessages, historyBytes } = limits;
  const isYoung = log.timeAt(index) > nowMs - retainMs;
  if (isYoung && retainMessages === 0 && retainBytes === 0) return true;
  const newer = log.head - index;
  const bytes = log.sliceBytes(index, log.head + 1);
  if (newer < historyMessages && bytes <= historyBytes) return true;
  return isYoung && (retainMessages === 0 || newer < retainMessages) && (retainBytes === 0 || bytes <= retainBytes);
}
