/** Engine API: what the engine's methods take and return, and what it emits. */

import type { EngineFigures, LaneFigures, TopicFigures } from '../counters/report.js';

export interface EngineStats extends EngineFigures {
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
