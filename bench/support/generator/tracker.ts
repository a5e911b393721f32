// Checks every delivery: for each (connection, topic) the sequence numbers must come once each and in order.
// Payload, little-endian: u32 topic, u32 seq (per topic, from 1), f64 intended send time (clockMs), filler whose last byte is seq & 0xff.

import { clockMs } from '../../../dist/load/clock.js';
import { LatencyHistogram } from '../../../dist/load/latency-histogram.js';
import type { EventSink } from '../peer.js';
import type { Percentiles, Verification } from '../results.js';
import type { Recording } from './recording.js';

export const PAYLOAD_MIN_BYTES = 24;
const NOT_SUBSCRIBED = 0;
/** Holes are kept only to tell a late message from a doubled one: beyond this many, late ones count as doubled. */
const HOLES_MAX = 100_000;
const PROBLEMS_MAX = 20;
const WINDOW_MASK = 63;

/** Publishes the next message when all subscribers have the oldest one in flight. */
interface ClosedLoop {
  subscribers: number;
  oldestSeq: number;
  arrived: Int32Array;
  onComplete: (messages: number) => void;
}

export interface TrackerOptions {
  connections: number;
  topics: number;
  payloadBytes: number;
  /** Histogram of each topic: an index into classNames. */
  topicClass: (topic: number) => number;
  classNames: readonly string[];
  view: DataView;
}

/** Writer and reader: the reading thread of the generator. */
export class Tracker implements EventSink {
  nowMs = 0;
  delivered = 0;
  acknowledgedCount = 0;
  lastProgressMs = 0;
  readonly problems: string[] = [];
  onAcknowledged: ((connection: number, count: number) => void) | null = null;
  /** Takes down every delivery, while there is one. */
  recording: Recording | null = null;

  readonly #options: TrackerOptions;
  readonly #view: DataView;
  readonly #topics: number;
  readonly #payloadBytes: number;
  readonly #next: Uint32Array;
  readonly #class: Uint8Array;
  readonly #histograms: LatencyHistogram[];
  readonly #subscribers: Uint32Array;
  readonly #holes = new Map<number, [number, number][]>();
  #holeCount = 0;
  #baseline: Uint32Array;
  #missing = 0;
  #doubled = 0;
  #reordered = 0;
  #corrupt = 0;
  #gapMessages = 0;
  #closedLoop: ClosedLoop | null = null;

  constructor(options: TrackerOptions) {
    this.#options = options;
    this.#view = options.view;
    this.#topics = options.topics;
    this.#payloadBytes = options.payloadBytes;
    this.#next = new Uint32Array(options.connections * options.topics);
    this.#class = Uint8Array.from({ length: options.topics }, (_, topic) => options.topicClass(topic));
    this.#histograms = options.classNames.map(() => new LatencyHistogram());
    this.#subscribers = new Uint32Array(options.topics);
    this.#baseline = new Uint32Array(options.topics);
  }

  expect(connection: number, topic: number): void {
    this.#next[connection * this.#topics + topic] = this.#baseline[topic]! + 1;
    this.#subscribers[topic]!++;
  }

  /** A connection that is not meant to read any more: nothing is expected of it. */
  exclude(connection: number): void {
    for (let topic = 0; topic < this.#topics; topic++) {
      const slot = connection * this.#topics + topic;
      if (this.#next[slot] === NOT_SUBSCRIBED) continue;
      this.#next[slot] = NOT_SUBSCRIBED;
      this.#subscribers[topic]!--;
    }
  }

  /** Hot path: per delivery; allocates nothing. */
  payload(connection: number, start: number, end: number): void {
    const view = this.#view;
    if (end - start !== this.#payloadBytes) {
      this.#corrupt++;
      return;
    }
    const topic = view.getUint32(start, true);
    const seq = view.getUint32(start + 4, true);
    if (topic >= this.#topics || view.getUint8(end - 1) !== (seq & 0xff)) {
      this.#corrupt++;
      return;
    }
    const slot = connection * this.#topics + topic;
    const expected = this.#next[slot]!;
    if (seq === expected) this.#next[slot] = seq + 1;
    else if (!this.#outOfLine(slot, expected, seq)) return;
    this.delivered++;
    this.#histograms[this.#class[topic]!]!.record(this.nowMs - view.getFloat64(start + 8, true));
    if (this.#closedLoop !== null) this.#arrived(this.#closedLoop, seq);
    if (this.recording !== null) {
      this.recording.add(connection, topic, view.getFloat64(start + 8, true), this.nowMs);
    }
  }

  /** True when the message is one that was still missing. */
  #outOfLine(slot: number, expected: number, seq: number): boolean {
    if (expected === NOT_SUBSCRIBED) {
      this.#corrupt++;
      return false;
    }
    if (seq > expected) {
      this.#missing += seq - expected;
      if (this.#holeCount < HOLES_MAX) {
        this.#holeCount++;
        const holes = this.#holes.get(slot);
        if (holes === undefined) this.#holes.set(slot, [[expected, seq]]);
        else holes.push([expected, seq]);
      }
      this.#next[slot] = seq + 1;
      return true;
    }
    const holes = this.#holes.get(slot) ?? [];
    const index = holes.findIndex(([from, to]) => seq >= from && seq < to);
    if (index < 0) {
      this.#doubled++;
      return false;
    }
    const [from, to] = holes[index]!;
    holes.splice(index, 1);
    if (seq > from) holes.push([from, seq]);
    if (seq + 1 < to) holes.push([seq + 1, to]);
    this.#missing--;
    this.#reordered++;
    return true;
  }

  #arrived(loop: ClosedLoop, seq: number): void {
    loop.arrived[seq & WINDOW_MASK]!++;
    let completed = 0;
    while (loop.arrived[loop.oldestSeq & WINDOW_MASK]! >= loop.subscribers) {
      loop.arrived[loop.oldestSeq & WINDOW_MASK] = 0;
      loop.oldestSeq++;
      completed++;
    }
    if (completed > 0) loop.onComplete(completed);
  }

  /** At most 64 messages may be in flight. */
  startClosedLoop(topic: number, onComplete: (messages: number) => void): void {
    this.#closedLoop = {
      subscribers: this.#subscribers[topic]!,
      oldestSeq: this.#baseline[topic]! + 1,
      arrived: new Int32Array(WINDOW_MASK + 1),
      onComplete,
    };
  }

  acknowledged(connection: number, count: number): void {
    this.acknowledgedCount += count;
    this.onAcknowledged?.(connection, count);
  }

  published(): void {}

  gap(_connection: number, messages: number): void {
    this.#gapMessages += messages;
  }

  problem(connection: number, text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(`connection ${connection}: ${text}`);
  }

  /** A new phase begins: what was published before it is no longer expected. */
  beginPhase(publishedPerTopic: Int32Array): void {
    for (let topic = 0; topic < this.#topics; topic++) this.#baseline[topic] = publishedPerTopic[topic]!;
    for (let slot = 0; slot < this.#next.length; slot++) {
      if (this.#next[slot] !== NOT_SUBSCRIBED) this.#next[slot] = this.#baseline[slot % this.#topics]! + 1;
    }
    for (const histogram of this.#histograms) histogram.reset();
    this.#holes.clear();
    this.#holeCount = 0;
    this.#closedLoop = null;
    this.delivered = this.#missing = this.#doubled = this.#reordered = this.#corrupt = this.#gapMessages = 0;
    this.lastProgressMs = clockMs();
  }

  expectedDeliveries(publishedPerTopic: Int32Array): number {
    let expected = 0;
    for (let topic = 0; topic < this.#topics; topic++) {
      expected += (publishedPerTopic[topic]! - this.#baseline[topic]!) * this.#subscribers[topic]!;
    }
    return expected;
  }

  verify(publishedPerTopic: Int32Array): Verification {
    let lost = this.#missing;
    for (let slot = 0; slot < this.#next.length; slot++) {
      if (this.#next[slot] === NOT_SUBSCRIBED) continue;
      lost += publishedPerTopic[slot % this.#topics]! + 1 - this.#next[slot]!;
    }
    const expected = this.expectedDeliveries(publishedPerTopic);
    const wrong = lost + this.#doubled + this.#reordered + this.#corrupt;
    return {
      complete: wrong === 0 && this.delivered === expected,
      expected,
      delivered: this.delivered,
      lost,
      doubled: this.#doubled,
      reordered: this.#reordered,
      corrupt: this.#corrupt,
      gapMessages: this.#gapMessages,
    };
  }

  latency(): Record<string, Percentiles> {
    const latency: Record<string, Percentiles> = {};
    this.#options.classNames.forEach((name, index) => {
      if (this.#histograms[index]!.total > 0) latency[name] = this.#histograms[index]!.percentiles();
    });
    return latency;
  }
}
