/**
 * Replay: what a lane's predecessor did with the requests that it had not released when it died.
 *
 * A frame's index entry holds the ring position of the record that caused it, and a topic's messages enter the log in the
 * order of the ring. So of a topic's records in the ring those up to the position stored with the log's newest frame have been
 * dealt with, and the others have not. The frames say which were taken; of those that have been evicted since, whose
 * topic takes all, the seqs follow by counting back: topics of lanes have no holes.
 */

import type { FrameLog } from '../log/frame-log.js';
import { RingReader } from '../ring/ring.js';
import type { OpenTopic } from './open-topic.js';
import { hasTerms, REQUEST_PUBLISH } from './records.js';

/** The message is not in the log: handle it. */
const NOT_SEEN = 0;
/** The message and its ack are done, and its topic has left since. */
export const SEEN = -1;
/** Lanes died of the message: it is not handled. */
export const PUT_ASIDE = -2;

/** The message was not taken, and it may be that its publisher has not been told. */
export const NOT_TAKEN = -3;

/** Ingress position of no frame. */
const NONE = 0;

interface Replayed {
  /** Position of the record that caused the newest frame. */
  readonly lastPosition: number;
  /** Positions of the topic's records up to that one, and whether each is sure to have been taken. */
  readonly records: { readonly position: number; readonly isTaken: boolean }[];
  /** What became of each. */
  readonly results: Map<number, number>;
}

/** Writer and reader: the lane's thread. */
export class Replay {
  /** End of the ring when this lane began: what lies beyond, no predecessor has seen. */
  readonly #endPosition: number;
  readonly #putAside: ReadonlySet<number>;
  readonly #topics = new Map<OpenTopic, Replayed>();

  /** @param requests a ring from which nothing has been read since the predecessor. */
  constructor(requests: SharedArrayBuffer, topics: ReadonlyMap<number, OpenTopic>, putAside: readonly number[]) {
    this.#putAside = new Set(putAside);
    for (const open of topics.values()) {
      const { log } = open.topic;
      // The head's index entry is whole even if a larger frame was about to take the place of all others.
      const lastPosition = log.headSeq >= open.parcel.firstSeq ? log.ingressPositionAt(log.head) : NONE;
      this.#topics.set(open, { lastPosition, records: [], results: new Map() });
    }
    const scan = new RingReader(requests);
    while (scan.next()) {
      if (scan.type !== REQUEST_PUBLISH || this.#putAside.has(scan.position)) continue;
      const open = topics.get(scan.alias);
      const replayed = open === undefined ? undefined : this.#topics.get(open);
      if (open === undefined || replayed === undefined || scan.position <= open.openPosition) continue;
      if (scan.position > replayed.lastPosition) continue;
      const isTaken = !open.topic.isSelective && !hasTerms(scan.flags);
      replayed.records.push({ position: scan.position, isTaken });
    }
    for (const [{ topic }, replayed] of this.#topics) settle(topic.log, replayed);
    this.#endPosition = scan.position;
  }

  /** Hot path: per message. Whether no predecessor can have seen the record that ends at this position. */
  isOver(position: number): boolean {
    return position > this.#endPosition;
  }

  /** What became of a message: its seq, NOT_SEEN, SEEN, NOT_TAKEN or PUT_ASIDE. `open` is its topic, undefined: it is not here any more. */
  find(position: number, open: OpenTopic | undefined): number {
    const replayed = open === undefined ? undefined : this.#topics.get(open);
    // A topic that came later in the ring (opened under a parcel that this thread was not started with) has no past here.
    if (open === undefined || position <= open.openPosition) return SEEN;
    if (this.#putAside.has(position)) return PUT_ASIDE;
    if (replayed === undefined || position > replayed.lastPosition) return NOT_SEEN;
    return replayed.results.get(position) ?? SEEN;
  }
}

/** From the newest record back. */
function settle(log: FrameLog, { records, results }: Replayed): void {
  let index = log.head;
  let nextSeq = log.headSeq + 1;
  for (let at = records.length - 1; at >= 0; at--) {
    const { position, isTaken } = records[at];
    while (index >= log.tail && log.ingressPositionAt(index) > position) index--;
    const isFound = index >= log.tail && log.ingressPositionAt(index) === position;
    if (isFound) nextSeq = log.seqAt(index);
    else if (isTaken) nextSeq--;
    results.set(position, isFound || isTaken ? nextSeq : NOT_TAKEN);
  }
}
