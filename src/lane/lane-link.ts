/** Lane link: the accept thread's end of one lane: a ring of requests, a ring of events, a port for new memory. */

import type { MessagePort } from 'node:worker_threads';
import { copyBytes } from '../log/copy.js';
import { FrameLog, type LogSizes } from '../log/frame-log.js';
import { Doorbell } from '../ring/doorbell.js';
import { RING_FULL, RingReader, RingWriter } from '../ring/ring.js';
import type { TopicSpec } from '../topic/topic.js';
import type { LaneMemory, LaneParcel } from './lane.js';
import { type LinkEvents, type OutgoingMessage, PUBLISH_ACCEPTED, PUBLISH_FULL, type TopicLink } from './link.js';
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
import { SharedLogs } from './shared-logs.js';

/** Events taken in before sockets get their turn again. */
const DRAIN_RECORDS_MAX = 8192;
/** Records are published once per turn, or when so many bytes wait: the lane need not idle while a burst is read. */
const UNPUBLISHED_MAX_BYTES = 64 * 1024;

/** The event loop, as a link needs it. */
export interface LinkLoop {
  /** Runs the callback after the sockets that are ready have been read. */
  soon(callback: () => void): void;
  /** Runs the callback once after `delayMs`; returns a function that calls it off. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Writer and reader: the accept thread. */
export class LaneLink implements TopicLink {
  readonly #requests: RingWriter;
  readonly #events: RingReader;
  readonly #bell: Doorbell;
  readonly #port: MessagePort;
  readonly #logs: SharedLogs;
  readonly #loop: LinkLoop;
  readonly #handlers: LinkEvents;
  readonly #flush = (): void => this.flush();
  /** Control records that found the ring full; nothing may overtake them. */
  readonly #deferred: { type: number; alias: number }[] = [];
  #isFlushScheduled = false;
  /** Calls off the timer of messages that may wait; null: none do. */
  #cancelLateFlush: (() => void) | null = null;
  #unpublishedBytes = 0;
  #onReady: () => void = () => {};
  /** Settles when the lane's thread runs its loop. */
  readonly ready = new Promise<void>((resolve) => {
    this.#onReady = resolve;
  });

  /** @param port the accept thread's end; the other one is in the lane's memory. */
  constructor(memory: LaneMemory, port: MessagePort, logSizes: LogSizes, loop: LinkLoop, handlers: LinkEvents) {
    this.#requests = new RingWriter(memory.requests);
    this.#events = new RingReader(memory.events);
    this.#bell = new Doorbell(memory.laneBell);
    this.#port = port;
    this.#logs = new SharedLogs(logSizes);
    this.#loop = loop;
    this.#handlers = handlers;
  }

  openTopic(spec: TopicSpec): FrameLog {
    const memory = this.#logs.take(spec.alias, 1);
    this.#post({ kind: 'topic', spec, memory });
    this.#control(REQUEST_OPEN, spec.alias);
    return FrameLog.shared(memory);
  }

  openJson(alias: number, firstSeq: number): FrameLog {
    const memory = this.#logs.take(alias, firstSeq);
    this.#post({ kind: 'json', memory });
    this.#control(REQUEST_OPEN_JSON, alias);
    return FrameLog.shared(memory);
  }

  closeJson(alias: number): void {
    this.#logs.closeLast(alias);
    this.#control(REQUEST_CLOSE_JSON, alias);
  }

  closeTopic(alias: number): void {
    this.#logs.closeAll(alias);
    this.#control(REQUEST_CLOSE, alias);
  }

  /** Asks the lane to end its loop after everything before this. */
  stop(): void {
    this.#control(REQUEST_STOP, 0);
    this.flush();
  }

  /** Hot path: per message. */
  publish(alias: number, message: OutgoingMessage): number {
    if (this.#deferred.length > 0 && !this.#retryDeferred()) return PUBLISH_FULL;
    const { bytes, start, end, tail } = message;
    const ring = this.#requests;
    const payloadBytes = end - start;
    const totalBytes = tail === null ? payloadBytes : payloadBytes + tail.length;
    const at = ring.tryClaim(totalBytes);
    if (at === RING_FULL) {
      this.flush();
      return PUBLISH_FULL;
    }
    copyBytes(bytes, start, end, ring.bytes, at);
    if (tail !== null) ring.bytes.set(tail, at + payloadBytes);
    const flags = tail === null ? 0 : FLAG_HAS_TAIL;
    ring.writeHeader(REQUEST_PUBLISH, flags, alias, message.origin, message.request, 0, message.timeMs);
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
    if (this.#requests.publish()) this.#bell.ring();
    if (this.#deferred.length > 0) this.#retryDeferred();
  }

  hasEvents(): boolean {
    return !this.#events.isEmpty();
  }

  /** Takes in what the lane has reported, up to a limit. */
  drainEvents(): void {
    const events = this.#events;
    for (let count = 0; count < DRAIN_RECORDS_MAX && events.next(); count++) {
      if (events.type === EVENT_HEAD) this.#handlers.onHead(events.topic);
      else if (events.type === EVENT_ACK) this.#handlers.onAck(events.request, events.time);
      else if (events.type === EVENT_CLOSED) this.#logs.closed();
      else if (events.type === EVENT_READY) this.#onReady();
      else throw new Error(`lane link: unknown event type ${events.type}`);
    }
    events.release();
  }

  /** How full the lane's request ring is, 0–100. */
  fillPercent(): number {
    return this.#requests.fillPercent();
  }

  close(): void {
    this.#port.close();
  }

  #post(parcel: LaneParcel): void {
    this.#port.postMessage(parcel);
  }

  #control(type: number, alias: number): void {
    this.#deferred.push({ type, alias });
    this.#retryDeferred();
    this.#scheduleFlush();
  }

  /** True: nothing is deferred any more. */
  #retryDeferred(): boolean {
    const ring = this.#requests;
    while (this.#deferred.length > 0) {
      const { type, alias } = this.#deferred[0];
      if (ring.tryClaim(0) === RING_FULL) {
        this.#scheduleFlush();
        return false;
      }
      ring.writeHeader(type, 0, alias, 0, 0, 0, 0);
      ring.commit();
      this.#deferred.shift();
    }
    this.#scheduleFlush();
    return true;
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#loop.soon(this.#flush);
  }

  /** Waking a lane costs more than all else that is done for a small message. Who may wait shares a wake-up. */
  #scheduleLateFlush(delayMs: number): void {
    if (this.#isFlushScheduled || this.#cancelLateFlush !== null) return;
    this.#cancelLateFlush = this.#loop.after(delayMs, this.#flush);
  }
}
