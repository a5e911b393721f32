/**
 * Router: hands each protocol frame to whoever knows what it does.
 *
 * Frames of one connection take effect in their order: when a hook answers by a promise, `handle` returns it and the
 * caller holds back the connection's later frames until it settles.
 */

import type { Delivery } from '../delivery/delivery.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import type { TopicEntry } from '../directory/topic-entry.js';
import { type ClientFrame, type ConnectOptions, OP } from '../protocol/messages.js';
import type { Loop } from '../time/loop.js';
import { Authorisation } from './authorisation.js';
import { Batch } from './batch.js';
import { HookCalls } from './hook-calls.js';
import type { Hooks } from './hooks.js';
import { PatternSubscribing } from './pattern-subscribing.js';
import { Patterns } from './patterns.js';
import { PublishRates, type PublishRatesOptions } from './publish-rates.js';
import { Publishing, type PublishingOptions } from './publishing.js';
import { Requests, type RequestsOptions } from './requests.js';
import type { Session } from './session.js';
import { Subscribing, type SubscribingOptions } from './subscribing.js';

export interface RouterOptions extends PublishingOptions, PublishRatesOptions, SubscribingOptions, RequestsOptions {
  readonly hookTimeoutMs: number;
}

export interface RouterEvents {
  /** A hook failed. */
  onFault(fault: unknown): void;
  /** A topic without a load meter was published to. */
  onActive(entry: TopicEntry): void;
}

/** Does what a frame asks for. A promise: a hook has to be waited for. */
type Handler = (session: Session, frame: ClientFrame) => Promise<void> | undefined;

/** Writer and reader: the accept thread. */
export class Router {
  readonly batch: Batch;
  readonly hookCalls: HookCalls;
  readonly patterns: Patterns;
  readonly subscribing: Subscribing;
  readonly publishing: Publishing;
  readonly requests: Requests;
  readonly #delivery: Delivery;
  readonly #hooks: Hooks;
  /** By operation. */
  readonly #handlers: Readonly<Record<number, Handler>>;

  constructor(
    options: RouterOptions,
    topics: TopicDirectory,
    delivery: Delivery,
    hooks: Hooks,
    clock: Pick<Loop, 'nowMs' | 'epochMs' | 'after' | 'soon'>,
    events: RouterEvents,
  ) {
    this.#delivery = delivery;
    this.#hooks = hooks;
    this.batch = new Batch(clock);
    this.hookCalls = new HookCalls(options.hookTimeoutMs, events.onFault);
    const authorisation = new Authorisation(hooks, this.hookCalls, this.batch);
    const { onActive } = events;
    const { batch, hookCalls } = this;
    const { maxSubscriptionsPerConnection } = options;
    this.patterns = new Patterns(topics, delivery, clock, events.onFault);
    const { patterns } = this;
    const withPatterns = new PatternSubscribing(
      patterns,
      maxSubscriptionsPerConnection,
      authorisation,
      hooks,
      hookCalls,
    );
    this.subscribing = new Subscribing(
      options,
      topics,
      delivery,
      authorisation,
      batch,
      hooks,
      hookCalls,
      patterns,
      withPatterns,
    );
    const rates = new PublishRates(options);
    this.publishing = new Publishing(options, topics, delivery, authorisation, batch, rates, patterns, clock, onActive);
    this.requests = new Requests(options, authorisation, batch, clock, events.onFault);
    this.#handlers = {
      [OP.CONNECT]: connect,
      [OP.SUBSCRIBE]: (session, frame) => this.subscribing.subscribe(session, frame),
      [OP.UNSUBSCRIBE]: (session, frame) => this.subscribing.unsubscribe(session, frame),
      [OP.ACK]: (session, frame) => this.subscribing.ack(session, frame),
      [OP.UPDATE]: (session, frame) => this.subscribing.update(session, frame),
      [OP.PUBLISH]: (session, frame) => this.publishing.publish(session, frame),
      [OP.PUBLISH_BATCH]: (session, frame) => this.publishing.publishBatch(session, frame),
      [OP.PING]: (session, frame) => this.#ping(session, frame),
      [OP.REQUEST]: (session, frame) => this.requests.request(session, frame),
      [OP.HISTORY]: (session, frame) => this.subscribing.history(session, frame),
    };
  }

  /** Hot path: per frame. Returns a promise when a hook has to be waited for. `frame` is valid during the call only. */
  handle(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const handler = this.#handlers[frame.op];
    if (handler === undefined) throw new Error(`operation ${frame.op} passed the reader but has no handler`);
    return handler(session, frame);
  }

  /** Frees what the session held. */
  end(session: Session, code: number, reason: string): void {
    this.#delivery.removeConsumer(session.consumer);
    this.patterns.forget(session.consumer);
    this.requests.end(session);
    session.grants?.release();
    session.grants = null;
    session.lastPublished = null;
    this.hookCalls.tell('onClose', () => this.#hooks.onClose?.({ ...session.info, code, reason }));
  }

  #ping(session: Session, frame: ClientFrame): undefined {
    session.reply(session.consumer.encoder.pong(frame.id, this.batch.timeMs));
  }
}

function connect(session: Session, frame: ClientFrame): undefined {
  const options = frame.options as ConnectOptions | null;
  session.clientId = options?.clientId ?? session.clientId;
  session.token = options?.token ?? session.token;
  if (frame.id === null) return;
  const { connectionId, clientId, consumer } = session;
  session.reply(consumer.encoder.connected(frame.id, { connectionId, clientId }));
}
