/** Open topic: a topic in its lane, and under which parcels it is there. */

import type { LaneCounters } from '../counters/lane-counters.js';
import { SharedLog } from '../log/shared-log.js';
import type { Topic } from '../topic/topic.js';
import type { StreamParcel, TopicParcel } from './parcels.js';

/** Writer and reader: the lane's thread. */
export class OpenTopic {
  readonly parcel: TopicParcel;
  readonly topic: Topic;
  /** Ring position after the OPEN record. The parcel may have been sent before the record was in the ring. */
  openPosition: number;
  /** Its derived streams' keys, by the number of the parcel that brought each. */
  readonly #streams = new Map<number, string>();

  constructor(parcel: TopicParcel, topic: Topic) {
    this.parcel = parcel;
    this.topic = topic;
    this.openPosition = parcel.openPosition;
  }

  has(streamNumber: number): boolean {
    return this.#streams.has(streamNumber);
  }

  /** Also of a log that has frames already: it is brought up to date. Each message of that is a step: there may be thousands. */
  openStream({ number, spec, memory, head }: StreamParcel, counters: LaneCounters): void {
    this.topic.openStream(spec, new SharedLog(memory, head), counters, () => counters.beat());
    this.#streams.set(number, spec.key);
  }

  /** Nothing when the stream has been closed. */
  closeStream(number: number): void {
    const key = this.#streams.get(number);
    if (key === undefined) return;
    this.#streams.delete(number);
    this.topic.closeStream(key);
  }
}
