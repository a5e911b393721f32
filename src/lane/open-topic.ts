/** Open topic: a topic in its lane, and under which parcels it is there. */

import type { FrameLog } from '../log/frame-log.js';
import type { Topic } from '../topic/topic.js';
import type { TopicParcel } from './parcels.js';

const NO_PARCEL = 0;

/** Writer and reader: the lane's thread. */
export class OpenTopic {
  readonly parcel: TopicParcel;
  readonly topic: Topic;
  /** Ring position after the OPEN record. The parcel may have been sent before the record was in the ring. */
  openPosition: number;
  #jsonNumber = NO_PARCEL;

  constructor(parcel: TopicParcel, topic: Topic) {
    this.parcel = parcel;
    this.topic = topic;
    this.openPosition = parcel.openPosition;
  }

  get jsonNumber(): number {
    return this.#jsonNumber;
  }

  /** Also of a log that has frames already: it is brought up to date. */
  openJson(number: number, log: FrameLog, onFrame: () => void): void {
    this.topic.openJson(log, onFrame);
    this.#jsonNumber = number;
  }

  /** Nothing when the stream has been closed, or another one was opened since. */
  closeJson(number: number): void {
    if (this.#jsonNumber !== number) return;
    this.topic.closeJson();
    this.#jsonNumber = NO_PARCEL;
  }
}
