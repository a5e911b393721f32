/**
 * The ringcast client for browsers and Node: subscribe, publish, history, over one WebSocket in MessagePack.
 * It does not reconnect: after 'close' make a new one.
 */

import { RingcastError } from '../errors.js';
import { presentExtras } from '../protocol/event.js';
import type {
  ConnectOptions,
  GapReason,
  HistoryEntry,
  HistoryOptions,
  ReadOptions,
  RequestOptions,
  SnapshotEntry,
  Welcome,
} from '../protocol/messages.js';
import { type KeyValue, keyValueOf } from '../protocol/received.js';
import { addressProblem, STATS_TOPIC, subscriptionProblem } from '../protocol/topic-name.js';
import { type CallOptions, limited } from './call.js';
import { ClientConnection, type ClosedInfo, type PushedMessage } from './connection.js';
import { Emitter } from './emitter.js';
import { checkFields } from './fields.js';
import {
  type ClientBatchMessage,
  type ClientPublishOptions,
  type Published,
  type PublishedBatch,
  Publisher,
  toPublished,
  toPublishedBatch,
  wireOptions,
} from './publisher.js';
import { type WebSocketConstructor, webSocketConstructor } from './socket.js';
import {
  type ClientSubscribeOptions,
  ClientSubscriptions,
  type EventHandler,
  type IntroducedTopic,
  type Subscription,
  type TopicEvent,
} from './subscriptions.js';

export type { BookFields, BookPreset } from '../book/book-fields.js';
export { BookMirror } from '../book/book-mirror.js';
export type { Level } from '../book/order-book.js';
export { type ErrorCode, RingcastError } from '../errors.js';
export { encodeJson } from '../protocol/json-to-msgpack.js';
export type { GapReason, SlowConsumerPolicy, Welcome } from '../protocol/messages.js';
export { decode, encode } from '../protocol/msgpack.js';
export { decodeJson } from '../protocol/msgpack-to-json.js';
export { ExtensionValue } from '../protocol/msgpack-types.js';
export type { KeyValue, SubscriptionCounts } from '../protocol/received.js';
export { STATS_TOPIC } from '../protocol/topic-name.js';
export type { CallOptions } from './call.js';
export type { ClosedInfo } from './connection.js';
export type {
  ClientBatchMessage,
  ClientPublishOptions,
  Published,
  PublishedBatch,
  Publisher,
  SendOptions,
} from './publisher.js';
export type { WebSocketConstructor, WebSocketLike } from './socket.js';
export type { ClientSubscribeOptions, EventHandler, Subscription, TopicEvent } from './subscriptions.js';

const CONNECT_TIMEOUT_DEFAULT_MS = 10_000;
const REQUEST_TIMEOUT_DEFAULT_MS = 30_000;

export interface ClientOptions {
  /**
   * Whatever the server's `authorize` hook wants to see. `onConnect` has answered before it arrives: what that hook wants
   * goes into the address, or with a WebSocket class of your own into headers.
   */
  token?: string;
  /** A name for the server's logs, at most 128 bytes. */
  clientId?: string;
  /** The constructor to use; by default the runtime's own. Node 20 has none: pass the one of the package `ws`. */
  WebSocket?: WebSocketConstructor;
  /** Fail with TIMEOUT when the server has not answered by then (default 10,000; 0: never). */
  connectTimeoutMs?: number;
  /** The same for each call that says nothing else (default 30,000; 0: never). */
  requestTimeoutMs?: number;
  /**
   * When nothing has come for so long, the client asks the server for a sign of life, and after as long again without one
   * the connection ends with 1006. Default: what the server announces, at least 1000; 0: never. Choose more where a
   * single message may take longer than that to arrive.
   */
  heartbeatMs?: number;
  /** Ends the attempt to connect; of no effect afterwards. */
  signal?: AbortSignal;
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

/** A topic that a pattern matches begins. */
export interface TopicBeginning {
  /** What was subscribed to. */
  readonly pattern: string;
  readonly topic: string;
  /** See TopicEvent. */
  readonly epoch: string;
  /** The last message before the first one that comes. */
  readonly seq: number;
  /** With `sinceTime`: whether nothing is missing. */
  readonly recovered?: boolean;
}

export interface NoticeEvent {
  /**
   * `drain`: the server is about to stop; `details` says when to reconnect. `missed`: topics of a pattern do not come, and
   * `details` says why, with the first of them. `stale`: something is missing of an order book, whose `topic` they say; nothing more
   * comes of it before its feed has brought the next snapshot.
   */
  readonly kind: string;
  readonly details: unknown;
}

export interface UnsubscribedEvent {
  readonly topic: string;
  readonly code: string;
  readonly reason: string;
}

export interface ClientEvents {
  /** Messages were skipped: this client was too slow for them, or (`merged`) newer ones took their place, as it had asked for. */
  gap: GapEvent;
  /** A part of the snapshot that a subscription begins with, or goes on with after it has missed something. */
  snapshot: SnapshotEvent;
  /** An error that belongs to no call: a refused `send`. */
  error: RingcastError;
  notice: NoticeEvent;
  /** A subscription to a pattern brings a topic, ahead of its first event. */
  topic: TopicBeginning;
  /** The server ended a subscription, or a topic of a pattern has ended. */
  unsubscribed: UnsubscribedEvent;
  /** The connection has ended, whoever ended it. */
  close: ClosedInfo;
}

export interface SnapshotEvent {
  readonly topic: string;
  /** The newest message that is in it; the events behind it follow. */
  readonly seq: number;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly entries: readonly KeyValue[];
}

export interface ClientRequestOptions extends CallOptions, RequestOptions {}

/** See PROTOCOL.md, HISTORY. */
export interface ClientHistoryOptions extends CallOptions, HistoryOptions {}

export interface History {
  readonly topic: string;
  readonly epoch: string;
  /** Of the topic's last message. */
  readonly seq: number;
  /** Older messages that were asked for are left out: an answer holds 1 MiB. `subscribe` with `lastN` replays them all. */
  readonly isTruncated: boolean;
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
 * Rejects with a RingcastError: when there is no server, when it does not answer in time (TIMEOUT), or when it refuses.
 * Why it refuses is known where the WebSocket shows it (the one of `ws` does, browsers don't): UNAUTHORIZED, FORBIDDEN,
 * SHUTTING_DOWN, …, with `retry` and the HTTP status in `details`.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const { signal, connectTimeoutMs = CONNECT_TIMEOUT_DEFAULT_MS } = options;
  signal?.throwIfAborted();
  const client = new Client(url, options);
  try {
    return await limited('cannot connect', { signal, timeoutMs: connectTimeoutMs }, (resolve, reject) => {
      client.start(options).then(() => resolve(client), reject);
      return () => {};
    });
  } catch (error) {
    void client.close();
    throw error;
  }
}

/** A connection to a server. Get one from `connect`. */
export class Client {
  readonly #connection: ClientConnection;
  readonly #subscriptions: ClientSubscriptions;
  readonly #events = new Emitter<ClientEvents>();
  #server: ServerInfo | null = null;
  /** The first refusal of a message without an answer since the last flush. */
  #refusal: RingcastError | null = null;

  /** Use `connect`. */
  constructor(url: string, options: ClientOptions) {
    const { requestTimeoutMs = REQUEST_TIMEOUT_DEFAULT_MS, heartbeatMs = null } = options;
    const WebSocket = webSocketConstructor(options.WebSocket);
    const settings = { requestTimeoutMs, heartbeatMs };
    this.#connection = new ClientConnection(url, WebSocket, settings, {
      onPush: (message) => this.#onPush(message),
      onError: (error) => this.#onError(error),
      onClose: (closed) => this.#events.emit('close', closed),
    });
    this.#subscriptions = new ClientSubscriptions(this.#connection, requestTimeoutMs);
  }

  /** Introduces the client to the server; `connect` has done it. */
  async start(options: ConnectOptions): Promise<void> {
    await this.#connection.opened;
    const wire: ConnectOptions = {};
    if (options.token !== undefined) wire.token = options.token;
    if (options.clientId !== undefined) wire.clientId = options.clientId;
    await this.#connection.request({ type: 'connect', options: wire }, () => undefined, { timeoutMs: 0 });
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
   * Calls `handler` for every message of a topic, or of all topics that a pattern (`prices:*`) matches, those to come too,
   * from now on, with `lastN` for retained ones first. A topic that is subscribed to by itself, too, goes to that handler only. A second
   * subscription to the same topic shares the first one's and gets what comes from then on, that is behind its `seq`
   * (what came before is in `history`). With other options it rejects with CONFLICT; only `encoded` is each handler's own.
   */
  async subscribe(topic: string, options: ClientSubscribeOptions, handler: EventHandler): Promise<Subscription> {
    check(subscriptionProblem(topic));
    return this.#subscriptions.subscribe(topic, options, handler);
  }

  /** Publishes a value (anything that MessagePack knows) and waits until the server has accepted it. */
  async publish(topic: string, value: unknown, options?: ClientPublishOptions): Promise<Published> {
    checkForPublish(topic);
    return this.#connection.request(
      { type: 'publish', topic, payload: value, options: wireOptions(options) },
      toPublished,
      options,
    );
  }

  /** The same for a value that is MessagePack already. */
  async publishEncoded(topic: string, payloadBytes: Uint8Array, options?: ClientPublishOptions): Promise<Published> {
    checkForPublish(topic);
    return this.#connection.request(
      { type: 'publish', topic, payloadBytes, options: wireOptions(options) },
      toPublished,
      options,
    );
  }

  /**
   * Publishes many messages to one topic, and waits until all of them are accepted. Rejects with the first refusal, whose `details` say the
   * index of that message, of all that were `refused`, and what was taken: see PROTOCOL.md, PUBLISH_BATCH.
   */
  async publishBatch(
    topic: string,
    messages: readonly ClientBatchMessage[],
    limits?: CallOptions,
  ): Promise<PublishedBatch> {
    checkForPublish(topic);
    const wire = messages.map(({ payload, ...options }) => {
      const given = wireOptions(options);
      return given === undefined ? ([payload] as const) : ([payload, given] as const);
    });
    return this.#connection.request({ type: 'publish_batch', topic, messages: wire }, toPublishedBatch, limits);
  }

  /** Opens a topic for publishing by alias: for feeds. The topic is created if it does not exist. */
  async openPublisher(topic: string, options?: CallOptions): Promise<Publisher> {
    checkForPublish(topic);
    return this.#connection.request(
      { type: 'publish', topic, payload: null, options: { open: true } },
      (result) => {
        checkFields(result, { alias: 'number' });
        return new Publisher(this.#connection, topic, result.alias as number, (limits) => this.flush(limits));
      },
      options,
    );
  }

  /** See Publisher.flush(); it covers all of this client's publishers. */
  async flush(options?: CallOptions): Promise<void> {
    await this.ping(options);
    const refusal = this.#refusal;
    this.#refusal = null;
    if (refusal !== null) throw refusal;
  }

  /** The retained messages of a topic. */
  async history(topic: string, options: ClientHistoryOptions = {}): Promise<History> {
    check(addressProblem(topic));
    const { signal, timeoutMs, ...given } = options;
    const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const wire = Object.keys(set).length === 0 ? {} : { options: set as HistoryOptions };
    const limits = { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    return this.#connection.request({ type: 'history', topic, ...wire }, (result) => toHistory(topic, result), limits);
  }

  /** Has a subscription read otherwise from here on; what is not given stays as it is. */
  async update(topic: string, changes: ReadOptions, options?: CallOptions): Promise<void> {
    check(subscriptionProblem(topic));
    return this.#connection.request({ type: 'update', topic, options: changes }, () => undefined, options);
  }

  /**
   * Asks a handler of the server's application, and gives its answer. Rejects with what it refuses with; BAD_REQUEST where there is
   * no such method, INTERNAL where it failed, TIMEOUT where it took too long.
   */
  async request(method: string, params?: unknown, options: ClientRequestOptions = {}): Promise<unknown> {
    const { traceId, ...limits } = options;
    const wire = traceId === undefined ? {} : { options: { traceId } };
    return this.#connection.request({ type: 'request', method, params, ...wire }, ({ result }) => result, limits);
  }

  /** Round-trip time in milliseconds. */
  async ping(options?: CallOptions): Promise<number> {
    const sentMs = performance.now();
    return this.#connection.request({ type: 'ping' }, () => performance.now() - sentMs, options);
  }

  /**
   * Ends the connection; pending calls reject. Resolves when it is closed: with code 1006 when the server does not answer
   * for two seconds in which nothing leaves either. To be sure that everything arrives, wait for `flush()` before.
   */
  close(): Promise<ClosedInfo> {
    return this.#connection.close();
  }

  #onPush(message: PushedMessage): void {
    switch (message.type) {
      case 'event':
        this.#subscriptions.deliver(message);
        break;
      case 'gap': {
        const { fromSeq, toSeq, reason } = message;
        const topic = this.#subscriptions.skip(message);
        if (topic !== undefined) this.#events.emit('gap', { topic, fromSeq, toSeq, reason });
        break;
      }
      case 'snapshot': {
        const { alias, seq, entries, first: isFirst, last: isLast } = message;
        const topic = this.#subscriptions.snapshot(alias, seq, entries, isFirst);
        if (topic !== undefined) this.#events.emit('snapshot', toSnapshot(topic, { seq, isFirst, isLast }, entries));
        break;
      }
      case 'unsubscribed': {
        const topic = this.#subscriptions.revoke(message.alias);
        const { code, reason } = message;
        if (topic !== undefined) this.#events.emit('unsubscribed', { topic, code, reason });
        break;
      }
      case 'notice': {
        const { kind, details } = message;
        if (kind === 'stale') this.#subscriptions.stale((details as { readonly alias?: unknown } | null)?.alias);
        if (kind === 'topic') this.#introduce(details);
        else this.#events.emit('notice', { kind, details });
        break;
      }
      case 'welcome':
        this.#server = { connectionId: message.connectionId, heartbeatMs: message.heartbeatMs, limits: message.limits };
    }
  }

  #introduce(details: unknown): void {
    const types = { pattern: 'string', alias: 'number', topic: 'string', epoch: 'string', seq: 'number' } as const;
    checkFields(details as Record<string, unknown>, types);
    const { alias: _, ...begun } = details as IntroducedTopic;
    if (this.#subscriptions.introduce(details as IntroducedTopic)) this.#events.emit('topic', begun);
  }

  #onError(error: RingcastError): void {
    this.#refusal ??= error;
    this.#events.emit('error', error);
  }
}

function toSnapshot(
  topic: string,
  part: Pick<SnapshotEvent, 'seq' | 'isFirst' | 'isLast'>,
  entries: readonly SnapshotEntry[],
): SnapshotEvent {
  return { topic, ...part, entries: entries.map(keyValueOf) };
}

function toHistory(topic: string, result: Record<string, unknown>): History {
  checkFields(result, { epoch: 'string', seq: 'number', messages: 'object' });
  const epoch = result.epoch as string;
  const messages = (result.messages as HistoryEntry[]).map(
    ([seq, time, payload, id, key, change, version]): TopicEvent => {
      return { topic, epoch, seq, time, payload, ...presentExtras({ id, key, change, version }) };
    },
  );
  return { topic, epoch, seq: result.seq as number, isTruncated: result.truncated === true, messages };
}

/** Throws what the server would answer, without the way there. */
function check(problem: string | null): void {
  if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
}

function checkForPublish(topic: string): void {
  if (topic === STATS_TOPIC) throw new RingcastError('FORBIDDEN', `only the server publishes to ${topic}`);
  check(addressProblem(topic));
}
