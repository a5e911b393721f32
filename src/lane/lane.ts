/**
 * Lane: the topic host of one worker thread. Takes requests from its ring, runs topics, reports heads and acks.
 *
 * A request's record is released only after the frame it caused is in the log: whoever takes over from a lane that died
 * finds every message either in a log or still in the ring.
 */

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { FrameLog } from '../log/frame-log.js';
import { EventHead } from '../protocol/event.js';
import { Doorbell } from '../ring/doorbell.js';
import { RING_FULL, RingReader, RingWriter } from '../ring/ring.js';
import { Topic, type TopicSpec } from '../topic/topic.js';
import {
  EVENT_ACK,
  EVENT_CLOSED,
  EVENT_HEAD,
  EVENT_READY,
  FLAG_HAS_TAIL,
  REQUEST_CLOSE,
  REQUEST_CLOSE_JSON,
  REQUEST_OPEN,
  REQUEST_OPEN_JSON,
  REQUEST_PUBLISH,
  REQUEST_STOP,
} from './records.js';

/** What a lane is started with; rings and doorbells belong to the accept thread. */
export interface LaneMemory {
  readonly requests: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  readonly laneBell: SharedArrayBuffer;
  readonly acceptBell: SharedArrayBuffer;
  /** Brings what a ring cannot carry: the memory of new logs. */
  readonly port: MessagePort;
}

/** Posted to the port before the OPEN or OPEN_JSON record that refers to it. */
export type LaneParcel =
  | { readonly kind: 'topic'; readonly spec: TopicSpec; readonly memory: SharedArrayBuffer }
  | { readonly kind: 'json'; readonly memory: SharedArrayBuffer };

const NO_TOPIC = -1;
/** Requests between two reports of heads: long enough to batch, short enough that readers do not wait for it. */
const BATCH_RECORDS = 256;
/** Events that one batch can cause: an ack per message, a head per topic. */
const BATCH_EVENTS_MAX_BYTES = BATCH_RECORDS * 2 * 48;
/** Longest sleep: bounds what a lost wake-up could cost. */
const SLEEP_MS = 1000;
/** Wait for the accept thread to take events; it is never blocked itself, so this ends. */
const FULL_WAIT_MS = 1;

/** Event rings must hold at least two batches, or a lane would wait for a room that cannot be made. */
export const EVENT_RING_MIN_BYTES = 4 * BATCH_EVENTS_MAX_BYTES;

/** Writer and reader: the lane's thread. */
export class Lane {
  readonly #requests: RingReader;
  readonly #events: RingWriter;
  readonly #laneBell: Doorbell;
  readonly #acceptBell: Doorbell;
  readonly #port: MessagePort;
  readonly #topics = new Map<number, Topic>();
  readonly #head = new EventHead();
  /** Topics whose heads moved in this batch. */
  readonly #moved = new Set<number>();
  #lastMoved = NO_TOPIC;
  readonly #isIdle = (): boolean => this.#requests.isEmpty();
  readonly #isAlwaysIdle = (): boolean => true;
  #isStopped = false;

  constructor(memory: LaneMemory) {
    this.#requests = new RingReader(memory.requests);
    this.#events = new RingWriter(memory.events);
    this.#laneBell = new Doorbell(memory.laneBell);
    this.#acceptBell = new Doorbell(memory.acceptBell);
    this.#port = memory.port;
  }

  /** Runs until STOP. Blocks the thread. */
  run(): void {
    this.#emit(EVENT_READY, 0, 0, 0);
    this.#report();
    while (!this.#isStopped) {
      if (!this.step()) this.#laneBell.wait(this.#isIdle, SLEEP_MS);
    }
  }

  /** Deals with one batch of requests. False: there was none. */
  step(): boolean {
    if (this.#requests.isEmpty()) return false;
    while (!this.#hasEventRoom()) {
      this.#acceptBell.ring();
      this.#laneBell.wait(this.#isAlwaysIdle, FULL_WAIT_MS);
    }
    const requests = this.#requests;
    for (let count = 0; count < BATCH_RECORDS && !this.#isStopped && requests.next(); count++) this.#handle();
    for (const alias of this.#moved) this.#emit(EVENT_HEAD, alias, 0, 0);
    this.#moved.clear();
    this.#lastMoved = NO_TOPIC;
    // First what the requests caused, then the requests: a successor may see some twice, but none never.
    this.#report();
    requests.release();
    return true;
  }

  /** Hot path: per request. */
  #handle(): void {
    const { type, topic: alias } = this.#requests;
    if (type === REQUEST_PUBLISH) {
      this.#publish(alias);
      return;
    }
    switch (type) {
      case REQUEST_OPEN:
        this.#open(alias);
        break;
      case REQUEST_OPEN_JSON:
        this.#topic(alias).openJson(FrameLog.shared(this.#parcel('json').memory));
        this.#moved.add(alias);
        break;
      case REQUEST_CLOSE_JSON:
        this.#topic(alias).closeJson();
        this.#emit(EVENT_CLOSED, alias, 0, 0);
        break;
      case REQUEST_CLOSE:
        this.#topics.delete(alias);
        this.#moved.delete(alias);
        this.#lastMoved = NO_TOPIC;
        this.#emit(EVENT_CLOSED, alias, 0, 0);
        break;
      case REQUEST_STOP:
        this.#isStopped = true;
        break;
      default:
        throw new Error(`lane: unknown request type ${type}`);
    }
  }

  /** Hot path: per message. */
  #publish(alias: number): void {
    const requests = this.#requests;
    const seq = this.#topic(alias).publish(
      requests.bytes,
      requests.payloadStart,
      requests.payloadEnd,
      (requests.flags & FLAG_HAS_TAIL) !== 0,
      null,
      requests.time,
      requests.position,
      requests.connection,
    );
    // Mostly the topic of the message before: a comparison instead of a look-up.
    if (alias !== this.#lastMoved) {
      this.#moved.add(alias);
      this.#lastMoved = alias;
    }
    if (requests.request !== 0) this.#emit(EVENT_ACK, alias, requests.request, seq);
  }

  #open(alias: number): void {
    const parcel = this.#parcel('topic');
    this.#topics.set(alias, new Topic(parcel.spec, FrameLog.shared(parcel.memory), this.#head));
  }

  #parcel<Kind extends LaneParcel['kind']>(kind: Kind): Extract<LaneParcel, { kind: Kind }> {
    const parcel = receiveMessageOnPort(this.#port)?.message as LaneParcel | undefined;
    if (parcel?.kind !== kind) throw new Error(`lane: a record announced a ${kind} that was not posted`);
    return parcel as Extract<LaneParcel, { kind: Kind }>;
  }

  #topic(alias: number): Topic {
    const topic = this.#topics.get(alias);
    if (topic === undefined) throw new Error(`lane: no topic with alias ${alias}`);
    return topic;
  }

  #hasEventRoom(): boolean {
    const capacityBytes = this.#events.bytes.length;
    return (this.#events.fillPercent() / 100) * capacityBytes + 2 * BATCH_EVENTS_MAX_BYTES <= capacityBytes;
  }

  #emit(type: number, topic: number, request: number, time: number): void {
    if (this.#events.tryClaim(0) === RING_FULL) throw new Error('lane: no room for an event that was reserved');
    this.#events.writeHeader(type, 0, topic, 0, request, 0, time);
    this.#events.commit();
  }

  #report(): void {
    if (this.#events.publish()) this.#acceptBell.ring();
  }
}
