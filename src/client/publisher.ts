/** Publishing to one topic by its alias: the way for feeds, which have many messages for few topics. */

import { MESSAGE_OPTIONS, type MessageOptions } from '../protocol/messages.js';
import type { CallOptions } from './call.js';
import type { ClientConnection } from './connection.js';
import { checkFields } from './fields.js';

/** See PROTOCOL.md, PUBLISH. */
export interface SendOptions extends MessageOptions {}

export interface ClientPublishOptions extends SendOptions, CallOptions {}

export interface Published {
  /** Of the message; of a duplicate that of the first one, of a stale one that of its key's newest. */
  readonly seq: number;
  /** The message has been published before, by its id, and is not published again. */
  readonly duplicate?: boolean;
  /** Its key has a newer version: it is not published. */
  readonly stale?: boolean;
  /** When the server accepted it: milliseconds since 1970. */
  readonly time: number;
  /**
   * How full the ring to the topic's lane is, 0–100; 0 for a topic without one. A feed that sees it rise should slow
   * down: at 100 messages are refused with OVERLOADED.
   */
  readonly pressure: number;
}

/**
 * A topic, opened for publishing. Messages leave in the order of the calls; all those of one turn of the event loop
 * share WebSocket messages.
 *
 * ```ts
 * const prices = await client.openPublisher('prices:AAPL');
 * for (const price of [229.1, 229.4, 229.3]) prices.send({ price });
 * await prices.flush(); // the server has read them
 * ```
 */
export class Publisher {
  readonly topic: string;
  readonly alias: number;
  readonly #connection: ClientConnection;
  readonly #flush: (options?: CallOptions) => Promise<void>;

  /** Made by `client.openPublisher(topic)`. */
  constructor(
    connection: ClientConnection,
    topic: string,
    alias: number,
    flush: (options?: CallOptions) => Promise<void>,
  ) {
    this.#connection = connection;
    this.topic = topic;
    this.alias = alias;
    this.#flush = flush;
  }

  /**
   * Publishes without an answer. Never throws, so that a feed's timer cannot end the process: a refusal, the server's or
   * that of a value which cannot be sent, is told to the client's 'error' listeners and by `flush()`. False: the message
   * is not on its way, for such a reason or because the connection has ended ('close' has told, and `flush()` rejects).
   */
  send(value: unknown, options?: SendOptions): boolean {
    return this.#connection.send(() => {
      return { type: 'publish', topic: this.alias, payload: value, options: wireOptions(options) };
    });
  }

  /** The same for a value that is MessagePack already. */
  sendEncoded(payloadBytes: Uint8Array, options?: SendOptions): boolean {
    return this.#connection.send(() => {
      return { type: 'publish', topic: this.alias, payloadBytes, options: wireOptions(options) };
    });
  }

  /** Publishes and waits until the server has accepted it. */
  publish(value: unknown, options?: ClientPublishOptions): Promise<Published> {
    return this.#connection.request(
      { type: 'publish', topic: this.alias, payload: value, options: wireOptions(options) },
      toPublished,
      options,
    );
  }

  /** The same for a value that is MessagePack already. */
  publishEncoded(payloadBytes: Uint8Array, options?: ClientPublishOptions): Promise<Published> {
    return this.#connection.request(
      { type: 'publish', topic: this.alias, payloadBytes, options: wireOptions(options) },
      toPublished,
      options,
    );
  }

  /**
   * Resolves when the server has read everything this client sent before; rejects with the first refusal of a message
   * that was sent without wanting an answer since the last flush. A feed that waits for it now and then cannot outrun
   * the connection.
   */
  flush(options?: CallOptions): Promise<void> {
    return this.#flush(options);
  }
}

const OPTION_NAMES = Object.keys(MESSAGE_OPTIONS) as (keyof MessageOptions)[];

/** Undefined where there is nothing to say: a PUBLISH without options is the server's fast path. */
export function wireOptions(options: SendOptions | undefined): MessageOptions | undefined {
  if (options === undefined) return undefined;
  const given = OPTION_NAMES.filter((name) => options[name] !== undefined && options[name] !== false);
  return given.length === 0 ? undefined : Object.fromEntries(given.map((name) => [name, options[name]]));
}

const PUBLISHED_FIELDS = { seq: 'number', time: 'number', pressure: 'number' } as const;

export function toPublished(result: Record<string, unknown>): Published {
  checkFields(result, PUBLISHED_FIELDS);
  const { seq, time, pressure, duplicate, stale } = result as Record<string, unknown> & Published;
  // Hot path: per message; a spread would cost as much as the rest of it.
  if (duplicate !== true && stale !== true) return { seq, time, pressure };
  return { seq, time, pressure, ...(duplicate === true && { duplicate }), ...(stale === true && { stale }) };
}

/** One message of a batch. */
export interface ClientBatchMessage extends SendOptions {
  readonly payload: unknown;
}

export interface PublishedBatch {
  /** Of the last message that was taken. */
  readonly seq: number;
  /** Of the first one; absent: none was. */
  readonly first?: number;
  /** How many were taken: the others were duplicates, or stale. */
  readonly count: number;
  readonly time: number;
  readonly pressure: number;
}

export function toPublishedBatch(result: Record<string, unknown>): PublishedBatch {
  checkFields(result, { ...PUBLISHED_FIELDS, count: 'number' });
  const { seq, time, pressure, count, first } = result as Record<string, unknown> & PublishedBatch;
  return { seq, time, pressure, count, ...(first !== undefined && { first }) };
}
