/** What the threads of the load process say to each other: the main thread starts and stops the feed. */
import type { TopicGroup } from '../workload.js';

/** Payloads begin with the intended time (float64) and whether the message counts (byte). */
export const PAYLOAD_MIN_BYTES = 9;

export interface FeedData {
  readonly job: number;
  readonly port: number;
  readonly tls: boolean;
  readonly topics: readonly TopicGroup[];
  readonly seed: number;
}

/** `count`: messages count from now on. `mark`: how many have. */
export type ToFeed = 'publish' | 'count' | 'mark' | 'stop';

export type FeedMessage =
  | { readonly type: 'opened' }
  | { readonly type: 'mark'; readonly published: number }
  | { readonly type: 'stopped'; readonly lateMs: number; readonly publishedByTopic: readonly Uint32Array[] }
  | { readonly type: 'failed'; readonly reason: string };
