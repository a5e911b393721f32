/**
 * Stats report: what the engine tells about itself, as a value. Published on `$stats`, shown by `ringcast top`, kept in
 * shared memory for other threads (`stats-board.ts`).
 *
 * Messages are counted once, as published; deliveries once per subscriber. Counters run since the start of what they
 * count. Rates of the engine and of lanes are means over about a second, rates of topics exponentially weighted means with
 * a time constant of half a second: those by which topics are moved.
 */

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

export interface EngineFigures {
  /** Since the start (ms). */
  readonly uptimeMs: number;
  /** WebSocket connections, and of them those that do not read what is sent to them. */
  readonly connections: number;
  readonly blockedConnections: number;
  readonly subscriptions: number;
  /** The hot ones included. */
  readonly topics: number;
  readonly hotTopics: number;
  /** Part of the time that the accept thread is busy, 0–1. */
  readonly utilisation: number;
  readonly messagesPerSecond: number;
  readonly deliveriesPerSecond: number;
  /** Bytes of the frames that were delivered. */
  readonly deliveredBytesPerSecond: number;
  /** Messages accepted, and messages refused with OVERLOADED. */
  readonly messages: number;
  readonly overloadedMessages: number;
  readonly deliveries: number;
  readonly deliveredBytes: number;
  /** Messages that subscribers were told they missed. */
  readonly lostMessages: number;
  /** Connections ended by the policy `disconnect`. */
  readonly slowDisconnects: number;
  /** Topics that changed their home. */
  readonly moves: number;
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

/** How often subscribers were told of messages that they missed, by the reason that GAP frames give. */
export interface GapCounts {
  /** The log no longer had what they were to get next. */
  readonly lapped: number;
  /** Older than `maxLagMs`. */
  readonly max_lag_ms: number;
  /** Further behind than `maxLagMessages`. */
  readonly max_lag_messages: number;
  /** Skipped by the policy `conflate`. */
  readonly conflated: number;
  /** Without a JSON form that could be sent: JSON subscribers only. */
  readonly too_large: number;
}

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
  /** Messages that subscribers were told they missed. */
  readonly lostMessages: number;
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
