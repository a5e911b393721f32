/** Publish rates: how fast a connection may publish, and all publishers of a topic together: a token bucket each. */

import type { PublishRate, TopicEntry } from '../directory/topic-entry.js';
import type { Session } from './session.js';

export interface PublishRatesOptions {
  readonly maxPublishRatePerConnection: number;
  readonly maxPublishBurstPerConnection: number;
}

/** Writer and reader: the accept thread. */
export class PublishRates {
  readonly #ofConnection: PublishRate;
  /** Only of those that are limited. */
  readonly #buckets = new WeakMap<Session | TopicEntry, TokenBucket>();

  constructor({ maxPublishRatePerConnection, maxPublishBurstPerConnection }: PublishRatesOptions) {
    const burst = { maxPublishBurst: maxPublishBurstPerConnection };
    this.#ofConnection = { maxPublishRate: maxPublishRatePerConnection, ...burst };
  }

  /** Hot path: per message. @param session null: this process itself. @returns 0: it may come now; else in how long (ms) */
  admit(session: Session | null, entry: TopicEntry, nowMs: number): number {
    const { publishRate } = entry.settings;
    if (this.#ofConnection.maxPublishRate === 0 && publishRate === undefined) return 0;
    return this.#admit(session, entry, publishRate, nowMs);
  }

  #admit(session: Session | null, entry: TopicEntry, publishRate: PublishRate | undefined, nowMs: number): number {
    const connection = session === null ? null : this.#bucketOf(session, this.#ofConnection);
    const topic = publishRate === undefined ? null : this.#bucketOf(entry, publishRate);
    const waitMs = Math.max(connection?.waitMs(nowMs) ?? 0, topic?.waitMs(nowMs) ?? 0);
    if (waitMs > 0) return waitMs;
    connection?.take(nowMs);
    topic?.take(nowMs);
    return 0;
  }

  #bucketOf(owner: Session | TopicEntry, rate: PublishRate): TokenBucket | null {
    if (rate.maxPublishRate === 0) return null;
    let bucket = this.#buckets.get(owner);
    if (bucket === undefined) {
      bucket = new TokenBucket(rate);
      this.#buckets.set(owner, bucket);
    }
    return bucket;
  }
}

/**
 * Full at first; a message takes a token, and time brings them back. Kept as the time at which it would be full again: the
 * generic cell rate algorithm (ITU-T I.371, "virtual scheduling").
 */
class TokenBucket {
  readonly #tokenMs: number;
  /** How far ahead of now `#fullMs` may be and leave a token. */
  readonly #aheadMaxMs: number;
  #fullMs = 0;

  constructor({ maxPublishRate, maxPublishBurst }: PublishRate) {
    this.#tokenMs = 1000 / maxPublishRate;
    this.#aheadMaxMs = (Math.max(1, maxPublishBurst === 0 ? maxPublishRate : maxPublishBurst) - 1) * this.#tokenMs;
  }

  /** Until there is a token; whole milliseconds, so that who waits so long is not a rounding error too early. */
  waitMs(nowMs: number): number {
    return Math.max(0, Math.ceil(this.#fullMs - this.#aheadMaxMs - nowMs));
  }

  take(nowMs: number): void {
    this.#fullMs = Math.max(nowMs, this.#fullMs) + this.#tokenMs;
  }
}
