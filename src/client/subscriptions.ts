/**
 * What a client is subscribed to. A topic is subscribed once on the wire, however many handlers share it; the alias that
 * the server gave it leads from an event to them.
 */

import { RingcastError } from '../errors.js';
import { type PresentExtras, presentExtras } from '../protocol/event.js';
import type { EventMessage, SnapshotEntry, SubscribedResult, SubscribeOptions } from '../protocol/messages.js';
import { decode } from '../protocol/msgpack.js';
import { Values } from '../protocol/values.js';
import { type CallOptions, limited } from './call.js';
import type { ClientConnection } from './connection.js';
import { callUser } from './emitter.js';
import { checkFields } from './fields.js';

/** A message of a topic, as a handler gets it. */
export interface TopicEvent extends PresentExtras {
  readonly topic: string;
  /** Names the incarnation of the topic: sequence numbers of different epochs have nothing to do with each other. */
  readonly epoch: string;
  readonly seq: number;
  /** When the server accepted it: milliseconds since 1970. */
  readonly time: number;
  /** The decoded value, or with `encoded: true` its MessagePack bytes. */
  readonly payload: unknown;
}

/**
 * Gets each message, and the subscription that it belongs to: the first ones may come before `subscribe` has resolved.
 * An exception, or the rejection of a promise that it returns, surfaces as an uncaught exception; other handlers and
 * messages go on.
 */
export type EventHandler = (event: TopicEvent, subscription: Subscription) => void;

export interface ClientSubscribeOptions extends SubscribeOptions, CallOptions {
  /** Hand over payloads as they came, as MessagePack bytes. */
  encoded?: boolean;
}

/** One handler's subscription. Others of the same client to the same topic share alias, epoch and options. */
export interface Subscription {
  readonly topic: string;
  readonly alias: number;
  /** Of the topic, see TopicEvent. */
  readonly epoch: string;
  /** The last message before the first one that this handler gets. */
  readonly seq: number;
  /** Whether it goes on at the position that was asked for; absent where none was. */
  readonly recovered?: boolean;
  /**
   * Of a durable one: messages up to `seq` have been processed, by all handlers of the topic. Never throws: a refusal is told to
   * the client's 'error' listeners. False: it is not on its way, as the subscription or the connection has ended.
   */
  ack(seq: number): boolean;
  /** Ends it: the handler gets nothing more. The last one of a topic unsubscribes; resolves when that is confirmed. */
  close(): Promise<void>;
}

interface Target {
  readonly handler: EventHandler;
  readonly encoded: boolean;
  isOpen: boolean;
  /** Null until the server has answered; there are no events before. */
  subscription: Subscription | null;
}

interface ClientStream {
  readonly topic: string;
  /** What the server was asked for, in a form that can be compared. */
  readonly optionsText: string;
  /** Replaced, never changed: whoever joins or leaves while a message is handed out does not change who gets it. */
  targets: readonly Target[];
  /** −1 until the server has answered. */
  alias: number;
  epoch: string;
  /** Of the last message before the next one: from the answer to SUBSCRIBE, then from each event and gap. */
  seq: number;
  /** Of a stream of deltas. */
  readonly values: Values | null;
  /** Settles with the answer to SUBSCRIBE. */
  readonly subscribed: Promise<void>;
  /** Forgets the SUBSCRIBE that nobody waits for any more. */
  readonly request: AbortController;
}

/** Writers: the client's calls and its connection's messages, all in one thread. */
export class ClientSubscriptions {
  readonly #connection: ClientConnection;
  readonly #requestTimeoutMs: number;
  readonly #byTopic = new Map<string, ClientStream>();
  readonly #byAlias = new Map<number, ClientStream>();

  constructor(connection: ClientConnection, requestTimeoutMs: number) {
    this.#connection = connection;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  subscribe(topic: string, options: ClientSubscribeOptions, handler: EventHandler): Promise<Subscription> {
    const { encoded = false, signal, timeoutMs = this.#requestTimeoutMs, ...given } = options;
    if (encoded && given.delta === true) {
      return Promise.reject(new RingcastError('BAD_REQUEST', 'deltas are applied to decoded values: not with encoded'));
    }
    return limited('subscribe', { signal, timeoutMs }, (resolve, reject) => {
      const stream = this.#streamFor(topic, given);
      const target: Target = { handler, encoded, isOpen: true, subscription: null };
      stream.targets = [...stream.targets, target];
      if (stream.alias >= 0) resolve(this.#begin(stream, target));
      else stream.subscribed.then(() => resolve(target.subscription as Subscription), reject);
      return () => void this.#remove(stream, target);
    });
  }

  /** Hot path of a receiving client: per event; decodes once for all handlers. */
  deliver(event: EventMessage): void {
    const stream = this.#byAlias.get(event.alias);
    if (stream === undefined) return; // closed here while the event was under way
    stream.seq = event.seq;
    if (stream.values !== null) {
      deliverValue(stream, stream.values, event);
      return;
    }
    let decoded: TopicEvent | undefined;
    for (const { handler, encoded, isOpen, subscription } of stream.targets) {
      if (!isOpen) continue;
      if (!encoded) decoded ??= topicEvent(stream, event, decode(event.payloadBytes));
      const given = decoded === undefined || encoded ? topicEvent(stream, event, event.payloadBytes) : decoded;
      callUser(handler, given, subscription as Subscription);
    }
  }

  /** A part of a snapshot. Returns the topic's name. */
  snapshot(alias: number, seq: number, entries: readonly SnapshotEntry[], isFirst: boolean): string | undefined {
    const stream = this.#byAlias.get(alias);
    if (stream !== undefined) stream.seq = seq;
    stream?.values?.take(entries, isFirst);
    return stream?.topic;
  }

  /** Messages up to `toSeq` are left out. Returns the topic's name. */
  skip(alias: number, toSeq: number): string | undefined {
    const stream = this.#byAlias.get(alias);
    if (stream !== undefined) stream.seq = toSeq;
    return stream?.topic;
  }

  /** The server ended it: topic deleted, access revoked. Returns the topic's name. */
  revoke(alias: number): string | undefined {
    const stream = this.#byAlias.get(alias);
    if (stream !== undefined) this.#forget(stream);
    return stream?.topic;
  }

  /** The topic's stream if it is as asked for; a new one if there is none. */
  #streamFor(topic: string, options: SubscribeOptions): ClientStream {
    const set = Object.entries(options).filter(([, value]) => value !== undefined);
    const optionsText = JSON.stringify(set.sort());
    const known = this.#byTopic.get(topic);
    if (known === undefined) return this.#open(topic, Object.fromEntries(set), optionsText);
    if (known.optionsText === optionsText) return known;
    const problem = `this client is subscribed to ${topic} with other options; handlers of a topic share them`;
    throw new RingcastError('CONFLICT', problem, { topic });
  }

  #open(topic: string, options: SubscribeOptions, optionsText: string): ClientStream {
    const request = new AbortController();
    const subscribed = this.#connection.request(
      { type: 'subscribe', topic, ...(optionsText === '[]' ? {} : { options }) },
      (result) => {
        checkFields(result, { alias: 'number', epoch: 'string', seq: 'number' });
        const { alias, epoch, seq, recovered } = result as unknown as SubscribedResult;
        stream.alias = alias;
        stream.epoch = epoch;
        stream.seq = seq;
        this.#byAlias.set(alias, stream);
        for (const target of stream.targets) this.#begin(stream, target, recovered);
      },
      { signal: request.signal, timeoutMs: 0 }, // each subscribe() that waits has limits of its own
    );
    const values = options.delta === true ? new Values() : null;
    const begun = { targets: [], alias: -1, epoch: '', seq: 0, values };
    const stream: ClientStream = { topic, optionsText, ...begun, subscribed, request };
    this.#byTopic.set(topic, stream);
    subscribed.catch(() => this.#forget(stream)); // each subscribe() that waits for it reports the error
    return stream;
  }

  /** A handler that joins a running stream starts behind what was handed out so far. */
  #begin(stream: ClientStream, target: Target, recovered?: boolean): Subscription {
    const { topic, alias, epoch, seq } = stream;
    let end: Promise<void> | undefined;
    const close = (): Promise<void> => {
      end ??= this.#remove(stream, target);
      return end;
    };
    const ack = (acked: number): boolean => {
      if (!target.isOpen || this.#byAlias.get(alias) !== stream) return false;
      return this.#connection.send(() => ({ type: 'ack', topic: alias, seq: acked }));
    };
    const begun = recovered === undefined ? {} : { recovered };
    target.subscription = { topic, alias, epoch, seq, ...begun, ack, close };
    return target.subscription;
  }

  async #remove(stream: ClientStream, target: Target): Promise<void> {
    target.isOpen = false;
    stream.targets = stream.targets.filter((other) => other !== target);
    if (stream.targets.length > 0 || this.#byTopic.get(stream.topic) !== stream) return;
    this.#forget(stream);
    stream.request.abort();
    // Frames take effect in their order: a SUBSCRIBE that is not answered yet is undone as well.
    const address = stream.alias < 0 ? stream.topic : stream.alias;
    try {
      await this.#connection.request({ type: 'unsubscribe', topic: address }, () => undefined);
    } catch {
      // Refused, disconnected or too late: the handler gets nothing more, which is all that was asked for.
    }
  }

  #forget(stream: ClientStream): void {
    if (this.#byTopic.get(stream.topic) === stream) this.#byTopic.delete(stream.topic);
    if (this.#byAlias.get(stream.alias) === stream) this.#byAlias.delete(stream.alias);
  }
}

/** Of a delta the whole value that it makes. */
function deliverValue(stream: ClientStream, values: Values, event: EventMessage): void {
  const payload = values.valueOf(event, decode(event.payloadBytes));
  const given = topicEvent(stream, event.change === 'delta' ? { ...event, change: null } : event, payload);
  for (const { handler, isOpen, subscription } of stream.targets) {
    if (isOpen) callUser(handler, given, subscription as Subscription);
  }
}

function topicEvent({ topic, epoch }: ClientStream, event: EventMessage, payload: unknown): TopicEvent {
  const { seq, time } = event;
  return { topic, epoch, seq, time, payload, ...presentExtras(event) };
}
