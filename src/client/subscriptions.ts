/**
 * What a client is subscribed to. A topic, or a pattern, is subscribed once on the wire, however many handlers share it; the
 * alias that the server gave a topic leads from an event to them.
 */

import type { BookFields, BookPreset } from '../book/book-fields.js';
import { BookMirror } from '../book/book-mirror.js';
import { RingcastError } from '../errors.js';
import { type PresentExtras, presentExtras } from '../protocol/event.js';
import type {
  EventMessage,
  ServerMessage,
  SnapshotEntry,
  SubscribedResult,
  SubscribeOptions,
} from '../protocol/messages.js';
import { decode } from '../protocol/msgpack.js';
import { Received, type SubscriptionCounts } from '../protocol/received.js';
import { isPattern } from '../protocol/topic-name.js';
import { normalPattern } from '../protocol/topic-pattern.js';
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
  /**
   * The topic is an order book: keep it as the subscription's `book`. Says how the feed's own messages are to be read, which come
   * where neither `depth` nor another view is asked for; `true`: they are as this server writes books.
   */
  book?: BookPreset | BookFields | true;
}

/** What makes a subscription on the wire: what the server is asked for, and what is made of it here. */
type StreamWishes = SubscribeOptions & Pick<ClientSubscribeOptions, 'book'>;

/** One handler's subscription. Others of the same client to the same topic share alias, epoch and options. */
export interface Subscription {
  /** A topic, or a pattern. */
  readonly topic: string;
  /** Of the topic; −1 with a pattern. */
  readonly alias: number;
  /** Of the topic, see TopicEvent; empty with a pattern. */
  readonly epoch: string;
  /** The last message before the first one that this handler gets; 0 with a pattern. */
  readonly seq: number;
  /** Whether it goes on at the position that was asked for; absent where none was. */
  readonly recovered?: boolean;
  /**
   * Of a durable one: messages up to `seq` have been processed, by all handlers of the topic. Never throws: a refusal is told to
   * the client's 'error' listeners. False: it is not on its way, as the subscription or the connection has ended.
   */
  ack(seq: number): boolean;
  /**
   * With `book`, `depth`, `tick` or `checksum`: the book as it is now, up to date before a handler is called, which all share. Null with a
   * pattern.
   */
  readonly book: BookMirror | null;
  /** What has become of its messages so far. */
  readonly counts: SubscriptionCounts;
  /** Ends it: the handler gets nothing more. The last one of a topic unsubscribes; resolves when that is confirmed. */
  close(): Promise<void>;
}

/** A topic of a pattern, as the server introduces it. */
export interface IntroducedTopic {
  readonly pattern: string;
  readonly alias: number;
  readonly topic: string;
  readonly epoch: string;
  readonly seq: number;
  readonly recovered?: boolean;
}

type GapMessage = Extract<ServerMessage, { type: 'gap' }>;

interface Target {
  readonly handler: EventHandler;
  readonly encoded: boolean;
  readonly counts: Received;
  isOpen: boolean;
  /** Null until the server has answered; there are no events before. */
  subscription: Subscription | null;
}

/** A topic that events come from. */
interface Source {
  readonly stream: ClientStream;
  readonly topic: string;
  readonly alias: number;
  readonly epoch: string;
  /** Of the last message before the next one: from the server’s introduction of the topic, then from each event and gap. */
  seq: number;
  /** Of a stream of deltas. */
  readonly values: Values | null;
  /** Of a book. */
  readonly mirror: BookMirror | null;
}

/** A subscription on the wire. */
interface ClientStream {
  /** Or the pattern. */
  readonly topic: string;
  /** What the server was asked for, in a form that can be compared. */
  readonly optionsText: string;
  /** Replaced, never changed: whoever joins or leaves while a message is handed out does not change who gets it. */
  targets: readonly Target[];
  /** The server has answered. */
  isBegun: boolean;
  readonly isDelta: boolean;
  /** How to read the feed's messages of a book; null: it is none, or none that is to be kept. */
  readonly feed: BookPreset | BookFields | null;
  /** Of a topic the one; of a pattern those that have been introduced. */
  readonly sources: Set<Source>;
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
  readonly #byAlias = new Map<number, Source>();

  constructor(connection: ClientConnection, requestTimeoutMs: number) {
    this.#connection = connection;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  subscribe(name: string, options: ClientSubscribeOptions, handler: EventHandler): Promise<Subscription> {
    const topic = isPattern(name) ? normalPattern(name) : name;
    const { encoded = false, signal, timeoutMs = this.#requestTimeoutMs, ...given } = options;
    if (encoded && given.delta === true) {
      return Promise.reject(new RingcastError('BAD_REQUEST', 'deltas are applied to decoded values: not with encoded'));
    }
    return limited('subscribe', { signal, timeoutMs }, (resolve, reject) => {
      const stream = this.#streamFor(topic, given);
      const target: Target = { handler, encoded, counts: new Received(), isOpen: true, subscription: null };
      stream.targets = [...stream.targets, target];
      if (stream.isBegun) resolve(this.#begin(stream, target));
      else stream.subscribed.then(() => resolve(target.subscription as Subscription), reject);
      return () => void this.#remove(stream, target);
    });
  }

  /** Hot path of a receiving client: per event; decodes once for all handlers. */
  deliver(event: EventMessage): void {
    const source = this.#byAlias.get(event.alias);
    if (source === undefined) return; // closed here while the event was under way
    source.seq = event.seq;
    source.mirror?.apply(decode(event.payloadBytes));
    if (source.values !== null) {
      deliverValue(source, source.values, event);
      return;
    }
    let decoded: TopicEvent | undefined;
    for (const { handler, encoded, counts, isOpen, subscription } of source.stream.targets) {
      if (!isOpen) continue;
      counts.received++;
      if (!encoded) decoded ??= topicEvent(source, event, decode(event.payloadBytes));
      const given = decoded === undefined || encoded ? topicEvent(source, event, event.payloadBytes) : decoded;
      callUser(handler, given, subscription as Subscription);
    }
  }

  /** A part of a snapshot. Returns the topic's name. */
  snapshot(alias: number, seq: number, entries: readonly SnapshotEntry[], isFirst: boolean): string | undefined {
    const source = this.#byAlias.get(alias);
    if (source !== undefined) source.seq = seq;
    source?.values?.take(entries, isFirst);
    // A book is one entry; where there is none, there is none in the only part either.
    source?.mirror?.begin(entries[0]?.[3]);
    return source?.topic;
  }

  /** Messages are left out. Returns the topic's name. */
  skip({ alias, fromSeq, toSeq, reason }: GapMessage): string | undefined {
    const source = this.#byAlias.get(alias);
    if (source === undefined) return undefined;
    source.seq = toSeq;
    for (const { counts, isOpen } of source.stream.targets) if (isOpen) counts.countGap(fromSeq, toSeq, reason);
    return source.topic;
  }

  /** The topic's book is stale. */
  stale(alias: unknown): void {
    if (typeof alias === 'number') this.#byAlias.get(alias)?.mirror?.invalidate();
  }

  /** The server ended it: topic deleted, access revoked. Returns the topic's name. */
  revoke(alias: number): string | undefined {
    const source = this.#byAlias.get(alias);
    if (source === undefined) return undefined;
    if (isPattern(source.stream.topic)) this.#drop(source);
    else this.#forget(source.stream);
    return source.topic;
  }

  /** The server introduces a topic of a pattern. False: nobody here wants it any more. */
  introduce({ pattern, alias, topic, epoch, seq }: IntroducedTopic): boolean {
    const stream = this.#byTopic.get(pattern);
    if (stream === undefined) return false;
    this.#add(stream, { alias, topic, epoch, seq });
    return true;
  }

  #add(stream: ClientStream, position: Pick<Source, 'alias' | 'topic' | 'epoch' | 'seq'>): void {
    const before = this.#byAlias.get(position.alias);
    if (before !== undefined) this.#drop(before);
    // What a delta says is about what came before, by whichever subscription.
    const values = stream.isDelta ? (before?.values ?? new Values()) : null;
    const mirror = stream.feed === null ? null : (before?.mirror ?? new BookMirror(stream.feed));
    const source: Source = { stream, ...position, values, mirror };
    stream.sources.add(source);
    this.#byAlias.set(source.alias, source);
  }

  #drop(source: Source): void {
    source.stream.sources.delete(source);
    if (this.#byAlias.get(source.alias) === source) this.#byAlias.delete(source.alias);
  }

  /** The topic's stream if it is as asked for; a new one if there is none. */
  #streamFor(topic: string, options: StreamWishes): ClientStream {
    const set = Object.entries(options).filter(([, value]) => value !== undefined);
    const optionsText = JSON.stringify(set.sort());
    const known = this.#byTopic.get(topic);
    if (known === undefined) return this.#open(topic, Object.fromEntries(set), optionsText);
    if (known.optionsText === optionsText) return known;
    const problem = `this client is subscribed to ${topic} with other options; handlers of a topic share them`;
    throw new RingcastError('CONFLICT', problem, { topic });
  }

  #open(topic: string, { book, ...options }: StreamWishes, optionsText: string): ClientStream {
    const request = new AbortController();
    const subscribed = this.#connection.request(
      { type: 'subscribe', topic, ...(Object.keys(options).length === 0 ? {} : { options }) },
      (result) => {
        const { recovered } = result as unknown as SubscribedResult;
        if (!isPattern(topic)) {
          checkFields(result, { alias: 'number', epoch: 'string', seq: 'number' });
          const { alias, epoch, seq } = result as unknown as SubscribedResult;
          this.#add(stream, { alias, topic, epoch, seq });
        }
        stream.isBegun = true;
        for (const target of stream.targets) this.#begin(stream, target, recovered);
      },
      { signal: request.signal, timeoutMs: 0 }, // each subscribe() that waits has limits of its own
    );
    const begun = { targets: [], isBegun: false, isDelta: options.delta === true, sources: new Set<Source>() };
    const stream: ClientStream = { topic, optionsText, ...begun, feed: feedOf(book, options), subscribed, request };
    this.#byTopic.set(topic, stream);
    subscribed.catch(() => this.#forget(stream)); // each subscribe() that waits for it reports the error
    return stream;
  }

  /** A handler that joins a running stream starts behind what was handed out so far. */
  #begin(stream: ClientStream, target: Target, recovered?: boolean): Subscription {
    const { topic, sources } = stream;
    const [only] = isPattern(topic) ? [] : sources;
    const { alias = -1, epoch = '', seq = 0, mirror: book = null } = only ?? {};
    let end: Promise<void> | undefined;
    const close = (): Promise<void> => {
      end ??= this.#remove(stream, target);
      return end;
    };
    const ack = (acked: number): boolean => {
      if (!target.isOpen || this.#byAlias.get(alias)?.stream !== stream) return false;
      return this.#connection.send(() => ({ type: 'ack', topic: alias, seq: acked }));
    };
    const begun = recovered === undefined ? {} : { recovered };
    target.subscription = { topic, alias, epoch, seq, ...begun, book, counts: target.counts, ack, close };
    return target.subscription;
  }

  async #remove(stream: ClientStream, target: Target): Promise<void> {
    target.isOpen = false;
    stream.targets = stream.targets.filter((other) => other !== target);
    if (stream.targets.length > 0 || this.#byTopic.get(stream.topic) !== stream) return;
    const [only] = isPattern(stream.topic) ? [] : stream.sources;
    this.#forget(stream);
    stream.request.abort();
    // Frames take effect in their order: a SUBSCRIBE that is not answered yet is undone as well.
    const address = only?.alias ?? stream.topic;
    try {
      await this.#connection.request({ type: 'unsubscribe', topic: address }, () => undefined);
    } catch {
      // Refused, disconnected or too late: the handler gets nothing more, which is all that was asked for.
    }
  }

  #forget(stream: ClientStream): void {
    if (this.#byTopic.get(stream.topic) === stream) this.#byTopic.delete(stream.topic);
    for (const source of stream.sources) this.#drop(source);
  }
}

function feedOf(book: StreamWishes['book'], { depth, tick, checksum }: SubscribeOptions): ClientStream['feed'] {
  const isView = depth !== undefined || tick !== undefined || checksum === true;
  if (book === undefined && !isView) return null;
  return book === undefined || book === true ? 'ringcast' : book;
}

/** Of a delta the whole value that it makes. */
function deliverValue(source: Source, values: Values, event: EventMessage): void {
  const payload = values.valueOf(event, decode(event.payloadBytes));
  const given = topicEvent(source, event, payload);
  for (const { handler, counts, isOpen, subscription } of source.stream.targets) {
    if (!isOpen) continue;
    counts.received++;
    callUser(handler, given, subscription as Subscription);
  }
}

function topicEvent({ topic, epoch }: Source, event: EventMessage, payload: unknown): TopicEvent {
  const { seq, time } = event;
  return { topic, epoch, seq, time, payload, ...presentExtras(event) };
}
