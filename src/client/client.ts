/**
 * The ringcast client for browsers and Node: subscribe, publish, history, over one WebSocket in MessagePack.
 * It does not reconnect: after 'close' make a new one.
 */

import { RingcastError } from '../errors.js';
import type { ConnectOptions, GapReason, HistoryEntry, Welcome } from '../protocol/messages.js';
import { addressProblem, topicNameProblem } from '../protocol/topic-name.js';
import { type ClosedInfo, Connection, type PushedMessage } from './connection.js';
import { Emitter } from './emitter.js';
import { type ClientPublishOptions, type Published, Publisher, toPublished, wireOptions } from './publisher.js';
import { type WebSocketConstructor, webSocketConstructor } from './socket.js';
import {
  type ClientSubscribeOptions,
  type EventHandler,
  type Subscription,
  SubscriptionTable,
  type TopicEvent,
} from './subscriptions.js';

export { type ErrorCode, RingcastError } from '../errors.js';
export type { GapReason, SlowConsumerPolicy, Welcome } from '../protocol/messages.js';
export { STATS_TOPIC } from '../protocol/topic-name.js';
export type { ClosedInfo } from './connection.js';
export type { ClientPublishOptions, Published, Publisher } from './publisher.js';
export type { WebSocketConstructor, WebSocketLike } from './socket.js';
export type { ClientSubscribeOptions, EventHandler, Subscription, TopicEvent } from './subscriptions.js';

const CONNECT_TIMEOUT_DEFAULT_MS = 10_000;

export interface ClientOptions {
  /** Whatever the server's `onConnect` hook wants to see. */
  token?: string;
  /** A name for the server's logs, at most 128 bytes. */
  clientId?: string;
  /** The constructor to use; by default the runtime's own. Node 20 has none: pass the one of the package `ws`. */
  WebSocket?: WebSocketConstructor;
  /** Fail when the server has not answered by then (default 10,000). */
  connectTimeoutMs?: number;
}

/** The server's settings, and the name it gave this connection. */
export type ServerInfo = Welcome;

export interface GapEvent {
  readonly topic: string;
  /** First and last sequence number that this client will not get. */
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly reason: GapReason;
}

export interface NoticeEvent {
  /** `drain`: the server is about to stop; `details` says when to reconnect. */
  readonly kind: string;
  readonly details: unknown;
}

export interface UnsubscribedEvent {
  readonly topic: string;
  readonly code: string;
  readonly reason: string;
}

export interface ClientEvents {
  /** Messages were skipped, because this client was too slow for them. */
  gap: GapEvent;
  /** An error that belongs to no call: a refused `send`, a payload that cannot be decoded. */
  error: RingcastError;
  notice: NoticeEvent;
  /** The server ended a subscription. */
  unsubscribed: UnsubscribedEvent;
  /** The connection has ended, whoever ended it. */
  close: ClosedInfo;
}

export interface HistoryOptions {
  /** How many messages at most; all that are retained when absent. */
  lastN?: number;
}

export interface History {
  readonly topic: string;
  readonly epoch: string;
  /** Of the topic's last message. */
  readonly seq: number;
  /** Oldest first. */
  readonly messages: readonly TopicEvent[];
}

/**
 * Connects to a server.
 *
 * ```ts
 * import { connect } from 'ringcast/client';
 * import WebSocket from 'ws'; // Node 20 only; browsers and later versions of Node have their own
 *
 * const client = await connect('ws://127.0.0.1:8787/ws', { WebSocket });
 * client.on('gap', ({ topic, fromSeq, toSeq }) => console.log(`missed ${fromSeq}–${toSeq} of ${topic}`));
 * await client.publish('prices:AAPL', { price: 229.1 });
 * await client.subscribe('prices:AAPL', { lastN: 1 }, async ({ seq, payload }) => {
 *   console.log(seq, payload);
 *   await client.close(); // or go on listening
 * });
 * ```
 *
 * Rejects with a RingcastError when there is no server, when it refuses, or when it does not answer in time.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const WebSocket = webSocketConstructor(options.WebSocket);
  const client = new Client(url, WebSocket);
  const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_DEFAULT_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const error = new RingcastError('INTERNAL', `cannot connect: no answer from ${url} within ${timeoutMs} ms`);
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  try {
    await Promise.race([client.start(options), tooLate]);
    return client;
  } catch (error) {
    void client.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A connection to a server. Get one from `connect`. */
export class Client {
  readonly #connection: Connection;
  readonly #subscriptions: SubscriptionTable;
  readonly #events = new Emitter<ClientEvents>();
  #server: ServerInfo | null = null;
  /** The first refusal of a message without an answer since the last flush. */
  #refusal: RingcastError | null = null;

  /** Use `connect`. */
  constructor(url: string, WebSocket: WebSocketConstructor) {
    this.#connection = new Connection(url, WebSocket, {
      onPush: (message) => this.#onPush(message),
      onError: (error) => this.#onError(error),
      onClose: (closed) => this.#events.emit('close', closed),
    });
    this.#subscriptions = new SubscriptionTable(this.#connection, (error) => this.#events.emit('error', error));
  }

  /** Introduces the client to the server; `connect` has done it. */
  async start(options: ConnectOptions): Promise<void> {
    await this.#connection.opened;
    const wire: ConnectOptions = {};
    if (options.token !== undefined) wire.token = options.token;
    if (options.clientId !== undefined) wire.clientId = options.clientId;
    await this.#connection.request({ type: 'connect', options: wire }, () => undefined);
  }

  /** What the server said about itself; null when it said nothing. */
  get server(): ServerInfo | null {
    return this.#server;
  }

  /** Listens to an event; returns the function that ends it. See ClientEvents. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Calls `handler` for every message of a topic from now on, with `lastN` for retained ones first. A second
   * subscription to the same topic shares the first one's: its options count for nothing but `encoded`, and it gets
   * what comes from then on.
   */
  async subscribe(topic: string, options: ClientSubscribeOptions, handler: EventHandler): Promise<Subscription> {
    check(addressProblem(topic));
    return this.#subscriptions.subscribe(topic, options, handler);
  }

  /** Publishes a value (anything that MessagePack knows) and waits until the server has accepted it. */
  async publish(topic: string, value: unknown, options?: ClientPublishOptions): Promise<Published> {
    check(topicNameProblem(topic));
    return this.#connection.request(
      { type: 'publish', topic, payload: value, options: wireOptions(options) },
      toPublished,
    );
  }

  /** The same for a value that is MessagePack already. */
  async publishEncoded(topic: string, payloadBytes: Uint8Array, options?: ClientPublishOptions): Promise<Published> {
    check(topicNameProblem(topic));
    return this.#connection.request(
      { type: 'publish', topic, payloadBytes, options: wireOptions(options) },
      toPublished,
    );
  }

  /** Opens a topic for publishing by alias: for feeds. The topic is created if it does not exist. */
  async openPublisher(topic: string): Promise<Publisher> {
    check(topicNameProblem(topic));
    return this.#connection.request(
      { type: 'publish', topic, payload: null, options: { open: true } },
      (result) => new Publisher(this.#connection, topic, result.alias as number, () => this.flush()),
    );
  }

  /** See Publisher.flush(); it covers all of this client's publishers. */
  async flush(): Promise<void> {
    await this.ping();
    const refusal = this.#refusal;
    this.#refusal = null;
    if (refusal !== null) throw refusal;
  }

  /** The retained messages of a topic. */
  async history(topic: string, options: HistoryOptions = {}): Promise<History> {
    check(addressProblem(topic));
    const wire = options.lastN === undefined ? {} : { options: { lastN: options.lastN } };
    return this.#connection.request({ type: 'history', topic, ...wire }, (result) => ({
      topic,
      epoch: result.epoch as string,
      seq: result.seq as number,
      messages: (result.messages as HistoryEntry[]).map(([seq, time, payload, id]) =>
        id === undefined ? { topic, seq, time, payload } : { topic, seq, time, payload, id },
      ),
    }));
  }

  /** Round-trip time in milliseconds. */
  async ping(): Promise<number> {
    const sentMs = performance.now();
    return this.#connection.request({ type: 'ping' }, () => performance.now() - sentMs);
  }

  /** Ends the connection; pending calls reject. Resolves when it is closed. */
  close(): Promise<ClosedInfo> {
    return this.#connection.close();
  }

  #onPush(message: PushedMessage): void {
    switch (message.type) {
      case 'event':
        this.#subscriptions.deliver(message);
        break;
      case 'gap': {
        const topic = this.#subscriptions.topicOf(message.alias);
        const { fromSeq, toSeq, reason } = message;
        if (topic !== undefined) this.#events.emit('gap', { topic, fromSeq, toSeq, reason });
        break;
      }
      case 'unsubscribed': {
        const topic = this.#subscriptions.revoke(message.alias);
        const { code, reason } = message;
        if (topic !== undefined) this.#events.emit('unsubscribed', { topic, code, reason });
        break;
      }
      case 'notice':
        this.#events.emit('notice', { kind: message.kind, details: message.details });
        break;
      case 'welcome':
        this.#server = { connectionId: message.connectionId, heartbeatMs: message.heartbeatMs, limits: message.limits };
    }
  }

  #onError(error: RingcastError): void {
    this.#refusal ??= error;
    this.#events.emit('error', error);
  }
}

/** Throws what the server would answer, without the way there. */
function check(problem: string | null): void {
  if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
}
