/** Publishing: the way of a message from its PUBLISH frame, or from the process itself, to its topic's home, and of its ack. */

import type { Delivery } from '../delivery/delivery.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import { NO_ROW, type TopicEntry } from '../directory/topic-entry.js';
import { RingcastError } from '../errors.js';
import { blankMessage, type LinkEvents, type OutgoingMessage, PUBLISH_ACCEPTED, PUBLISH_FULL } from '../home/link.js';
import { eventTail, tailElements } from '../protocol/event.js';
import type { ClientFrame, PublishOptions } from '../protocol/messages.js';
import type { Loop } from '../time/loop.js';
import { ANY_SEQ } from '../topic/message.js';
import { TAKEN } from '../topic/selection.js';
import type { Authorisation } from './authorisation.js';
import type { Batch } from './batch.js';
import { type AckCallback, PendingAcks } from './pending-acks.js';
import { PublishGrants } from './publish-grants.js';
import type { PublishRates } from './publish-rates.js';
import { answerTo, overloaded, rateLimited, tooLarge, tooManyHeld } from './refusals.js';
import type { Session } from './session.js';

/** What `publishLocally` says; anything else is in how many milliseconds it may be tried again. */
export const TAKEN_LOCALLY = 0;
const HOME_FULL = -1;

export interface PublishingOptions {
  readonly maxSubscriptionsPerConnection: number;
  /** Of a message's payload as MessagePack: the JSON that brought it may have been shorter. */
  readonly maxPayloadBytes: number;
}

/** Writer and reader: the accept thread. */
export class Publishing implements Omit<LinkEvents, 'onHead'> {
  readonly pendingAcks = new PendingAcks();
  acceptedMessages = 0;
  overloadedMessages = 0;
  rateLimitedMessages = 0;

  readonly #options: PublishingOptions;
  readonly #topics: TopicDirectory;
  readonly #delivery: Delivery;
  readonly #authorisation: Authorisation;
  readonly #batch: Batch;
  readonly #rates: PublishRates;
  readonly #clock: Pick<Loop, 'epochMs'>;
  readonly #onActive: (entry: TopicEntry) => void;
  /** Filled for each message and handed to its home, which copies what it keeps. */
  readonly #outgoing = blankMessage();

  /** @param onActive a topic without a load meter was published to */
  constructor(
    options: PublishingOptions,
    topics: TopicDirectory,
    delivery: Delivery,
    authorisation: Authorisation,
    batch: Batch,
    rates: PublishRates,
    clock: Pick<Loop, 'epochMs'>,
    onActive: (entry: TopicEntry) => void,
  ) {
    this.#options = options;
    this.#topics = topics;
    this.#delivery = delivery;
    this.#authorisation = authorisation;
    this.#batch = batch;
    this.#rates = rates;
    this.#clock = clock;
    this.#onActive = onActive;
  }

  // ---- frames ------------------------------------------------------------------------------------------------------

  /** Hot path: PUBLISH. */
  publish(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const last = session.lastPublished;
    if (last !== null && last.spec.alias === frame.alias && !last.isClosed && frame.options === null) {
      this.#publishFrame(session, last, frame, null);
      return undefined;
    }
    return this.#publishFirst(session, frame);
  }

  /** A PUBLISH to another topic than the one before, or with options. */
  #publishFirst(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const options = frame.options as PublishOptions | null;
    const { grants } = session;
    const known = frame.alias < 0 ? this.#topics.find(frame.topic as string) : grants?.find(frame.alias);
    if (known !== undefined && !known.isClosed && grants?.has(known) === true) {
      this.#publishGranted(session, grants, known, frame, options);
      return undefined;
    }
    const address = frame.alias < 0 ? (frame.topic as string) : this.#topicOfSubscription(session, frame.alias);
    if (address === null) {
      const message = `no alias ${frame.alias} was given to this connection`;
      session.refuse(frame.id, new RingcastError('TOPIC_NOT_FOUND', message));
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
    if (this.#topics.isServerTopic(topic)) {
      session.refuse(id, new RingcastError('FORBIDDEN', `only the server publishes to ${topic}`));
      return undefined;
    }
    let kept: ClientFrame = frame;
    const pending = this.#authorisation.check(session, 'publish', topic, id, () => {
      const entry = this.#topics.obtain(topic);
      if (entry instanceof RingcastError) {
        session.refuse(id, entry);
        return;
      }
      session.grants ??= new PublishGrants(this.#topics, this.#options.maxSubscriptionsPerConnection);
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
        session.refuse(frame.id, tooManyHeld(this.#options.maxSubscriptionsPerConnection));
        this.#topics.publishedUnheld(entry);
        return;
      }
      session.lastPublished = entry;
    }
    this.#finishPublish(session, entry, frame, options);
    if (!grants.isHeld(entry)) this.#topics.publishedUnheld(entry);
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
      session.refuse(id, tooLarge(frame.payloadEnd - frame.payloadStart, this.#options.maxPayloadBytes));
      return;
    }
    const outgoing = this.#outgoing;
    outgoing.bytes = frame.payload;
    outgoing.start = frame.payloadStart;
    outgoing.end = frame.payloadEnd;
    describe(outgoing, options);
    this.#limitLife(entry, outgoing, options);
    outgoing.timeMs = this.#batch.timeMs;
    outgoing.monotonicMs = this.#batch.monotonicMs;
    outgoing.origin = 0;
    if (options?.noEcho === true) {
      outgoing.origin = session.consumer.number;
      this.#delivery.servesNoEcho(session.consumer);
    }
    // A message that may be refused is acknowledged to be told of that, if not its publisher.
    const isAcked = id !== null || entry.isSelective || outgoing.ifSeq !== ANY_SEQ;
    const onAck = isAcked ? this.#acknowledger(session, entry, id, this.#batch.timeMs) : null;
    const isRefused = session.overloadedTopics?.has(entry) === true;
    const waitMs = isRefused ? 0 : this.#rates.admit(session, entry, this.#batch.monotonicMs);
    if (!isRefused && waitMs === 0 && this.#send(entry, outgoing, onAck)) return;
    this.#refuse(session, id, entry, waitMs);
  }

  /** @param waitMs until its publisher may publish again; 0: its topic's home is full */
  #refuse(session: Session, id: ClientFrame['id'], entry: TopicEntry, waitMs: number): void {
    if (waitMs > 0) this.rateLimitedMessages++;
    else {
      session.overloadedTopics ??= new Set();
      session.overloadedTopics.add(entry);
      this.overloadedMessages++;
    }
    if (id === null && session.untold !== null) {
      session.untold.count++;
      return;
    }
    const refusal = waitMs > 0 ? rateLimited(entry, waitMs) : overloaded(entry);
    if (id === null) session.untold = { count: 1, first: refusal };
    else session.refuse(id, refusal);
  }

  #acknowledger(session: Session, entry: TopicEntry, id: ClientFrame['id'], timeMs: number): AckCallback {
    const { topic, epoch } = entry.spec;
    const { encoder } = session.consumer;
    return (outcome) => {
      if (outcome instanceof RingcastError) session.refuse(id, outcome);
      else if (id !== null) session.reply(encoder.published(id, topic, outcome, epoch, timeMs, pressureOf(entry)));
    };
  }

  /** The name behind an alias that the connection was given by a SUBSCRIBE, or null. */
  #topicOfSubscription(session: Session, alias: number): string | null {
    const entry = this.#topics.findAlias(alias);
    const isIts = entry !== undefined && this.#topics.subscriptionOf(session.consumer, entry) !== undefined;
    return isIts ? entry.spec.topic : null;
  }

  // ---- the process itself ------------------------------------------------------------------------------------------

  /**
   * Hot path: per message that this process publishes, to a topic that is not closed. The payload is MessagePack.
   * @returns TAKEN_LOCALLY; or why it is not, for `refusalOf`
   */
  publishLocally(
    entry: TopicEntry,
    payload: Uint8Array,
    options: PublishOptions | undefined,
    nowMs: number,
    onAck: AckCallback | null,
  ): number {
    const waitMs = this.#rates.admit(null, entry, nowMs);
    if (waitMs > 0) {
      this.rateLimitedMessages++;
      return waitMs;
    }
    const outgoing = this.#ownMessage(payload, options, nowMs);
    this.#limitLife(entry, outgoing, options);
    const isAccepted = this.#send(entry, outgoing, onAck);
    this.#topics.publishedUnheld(entry);
    if (isAccepted) return TAKEN_LOCALLY;
    this.overloadedMessages++;
    return HOME_FULL;
  }

  /** Why `publishLocally` has not taken a message. */
  refusalOf(entry: TopicEntry, result: number): RingcastError {
    return result === HOME_FULL ? overloaded(entry) : rateLimited(entry, result);
  }

  /** The same to a server topic: it counts as nobody's message or load. Its link gives numbers at once. */
  publishOwn(entry: TopicEntry, payload: Uint8Array, nowMs: number): boolean {
    const outgoing = this.#ownMessage(payload, undefined, nowMs);
    outgoing.ttlMs = 0;
    outgoing.request = 0;
    outgoing.mayWaitMs = 0;
    if (this.#hand(entry, outgoing) === PUBLISH_FULL) return false;
    this.#topics.headMoved(entry);
    return true;
  }

  #ownMessage(payload: Uint8Array, options: PublishOptions | undefined, nowMs: number): OutgoingMessage {
    const outgoing = this.#outgoing;
    outgoing.bytes = payload;
    outgoing.start = 0;
    outgoing.end = payload.length;
    describe(outgoing, options);
    outgoing.timeMs = this.#clock.epochMs(nowMs);
    outgoing.monotonicMs = nowMs;
    outgoing.origin = 0;
    return outgoing;
  }

  /** Hot path. How long the message counts, by itself or by its topic's rule. */
  #limitLife(entry: TopicEntry, outgoing: OutgoingMessage, options: PublishOptions | null | undefined): void {
    outgoing.ttlMs = options?.ttlMs ?? entry.settings.ttlMs ?? 0;
    if (outgoing.ttlMs > 0) this.#topics.letExpire(entry);
  }

  /** Hot path: per message. Hands the message to its topic's home. False: the home's ring is full. */
  #send(entry: TopicEntry, outgoing: OutgoingMessage, onAck: AckCallback | null): boolean {
    const isAckLater = onAck !== null && entry.link.acksLater;
    outgoing.request = isAckLater ? this.pendingAcks.add(onAck) : 0;
    outgoing.mayWaitMs = isAckLater ? 0 : entry.mayWaitMs;
    const seq = this.#hand(entry, outgoing);
    if (seq === PUBLISH_FULL) {
      if (isAckLater) this.pendingAcks.cancel(outgoing.request);
      return false;
    }
    this.acceptedMessages++;
    if (entry.loadRow === NO_ROW) this.#onActive(entry);
    if (seq === PUBLISH_ACCEPTED) return true;
    if (seq > 0) this.#topics.headMoved(entry);
    onAck?.(seq > 0 ? { seq } : answerTo(seq, outgoing.refusedForSeq));
    return true;
  }

  /** Returns what the link says. */
  #hand(entry: TopicEntry, outgoing: OutgoingMessage): number {
    const seq = entry.link.publish(entry.spec.alias, outgoing);
    if (seq === PUBLISH_FULL) return seq;
    entry.acceptedMessages++;
    entry.acceptedBytes += outgoing.end - outgoing.start;
    return seq;
  }

  // ---- acks --------------------------------------------------------------------------------------------------------

  onAck(request: number, seq: number, outcome: number): void {
    this.pendingAcks.settle(request, outcome === TAKEN ? { seq } : answerTo(outcome, seq));
  }

  onPutAside(request: number): void {
    const message = 'the message was put aside: its lane died of it, and so did the next ones';
    this.pendingAcks.settle(request, new RingcastError('INTERNAL', message, { retry: false }));
  }

  /** A message that was accepted has not got through. */
  onRefused(request: number, error: RingcastError): void {
    this.pendingAcks.settle(request, error);
  }
}

/** How full the way to the topic's home is, a whole number from 0 to 100. */
export function pressureOf(entry: TopicEntry): number {
  return Math.min(100, Math.round(entry.link.pressureOf(entry.spec.alias)));
}

/** The payload of a message that deletes. */
const NIL = Uint8Array.of(0xc0);

/** What the message is beside its payload. */
function describe(outgoing: OutgoingMessage, options: PublishOptions | null | undefined): void {
  outgoing.tail = null;
  outgoing.tailElements = 0;
  outgoing.ifSeq = ANY_SEQ;
  if (options == null) return;
  const { id, key, version } = options;
  const tail = eventTail({ id, key, version, change: options.delete === true ? 'delete' : null });
  outgoing.tail = tail.length === 0 ? null : tail;
  outgoing.tailElements = tailElements(tail);
  outgoing.ifSeq = options.ifSeq ?? ANY_SEQ;
  if (options.delete !== true) return;
  outgoing.bytes = NIL;
  outgoing.start = 0;
  outgoing.end = NIL.length;
}

function copyOf(frame: ClientFrame): ClientFrame {
  const { op, id, topic, alias, method, options, problem, payloadStart, payloadEnd } = frame;
  const payload = frame.payload.slice(payloadStart, payloadEnd);
  return { op, id, topic, alias, method, options, problem, payload, payloadStart: 0, payloadEnd: payload.length };
}
