/** Local API: what publishing and subscribing within the process take and return. */

import type { RingcastError } from '../errors.js';
import type { GapAnswer, ReadOptions, SubscribeOptions } from '../protocol/messages.js';
import type { SubscriptionCounts } from '../protocol/received.js';
import type { LocalHandlers } from './local-subscriber.js';

export interface LocalPublishOptions {
  /** Message id, handed on to the subscribers; 1–64 bytes of UTF-8. With it a topic with a `dedupWindow` knows a message again. */
  readonly id?: string;
  /** What the message is the newest value of; 1–255 bytes of UTF-8. */
  readonly key?: string;
  /** Of the value: an older one than the key has is not taken (`stale`). */
  readonly version?: number;
  /** How long the message counts (ms): then nobody gets it any more, and its key has no value. */
  readonly ttlMs?: number;
  /** The key is no more; the value should be null. */
  readonly delete?: boolean;
  /** Take it only behind this message: the key's last one, or the topic's without a key (0: the first); else CONFLICT. */
  readonly ifSeq?: number;
}

export interface PublisherOptions {
  /** Told once per turn of the event loop in which messages of this publisher were refused. */
  readonly onRefused?: (refusal: PublishRefusal) => unknown;
}

export interface PublishRefusal {
  readonly topic: string;
  /** Messages that were not taken. */
  readonly count: number;
  /** Why the first of them was not: OVERLOADED, SHUTTING_DOWN, BAD_REQUEST (the value, the id), TOO_LARGE, TOPIC_NOT_FOUND … */
  readonly error: RingcastError;
}

export interface PublishResult {
  /** The message's number in its topic: 1, 2, 3 …; of a duplicate that of the first one, of a stale one the key's newest. */
  readonly seq: number;
  /** It was published before, by its id, and is not published again. */
  readonly duplicate?: boolean;
  /** Its key has a newer version: it is not published. */
  readonly stale?: boolean;
  /** When the engine accepted it (ms since the epoch). */
  readonly time: number;
  /** How full the way to the topic's home is, 0–100: at 100 messages are refused with OVERLOADED. A cold topic: 0. */
  readonly pressure: number;
}

/** What a client can ask for in a SUBSCRIBE, by the same names but one: see PROTOCOL.md. */
export interface LocalSubscribeOptions extends Omit<SubscribeOptions, 'onGap' | 'clientId'> {
  /** What to get when `since` or `sinceTime` is not retained any more; `onGap` of PROTOCOL.md. */
  readonly ifGone?: GapAnswer;
  /** The newest message of each key, in one or several parts, before the events behind `seq`. */
  readonly onSnapshot?: LocalHandlers['onSnapshot'];
  /** Messages were lost to this subscriber; called in their place, before the next event. */
  readonly onGap?: LocalHandlers['onGap'];
  /** Of an order book: something is missing, and nothing more comes before its feed has brought the next snapshot. */
  readonly onStale?: LocalHandlers['onStale'];
  /** With a pattern: a topic begins, ahead of its first event. */
  readonly onTopic?: LocalHandlers['onTopic'];
  /** With a pattern: a topic has ended (TOPIC_NOT_FOUND), or cannot be had (LIMIT_EXCEEDED …). */
  readonly onTopicEnd?: LocalHandlers['onTopicEnd'];
  /** It ended without `close`: TOPIC_NOT_FOUND (deleted), CONFLICT (another one has its durable name), SLOW_CONSUMER, SHUTTING_DOWN. Nothing is handed out after it. */
  readonly onEnd?: LocalHandlers['onEnd'];
}

export interface LocalSubscription {
  /** A topic, or a pattern. */
  readonly topic: string;
  /** Names this life of the topic: numbers of different epochs must not be compared. Empty with a pattern: `onTopic` tells it. */
  readonly epoch: string;
  /** The last message before the first one that will be handed out. 0 with a pattern: `onTopic` tells it. */
  readonly seq: number;
  /** Whether it goes on at the position that was asked for; absent where none was. */
  readonly recovered?: boolean;
  /** What has become of its messages so far. */
  readonly counts: SubscriptionCounts;
  /** Has it read otherwise from here on; what is not given stays as it is. Throws RingcastError: BAD_REQUEST, LIMIT_EXCEEDED, TOPIC_NOT_FOUND once it has ended. */
  update(changes: ReadOptions): void;
  /**
   * Of a durable one: messages up to `seq` have been processed. False: it has ended, and the acknowledgement counts for nothing.
   * Throws RingcastError BAD_REQUEST: it is not durable, or has not been handed out what the number names.
   */
  ack(seq: number): boolean;
  /** Ends it: nothing is handed out any more. May be called again. */
  close(): void;
}
