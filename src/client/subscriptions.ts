/**
 * What a client is subscribed to. A topic is subscribed once on the wire, however many handlers share it; the alias that
 * the server gave it leads from an event to them.
 */

import { RingcastError } from '../errors.js';
import type { EventMessage, SubscribedResult, SubscribeOptions } from '../protocol/messages.js';
import { decode } from '../protocol/msgpack.js';
import type { Connection } from './connection.js';
import { callUser } from './emitter.js';

/** A message of a topic, as a handler gets it. */
export interface TopicEvent {
  readonly topic: string;
  readonly seq: number;
  /** When the server accepted it: milliseconds since 1970. */
  readonly time: number;
  /** The decoded value, or with `encoded: true` its MessagePack bytes. */
  readonly payload: unknown;
  /** The publisher's id of the message, when it gave one. */
  readonly id?: string;
}

export type EventHandler = (event: TopicEvent) => void;

export interface ClientSubscribeOptions extends SubscribeOptions {
  /** Hand over payloads as they came, as MessagePack bytes. */
  encoded?: boolean;
}

/** One handler's subscription. Others of the same client to the same topic share alias, epoch and options. */
export interface Subscription {
  readonly topic: string;
  readonly alias: number;
  /** Names the incarnation of the topic: sequence numbers of different epochs have nothing to do with each other. */
  readonly epoch: string;
  /** The last message before the first one that this handler gets. */
  readonly seq: number;
  /** Ends it: the handler gets nothing more. The last one of a topic unsubscribes; resolves when that is confirmed. */
  close(): Promise<void>;
}

interface Target {
  readonly handler: EventHandler;
  readonly encoded: boolean;
}

interface Stream {
  readonly topic: string;
  readonly targets: Set<Target>;
  /** −1 until the server has answered. */
  alias: number;
  epoch: string;
  /** Of the last message before the next one: from the answer to SUBSCRIBE, then from each event. */
  seq: number;
  /** Resolves with the answer to SUBSCRIBE. */
  subscribed: Promise<{ seq: number }>;
}

/** Writers: the client's calls and its connection's messages, all in one thread. */
export class SubscriptionTable {
  readonly #connection: Connection;
  readonly #onUndecodable: (error: RingcastError) => void;
  readonly #byTopic = new Map<string, Stream>();
  readonly #byAlias = new Map<number, Stream>();

  constructor(connection: Connection, onUndecodable: (error: RingcastError) => void) {
    this.#connection = connection;
    this.#onUndecodable = onUndecodable;
  }

  async subscribe(topic: string, options: ClientSubscribeOptions, handler: EventHandler): Promise<Subscription> {
    const { encoded = false, ...wireOptions } = options;
    const stream = this.#byTopic.get(topic) ?? this.#open(topic, wireOptions);
    const target: Target = { handler, encoded };
    stream.targets.add(target);
    // A handler that joins a running stream starts behind what was handed out so far.
    const seq = stream.alias < 0 ? (await stream.subscribed).seq : stream.seq;
    let end: Promise<void> | undefined;
    return {
      topic,
      alias: stream.alias,
      epoch: stream.epoch,
      seq,
      close: () => {
        end ??= this.#remove(stream, target);
        return end;
      },
    };
  }

  /** Hot path of a receiving client: per event; decodes once for all handlers. */
  deliver(event: EventMessage): void {
    const stream = this.#byAlias.get(event.alias);
    if (stream === undefined) return; // closed here while the event was under way
    stream.seq = event.seq;
    let decoded: TopicEvent | null = null;
    for (const target of stream.targets) {
      if (target.encoded) {
        callUser(target.handler, topicEvent(stream.topic, event, event.payloadBytes));
        continue;
      }
      decoded ??= this.#decode(stream.topic, event);
      if (decoded === null) return;
      callUser(target.handler, decoded);
    }
  }

  #decode(topic: string, event: EventMessage): TopicEvent | null {
    try {
      return topicEvent(topic, event, decode(event.payloadBytes));
    } catch (error) {
      const problem = `the payload of message ${event.seq} of ${topic} cannot be decoded: ${(error as Error).message}`;
      this.#onUndecodable(new RingcastError('BAD_REQUEST', problem));
      return null;
    }
  }

  topicOf(alias: number): string | undefined {
    return this.#byAlias.get(alias)?.topic;
  }

  /** The server ended it: topic deleted, access revoked. Returns the topic's name. */
  revoke(alias: number): string | undefined {
    const stream = this.#byAlias.get(alias);
    if (stream !== undefined) this.#forget(stream);
    return stream?.topic;
  }

  #open(topic: string, options: SubscribeOptions): Stream {
    const request = Object.keys(options).length === 0 ? { topic } : { topic, options };
    const subscribed = this.#connection.request({ type: 'subscribe', ...request }, (result) => {
      const { alias, epoch, seq } = result as unknown as SubscribedResult;
      stream.alias = alias;
      stream.epoch = epoch;
      stream.seq = seq;
      this.#byAlias.set(alias, stream);
      return { seq };
    });
    const stream: Stream = { topic, targets: new Set(), alias: -1, epoch: '', seq: 0, subscribed };
    this.#byTopic.set(topic, stream);
    subscribed.catch(() => this.#forget(stream)); // each subscribe() that waits for it reports the error
    return stream;
  }

  async #remove(stream: Stream, target: Target): Promise<void> {
    stream.targets.delete(target);
    if (stream.targets.size > 0 || this.#byTopic.get(stream.topic) !== stream) return;
    this.#forget(stream);
    try {
      await this.#connection.request({ type: 'unsubscribe', topic: stream.alias }, () => undefined);
    } catch {
      // Refused or disconnected: either way the subscription is over, which is all that was asked for.
    }
  }

  #forget(stream: Stream): void {
    if (this.#byTopic.get(stream.topic) === stream) this.#byTopic.delete(stream.topic);
    if (this.#byAlias.get(stream.alias) === stream) this.#byAlias.delete(stream.alias);
  }
}

function topicEvent(topic: string, event: EventMessage, payload: unknown): TopicEvent {
  if (event.id === null) return { topic, seq: event.seq, time: event.time, payload };
  return { topic, seq: event.seq, time: event.time, payload, id: event.id };
}
