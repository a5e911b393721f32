/** What the reading thread of a load generator and its publishing thread say to each other. */

import type { PublisherHealth } from './health.js';
import type { JobPart, LoadJob } from './job.js';

export interface PublisherData {
  readonly job: LoadJob;
  readonly part: JobPart;
  readonly address: string;
  /** Messages published so far, per number of a topic. Writer: the publishing thread. */
  readonly published: Int32Array;
  /** One word: messages published so far. Writer: the publishing thread. */
  readonly total: Int32Array;
}

export type PublisherCommand =
  | { readonly type: 'probe' }
  | { readonly type: 'run'; readonly startMs: number }
  | { readonly type: 'stop' };

export interface PublisherSummary extends PublisherHealth {
  /** Messages that were to be sent; fewer are when the server does not take them, or the run is ended. */
  readonly scheduled: number;
  /** LatencyHistogram.encode() of how late messages left. */
  readonly lateHdr: string;
  readonly problems: readonly string[];
}

export type PublisherReport =
  | { readonly type: 'opened' }
  | { readonly type: 'probed' }
  | { readonly type: 'done'; readonly summary: PublisherSummary }
  | { readonly type: 'failed'; readonly error: string };
