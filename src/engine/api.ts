/** Engine API: what the engine's methods take and return, and what it emits. */

import type { LaneFigures, TopicFigures } from '../counters/report.js';

/** What is there now, and counters since the start. */
export interface EngineStats {
  /** WebSocket connections now. */
  readonly connections: number;
  /** Of connections and of this process, now. */
  readonly subscriptions: number;
  /** Now, the hot ones included. */
  readonly topics: number;
  readonly hotTopics: number;
  /** Topics with subscribers now, those with subscribers of both codecs twice. */
  readonly streams: number;
  /** Connections that wait to be flushed, that wait for their delay, that do not read. */
  readonly readyConnections: number;
  readonly waitingConnections: number;
  readonly blockedConnections: number;
  /** Messages accepted, and messages refused with OVERLOADED. */
  readonly publishedMessages: number;
  readonly overloadedMessages: number;
  /** Messages of this process that were refused, for whatever reason: by `send`, or by a promise that may have been left alone. */
  readonly refusedPublishes: number;
  /** Bytes that the logs of cold topics take. */
  readonly coldLogBytes: number;
  /** Publishers that wait for a lane to number their message. */
  readonly pendingAcks: number;
  /** Messages × subscribers they were sent to, and the bytes of their frames. */
  readonly deliveredMessages: number;
  readonly deliveredBytes: number;
  /** Messages that subscribers were told they missed, and how often for which reason. */
  readonly lostMessages: number;
  readonly gaps: Readonly<Record<string, number>>;
  /** Connections ended by the policy `disconnect`. */
  readonly slowDisconnects: number;
  readonly badFrames: number;
  /** Upgrades that were refused: by `onConnect`, `maxConnections`, or for a URL that makes no sense. */
  readonly refusedConnections: number;
  /** Part of the time that the accept thread is busy, 0–1. */
  readonly utilisation: number;
  /** Topics that changed their home since the start, and that are on their way now. */
  readonly moves: number;
  readonly movingTopics: number;
  /** In the order of their numbers. */
  readonly lanes: readonly LaneFigures[];
}

/** Its lag is that of about a second ago, as slowest subscribers are looked for in small steps. */
export interface TopicStats extends TopicFigures {
  /** Names this life of the topic. */
  readonly epoch: string;
  /** The newest message's number; one less than the first one's (0, unless the topic was given another): there has been none. It follows `messages` when the topic's home has numbered them. */
  readonly seq: number;
}

/** A message was put aside: the threads of a lane died of it, one after the other. Its publisher got INTERNAL. */
export interface PoisonEvent {
  readonly topic: string;
  readonly lane: number;
  /** The payload, MessagePack. */
  readonly payload: Uint8Array;
  /** When the message was accepted (ms since the epoch). */
  readonly time: number;
}

/**
 * Something happened to a lane. `died`: its thread ended or, `stalled`, was ended because it did not move; another one is
 * about to go on. `recovered`: it does. `degraded`: no thread can be kept alive, its topics move to the accept thread.
 */
export interface LaneEvent {
  readonly lane: number;
  readonly kind: 'died' | 'stalled' | 'recovered' | 'degraded';
  /** `recovered`: from the end of the last thread until the next one ran (ms); else 0. */
  readonly recoveryMs: number;
  /** What the thread died of, if it said so. */
  readonly fault: unknown;
}

/** Events of the engine. */
export interface EngineEvents {
  /**
   * Something went wrong that no caller can be told: a hook, a handler or a listener threw or rejected, a message could
   * not be decoded for this process. The engine goes on. Without a listener it becomes a process warning.
   */
  fault: [fault: unknown];
  /** A setting that is allowed and probably not meant; a sentence. Without a listener it becomes a process warning. */
  warning: [text: string];
  lane: [event: LaneEvent];
  poison: [event: PoisonEvent];
}
