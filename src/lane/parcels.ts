/**
 * Parcels: what a lane needs and a ring cannot carry: topics with the memory of their logs. Numbered, because a record in
 * the ring announces each, and because a lane's successor is given all that are live.
 *
 * A parcel lives from OPEN until the lane has confirmed CLOSE. Until then it belongs to the lane, whichever of its
 * threads is at work; afterwards its memory is the accept thread's again.
 */

import type { FrameLog } from '../log/frame-log.js';
import type { TopicSpec } from '../topic/topic.js';

/** A topic and its canonical log. */
export interface TopicParcel {
  readonly kind: 'topic';
  readonly number: number;
  readonly alias: number;
  readonly spec: TopicSpec;
  readonly memory: SharedArrayBuffer;
  /** The log's head, a moment ago. */
  readonly headSeq: number;
  /** Frames from here on were caused by records of this lane's ring, under this parcel. */
  readonly firstSeq: number;
  /** Ring position after the OPEN record: what precedes it is none of this parcel's business. Infinity: not in the ring yet. */
  readonly openPosition: number;
  /** Row of the topic in the lane's table of busy times. */
  readonly busyRow: number;
}

/** The log of a topic's JSON stream. */
export interface JsonParcel {
  readonly kind: 'json';
  readonly number: number;
  readonly alias: number;
  readonly memory: SharedArrayBuffer;
  readonly headSeq: number;
  readonly openPosition: number;
  /** Nobody reads the stream any more: a thread that starts now need not go on with it. */
  readonly hasEnded: boolean;
}

export type LaneParcel = TopicParcel | JsonParcel;

/** A parcel on the accept thread's side, with the log through which it is read. Writer: the accept thread. */
export class LiveParcel<Parcel extends LaneParcel = LaneParcel> {
  readonly log: FrameLog;
  /** Ring position after the OPEN record; Infinity until it is in the ring. */
  openPosition = Number.POSITIVE_INFINITY;
  /** Of a JSON stream. */
  hasEnded = false;
  readonly #parcel: Parcel;

  constructor(parcel: Parcel, log: FrameLog) {
    this.#parcel = parcel;
    this.log = log;
  }

  get number(): number {
    return this.#parcel.number;
  }

  /** What a thread of the lane is given that starts now. */
  get current(): Parcel {
    this.log.refresh();
    const { openPosition, hasEnded } = this;
    return { ...this.#parcel, headSeq: this.log.headSeq, openPosition, hasEnded };
  }
}
