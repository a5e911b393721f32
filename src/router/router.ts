/**
 * Router: what each protocol frame does. Subscribe, publish, history; authorisation; answers.
 *
 * Frames of one connection take effect in their order: when a hook answers by a promise, `handle` returns it and the
 * caller holds back the connection's later frames until it settles.
 */

import type { Delivery } from '../delivery/delivery.js';
import type { Scheduler } from '../delivery/scheduler.js';
import { DELAY_OF_STREAM, NONE } from '../delivery/subscription-table.js';
import { RingcastError } from '../errors.js';
import { type LinkEvents, type OutgoingMessage, PUBLISH_ACCEPTED, PUBLISH_FULL } from '../lane/link.js';
import { eventTail } from '../protocol/event.js';
import {
  type ClientFrame,
  type ConnectOptions,
  type HistoryOptions,
  OP,
  type PublishOptions,
  type SubscribeOptions,
} from '../protocol/messages.js';
import { readHistory } from '../topic/history.js';
import { HookCalls, permission } from './hook-calls.js';
import type { AuthorizeRequest, ConnectionInfo, Hooks } from './hooks.js';
import { type AckCallback, PendingAcks } from './pending-acks.js';
import { PublishGrants } from './publish-grants.js';
import { overloaded, tooLarge, tooManyHeld, tooManySubscriptions } from './refusals.js';
import type { Session } from './session.js';
import { NO_ROW, type TopicEntry } from './topic-entry.js';
import { policyNumber, type TopicRegistry } from './topic-registry.js';

export interface RouterOptions {
  readonly maxSubscriptionsPerConnection: number;
  /** Of a message's payload as MessagePack: the JSON that brought it may have been shorter. */
  readonly maxPayloadBytes: number;
  readonly hookTimeoutMs: number;
}

/** Writer and reader: the accept thread. */
export class Router implements LinkEvents {
  readonly topics: TopicRegistry;
  readonly pendingAcks = new PendingAcks();
  readonly hookCalls: HookCalls;
  /** A hook failed. */
  onFault: (fault: unknown) => void = () => {};
  /** A topic without a load meter was published to. */
  onActive: (entry: TopicEntry) => void = () => {};
  publishedMessages = 0;
  overloadedMessages = 0;

  readonly #options: RouterOptions;
  readonly #delivery: Delivery;
  readonly #hooks: Hooks;
  readonly #clock: Pick<Scheduler, 'nowMs' | 'epochMs'>;
  /** Filled for each message and handed to its home, which copies what it keeps. */
  readonly #outgoing: OutgoingMessage = {
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    tail: null,
    timeMs: 0,
    monotonicMs: 0,
    origin: 0,
    mayWaitMs: 0,
    request: 0,
  };
  /** One clock read per WebSocket message: its frames were accepted together. */
  #batchMs = 0;
  #batchMonotonicMs = 0;

  constructor(
    options: RouterOptions,
    topics: TopicRegistry,
    delivery: Delivery,
    hooks: Hooks,
    clock: Pick<Scheduler, 'nowMs' | 'epochMs'>,
  ) {
    this.#options = options;
    this.hookCalls = new HookCalls(options.hookTimeoutMs, (fault) => this.onFault(fault));
    this.topics = topics;
    this.#delivery = delivery;
    this.#hooks = hooks;
    this.#clock = clock;
  }

  // ---- frames ------------------------------------------------------------------------------------------------------

  /** The frames handled from here on were received together. */
  beginBatch(): void {
    this.#batchMonotonicMs = this.#clock.nowMs();
    this.#batchMs = this.#clock.epochMs(this.#batchMonotonicMs);
  }

  /** Tells a publisher what a full home refused, once per batch and not once per message. */
  endBatch(session: Session): void {
    session.overloadedTopics = null;
    if (session.overload === null) return;
    const { count, topic } = session.overload;
    session.overload = null;
    const message = `${count} messages were not accepted, their topic’s home is full; the first was to ${topic}`;
    session.reply(session.consumer.encoder.error(null, 'OVERLOADED', message, { topic, count }));
  }

  /** Hot path: per frame. Returns a promise when a hook has to be waited for. `frame` is valid during the call only. */
  handle(session: Session, frame: ClientFrame): Promise<void> | undefined {
    switch (frame.op) {
      case OP.PUBLISH:
        return this.#handlePublish(session, frame);
      case OP.SUBSCRIBE:
        return this.#handleSubscribe(session, frame);
      case OP.UNSUBSCRIBE:
        return this.#handleUnsubscribe(session, frame);
      case OP.HISTORY:
        return this.#handleHistory(session, frame);
      case OP.PING:
        session.reply(session.consumer.encoder.pong(frame.id, this.#batchMs));
        return undefined;
      case OP.CONNECT:
        return this.#handleConnect(session, frame);
      default:
        throw new Error(`operation ${frame.op} passed the reader but has no handler`);
    }
  }

  /** Frees what the session held. */
  end(session: Session, code: number, reason: string): void {
    this.#delivery.removeConsumer(session.consumer);
    session.grants?.release();
    session.grants = null;
    session.lastPublished = null;
    this.hookCalls.tell('onClose', () => this.#hooks.onClose?.({ ...infoOf(session), code, reason }));
  }

  #handleConnect(session: Session, frame: ClientFrame): undefined {
    const options = frame.options as ConnectOptions | null;
    session.clientId = options?.clientId ?? session.clientId;
    session.token = options?.token ?? session.token;
    if (frame.id !== null) {
      const { connectionId, clientId, consumer } = session;
      session.reply(consumer.encoder.connected(frame.id, { connectionId, clientId }));
    }
  }

  // ---- subscribe ---------------------------------------------------------------------------------------------------

  #handleSubscribe(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const { id } = frame;
    const topic = frame.topic as string;
    const options = frame.options as SubscribeOptions | null;
    session.clientId = options?.clientId ?? session.clientId;
    return this.#authorized(session, 'subscribe', topic, id, () => this.subscribe(session, topic, options, id));
  }

  /** A subscription that the connection's URL asks for; it is answered like a SUBSCRIBE, with a nil id. */
  subscribeByUrl(session: Session, topic: string, options: SubscribeOptions | null): Promise<void> | undefined {
    session.clientId = options?.clientId ?? session.clientId;
    return this.#authorized(session, 'subscribe', topic, null, () =>
      this.subscribe(session, topic, options, null, true),
    );
  }

  /** Subscribes and answers. The topic's name has been checked, the connection authorised. */
  subscribe(
    session: Session,
    topic: string,
    options: SubscribeOptions | null,
    id: ClientFrame['id'],
    isAnswered = id !== null,
  ): void {
    const { consumer } = session;
    this.#delivery.settleEnded(consumer);
    const known = this.topics.find(topic);
    const existing = consumer.encoder.isText ? known?.jsonStream : known?.stream;
    const current = existing == null ? NONE : this.#delivery.cursorOf(consumer, existing);
    const isSubscribed = current !== NONE;
    const { maxSubscriptionsPerConnection } = this.#options;
    // Before the topic is made: a refused subscription must not leave one behind.
    if (!isSubscribed && consumer.subscriptionCount >= maxSubscriptionsPerConnection) {
      this.#refuse(session, id, tooManySubscriptions(maxSubscriptionsPerConnection));
      return;
    }
    const entry = known ?? this.topics.obtain(topic);
    if (entry instanceof RingcastError) {
      this.#refuse(session, id, entry);
      return;
    }
    const { alias, epoch } = entry.spec;
    const cursor = isSubscribed ? current : entry.firstSeqFor(options?.lastN ?? 0);
    // The answer first: no event may overtake it.
    if (isAnswered) session.reply(consumer.encoder.subscribed(id, { topic, alias, epoch, seq: cursor - 1 }));
    if (isSubscribed) return;
    this.#delivery.subscribe(consumer, this.topics.streamOf(entry, consumer.encoder.isText), {
      cursor,
      policy: policyNumber(options?.policy ?? entry.settings.slowConsumerPolicy),
      delayMs: options?.maxDelayMs ?? DELAY_OF_STREAM,
      askedUntil: entry.log.headSeq,
    });
    this.hookCalls.tell('onSubscribe', () =>
      this.#hooks.onSubscribe?.({ ...infoOf(session), topic, epoch, seq: cursor - 1 }),
    );
  }

  #handleUnsubscribe(session: Session, frame: ClientFrame): undefined {
    const { consumer } = session;
    const entry = this.#addressed(frame);
    const stream = consumer.encoder.isText ? entry?.jsonStream : entry?.stream;
    if (entry === undefined || !stream || !this.#delivery.unsubscribe(consumer, stream)) {
      this.#refuse(session, frame.id, new RingcastError('TOPIC_NOT_FOUND', `no subscription to ${addressText(frame)}`));
      return;
    }
    const { alias, topic } = entry.spec;
    if (frame.id !== null) session.reply(consumer.encoder.unsubscribed(frame.id, { alias, topic }));
  }

  #handleHistory(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const { id } = frame;
    const topic = frame.topic as string;
    const lastN = (frame.options as HistoryOptions | null)?.lastN ?? Number.POSITIVE_INFINITY;
    return this.#authorized(session, 'subscribe', topic, id, () => {
      const entry = this.topics.find(topic);
      if (entry === undefined) {
        this.#refuse(session, id, new RingcastError('TOPIC_NOT_FOUND', `no topic ${JSON.stringify(topic)}`));
        return;
      }
      if (id === null) return;
      const { frames, seq, isTruncated } = readHistory(entry.log, entry.spec, lastN);
      const { epoch } = entry.spec;
      session.reply(session.consumer.encoder.history(id, { topic, epoch, seq, isTruncated }, frames));
    });
  }

  // ---- publish -----------------------------------------------------------------------------------------------------

  /** Hot path: per PUBLISH frame. */
  #handlePublish(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const last = session.lastPublished;
    if (last !== null && last.spec.alias === frame.alias && !last.isClosed && frame.options === null) {
      this.#publishFrame(session, last, frame, null);
      return undefined;
    }
    return this.#handleFirstPublish(session, frame);
  }

  /** A PUBLISH to another topic than the one before, or with options. */
  #handleFirstPublish(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const options = frame.options as PublishOptions | null;
    const { grants } = session;
    const known = frame.alias < 0 ? this.topics.find(frame.topic as string) : grants?.find(frame.alias);
    if (known !== undefined && !known.isClosed && grants?.has(known) === true) {
      this.#publishGranted(session, grants, known, frame, options);
      return undefined;
    }
    const address = frame.alias < 0 ? (frame.topic as string) : this.#topicOfSubscription(session, frame.alias);
    if (address === null) {
      const message = `no alias ${frame.alias} was given to this connection`;
      this.#refuse(session, frame.id, new RingcastError('TOPIC_NOT_FOUND', message));
      return undefined;
    }
    return this.#authorizePublish(session, address, frame, options);
  }

  #authorizePublish(
    session: Session,
    topic: string,
    frame: ClientFrame,
    options: PublishOptions | null,
  ): Promise<void> | undefined {
    // While a hook is waited for, the reader moves on and the socket takes its buffer back: keep a copy of the frame.
    const { id } = frame;
    if (this.topics.isServerTopic(topic)) {
      this.#refuse(session, id, new RingcastError('FORBIDDEN', `only the server publishes to ${topic}`));
      return undefined;
    }
    let kept: ClientFrame = frame;
    const pending = this.#authorized(session, 'publish', topic, id, () => {
      const entry = this.topics.obtain(topic);
      if (entry instanceof RingcastError) {
        this.#refuse(session, id, entry);
        return;
      }
      session.grants ??= new PublishGrants(this.topics, this.#options.maxSubscriptionsPerConnection);
      session.grants.remember(entry);
      this.#publishGranted(session, session.grants, entry, kept, options);
    });
    if (pending !== undefined) kept = copyOf(frame);
    return pending;
  }

  /** By alias, or to be given one: the topic is held from here on. By name: it is not. */
  #publishGranted(
    session: Session,
    grants: PublishGrants,
    entry: TopicEntry,
    frame: ClientFrame,
    options: PublishOptions | null,
  ): void {
    if (frame.alias >= 0 || options?.open === true) {
      if (!grants.hold(entry)) {
        this.#refuse(session, frame.id, tooManyHeld(this.#options.maxSubscriptionsPerConnection));
        this.topics.publishedUnheld(entry);
        return;
      }
      session.lastPublished = entry;
    }
    this.#finishPublish(session, entry, frame, options);
    if (!grants.isHeld(entry)) this.topics.publishedUnheld(entry);
  }

  #finishPublish(session: Session, entry: TopicEntry, frame: ClientFrame, options: PublishOptions | null): void {
    if (options?.open !== true) {
      this.#publishFrame(session, entry, frame, options);
      return;
    }
    if (frame.id === null) return;
    entry.log.refresh();
    const { alias, topic, epoch } = entry.spec;
    session.reply(session.consumer.encoder.subscribed(frame.id, { topic, alias, epoch, seq: entry.log.headSeq }));
  }

  /** Hot path: per PUBLISH frame. */
  #publishFrame(session: Session, entry: TopicEntry, frame: ClientFrame, options: PublishOptions | null): void {
    const { id } = frame;
    if (frame.payloadEnd - frame.payloadStart > this.#options.maxPayloadBytes) {
      this.#refuse(session, id, tooLarge(frame.payloadEnd - frame.payloadStart, this.#options.maxPayloadBytes));
      return;
    }
    const outgoing = this.#outgoing;
    outgoing.bytes = frame.payload;
    outgoing.start = frame.payloadStart;
    outgoing.end = frame.payloadEnd;
    outgoing.tail = options?.id === undefined ? null : eventTail(options.id);
    outgoing.timeMs = this.#batchMs;
    outgoing.monotonicMs = this.#batchMonotonicMs;
    outgoing.origin = 0;
    if (options?.noEcho === true) {
      outgoing.origin = session.consumer.number;
      session.consumer.publishesNoEcho = true;
    }
    const onAck = id === null ? null : this.#acknowledger(session, entry, id, this.#batchMs);
    const isRefused = session.overloadedTopics?.has(entry) === true;
    if (!isRefused && this.#send(entry, outgoing, onAck)) return;
    session.overloadedTopics ??= new Set();
    session.overloadedTopics.add(entry);
    this.overloadedMessages++;
    if (id !== null) {
      this.#refuse(session, id, overloaded(entry));
    } else {
      session.overload ??= { count: 0, topic: entry.spec.topic };
      session.overload.count++;
    }
  }

  #acknowledger(session: Session, entry: TopicEntry, id: NonNullable<ClientFrame['id']>, timeMs: number): AckCallback {
    const { topic, epoch } = entry.spec;
    const { encoder } = session.consumer;
    return (outcome) => {
      if (outcome instanceof RingcastError) this.#refuse(session, id, outcome);
      else session.reply(encoder.published(id, topic, outcome, epoch, timeMs, pressureOf(entry)));
    };
  }

  /**
   * Hot path: per message that this process publishes, to a topic that is not closed. The payload is MessagePack.
   * False: its home is full, see `overloaded`.
   */
  publishLocal(
    entry: TopicEntry,
    payload: Uint8Array,
    id: string | undefined,
    nowMs: number,
    onAck: AckCallback | null,
  ): boolean {
    const outgoing = this.#outgoing;
    outgoing.bytes = payload;
    outgoing.start = 0;
    outgoing.end = payload.length;
    outgoing.tail = id === undefined ? null : eventTail(id);
    outgoing.timeMs = this.#clock.epochMs(nowMs);
    outgoing.monotonicMs = nowMs;
    outgoing.origin = 0;
    const isAccepted = this.#send(entry, outgoing, onAck);
    this.topics.publishedUnheld(entry);
    if (!isAccepted) this.overloadedMessages++;
    return isAccepted;
  }

  /** Hot path: per message. Hands the message to its topic's home. False: the home's ring is full. */
  #send(entry: TopicEntry, outgoing: OutgoingMessage, onAck: AckCallback | null): boolean {
    const isAckLater = onAck !== null && entry.link.acksLater;
    outgoing.request = isAckLater ? this.pendingAcks.add(onAck) : 0;
    outgoing.mayWaitMs = isAckLater ? 0 : entry.mayWaitMs;
    const seq = entry.link.publish(entry.spec.alias, outgoing);
    if (seq === PUBLISH_FULL) {
      if (isAckLater) this.pendingAcks.cancel(outgoing.request);
      return false;
    }
    entry.acceptedMessages++;
    entry.acceptedBytes += outgoing.end - outgoing.start;
    this.publishedMessages++;
    if (entry.loadRow === NO_ROW) this.onActive(entry);
    if (seq === PUBLISH_ACCEPTED) return true;
    this.topics.headMoved(entry);
    onAck?.(seq);
    return true;
  }

  // ---- reports of the links ----------------------------------------------------------------------------------------

  /** Hot path: per batch of a lane. */
  onHead(alias: number): void {
    const entry = this.topics.findAlias(alias);
    // Unknown: the topic was closed after the lane had reported.
    if (entry !== undefined) this.topics.headMoved(entry);
  }

  onAck(request: number, seq: number): void {
    this.pendingAcks.settle(request, seq);
  }

  onPutAside(request: number): void {
    const message = 'the message was put aside: its lane died of it, and so did the next ones';
    this.pendingAcks.settle(request, new RingcastError('INTERNAL', message, { retry: false }));
  }

  /** A message that was accepted has not got through. */
  onRefused(request: number, error: RingcastError): void {
    this.pendingAcks.settle(request, error);
  }

  // ---- helpers -----------------------------------------------------------------------------------------------------

  /** Runs `action` if the hook lets the connection; answers FORBIDDEN otherwise. A promise when the hook gave one. */
  #authorized(
    session: Session,
    action: AuthorizeRequest['action'],
    topic: string,
    id: ClientFrame['id'],
    act: () => void,
  ): Promise<void> | undefined {
    const { authorize } = this.#hooks;
    if (authorize === undefined) {
      act();
      return undefined;
    }
    const settle = (isAllowed: boolean | null): void => {
      if (session.consumer.isClosed) return;
      if (isAllowed === true) act();
      else if (isAllowed === null) this.#refuse(session, id, new RingcastError('INTERNAL', 'the authorisation failed'));
      else this.#refuse(session, id, new RingcastError('FORBIDDEN', `not allowed to ${action}: ${topic}`));
    };
    const ask = (): unknown => authorize.call(this.#hooks, { ...infoOf(session), action, topic });
    const verdict = this.hookCalls.ask('authorize', ask, permission, false);
    if (!(verdict instanceof Promise)) {
      settle(verdict);
      return undefined;
    }
    return verdict.then((isAllowed) => {
      // A batch of its own: the time of the one that brought the frame lies before messages accepted meanwhile.
      this.beginBatch();
      settle(isAllowed);
      if (!session.consumer.isClosed) this.endBatch(session);
    });
  }

  #addressed(frame: ClientFrame): TopicEntry | undefined {
    return frame.topic === null ? this.topics.findAlias(frame.alias) : this.topics.find(frame.topic);
  }

  /** The name behind an alias that the connection was given by a SUBSCRIBE, or null. */
  #topicOfSubscription(session: Session, alias: number): string | null {
    const entry = this.topics.findAlias(alias);
    const stream = session.consumer.encoder.isText ? entry?.jsonStream : entry?.stream;
    if (!entry || !stream || !this.#delivery.isSubscribed(session.consumer, stream)) return null;
    return entry.spec.topic;
  }

  #refuse(session: Session, id: ClientFrame['id'], error: RingcastError): void {
    session.reply(session.consumer.encoder.error(id, error.code, error.message, error.details));
  }
}

/** How full the way to the topic's home is, a whole number from 0 to 100. */
export function pressureOf(entry: TopicEntry): number {
  return Math.min(100, Math.round(entry.link.pressureOf(entry.spec.alias)));
}

function infoOf({ connectionId, clientId, token, context }: Session): ConnectionInfo {
  return { connectionId, clientId, token, context };
}

function addressText(frame: ClientFrame): string {
  return frame.topic === null ? `alias ${frame.alias}` : JSON.stringify(frame.topic);
}

function copyOf(frame: ClientFrame): ClientFrame {
  const { op, id, topic, alias, options, problem, payloadStart, payloadEnd } = frame;
  const payload = frame.payload.slice(payloadStart, payloadEnd);
  return { op, id, topic, alias, options, problem, payload, payloadStart: 0, payloadEnd: payload.length };
}
