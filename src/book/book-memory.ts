/** Book memory: what the book of one topic may take. */

import { SLACK_LEVELS } from './order-book.js';

/** Levels of each side, where a rule says nothing else. */
export const MAX_LEVELS_DEFAULT = 5000;

/** What a level takes where it is written, on average: where others take less it may take more. */
const WRITTEN_LEVEL_BYTES = 40;
const STATE_MIN_BYTES = 256 * 1024;
/** A written book is this part of the log that it is kept in, at most; a message too. */
export const STATE_SHARE = 8;

/** Bytes of frames of the log in which it is kept: a power of two. */
export function bookStateBytes(maxLevels: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(STATE_MIN_BYTES, STATE_SHARE * 2 * maxLevels * WRITTEN_LEVEL_BYTES)));
}

/** Levels in differences that wait for a snapshot. */
export function asideLevelsMax(maxLevels: number): number {
  return 4 * (maxLevels + SLACK_LEVELS);
}

/** A level as an object, its texts and its place; one that has ended. Measured on Node 22, generously. */
const LEVEL_BYTES = 200;
const ENDED_LEVEL_BYTES = 120;

/** Bytes of objects: both sides, what is remembered of levels that have ended, and what waits for a snapshot. */
export function bookObjectsBytes(maxLevels: number): number {
  const levels = 2 * maxLevels + asideLevelsMax(maxLevels);
  const ended = 2 * (2 * maxLevels + SLACK_LEVELS);
  return levels * LEVEL_BYTES + ended * ENDED_LEVEL_BYTES;
}
