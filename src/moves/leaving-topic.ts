/**
 * Leaving topic: stands in for the home of a topic that is on its way from a lane to another home. It holds what is
 * published meanwhile, and hands it on in order.
 *
 *   leaving ──the lane has let go──► arriving ──everything held is through──► done
 *   (CLOSE is in the lane's ring;    (the new home has the topic and takes
 *    messages are held)               what was held, as fast as it can)
 */

import { RingcastError } from '../errors.js';
import {
  type LinkEvents,
  type OutgoingMessage,
  PUBLISH_ACCEPTED,
  PUBLISH_FULL,
  type TopicLink,
  type TopicLogs,
  type TopicSnapshot,
} from '../home/link.js';
import type { SharedLogs } from '../lane/shared-logs.js';
import { HELD_IN_MOVE_MAX_BYTES } from '../limits.js';
import type { FrameLog } from '../log/frame-log.js';
import { TAKEN } from '../topic/selection.js';
import type { DerivedLog, TopicSpec } from '../topic/topic.js';
import type { StreamSpec } from '../variant/stream-spec.js';

/** Told what a request that was held came to. */
export interface HeldOutcomes extends Pick<LinkEvents, 'onAck'> {
  onRefused(request: number, error: RingcastError): void;
}

/** Writer and reader: the accept thread. */
export class LeavingTopic implements TopicLink {
  readonly acksLater = true;
  /** COLD or a lane. May change until the topic arrives. */
  target: number;
  readonly #spec: TopicSpec;
  readonly #logs: SharedLogs;
  readonly #outcomes: HeldOutcomes;
  #held: OutgoingMessage[] = [];
  #heldBytes = 0;
  #destination: TopicLink | null = null;
  /** Derived streams that were begun on the way, by key: their logs wait, empty, for the new home. */
  readonly #begun = new Map<string, DerivedLog>();
  /** Keys of those that come from the old home and have ended on the way. */
  readonly #ended = new Set<string>();
  /** Snapshots that were asked for on the way. */
  readonly #askedFor: { readonly spec: StreamSpec; readonly onSnapshot: (snapshot: TopicSnapshot | null) => void }[] =
    [];
  #isClosed = false;

  constructor(spec: TopicSpec, target: number, logs: SharedLogs, outcomes: HeldOutcomes) {
    this.#spec = spec;
    this.target = target;
    this.#logs = logs;
    this.#outcomes = outcomes;
  }

  /** The topic was ended on the way. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The new home, once the topic is there. */
  get destination(): TopicLink | null {
    return this.#destination;
  }

  get heldMessages(): number {
    return this.#held.length;
  }

  // ---- what the old home hands over --------------------------------------------------------------------------------

  /** What the next home is to go on with. The rest is given back. */
  take({ log, derived }: TopicLogs): TopicLogs {
    const isLive = ({ spec }: DerivedLog): boolean => !this.#ended.has(spec.key);
    for (const stream of derived) if (!isLive(stream)) this.#logs.give(stream.log);
    return { log, derived: [...derived.filter(isLive), ...this.#begun.values()] };
  }

  /** The new home has the topic; what is held goes there with `drain`. */
  arrived(destination: TopicLink): void {
    this.#destination = destination;
    for (const { spec, onSnapshot } of this.#askedFor.splice(0))
      destination.snapshot(this.#spec.alias, spec, onSnapshot);
  }

  /** Hands on what the new home takes. True: nothing is held any more. */
  drain(): boolean {
    const destination = this.#destination;
    if (destination === null) return false;
    let count = 0;
    for (const message of this.#held) {
      const seq = destination.publish(this.#spec.alias, message);
      if (seq === PUBLISH_FULL) break;
      this.#heldBytes -= message.end - message.start;
      if (seq !== PUBLISH_ACCEPTED && message.request !== 0) {
        const isTaken = seq > 0;
        this.#outcomes.onAck(message.request, isTaken ? seq : message.refusedForSeq, isTaken ? TAKEN : seq);
      }
      count++;
    }
    if (count > 0) this.#held.splice(0, count);
    return this.#held.length === 0;
  }

  // ---- what goes on meanwhile --------------------------------------------------------------------------------------

  publish(_alias: number, message: OutgoingMessage): number {
    const { bytes, start, end } = message;
    if (this.#held.length > 0 && this.#heldBytes + (end - start) > HELD_IN_MOVE_MAX_BYTES) return PUBLISH_FULL;
    this.#heldBytes += end - start;
    this.#held.push({ ...message, bytes: bytes.slice(start, end), start: 0, end: end - start, mayWaitMs: 0 });
    return PUBLISH_ACCEPTED;
  }

  pressureOf(): number {
    return Math.min(100, (100 * this.#heldBytes) / HELD_IN_MOVE_MAX_BYTES);
  }

  openStream(alias: number, spec: StreamSpec, firstSeq: number): FrameLog {
    if (this.#destination !== null) return this.#destination.openStream(alias, spec, firstSeq);
    const log = this.#logs.open(firstSeq);
    this.#begun.set(spec.key, { spec, log });
    return log;
  }

  snapshot(alias: number, spec: StreamSpec, onSnapshot: (snapshot: TopicSnapshot | null) => void): void {
    if (this.#destination !== null) this.#destination.snapshot(alias, spec, onSnapshot);
    else this.#askedFor.push({ spec, onSnapshot });
  }

  closeStream(alias: number, key: string): void {
    if (this.#destination !== null) {
      this.#destination.closeStream(alias, key);
      return;
    }
    const begun = this.#begun.get(key);
    if (begun === undefined) {
      this.#ended.add(key);
      return;
    }
    this.#begun.delete(key);
    this.#logs.give(begun.log);
  }

  closeTopic(alias: number): void {
    this.#isClosed = true;
    this.#destination?.closeTopic(alias);
    for (const { onSnapshot } of this.#askedFor.splice(0)) onSnapshot(null);
    const gone = new RingcastError('TOPIC_NOT_FOUND', 'the topic was deleted before the message reached it');
    for (const { request } of this.#held.splice(0)) if (request !== 0) this.#outcomes.onRefused(request, gone);
    this.#heldBytes = 0;
  }
}
