/** Lane link: the accept thread's end of one lane: a ring of requests, a ring of events, and the logs of its topics. */

import { TopicBusyReader } from '../counters/topic-busy.js';
import {
  type HomeLink,
  type LinkEvents,
  type OutgoingMessage,
  PUBLISH_ACCEPTED,
  PUBLISH_FULL,
  type TopicLogs,
  type TopicSnapshot,
} from '../home/link.js';
import { copyBytes } from '../log/copy.js';
import type { FrameLog, LogSizes } from '../log/frame-log.js';
import type { SharedLog } from '../log/shared-log.js';
import { Doorbell } from '../ring/doorbell.js';
import { RECORD_HEAD_BYTES } from '../ring/layout.js';
import { RING_FULL, RingReader, RingWriter } from '../ring/ring.js';
import type { Scheduler } from '../time/loop.js';
import { ANY_SEQ } from '../topic/message.js';
import { stateSizesOf } from '../topic/state-sizes.js';
import type { TopicSpec } from '../topic/topic.js';
import { STATE, type StreamSpec } from '../variant/stream-spec.js';
import { FairShare } from './fair-share.js';
import type { LaneMemory } from './lane.js';
import { type LaneParcel, LiveParcel, type SnapshotParcel, type StreamParcel, type TopicParcel } from './parcels.js';
import {
  EVENT_ACK,
  EVENT_CLOSED,
  EVENT_HEAD,
  EVENT_NACK,
  EVENT_READY,
  EVENT_SNAPSHOT,
  flagsOf,
  NO_SNAPSHOT,
  REQUEST_CLOSE,
  REQUEST_CLOSE_STREAM,
  REQUEST_OPEN,
  REQUEST_OPEN_STREAM,
  REQUEST_PUBLISH,
  REQUEST_SNAPSHOT,
  REQUEST_STOP,
  TERMS_BYTES,
  ticksOf,
  writeTerms,
} from './records.js';
import type { SharedLogs } from './shared-logs.js';
import { allocateSnapshot, takeSnapshot } from './snapshot-memory.js';

/** Events taken in before sockets get their turn again. */
const DRAIN_RECORDS_MAX = 8192;
/** Records are published once per turn, or when so many bytes wait: the lane need not idle while a burst is read. */
const UNPUBLISHED_MAX_BYTES = 64 * 1024;
/** A full ring is tried again after so long (ms): the lane may hang, and then each turn would be in vain. */
const DEFERRED_RETRY_MS = 1;

/** The thread that runs the lane at the moment, as the link sees it. */
export interface LaneThread {
  post(parcel: LaneParcel): void;
  /** There are requests: see to it that the lane looks. */
  wake(): void;
  /** The lane has said that it runs. */
  ready(): void;
}

interface LinkedTopic {
  readonly topic: LiveParcel<TopicParcel>;
  readonly busyRow: number;
  /** Its derived streams, by their keys. */
  readonly streams: Map<string, LiveParcel<StreamParcel>>;
}

/** A parcel that the lane was asked to let go of, and what happens when it has. */
interface Leaving {
  readonly parcels: readonly LiveParcel[];
  readonly onLeft: () => void;
}

interface SnapshotRequest {
  readonly parcel: SnapshotParcel;
  readonly onSnapshot: (snapshot: TopicSnapshot | null) => void;
}

interface ControlRecord {
  readonly type: number;
  readonly alias: number;
  readonly parcel: LiveParcel | SnapshotParcel | null;
}

/** Writer and reader: the accept thread. */
export class LaneLink implements HomeLink {
  readonly acksLater = true;
  readonly #requests: RingWriter;
  readonly #events: RingReader;
  readonly #bell: Doorbell;
  readonly #busy: TopicBusyReader;
  readonly #logs: SharedLogs;
  readonly #loop: Scheduler;
  readonly #handlers: LinkEvents;
  readonly #fairShare: FairShare;
  readonly #topics = new Map<number, LinkedTopic>();
  readonly #leaving = new Map<number, Leaving>();
  /** Those that the lane was asked for, by parcel. */
  readonly #snapshots = new Map<number, SnapshotRequest>();
  readonly #flush = (): void => this.flush();
  /** Control records that found the ring full; nothing may overtake them. */
  readonly #deferred: ControlRecord[] = [];
  #thread: LaneThread | null = null;
  #lastParcel = 0;
  #endedLogs = 0;
  #isFlushScheduled = false;
  #isClosed = false;
  /** Calls off the timer of messages that may wait; null: none do. */
  #cancelLateFlush: (() => void) | null = null;
  #unpublishedBytes = 0;

  constructor(memory: LaneMemory, logs: SharedLogs, loop: Scheduler, handlers: LinkEvents) {
    this.#requests = new RingWriter(memory.requests);
    this.#events = new RingReader(memory.events);
    this.#bell = new Doorbell(memory.laneBell);
    this.#fairShare = new FairShare(this.#requests.capacityBytes);
    this.#busy = new TopicBusyReader(memory.topicBusy);
    this.#logs = logs;
    this.#loop = loop;
    this.#handlers = handlers;
  }

  // ---- the lane's thread -------------------------------------------------------------------------------------------

  /** Everything that the lane has, for a thread that starts now. What is opened later is posted to it. */
  get parcels(): readonly LaneParcel[] {
    const open = [...this.#topics.values()].flatMap(parcelsOf);
    const leaving = [...this.#leaving.values()].flatMap(({ parcels }) => parcels);
    const snapshots = [...this.#snapshots.values()].map(({ parcel }) => parcel);
    const logs = [...leaving, ...open].map((parcel) => parcel.current);
    return [...logs, ...snapshots].sort((a, b) => a.number - b.number);
  }

  /** From here on this thread runs the lane; it has been started with `parcels`. Null: none does, until the next call. */
  attach(thread: LaneThread | null): void {
    this.#thread = thread;
  }

  /** The lane's thread has ended, maybe between an append and its report: has all heads looked at. */
  noteHeads(): void {
    for (const alias of this.#topics.keys()) this.#handlers.onHead(alias);
  }

  get topicCount(): number {
    return this.#topics.size;
  }

  /** Logs of topics and derived streams that have ended and that the lane has not let go of yet. */
  get endedLogs(): number {
    return this.#endedLogs;
  }

  /** Time that the lane has spent on a topic since it was opened here (ms), by a sample of its messages. */
  busyMsOf(alias: number): number {
    const topic = this.#topics.get(alias);
    return topic === undefined ? 0 : this.#busy.of(topic.busyRow);
  }

  // ---- topics ------------------------------------------------------------------------------------------------------

  openTopic(spec: TopicSpec, firstSeq = 1): FrameLog {
    return this.#open(spec, this.#logs.open(firstSeq));
  }

  adoptTopic(spec: TopicSpec, from: TopicLogs): TopicLogs {
    const log = this.#open(spec, this.#logs.sharedFrom(from.log));
    const derived = from.derived.map((stream) => {
      const log = this.#logs.sharedFrom(stream.log, sizesOf(spec, stream.spec));
      return { spec: stream.spec, log: this.#openStream(spec.alias, stream.spec, log) };
    });
    return { log, derived };
  }

  leaveTopic(alias: number, onLeft: (logs: TopicLogs) => void): void {
    const { topic, streams } = this.#topic(alias);
    this.#close(alias, () => {
      const derived = [...streams.values()];
      for (const { log } of [topic, ...derived]) log.refresh();
      onLeft({ log: topic.log, derived });
    });
  }

  openStream(alias: number, spec: StreamSpec, firstSeq: number): FrameLog {
    const { topic } = this.#topic(alias);
    return this.#openStream(alias, spec, this.#logs.open(firstSeq, sizesOf(topic.spec, spec)));
  }

  snapshot(alias: number, spec: StreamSpec, onSnapshot: (snapshot: TopicSnapshot | null) => void): void {
    const number = this.#nextParcel();
    const parcel: SnapshotParcel = { kind: 'snapshot', number, alias, spec, memory: allocateSnapshot() };
    this.#snapshots.set(number, { parcel, onSnapshot });
    this.#thread?.post(parcel);
    this.#control(REQUEST_SNAPSHOT, alias, parcel);
  }

  /** Unknown: the lane says so for the second time. */
  #snapshotDone(number: number, seq: number): void {
    const asked = this.#snapshots.get(number);
    if (asked === undefined) return;
    this.#snapshots.delete(number);
    asked.onSnapshot(seq === NO_SNAPSHOT ? null : { seq, parts: takeSnapshot(asked.parcel.memory) });
  }

  closeStream(alias: number, key: string): void {
    const { streams } = this.#topic(alias);
    const stream = streams.get(key);
    if (stream === undefined) throw new Error(`topic ${alias} has no stream ${key} in this lane`);
    streams.delete(key);
    stream.hasEnded = true;
    this.#endedLogs++;
    this.#leaving.set(stream.number, { parcels: [stream], onLeft: () => this.#giveEnded(stream.log) });
    this.#control(REQUEST_CLOSE_STREAM, alias, stream);
  }

  closeTopic(alias: number): void {
    const parcels = parcelsOf(this.#topic(alias));
    this.#endedLogs += parcels.length;
    this.#close(alias, () => {
      for (const { log } of parcels) this.#giveEnded(log);
    });
  }

  #giveEnded(log: FrameLog): void {
    this.#endedLogs--;
    this.#logs.give(log);
  }

  #open(spec: TopicSpec, log: SharedLog): FrameLog {
    const { alias } = spec;
    const { memory, head, headSeq } = log;
    const busyRow = this.#busy.take();
    const number = this.#nextParcel();
    const openPosition = Number.POSITIVE_INFINITY;
    const firstSeq = headSeq + 1;
    const parcel: TopicParcel = { kind: 'topic', number, alias, spec, memory, head, firstSeq, openPosition, busyRow };
    const topic = new LiveParcel(parcel, log);
    this.#topics.set(alias, { topic, busyRow, streams: new Map() });
    this.#thread?.post(topic.current);
    this.#control(REQUEST_OPEN, alias, topic);
    return log;
  }

  #openStream(alias: number, spec: StreamSpec, log: SharedLog): FrameLog {
    const { memory, head } = log;
    const number = this.#nextParcel();
    const openPosition = Number.POSITIVE_INFINITY;
    const parcel: StreamParcel = { kind: 'stream', number, alias, spec, memory, head, openPosition, hasEnded: false };
    const stream = new LiveParcel(parcel, log);
    this.#topic(alias).streams.set(spec.key, stream);
    this.#thread?.post(stream.current);
    this.#control(REQUEST_OPEN_STREAM, alias, stream);
    return log;
  }

  #close(alias: number, onLeft: () => void): void {
    const topic = this.#topic(alias);
    this.#topics.delete(alias);
    this.#leaving.set(topic.topic.number, {
      parcels: parcelsOf(topic),
      onLeft: () => {
        this.#busy.give(topic.busyRow);
        onLeft();
      },
    });
    this.#control(REQUEST_CLOSE, alias, topic.topic);
  }

  /** The lane has let go of a parcel. Unknown: it says so for the second time. */
  #left(number: number): void {
    const leaving = this.#leaving.get(number);
    if (leaving === undefined) return;
    this.#leaving.delete(number);
    leaving.onLeft();
  }

  #nextParcel(): number {
    this.#lastParcel = (this.#lastParcel + 1) >>> 0 || 1;
    return this.#lastParcel;
  }

  #topic(alias: number): LinkedTopic {
    const topic = this.#topics.get(alias);
    if (topic === undefined) throw new Error(`no topic with alias ${alias} in this lane`);
    return topic;
  }

  // ---- requests ----------------------------------------------------------------------------------------------------

  /** Asks the lane to end its loop after everything before this. */
  stop(): void {
    this.#control(REQUEST_STOP, 0, null);
    this.flush();
  }

  /** Shows the lane nothing any more; a full ring would be tried again for ever. */
  close(): void {
    this.#isClosed = true;
    this.#cancelLateFlush?.();
    this.#cancelLateFlush = null;
  }

  /** Hot path: per message. */
  publish(alias: number, message: OutgoingMessage): number {
    if (this.#deferred.length > 0 && !this.#retryDeferred()) return PUBLISH_FULL;
    const { bytes, start, end, tail } = message;
    const ring = this.#requests;
    const payloadBytes = end - start;
    const tailBytes = tail === null ? message.inlineTailBytes : tail.length;
    const hasTerms = message.ifSeq !== ANY_SEQ || message.ttlMs > 0;
    const appendedBytes = tail === null ? payloadBytes : payloadBytes + tail.length;
    const totalBytes = hasTerms ? appendedBytes + TERMS_BYTES : appendedBytes;
    const waitingBytes = ring.waitingBytes(this.#fairShare.countFromBytes);
    if (waitingBytes <= this.#fairShare.countFromBytes) {
      this.#fairShare.relax();
    } else if (this.#topics.size > 1 && !this.#fairShare.admits(alias, RECORD_HEAD_BYTES + totalBytes, waitingBytes)) {
      this.flush();
      return PUBLISH_FULL;
    }
    const at = ring.tryClaim(totalBytes);
    if (at === RING_FULL) {
      this.flush();
      return PUBLISH_FULL;
    }
    copyBytes(bytes, start, end, ring.bytes, at);
    if (tail !== null) ring.bytes.set(tail, at + payloadBytes);
    if (hasTerms) writeTerms(ring.bytes, at + appendedBytes, message);
    const flags = flagsOf(message.tailElements, tailBytes, hasTerms);
    const ticks = ticksOf(message.monotonicMs);
    ring.writeHeader(REQUEST_PUBLISH, flags, alias, message.origin, message.request, ticks, message.timeMs);
    ring.commit();
    this.#unpublishedBytes += totalBytes;
    if (this.#unpublishedBytes > UNPUBLISHED_MAX_BYTES) this.flush();
    else if (message.mayWaitMs === 0) this.#scheduleFlush();
    else this.#scheduleLateFlush(message.mayWaitMs);
    return PUBLISH_ACCEPTED;
  }

  /** Shows the lane what was committed since, and wakes it if it sleeps. */
  flush(): void {
    this.#isFlushScheduled = false;
    if (this.#cancelLateFlush !== null) {
      this.#cancelLateFlush();
      this.#cancelLateFlush = null;
    }
    this.#unpublishedBytes = 0;
    if (this.#requests.publish()) {
      this.#bell.ring();
      this.#thread?.wake();
    }
    if (this.#deferred.length > 0) this.#retryDeferred();
  }

  /** How full the request ring is, 0–100. */
  fillPercent(): number {
    return this.#requests.fillPercent();
  }

  pressureOf(alias: number): number {
    return this.#fairShare.pressureOf(alias, this.#requests.waitingBytes(0));
  }

  #control(type: number, alias: number, parcel: ControlRecord['parcel']): void {
    this.#deferred.push({ type, alias, parcel });
    this.#retryDeferred();
    this.#scheduleFlush();
  }

  /** True: nothing is deferred any more. */
  #retryDeferred(): boolean {
    const ring = this.#requests;
    while (this.#deferred.length > 0) {
      const { type, alias, parcel } = this.#deferred[0];
      if (ring.tryClaim(0) === RING_FULL) {
        this.#scheduleLateFlush(DEFERRED_RETRY_MS);
        return false;
      }
      ring.writeHeader(type, 0, alias, 0, parcel?.number ?? 0, 0, 0);
      ring.commit();
      if (parcel instanceof LiveParcel && (type === REQUEST_OPEN || type === REQUEST_OPEN_STREAM))
        parcel.openPosition = ring.position;
      this.#deferred.shift();
    }
    this.#scheduleFlush();
    return true;
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled || this.#isClosed) return;
    this.#isFlushScheduled = true;
    this.#loop.soon(this.#flush);
  }

  /** Waking a lane costs more than all else that is done for a small message. Who may wait shares a wake-up. */
  #scheduleLateFlush(delayMs: number): void {
    if (this.#isFlushScheduled || this.#isClosed || this.#cancelLateFlush !== null) return;
    this.#cancelLateFlush = this.#loop.after(delayMs, this.#flush);
  }

  // ---- events ------------------------------------------------------------------------------------------------------

  hasEvents(): boolean {
    return !this.#events.isEmpty();
  }

  /** Takes in what the lane has reported, up to a limit. */
  drainEvents(): void {
    const events = this.#events;
    for (let count = 0; count < DRAIN_RECORDS_MAX && events.next(); count++) {
      const { type, alias, request } = events;
      if (type === EVENT_HEAD) this.#handlers.onHead(alias);
      else if (type === EVENT_ACK) this.#handlers.onAck(request, events.time, -events.flags);
      else if (type === EVENT_CLOSED) this.#left(request);
      else if (type === EVENT_SNAPSHOT) this.#snapshotDone(request, events.time);
      else if (type === EVENT_NACK) this.#handlers.onPutAside(request);
      else if (type === EVENT_READY) this.#thread?.ready();
      else throw new Error(`lane link: unknown event type ${type}`);
    }
    events.release();
  }
}

/** Undefined: the usual ones. */
function sizesOf(topic: TopicSpec, { kind }: StreamSpec): LogSizes | undefined {
  return kind === STATE.kind ? stateSizesOf(topic) : undefined;
}

function parcelsOf({ topic, streams }: LinkedTopic): LiveParcel[] {
  return [topic, ...streams.values()];
}
