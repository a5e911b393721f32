// What the two threads of the generator say to each other: the reading thread starts phases, the publishing thread reports.

import type { TopicPlan } from '../peer.js';

/** Words of the control memory (Int32Array over a SharedArrayBuffer). */
export const CONTROL_STOP = 0;
export const CONTROL_CREDITS = 1;
export const CONTROL_WORDS = 2;

export interface PublisherData {
  peer: string;
  port: number;
  topics: TopicPlan;
  payloadBytes: number;
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

export type PublisherCommand =
  | { type: 'open'; connections: number }
  | { type: 'schedules'; seconds: number; schedules: Schedule[] }
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
}
