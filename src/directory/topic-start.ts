/** Topic start: which life of a topic it is, and with which number it goes on. */

import { randomBytes } from 'node:crypto';
import { EPOCH_MAX_BYTES } from '../protocol/messages.js';
import { utf8Length } from '../protocol/utf8.js';

/** Where a topic goes on that had messages before: in another process, say. */
export interface TopicStart {
  /** Names the life that it continues, 1–64 bytes of UTF-8. */
  readonly epoch: string;
  /** Number of the first message from here on, 1 to 2^49. */
  readonly firstSeq: number;
}

/** Far enough from 2^53 for all that will ever come, and for logs that note attempts beside a seq (`log/layout.ts`). */
const FIRST_SEQ_MAX = 2 ** 49;
/** A life of its own. 48 random bits: enough that none is ever taken for another, short enough for 100,000 topics. */
export function newStart(): TopicStart {
  return { epoch: randomBytes(6).toString('base64url'), firstSeq: 1 };
}

export function startProblem({ epoch, firstSeq }: TopicStart): string | null {
  const epochBytes = typeof epoch === 'string' ? utf8Length(epoch) : 0;
  if (epochBytes < 1 || epochBytes > EPOCH_MAX_BYTES) return `an epoch has 1 to ${EPOCH_MAX_BYTES} bytes of UTF-8`;
  const isSeq = Number.isSafeInteger(firstSeq) && firstSeq >= 1 && firstSeq <= FIRST_SEQ_MAX;
  return isSeq ? null : 'firstSeq must be a whole number from 1 to 2^49';
}
