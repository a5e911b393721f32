/**
 * The worst-case memory as two sums with one term per owner: of the engine, and of one connection.
 *
 * What they mean: bounds that nobody reaches. Every limit would have to be exhausted at the same time: all topics full to
 * the brim, a connection blocked with the largest message half received. Most of it is virtual until touched: rings and
 * hot logs are zero pages that the system backs when they are first written, cold logs start small and grow on demand.
 * Their use is to show which limit to lower: the largest term tells. They are not multiplied: that all connections that
 * are allowed subscribe to all that they may, and none reads, says nothing about a machine.
 */
import { bookObjectsBytes, bookStateBytes, MAX_LEVELS_DEFAULT } from '../book/book-memory.js';
import {
  EVENT_RING_MIN_BYTES,
  HELD_BACK_TOTAL_MAX_BYTES,
  HELD_IN_MOVE_MAX_BYTES,
  HISTORY_ANSWER_MAX_BYTES,
  JSON_FACTOR_MAX,
  RECEIVE_LIMIT_FACTOR,
  SLICE_MAX_BYTES,
  SPARE_LOGS_MAX,
  STATS_REPORT_MAX_BYTES,
  UNREAD_TOTAL_MAX_BYTES,
  UNSWEPT_MAX_BYTES,
  VIEW_OF_LOG_MAX_BYTES,
} from '../limits.js';
import { ENTRY_BYTES, HEADER_BYTES, LOG_MIN_BYTES } from '../log/layout.js';
import { KEY_MAX_BYTES, MESSAGE_ID_MAX_BYTES } from '../protocol/messages.js';
import type { DedupWindow } from '../topic/deduplication.js';
import { type KeyRule, keySpecOf } from '../topic/key-rule.js';
import { stateLogSizes } from '../topic/key-table.js';
import type { SchemaOutput } from './schema.js';
import { formatSizeBytes } from './units.js';

export interface MemoryRow {
  readonly owner: string;
  readonly formula: string;
  readonly bytes: number;
}

export interface MemoryBound {
  /** Of the engine. */
  readonly rows: readonly MemoryRow[];
  readonly totalBytes: number;
  /** Of one connection. */
  readonly connectionRows: readonly MemoryRow[];
  readonly connectionBytes: number;
}

/**
 * Parallel typed arrays of one subscription (connection, stream, cursor, what was asked for, list links) and the hash: 96 at most;
 * and its membership of a native topic of uWebSockets.js, some 90 (`npm run bench:fanout -- subscriptions`).
 */
export const SUBSCRIPTION_BYTES = 192;
/** Engine's and uWebSockets.js's state of one connection with a subscription, without buffers (`npm run bench:fanout -- memory`). */
export const CONNECTION_BYTES = 4096;
/** That a connection may publish to a topic: a row of a map and, until it is looked at again, what is left of a deleted topic. */
export const GRANT_BYTES = 512;
/** A durable subscription: its names and what is known of it; and of each message that it has not acknowledged. */
export const DURABLE_BYTES = 1024;
export const UNACKED_MESSAGE_BYTES = 8;
/** A topic's state and names, and the smallest logs of its two streams. */
export const TOPIC_BYTES = 640 + 2 * LOG_MIN_BYTES;
/** What a lane tells about itself: counters, a histogram; and per topic that it has open. */
export const LANE_FIGURES_BYTES = 64 * 1024;
export const LANE_FIGURES_BYTES_PER_TOPIC = 8;
/** A key's row of a topic's table, or of what a stream has said, without the key's text. */
export const KEY_BYTES = 256;
/** A message id that a topic remembers, without its text. */
export const MESSAGE_ID_BYTES = 192;
/** Node.js itself: code, V8's own, the accept thread's young generation. */
export const PROCESS_BASE_BYTES = 96 * 1024 * 1024;

export const MEMORY_BOUND_MEANING =
  'Bounds that nobody reaches: every limit exhausted at once. Rings and hot logs are virtual until touched, cold logs ' +
  'and buffers grow on demand. The largest term shows which limit to lower.';

type SizedRule = Pick<SchemaOutput['topics']['rules'][number], 'type' | 'maxLevels'>;

type Limits = { readonly topics: { readonly rules: readonly KeepingRule[] } } & Pick<
  SchemaOutput,
  | 'lanes'
  | 'laneHeapBytes'
  | 'ringBytes'
  | 'maxHotTopics'
  | 'hotLogBytes'
  | 'hotLogFrames'
  | 'maxTopics'
  | 'coldLogMaxBytes'
  | 'coldLogMaxFrames'
  | 'coldLogsMaxBytes'
  | 'maxSubscriptionsPerConnection'
  | 'maxPayloadBytes'
  | 'maxDurables'
  | 'maxUnacked'
  | 'maxStreamsPerTopic'
>;

/** What a rule says of what its topics keep beside their logs. */
interface KeepingRule extends KeyRule, SizedRule {
  readonly dedupWindow?: DedupWindow | undefined;
}

function logBytes(dataBytes: number, frames: number): number {
  return HEADER_BYTES + dataBytes + frames * ENTRY_BYTES;
}

/** The newest messages of a topic's keys, and the table of them. */
function keysBytes(rule: KeepingRule): number {
  const keys = keySpecOf(rule);
  if (keys === undefined) return 0;
  const { dataBytes, frames } = stateLogSizes(keys);
  return logBytes(dataBytes, frames) + keys.maxKeys * (KEY_BYTES + KEY_MAX_BYTES);
}

function snapshotBytes(rule: KeepingRule): number {
  const keys = keySpecOf(rule);
  return keys === undefined ? 0 : stateLogSizes(keys).dataBytes / 2;
}

function dedupBytes({ dedupWindow }: KeepingRule): number {
  return dedupWindow === undefined ? 0 : dedupWindow.messages * (MESSAGE_ID_BYTES + MESSAGE_ID_MAX_BYTES);
}

/** Of the rule with which it is largest: any topic may meet it. */
function largest({ topics }: Limits, bytesOf: (rule: KeepingRule) => number): number {
  return topics.rules.reduce((most, rule) => Math.max(most, bytesOf(rule)), 0);
}

export function memoryBound(limits: Limits): MemoryBound {
  // Any topic may become hot. The log of one that comes from the accept thread holds what its cold one retained.
  const hotTopics = limits.lanes === 0 ? 0 : Math.min(limits.maxHotTopics, limits.maxTopics);
  const hotLogBytes = logBytes(
    Math.max(limits.hotLogBytes, limits.coldLogMaxBytes),
    Math.max(limits.hotLogFrames, limits.coldLogMaxFrames),
  );
  const spareLogBytes = logBytes(limits.hotLogBytes, limits.hotLogFrames);
  const copiedColdLogs = Math.floor(limits.coldLogsMaxBytes / VIEW_OF_LOG_MAX_BYTES);
  const size = formatSizeBytes;
  const index = `${ENTRY_BYTES} B + ${HEADER_BYTES} B`;

  const rows: MemoryRow[] = [
    { owner: 'process', formula: `Node.js ${size(PROCESS_BASE_BYTES)}`, bytes: PROCESS_BASE_BYTES },
    {
      owner: 'figures',
      formula: `stats board: two reports of ${size(STATS_REPORT_MAX_BYTES)}`,
      bytes: 2 * STATS_REPORT_MAX_BYTES,
    },
    {
      owner: 'lane heaps',
      formula: 'lanes × laneHeapBytes',
      bytes: limits.lanes * limits.laneHeapBytes,
    },
    { owner: 'lane request rings', formula: 'lanes × ringBytes', bytes: limits.lanes * limits.ringBytes },
    {
      owner: 'lane event rings',
      formula: `lanes × max(ringBytes, ${size(EVENT_RING_MIN_BYTES)})`,
      bytes: limits.lanes * Math.max(limits.ringBytes, EVENT_RING_MIN_BYTES),
    },
    {
      owner: 'lane figures',
      formula: `lanes × (${size(LANE_FIGURES_BYTES)} + maxHotTopics × ${LANE_FIGURES_BYTES_PER_TOPIC} B)`,
      bytes: limits.lanes * (LANE_FIGURES_BYTES + limits.maxHotTopics * LANE_FIGURES_BYTES_PER_TOPIC),
    },
    {
      owner: 'topics',
      formula: `maxTopics × ${size(TOPIC_BYTES)}`,
      bytes: limits.maxTopics * TOPIC_BYTES,
    },
    {
      owner: 'durable subscriptions',
      formula: `maxDurables × (${size(DURABLE_BYTES)} + maxUnacked × ${UNACKED_MESSAGE_BYTES} B)`,
      bytes: limits.maxDurables * (DURABLE_BYTES + limits.maxUnacked * UNACKED_MESSAGE_BYTES),
    },
    {
      owner: 'hot logs',
      formula:
        'min(maxHotTopics, maxTopics) × (max(hotLogBytes, coldLogMaxBytes) + max(hotLogFrames, coldLogMaxFrames) ' +
        `× ${index}); none without lanes`,
      bytes: hotTopics * hotLogBytes,
    },
    {
      owner: 'hot JSON streams',
      formula: 'as hot logs; only topics with JSON subscribers',
      bytes: hotTopics * hotLogBytes,
    },
    {
      owner: 'hot views',
      formula:
        'maxStreamsPerTopic × min(maxHotTopics, maxTopics) × (max(hotLogBytes, coldLogMaxBytes) + max(hotLogFrames, coldLogMaxFrames) ' +
        `× ${index}); only for filters, fields, rates …; none without lanes`,
      bytes: hotTopics * limits.maxStreamsPerTopic * hotLogBytes,
    },
    {
      owner: 'keys',
      formula:
        `maxTopics × (state log + maxKeys × ${KEY_BYTES + KEY_MAX_BYTES} B) of the rule with the most; none without keyed or merging rules; ` +
        'tables of hot topics are in lane heaps',
      bytes: limits.maxTopics * largest(limits, keysBytes),
    },
    {
      owner: 'message ids',
      formula: `maxTopics × dedupWindow.messages × ${MESSAGE_ID_BYTES + MESSAGE_ID_MAX_BYTES} B of the rule with the most; none without such rules`,
      bytes: limits.maxTopics * largest(limits, dedupBytes),
    },
    {
      owner: 'spare hot logs',
      formula: `${SPARE_LOGS_MAX} × (hotLogBytes + hotLogFrames × ${index}); none without lanes`,
      bytes: limits.lanes === 0 ? 0 : SPARE_LOGS_MAX * spareLogBytes,
    },
    {
      owner: 'messages held in moves',
      formula: `min(maxHotTopics, maxTopics) × (${size(HELD_IN_MOVE_MAX_BYTES)} + maxPayloadBytes); none without lanes`,
      bytes: hotTopics * (HELD_IN_MOVE_MAX_BYTES + limits.maxPayloadBytes),
    },
    {
      owner: 'cold logs',
      formula: 'coldLogsMaxBytes; JSON streams included',
      bytes: limits.coldLogsMaxBytes,
    },
    {
      owner: 'order books',
      formula:
        'maxTopics × the largest of the rules for books: the log that a book is kept in, a power of two that grows with ' +
        'maxLevels, and its objects; none without such a rule',
      bytes: limits.maxTopics * bookBytes(limits.topics.rules),
    },
    {
      owner: 'slices',
      formula:
        `(2 × min(maxHotTopics, maxTopics) + coldLogsMaxBytes / ${size(VIEW_OF_LOG_MAX_BYTES)}) × ${size(SLICE_MAX_BYTES)}; ` +
        'no hot ones without lanes',
      bytes: (2 * hotTopics + copiedColdLogs) * SLICE_MAX_BYTES,
    },
    {
      owner: 'unread answers',
      formula:
        `${size(UNREAD_TOTAL_MAX_BYTES)} for all connections together, + one of ${JSON_FACTOR_MAX} × max(${size(HISTORY_ANSWER_MAX_BYTES)}, ` +
        'maxPayloadBytes) (as JSON)',
      bytes: UNREAD_TOTAL_MAX_BYTES + JSON_FACTOR_MAX * Math.max(HISTORY_ANSWER_MAX_BYTES, limits.maxPayloadBytes),
    },
    {
      owner: 'received, not handled',
      formula: `max(${size(HELD_BACK_TOTAL_MAX_BYTES)}, ${2 * RECEIVE_LIMIT_FACTOR} × maxPayloadBytes) for all connections together`,
      bytes: Math.max(HELD_BACK_TOTAL_MAX_BYTES, 2 * RECEIVE_LIMIT_FACTOR * limits.maxPayloadBytes),
    },
  ];
  const subscriptions = limits.maxSubscriptionsPerConnection;
  const connectionRows: MemoryRow[] = [
    { owner: 'connection', formula: `${size(CONNECTION_BYTES)} with a subscription`, bytes: CONNECTION_BYTES },
    {
      owner: 'unsent',
      formula: `${size(UNSWEPT_MAX_BYTES)} + ${JSON_FACTOR_MAX} × maxPayloadBytes (as JSON); only while it does not read`,
      bytes: UNSWEPT_MAX_BYTES + JSON_FACTOR_MAX * limits.maxPayloadBytes,
    },
    {
      owner: 'half received',
      formula: `${RECEIVE_LIMIT_FACTOR} × maxPayloadBytes`,
      bytes: RECEIVE_LIMIT_FACTOR * limits.maxPayloadBytes,
    },
    {
      owner: 'subscriptions',
      formula: `maxSubscriptionsPerConnection × ${SUBSCRIPTION_BYTES} B`,
      bytes: subscriptions * SUBSCRIPTION_BYTES,
    },
    {
      owner: 'snapshots',
      formula:
        'maxSubscriptionsPerConnection × half a state log of the rule with the most; only while it does not read, and shared by who asks ' +
        'within 250 ms; none without keyed or merging rules',
      bytes: subscriptions * largest(limits, snapshotBytes),
    },
    {
      owner: 'publisher grants',
      formula: `maxSubscriptionsPerConnection × ${GRANT_BYTES} B; only of one that publishes`,
      bytes: subscriptions * GRANT_BYTES,
    },
  ];
  return { rows, totalBytes: sumOf(rows), connectionRows, connectionBytes: sumOf(connectionRows) };
}

/** Of one topic, whichever rule it is by. */
function bookBytes(rules: readonly SizedRule[]): number {
  const each = rules.map(({ type, maxLevels = MAX_LEVELS_DEFAULT }) =>
    type === 'book' ? bookStateBytes(maxLevels) + bookObjectsBytes(maxLevels) : 0,
  );
  return Math.max(0, ...each);
}

function sumOf(rows: readonly MemoryRow[]): number {
  return rows.reduce((sum, { bytes }) => sum + bytes, 0);
}
