/**
 * Stats report: what the engine tells about itself, as a value. Published on `$stats`, shown by `ringcast top`, kept in
 * shared memory for other threads (`stats-board.ts`); `engine.stats()` is its first part.
 *
 * Messages are counted once, as published; deliveries once per subscriber. Counters run since the start of what they
 * count. Rates of the engine and of lanes are means over about a second, rates of topics exponentially weighted means with
 * a time constant of half a second: those by which topics are moved.
 */

import type { GapReason } from '../protocol/messages.js';
import { encode } from '../protocol/msgpack.js';

export interface StatsReport {
  /** When it was taken (ms since the epoch). */
  readonly time: number;
  /** Since the report before (ms): the engine's rates are means over it. */
  readonly intervalMs: number;
  readonly engine: EngineFigures;
  /** In the order of their numbers. */
  readonly lanes: readonly LaneFigures[];
  /** The busiest by deliveries per second, then by messages per second; quiet ones where there is room. */
  readonly topics: readonly TopicFigures[];
  /** The consumers that are the furthest behind, in messages. Empty when nobody is. */
  readonly slowest: readonly ConsumerFigures[];
}

/** What is there now, and counters since the start. */
export interface EngineFigures {
  /** Since the start (ms). */
  readonly uptimeMs: number;
  /** WebSocket connections. */
  readonly connections: number;
  /** Of connections and of this process: those that wait to be flushed, that wait for their delay, that do not read. */
  readonly readyConnections: number;
  readonly waitingConnections: number;
  readonly blockedConnections: number;
  /** Of connections and of this process. */
  readonly subscriptions: number;
  /** The hot ones included. */
  readonly topics: number;
  readonly hotTopics: number;
  /** Topics with subscribers, those with subscribers of both codecs twice. */
  readonly streams: number;
  /** Bytes that the logs of cold topics take. */
  readonly coldLogBytes: number;
  /** Part of the time that the accept thread is busy, 0–1. */
  readonly utilisation: number;
  /** Rates are means over the second that was measured last. */
  readonly messagesPerSecond: number;
  readonly deliveriesPerSecond: number;
  /** Bytes of the frames that were delivered. */
  readonly deliveredBytesPerSecond: number;
  /** Messages accepted, and messages refused with OVERLOADED and with RATE_LIMITED. */
  readonly messages: number;
  readonly overloadedMessages: number;
  readonly rateLimitedMessages: number;
  /** Messages of this process that were refused, for whatever reason: by `send`, or by a promise that may have been left alone. */
  readonly refusedPublishes: number;
  /** Topics that a subscription to a pattern did not get, because `authorize` refused them. */
  readonly refusedMatches: number;
  /** Publishers that wait for a lane to number their message. */
  readonly pendingAcks: number;
  /** Messages × subscribers they were sent to, and the bytes of their frames. */
  readonly deliveries: number;
  readonly deliveredBytes: number;
  /** Messages that subscribers were told they missed; those that newer ones took the place of, for whoever asked for that; those
   * that did not count any more; and how often which was said. */
  readonly lostMessages: number;
  readonly mergedMessages: number;
  readonly expiredMessages: number;
  /** Messages that a filter or fields could make nothing of, once per stream: their payload is no map. */
  readonly undecodableMessages: number;
  readonly gaps: GapCounts;
  /** Connections ended by the policy `disconnect`. */
  readonly slowDisconnects: number;
  readonly badFrames: number;
  /** Upgrades that were refused: by `onConnect`, `maxConnections`, or for a URL that makes no sense. */
  readonly refusedConnections: number;
  /** Topics that changed their home, and those that are on their way now. */
  readonly moves: number;
  readonly movingTopics: number;
}

/** `restarting`: its thread has ended, the next one is being started. `degraded`: given up, its topics move elsewhere. */
export type LaneState = 'starting' | 'running' | 'restarting' | 'degraded' | 'stopped';

/** Times in ms. */
export interface WaitFigures {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface LaneFigures {
  readonly lane: number;
  readonly state: LaneState;
  readonly topics: number;
  /** Part of the time that the lane is busy, 0–1. */
  readonly utilisation: number;
  /** Fill of its request ring, 0–100. */
  readonly ringFillPercent: number;
  /** How long messages waited before the lane took them (ms): the longest wait of each of its batches in the last second. */
  readonly ringWaitMs: WaitFigures;
  readonly messagesPerSecond: number;
  /** Messages handled, and the bytes of their payloads. */
  readonly messages: number;
  readonly bytes: number;
  /** Threads started after the first one. */
  readonly restarts: number;
  /** Messages put aside because they ended the thread again and again. */
  readonly poisonedMessages: number;
}

/**
 * How often subscribers were told of messages that they missed, by the reason that GAP frames give. `lapped`: the log no
 * longer had what they were to get next. `max_lag_ms`, `max_lag_messages`: further behind than the topic allows.
 * `conflated`: skipped by that policy. `too_large`: without a JSON form that could be sent, JSON subscribers only.
 */
export type GapCounts = Readonly<Record<GapReason, number>>;

export interface TopicFigures {
  readonly topic: string;
  /** `cold`, or the number of its lane. */
  readonly home: 'cold' | number;
  readonly subscribers: number;
  readonly messagesPerSecond: number;
  /** Its load: messages per second × subscribers. */
  readonly deliveriesPerSecond: number;
  readonly messages: number;
  /** Of the messages' payloads. */
  readonly bytes: number;
  readonly deliveries: number;
  /** Of the frames that were delivered. */
  readonly deliveredBytes: number;
  /** How far the slowest subscriber is behind: messages, and the age of the oldest of them that is still there (ms). */
  readonly lagMessages: number;
  readonly lagMs: number;
  readonly gaps: GapCounts;
  /** Messages that subscribers were told they missed; those that newer ones took the place of, for whoever asked for that; and those
   * that did not count any more. */
  readonly lostMessages: number;
  readonly mergedMessages: number;
  readonly expiredMessages: number;
  /** How often it changed its home. */
  readonly moves: number;
  /** Part of its lane's time that it takes, 0–1, by a sample of its messages; 0: it is cold. */
  readonly laneShare: number;
}

export interface ConsumerFigures {
  /** Empty: a subscription within the process. */
  readonly connectionId: string;
  /** What the client called itself; empty: it did not. */
  readonly clientId: string;
  readonly topic: string;
  readonly lagMessages: number;
  /** Age of the oldest message that it misses and that is still there (ms). */
  readonly lagMs: number;
  /** Whether its connection takes nothing at the moment. */
  readonly isBlocked: boolean;
}

/**
 * The report as MessagePack, with the first of its topics and consumers: as many as the limits allow and as `fits`, which
 * is asked with a number of bytes. Null: it does not fit without them either.
 */
export function encodeReport(
  report: StatsReport,
  topicsMax: number,
  consumersMax: number,
  fits: (bytes: number) => boolean,
): Uint8Array | null {
  for (let part = 1; part > 0.01; part /= 2) {
    const topics = report.topics.slice(0, topicsMax * part);
    const slowest = report.slowest.slice(0, consumersMax * part);
    const bytes = encode({ ...report, topics, slowest });
    if (fits(bytes.length)) return bytes;
  }
  return null;
}
