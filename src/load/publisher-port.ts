/** What the reading thread of a load generator and its publishing thread say to each other. */
import type { Place } from './connection.js';
import type { Protocol } from './dialects.js';
import type { RecordedLoad, SchedulePlan } from './schedule.js';

export interface PublisherData {
  /** URL of a module that exports `createDialect(options): LoadDialect`, or a promise of one. */
  readonly dialectModule: string;
  readonly dialectOptions: unknown;
  /** The form of payloads is that of this protocol. */
  readonly protocol: Protocol;
  readonly payloadBytes: number;
  readonly run: number;
  /** Messages published so far, per number of a topic. Writer: the publishing thread. */
  readonly published: Int32Array<SharedArrayBuffer>;
  /** One word: messages published so far. Writer: the publishing thread. */
  readonly total: Int32Array<SharedArrayBuffer>;
  /** See Settled. */
  readonly settled: Int32Array<SharedArrayBuffer>;
}

/** One publishing connection. */
export interface PublisherPlace {
  /** `publisher 1 of 2`, for problems with it. */
  readonly name: string;
  readonly url: string;
  readonly place: Place;
  /** What it is going to publish. */
  readonly topics: readonly number[];
}

export interface PublishTask {
  /** Of the publishing connections, the index. */
  readonly connection: number;
  readonly plan: SchedulePlan;
  /** Of generated payloads; default: those of all. */
  readonly payloadBytes?: number;
  /** Number of a topic in payloads: topic + firstNumber. Default: 0. */
  readonly firstNumber?: number;
}

/** Schedules that go on at the same time. */
export interface PublishStep {
  readonly tasks: readonly PublishTask[];
  /** When the next step begins. What could not be sent by then is not sent. Infinity: all of it is sent. */
  readonly ms: number;
}

export type PublisherCommand =
  | { readonly type: 'open'; readonly publishers: readonly PublisherPlace[] }
  | { readonly type: 'recording'; readonly recording: RecordedLoad }
  /** @param startMs when the first step begins (clockMs) */
  | { readonly type: 'publish'; readonly startMs: number; readonly steps: readonly PublishStep[] }
  | { readonly type: 'stop' };

export interface PublishSummary {
  /** How late messages left, against their schedule. */
  readonly publishLateP99Ms: number;
  readonly publishLateMaxMs: number;
  /** LatencyHistogram.encode() of it. */
  readonly lateHdr: string;
  /** For how long the server did not take what was to be sent. */
  readonly heldUpMs: number;
  /** The number in the last answer to a publish, and when it came. */
  readonly answeredSeq: number;
  readonly answeredMs: number;
  readonly problems: readonly string[];
}

/** `done` follows every command but `stop`. */
export type PublisherReport =
  | { readonly type: 'done'; readonly summary: PublishSummary }
  | { readonly type: 'failed'; readonly error: string; readonly isExplained: boolean };
