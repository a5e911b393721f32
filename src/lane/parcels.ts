/**
 * Parcels: what a lane needs and a ring cannot carry: topics with the memory of their logs. Numbered, because a record in
 * the ring announces each, and because a lane's successor is given all that are live.
 *
 * A parcel lives from OPEN until the lane has confirmed CLOSE. Until then it belongs to the lane, whichever of its
 * threads is at work; afterwards its memory is the accept thread's again.
 */

import type { SharedLog } from '../log/shared-log.js';
import type { TopicSpec } from '../topic/topic.js';
import type { StreamSpec } from '../variant/stream-spec.js';

/** A topic and its canonical log. */
export interface TopicParcel {
  readonly kind: 'topic';
  readonly number: number;
  readonly alias: number;
  readonly spec: TopicSpec;
  readonly memory: SharedArrayBuffer;
  /** The log's head, a moment ago. */
  readonly head: number;
  /** Frames from here on were caused by records of this lane's ring, under this parcel. */
  readonly firstSeq: number;
  /** Ring position after the OPEN record: what precedes it is none of this parcel's business. Infinity: not in the ring yet. */
  readonly openPosition: number;
  /** Row of the topic in the lane's table of busy times. */
  readonly busyRow: number;
}

/** A derived stream of a topic and its log. */
export interface StreamParcel {
  readonly kind: 'stream';
  readonly number: number;
  readonly alias: number;
  readonly spec: StreamSpec;
  readonly memory: SharedArrayBuffer;
  readonly head: number;
  readonly openPosition: number;
  /** Nobody reads the stream any more: a thread that starts now need not go on with it. */
  readonly hasEnded: boolean;
}

/** Where a lane puts a snapshot. It is gone when that is there. */
export interface SnapshotParcel {
  readonly kind: 'snapshot';
  readonly number: number;
  readonly alias: number;
  readonly spec: StreamSpec;
  /** Grows with what is put in: each part behind its length, a uint32. */
  readonly memory: SharedArrayBuffer;
}

export type LaneParcel = TopicParcel | StreamParcel | SnapshotParcel;

/** A parcel on the accept thread's side, with the log through which it is read. Writer: the accept thread. */
export class LiveParcel<Parcel extends TopicParcel | StreamParcel = TopicParcel | StreamParcel> {
  readonly log: SharedLog;
  /** Ring position after the OPEN record; Infinity until it is in the ring. */
  openPosition = Number.POSITIVE_INFINITY;
  /** Of a derived stream. */
  hasEnded = false;
  readonly #parcel: Parcel;

  constructor(parcel: Parcel, log: SharedLog) {
    this.#parcel = parcel;
    this.log = log;
  }

  get spec(): Parcel['spec'] {
    return this.#parcel.spec;
  }

  get number(): number {
    return this.#parcel.number;
  }

  /** What a thread of the lane is given that starts now. */
  get current(): Parcel {
    this.log.refresh();
    const { openPosition, hasEnded } = this;
    return { ...this.#parcel, head: this.log.head, openPosition, hasEnded };
  }
}
