/** Publishing: the way of a message from its PUBLISH frame, or from the process itself, to its topic's home, and of its ack. */

import type { Delivery } from '../delivery/delivery.js';
import type { TopicDirectory } from '../directory/topic-directory.js';
import { NO_ROW, type TopicEntry } from '../directory/topic-entry.js';
import { RingcastError } from '../errors.js';
import { blankMessage, type LinkEvents, type OutgoingMessage, PUBLISH_ACCEPTED, PUBLISH_FULL } from '../home/link.js';
import { eventTail, tailElements } from '../protocol/event.js';
import type { BatchMessage, ClientFrame, MessageOptions, PublishOptions } from '../protocol/messages.js';
import type { Loop } from '../time/loop.js';
import { ANY_SEQ } from '../topic/message.js';
import { TAKEN } from '../topic/selection.js';
import type { Authorisation } from './authorisation.js';
import type { Batch } from './batch.js';
import { BatchAck } from './batch-ack.js';
import type { Patterns } from './patterns.js';
import { type AckCallback, PendingAcks } from './pending-acks.js';
import { PublishGrants } from './publish-grants.js';
import type { PublishRates } from './publish-rates.js';
import { answerTo, overloaded, rateLimited, tooLarge, tooManyHeld } from './refusals.js';
import type { Session } from './session.js';

/** What becomes of a message that is offered; anything else is in how many milliseconds it may be offered again. */
export const HANDED_OVER = 0;
const HOME_FULL = -1;
const TOO_LARGE = -2;

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
  readonly #patterns: Patterns;
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
    patterns: Patterns,
    clock: Pick<Loop, 'epochMs'>,
    onActive: (entry: TopicEntry) => void,
  ) {
    this.#options = options;
    this.#topics = topics;
    this.#delivery = delivery;
    this.#authorisation = authorisation;
    this.#batch = batch;
    this.#rates = rates;
    this.#patterns = patterns;
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

  /** PUBLISH_BATCH. */
  publishBatch(session: Session, frame: ClientFrame): Promise<void> | undefined {
    return this.#publishFirst(session, frame);
  }

  /** A PUBLISH to another topic than the one before, or with options; a PUBLISH_BATCH. */
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
      if (frame.messages === null) this.#publishFrame(session, entry, frame, options);
      else this.#publishMessages(session, entry, frame, frame.messages);
      return;
    }
    if (frame.id === null) return;
    entry.log.refresh();
    const { alias, topic, epoch } = entry.spec;
    session.reply(session.consumer.encoder.subscribed(frame.id, { topic, alias, epoch, seq: entry.log.headSeq }));
  }

  /** Hot path: per PUBLISH frame. */
  #publishFrame(session: Session, entry: TopicEntry, frame: ClientFrame, options: MessageOptions | null): void {
    const { id } = frame;
    // A message that may be refused is acknowledged to be told of that, if not its publisher.
    const isAcked = id !== null || entry.isSelective || options?.ifSeq !== undefined;
    const onAck = isAcked ? this.#acknowledger(session, entry, id, this.#batch.timeMs) : null;
    const { payload, payloadStart, payloadEnd } = frame;
    const result = this.#offer(session, entry, payload, payloadStart, payloadEnd, options, onAck, id !== null);
    if (result === HANDED_OVER) return;
    if (id !== null) session.refuse(id, this.refusalOf(entry, result));
    else if (session.untold !== null) session.untold.count++;
    else session.untold = { count: 1, first: this.refusalOf(entry, result) };
  }

  /** One after the other, each judged by itself; what a full home, or a rate, refuses is all that follows, so nothing overtakes. */
  #publishMessages(
    session: Session,
    entry: TopicEntry,
    { id, payload }: ClientFrame,
    messages: readonly BatchMessage[],
  ): void {
    const { topic, epoch } = entry.spec;
    const { encoder } = session.consumer;
    const { timeMs } = this.#batch;
    const ack = new BatchAck(messages.length, (outcome) => {
      if ('error' in outcome) {
        const { error, details } = outcome;
        session.reply(encoder.error(id, error.code, error.message, details));
      } else if (id !== null) session.reply(encoder.published(id, topic, outcome, epoch, timeMs, pressureOf(entry)));
    });
    for (const [index, { payloadStart, payloadEnd, options }] of messages.entries()) {
      const onAck = ack.of(index);
      const result = this.#offer(session, entry, payload, payloadStart, payloadEnd, options, onAck, id !== null);
      if (result !== HANDED_OVER) onAck(this.refusalOf(entry, result));
    }
  }

  /** Hot path: per message of a client. @param isAwaited the ack. @returns HANDED_OVER; or why it is not, for `refusalOf` */
  #offer(
    session: Session,
    entry: TopicEntry,
    payload: Uint8Array,
    start: number,
    end: number,
    options: MessageOptions | null,
    onAck: AckCallback | null,
    isAwaited: boolean,
  ): number {
    if (end - start > this.#options.maxPayloadBytes) return TOO_LARGE;
    const outgoing = this.#outgoing;
    outgoing.bytes = payload;
    outgoing.start = start;
    outgoing.end = end;
    describe(outgoing, options);
    this.#limitLife(entry, outgoing, options);
    outgoing.timeMs = this.#batch.timeMs;
    outgoing.monotonicMs = this.#batch.monotonicMs;
    outgoing.origin = 0;
    if (options?.noEcho === true) {
      outgoing.origin = session.consumer.number;
      this.#delivery.servesNoEcho(session.consumer);
    }
    const isRefused = session.overloadedTopics?.has(entry) === true;
    const waitMs = isRefused ? 0 : this.#rates.admit(session, entry, this.#batch.monotonicMs);
    if (waitMs > 0) {
      this.rateLimitedMessages++;
      return waitMs;
    }
    if (!isRefused && this.#send(entry, outgoing, onAck, isAwaited)) return HANDED_OVER;
    session.overloadedTopics ??= new Set();
    session.overloadedTopics.add(entry);
    this.overloadedMessages++;
    return HOME_FULL;
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
   * @param isAwaited somebody waits for the ack: the message does not wait for others
   * @returns HANDED_OVER; or why it is not, for `refusalOf`
   */
  publishLocally(
    entry: TopicEntry,
    payload: Uint8Array,
    options: PublishOptions | undefined,
    nowMs: number,
    onAck: AckCallback | null,
    isAwaited: boolean,
  ): number {
    const waitMs = this.#rates.admit(null, entry, nowMs);
    if (waitMs > 0) {
      this.rateLimitedMessages++;
      return waitMs;
    }
    const outgoing = this.#ownMessage(payload, options, nowMs);
    this.#limitLife(entry, outgoing, options);
    const isAccepted = this.#send(entry, outgoing, onAck, isAwaited);
    this.#topics.publishedUnheld(entry);
    if (isAccepted) return HANDED_OVER;
    this.overloadedMessages++;
    return HOME_FULL;
  }

  /** Why a message was not handed over. */
  refusalOf(entry: TopicEntry, result: number): RingcastError {
    if (result === TOO_LARGE) return tooLarge(this.#options.maxPayloadBytes);
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
  #send(entry: TopicEntry, outgoing: OutgoingMessage, onAck: AckCallback | null, isAwaited: boolean): boolean {
    this.#patterns.meet(entry);
    const isAckLater = onAck !== null && entry.link.acksLater;
    outgoing.request = isAckLater ? this.pendingAcks.add(onAck) : 0;
    // Only on the way to a lane is there somebody to wake.
    outgoing.mayWaitMs = isAwaited || !entry.link.acksLater ? 0 : entry.mayWaitMs(outgoing.monotonicMs);
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

/** Hot path. What the message is beside its payload: mostly nothing, so that is all of it which compilers put in line. */
function describe(outgoing: OutgoingMessage, options: PublishOptions | null | undefined): void {
  outgoing.tail = null;
  outgoing.tailElements = 0;
  outgoing.ifSeq = ANY_SEQ;
  if (options != null) describeMore(outgoing, options);
}

function describeMore(outgoing: OutgoingMessage, options: PublishOptions): void {
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
  const { op, id, topic, alias, seq, method, options, problem, payloadStart, payloadEnd } = frame;
  const payload = frame.payload.slice(payloadStart, payloadEnd);
  const moved = ({ payloadStart: start, payloadEnd: end, options: its }: BatchMessage): BatchMessage => {
    return { payloadStart: start - payloadStart, payloadEnd: end - payloadStart, options: its };
  };
  const messages = frame.messages?.map(moved) ?? null;
  const rest = { op, id, topic, alias, seq, method, messages, options, problem };
  return { ...rest, payload, payloadStart: 0, payloadEnd: payload.length };
}
