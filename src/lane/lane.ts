/**
 * Lane: the topic host of one worker thread. Takes requests from its ring, runs topics, reports heads and acks.
 *
 * It may die between any two of its steps. A request's record is released only after the frame it caused is in the log
 * and everything it caused has been reported, so a successor finds every message either in a log or still in the ring;
 * which of the two, `Replay` tells.
 */

import type { RecordableHistogram } from 'node:perf_hooks';
import { LaneCounters } from '../counters/lane-counters.js';
import { TopicBusyWriter } from '../counters/topic-busy.js';
import { blankMessage } from '../home/link.js';
import { EVENT_RING_MIN_BYTES } from '../limits.js';
import { SharedLog } from '../log/shared-log.js';
import { allocateDoorbell, Doorbell } from '../ring/doorbell.js';
import { allocateRing, RING_FULL, RingReader, RingWriter } from '../ring/ring.js';
import type { Clock } from '../time/loop.js';
import { ANY_SEQ } from '../topic/message.js';
import { OUTCOME } from '../topic/selection.js';
import { Topic } from '../topic/topic.js';
import { intervalOf } from '../variant/stream-spec.js';
import { OpenTopic } from './open-topic.js';
import type { LaneParcel, StreamParcel, TopicParcel } from './parcels.js';
import {
  EVENT_ACK,
  EVENT_CLOSED,
  EVENT_HEAD,
  EVENT_NACK,
  EVENT_READY,
  EVENT_SNAPSHOT,
  hasTerms,
  monotonicMsOf,
  NO_SNAPSHOT,
  REQUEST_CLOSE,
  REQUEST_CLOSE_STREAM,
  REQUEST_OPEN,
  REQUEST_OPEN_STREAM,
  REQUEST_PUBLISH,
  REQUEST_SNAPSHOT,
  REQUEST_STOP,
  readTerms,
  TERMS_BYTES,
  tailBytesOf,
  tailElementsOf,
} from './records.js';
import { NOT_TAKEN, PUT_ASIDE, Replay, SEEN } from './replay.js';
import { putSnapshot } from './snapshot-memory.js';

/** What outlives a lane's threads: all of it belongs to the accept thread. */
export interface LaneMemory {
  readonly requests: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  readonly laneBell: SharedArrayBuffer;
  readonly acceptBell: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly topicBusy: SharedArrayBuffer;
  /** How long messages waited for the lane (µs): of each batch, the one that waited longest. Native, shared by threads. */
  readonly waits: RecordableHistogram;
}

/** What one thread of a lane is started with. */
export interface LaneStart {
  readonly memory: LaneMemory;
  /** Everything that is open, in the order in which it was opened. */
  readonly parcels: readonly LaneParcel[];
  /** Ring positions of messages that lanes died of: they are not handled. */
  readonly putAside: readonly number[];
}

/** Requests between two reports of heads: long enough to batch, short enough that readers do not wait for it. */
const BATCH_RECORDS = 256;
/** Events that one batch can cause: an ack per message, a head per topic. */
const BATCH_EVENTS_MAX_BYTES = BATCH_RECORDS * 2 * 48;
/** Longest sleep: bounds what a lost wake-up could cost, and says that the lane is alive. */
export const SLEEP_MS = 250;
/** Wait for the accept thread to take events; it is never blocked itself, so this ends. */
const FULL_WAIT_MS = 1;
/** One message in so many is timed, for the topic's part of the lane's time. A power of two. */
const TIMED_EVERY = 16;

/** Shortest sleep until a stream is to be made (ms). */
const TICK_MIN_MS = 1;

const NO_ALIAS = -1;

/** The rings of one lane. The event ring holds at least two batches, or the lane would wait for a room that cannot be made. */
export function allocateLaneRings(ringBytes: number): Pick<LaneMemory, 'requests' | 'events' | 'laneBell'> {
  const eventBytes = Math.max(ringBytes, EVENT_RING_MIN_BYTES);
  return { requests: allocateRing(ringBytes), events: allocateRing(eventBytes), laneBell: allocateDoorbell() };
}

/** Writer and reader: the lane's thread. */
export class Lane {
  readonly #requests: RingReader;
  readonly #events: RingWriter;
  readonly #laneBell: Doorbell;
  readonly #acceptBell: Doorbell;
  readonly #counters: LaneCounters;
  readonly #topicBusy: TopicBusyWriter;
  readonly #waits: RecordableHistogram;
  readonly #receive: () => LaneParcel | undefined;
  readonly #clock: Clock;
  readonly #topics = new Map<number, OpenTopic>();
  /** Parcels that have come before their record. */
  readonly #received = new Map<number, LaneParcel>();
  /** Number of the newest parcel that this thread was started with. */
  readonly #newestStarted: number;
  readonly #replay: Replay;
  /** Filled for each message. Its tail, if it has one, lies behind the payload. */
  readonly #message = blankMessage();
  /** Topics whose heads moved in this batch. */
  readonly #moved = new Set<number>();
  /** Topic of the last message, and its alias: mostly the next message is for it too. */
  #topic: OpenTopic | undefined;
  #alias = NO_ALIAS;
  /** Those with streams that are made at intervals. */
  readonly #timed = new Set<OpenTopic>();
  #messages = 0;
  #bytes = 0;
  #untilTimed = TIMED_EVERY;
  /** When this batch began. */
  #batchMs = 0;
  readonly #isIdle = (): boolean => this.#requests.isEmpty();
  readonly #isAlwaysIdle = (): boolean => true;
  #isStopped = false;

  /** @param receive the next parcel that was posted to this thread, if there is one. */
  constructor({ memory, parcels, putAside }: LaneStart, receive: () => LaneParcel | undefined, clock: Clock) {
    this.#requests = new RingReader(memory.requests);
    this.#events = new RingWriter(memory.events);
    this.#laneBell = new Doorbell(memory.laneBell);
    this.#acceptBell = new Doorbell(memory.acceptBell);
    this.#counters = new LaneCounters(memory.counters);
    this.#topicBusy = new TopicBusyWriter(memory.topicBusy);
    this.#waits = memory.waits;
    this.#receive = receive;
    this.#clock = clock;
    this.#newestStarted = parcels.at(-1)?.number ?? 0;
    for (const parcel of parcels) if (parcel.kind === 'topic') this.#openTopic(parcel);
    // Streams that have ended wait for their CLOSE_STREAM to be handled. A predecessor may have done that: then their logs
    // have fallen behind, further than the topics' logs reach back.
    for (const parcel of parcels) if (parcel.kind === 'stream' && !parcel.hasEnded) this.#openStream(parcel);
    for (const parcel of parcels) if (parcel.kind === 'snapshot') this.#received.set(parcel.number, parcel);
    this.#replay = new Replay(memory.requests, this.#topics, putAside);
  }

  /** Runs until STOP. Blocks the thread. */
  run(): void {
    this.begin();
    while (!this.#isStopped) {
      if (!this.step()) this.#laneBell.wait(this.#isIdle, this.#sleepMs());
    }
  }

  /** Says that the lane runs. */
  begin(): void {
    this.#counters.beat();
    this.#emit(EVENT_READY, 0, 0, 0);
    this.#report();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Deals with one batch of requests. False: there was none. */
  step(): boolean {
    const requests = this.#requests;
    const counters = this.#counters;
    counters.beat();
    if (requests.isEmpty() && this.#nextTickMs() > this.#clock.nowMs()) return false;
    while (!this.#hasEventRoom()) {
      this.#acceptBell.ring();
      this.#laneBell.wait(this.#isAlwaysIdle, FULL_WAIT_MS);
      counters.beat();
    }
    const startMs = this.#clock.nowMs();
    this.#batchMs = startMs;
    for (let count = 0; count < BATCH_RECORDS && !this.#isStopped && requests.next(); count++) {
      const { position } = requests;
      counters.enterRecord(position);
      if (count === 0 && requests.type === REQUEST_PUBLISH) this.#noteWait(startMs);
      if (requests.type === REQUEST_PUBLISH) this.#publish(position);
      else this.#control(position);
    }
    for (const { topic, parcel } of this.#timed) if (topic.tick(startMs)) this.#moved.add(parcel.alias);
    for (const alias of this.#moved) this.#emit(EVENT_HEAD, alias, 0, 0);
    this.#moved.clear();
    this.#alias = NO_ALIAS;
    // First what the requests caused, then the requests: a successor may see some twice, but none never.
    this.#report();
    requests.release();
    counters.leaveRecords(this.#messages, this.#bytes, this.#clock.nowMs() - startMs);
    this.#messages = 0;
    this.#bytes = 0;
    return true;
  }

  /** When a stream is to be made that waits for its time; Infinity: none does. */
  #nextTickMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { topic } of this.#timed) next = Math.min(next, topic.nextTickMs);
    return next;
  }

  #sleepMs(): number {
    if (this.#timed.size === 0) return SLEEP_MS;
    return Math.min(SLEEP_MS, Math.max(TICK_MIN_MS, this.#nextTickMs() - this.#clock.nowMs()));
  }

  /** Hot path: per message. */
  #publish(position: number): void {
    const requests = this.#requests;
    const { alias, request } = requests;
    if (alias !== this.#alias) this.#select(alias);
    let seq = this.#replay.isOver(position) ? 0 : this.#replay.find(position, this.#topic);
    if (seq === SEEN) return;
    if (seq === NOT_TAKEN) {
      // Asked again, for the ack: what has come since can only be one more reason.
      this.#fill();
      seq = (this.#topic as OpenTopic).topic.judge(this.#message) || OUTCOME.conflict;
    }
    if (seq === PUT_ASIDE) {
      if (request !== 0) this.#emit(EVENT_NACK, alias, request, 0);
      return;
    }
    if (seq === 0) {
      // A fault of the accept thread's. The successor passes over the record, as one of a topic that has left.
      if (this.#topic === undefined) throw new Error(`lane: a message to topic ${alias}, which is not open here`);
      seq = --this.#untilTimed === 0 ? this.#appendTimed(position, this.#topic) : this.#append(position, this.#topic);
    }
    if (request === 0) return;
    if (seq > 0) this.#emit(EVENT_ACK, alias, request, seq);
    else this.#emit(EVENT_ACK, alias, request, (this.#topic as OpenTopic).topic.refusedForSeq, -seq);
  }

  /** Hot path: per message. Returns its seq. */
  #append(position: number, { topic }: OpenTopic): number {
    this.#fill();
    this.#messages++;
    this.#bytes += this.#message.end - this.#message.start;
    return topic.publish(this.#message, position);
  }

  /** Hot path. Makes the record that is read the message. */
  #fill(): void {
    const requests = this.#requests;
    const message = this.#message;
    const { flags, payloadEnd } = requests;
    message.bytes = requests.bytes;
    message.start = requests.payloadStart;
    message.end = payloadEnd;
    message.tailElements = tailElementsOf(flags);
    message.inlineTailBytes = tailBytesOf(flags);
    message.ifSeq = ANY_SEQ;
    message.ttlMs = 0;
    if (hasTerms(flags)) {
      message.end = payloadEnd - TERMS_BYTES;
      readTerms(requests.bytes, message.end, message);
    }
    message.timeMs = requests.time;
    message.monotonicMs = monotonicMsOf(requests.aux, this.#batchMs);
    message.origin = requests.origin;
  }

  #appendTimed(position: number, open: OpenTopic): number {
    this.#untilTimed = TIMED_EVERY;
    const startMs = this.#clock.nowMs();
    const seq = this.#append(position, open);
    const busyMs = this.#clock.nowMs() - startMs;
    this.#topicBusy.add(open.parcel.busyRow, busyMs * TIMED_EVERY);
    return seq;
  }

  #select(alias: number): void {
    this.#alias = alias;
    this.#topic = this.#topics.get(alias);
    if (this.#topic !== undefined) this.#moved.add(alias);
  }

  #control(position: number): void {
    const { type, alias, request: number } = this.#requests;
    const open = this.#topics.get(alias);
    switch (type) {
      case REQUEST_OPEN:
        if (open?.parcel.number !== number) this.#openTopic(this.#take(number, 'topic', position));
        this.#opened(alias, number, position);
        break;
      case REQUEST_OPEN_STREAM:
        if (open?.has(number) !== true) this.#openStream(this.#take(number, 'stream', position));
        if (open !== undefined) this.#moved.add(alias);
        break;
      case REQUEST_CLOSE_STREAM:
        open?.closeStream(number);
        this.#emit(EVENT_CLOSED, alias, number, 0);
        break;
      case REQUEST_SNAPSHOT:
        this.#snapshot(alias, number, position);
        break;
      case REQUEST_CLOSE:
        if (open?.parcel.number === number) {
          this.#topics.delete(alias);
          this.#timed.delete(open);
          this.#moved.delete(alias);
        }
        this.#emit(EVENT_CLOSED, alias, number, 0);
        break;
      case REQUEST_STOP:
        this.#isStopped = true;
        break;
      default:
        throw new Error(`lane: unknown request type ${type}`);
    }
    this.#alias = NO_ALIAS;
  }

  #openTopic(parcel: TopicParcel | null): void {
    if (parcel === null) return;
    this.#counters.beat();
    const log = new SharedLog(parcel.memory, parcel.head);
    this.#topics.set(parcel.alias, new OpenTopic(parcel, new Topic(parcel.spec, log)));
  }

  /** From here on records of the ring are the topic's. */
  #opened(alias: number, number: number, position: number): void {
    const open = this.#topics.get(alias);
    if (open?.parcel.number === number) open.openPosition = position;
  }

  #openStream(parcel: StreamParcel | null): void {
    const open = parcel === null ? undefined : this.#topics.get(parcel.alias);
    if (parcel === null || open === undefined) return;
    open.openStream(parcel, this.#counters);
    if (intervalOf(parcel.spec) > 0) this.#timed.add(open);
  }

  #snapshot(alias: number, number: number, position: number): void {
    const parcel = this.#take(number, 'snapshot', position);
    // A predecessor has done it.
    if (parcel === null) return;
    const snapshot = this.#topics.get(alias)?.topic.snapshot(parcel.spec, this.#batchMs);
    if (snapshot !== undefined && intervalOf(parcel.spec) > 0) this.#moved.add(alias);
    const isThere = snapshot !== undefined && putSnapshot(parcel.memory, snapshot.parts);
    this.#emit(EVENT_SNAPSHOT, alias, number, isThere ? snapshot.seq : NO_SNAPSHOT);
  }

  /**
   * The parcel that a record announces, which was posted before it. Null: a predecessor has opened and closed it, or it is
   * a derived stream that had ended when this thread was started.
   */
  #take<Kind extends LaneParcel['kind']>(
    number: number,
    kind: Kind,
    position: number,
  ): Extract<LaneParcel, { kind: Kind }> | null {
    for (let next = this.#receive(); next !== undefined; next = this.#receive()) this.#received.set(next.number, next);
    const parcel = this.#received.get(number);
    this.#received.delete(number);
    if (parcel?.kind === kind) return parcel as Extract<LaneParcel, { kind: Kind }>;
    if (parcel === undefined && (number <= this.#newestStarted || !this.#replay.isOver(position))) return null;
    throw new Error(`lane: a record announced ${kind} parcel ${number}, which was not posted`);
  }

  #noteWait(nowMs: number): void {
    // The clocks of two threads may differ by some microseconds.
    this.#waits.record(Math.max(1, Math.round((nowMs - monotonicMsOf(this.#requests.aux, nowMs)) * 1000)));
  }

  #hasEventRoom(): boolean {
    const capacityBytes = this.#events.bytes.length;
    return (this.#events.fillPercent() / 100) * capacityBytes + 2 * BATCH_EVENTS_MAX_BYTES <= capacityBytes;
  }

  #emit(type: number, alias: number, request: number, time: number, flags = 0): void {
    if (this.#events.tryClaim(0) === RING_FULL) throw new Error('lane: no room for an event that was reserved');
    this.#events.writeHeader(type, flags, alias, 0, request, 0, time);
    this.#events.commit();
  }

  #report(): void {
    if (this.#events.publish()) this.#acceptBell.ring();
  }
}
