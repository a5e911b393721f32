// What the two threads of the generator say to each other: the reading thread starts phases, the publishing thread reports.

import type { TopicPlan } from '../peer.js';

/** Words of the control memory (Int32Array over a SharedArrayBuffer). */
export const CONTROL_STOP = 0;
export const CONTROL_CREDITS = 1;
/** Deliveries of this phase that nobody waits for any more, modulo 2³². Writer: the reading thread. */
export const CONTROL_SETTLED = 2;
export const CONTROL_WORDS = 3;

export interface PublisherData {
  peer: string;
  port: number;
  topics: TopicPlan;
  payloadBytes: number;
  recorded: boolean;
  certFile: string | null;
  addressSalt: number;
  control: Int32Array<SharedArrayBuffer>;
  /** Messages published so far, per topic. Writer: the publishing thread. */
  published: Int32Array<SharedArrayBuffer>;
}

/** `burst` messages at a time, `perSecond` in all, evenly spaced, over topics firstTopic … firstTopic + topicCount − 1 in turn. */
export interface Schedule {
  firstTopic: number;
  topicCount: number;
  perSecond: number;
  burst: number;
}

/** Bursts that a schedule has in a phase of so many seconds. */
export function burstCount({ burst, perSecond }: Schedule, seconds: number): number {
  return Math.max(1, Math.round((seconds * perSecond) / burst));
}

/** Schedules that end together, in time. */
export interface Step {
  seconds: number;
  schedules: Schedule[];
}

/** What a recording holds. */
export interface RecordingSummary {
  messages: number;
  seconds: number;
  payloadBytes: number;
  /** By number: the name, and how many messages it has. */
  topics: { name: string; messages: number }[];
}

export type PublisherCommand =
  | { type: 'open'; connections: number }
  | { type: 'schedules'; seconds: number; schedules: Schedule[] }
  | { type: 'steps'; steps: Step[] }
  | { type: 'load-recording'; file: string }
  /** Speed null: as fast as goes with `window` deliveries under way, where a message of a topic is `subscribers[topic]` deliveries. */
  | { type: 'replay'; seconds: number; speed: number | null; subscribers: number[]; window: number }
  | { type: 'closed'; seconds: number; topic: number; inFlight: number }
  | { type: 'flood'; seconds: number; topic: number; framesPerMessage: number };

export interface PublisherReport {
  type: 'opened' | 'done' | 'failed';
  error: string;
  lateP99Ms: number;
  lateMaxMs: number;
  /** Flood: from the first frame to the answer to the last. */
  floodMs: number;
  floodSeq: number;
  /** After load-recording. */
  recording?: RecordingSummary;
}
