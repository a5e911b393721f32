/** Publishing to one topic by its alias: the way for feeds, which have many messages for few topics. */

import type { PublishOptions } from '../protocol/messages.js';
import type { CallOptions } from './call.js';
import type { ClientConnection } from './connection.js';
import { checkFields } from './fields.js';

export interface SendOptions {
  /** Message id of at most 64 bytes, handed on to the subscribers. */
  id?: string;
  /** This client, if it is subscribed too, does not get the message. */
  noEcho?: boolean;
}

export interface ClientPublishOptions extends SendOptions, CallOptions {}

export interface Published {
  readonly seq: number;
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

/** Undefined where there is nothing to say: a PUBLISH without options is the server's fast path. */
export function wireOptions(options: SendOptions | undefined): PublishOptions | undefined {
  if (options === undefined || (options.id === undefined && options.noEcho !== true)) return undefined;
  const wire: PublishOptions = {};
  if (options.id !== undefined) wire.id = options.id;
  if (options.noEcho === true) wire.noEcho = true;
  return wire;
}

const PUBLISHED_FIELDS = { seq: 'number', time: 'number', pressure: 'number' } as const;

export function toPublished(result: Record<string, unknown>): Published {
  checkFields(result, PUBLISHED_FIELDS);
  return { seq: result.seq as number, time: result.time as number, pressure: result.pressure as number };
}
