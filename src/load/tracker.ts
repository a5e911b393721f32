/** Checks every delivery: for each (connection, topic) the sequence numbers must come once each and in order. */
import { clockMs } from './clock.js';
import type { EventSink } from './dialect.js';
import { LatencyHistogram, type Percentiles } from './latency-histogram.js';
import type { PayloadForm } from './payload.js';
import { NO_SLOT, NOT_SUBSCRIBED, SubscriptionSlots } from './subscription-slots.js';
import type { Verification } from './verification.js';

/** Holes are kept only to tell a late message from a doubled one: beyond this many, late ones count as doubled. */
const HOLES_MAX = 100_000;
const PROBLEMS_MAX = 20;
const WINDOW_MASK = 63;
/** Class of a topic whose deliveries are verified, but not timed. */
export const UNTIMED = -1;
const UNTIMED_CLASS = 255;

/** Publishes the next message when all subscribers have the oldest one in flight. */
interface ClosedLoop {
  subscribers: number;
  oldestSeq: number;
  arrived: Int32Array;
  onComplete: (messages: number) => void;
}

/** Takes down single deliveries. */
export interface DeliveryRecorder {
  add(connection: number, topic: number, sentMs: number, arrivedMs: number): void;
}

export interface TrackerOptions {
  topics: number;
  form: PayloadForm;
  /** Histogram of each topic: an index into classNames, or UNTIMED. */
  topicClass: (topic: number) => number;
  classNames: readonly string[];
  /** Where payloads arrive. */
  buffer: { readonly bytes: Uint8Array; readonly view: DataView };
}

/** Writer and reader: the reading thread of the generator. */
export class Tracker implements EventSink {
  /** Time of the read whose events are reported. */
  nowMs = 0;
  delivered = 0;
  /** Deliveries that have been timed. */
  timed = 0;
  /** Bytes of the payloads that were delivered. */
  payloadBytes = 0;
  acknowledgedCount = 0;
  /** Subscriptions that have got a probe. */
  probedCount = 0;
  lastProgressMs = 0;
  /** Messages that should have left before are verified, but not timed. */
  timedFromMs = Number.NEGATIVE_INFINITY;
  readonly problems: string[] = [];
  onAcknowledged: ((connection: number, count: number) => void) | null = null;
  /** Takes down every delivery, while there is one. */
  recording: DeliveryRecorder | null = null;

  readonly #options: TrackerOptions;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #form: PayloadForm;
  readonly #slots = new SubscriptionSlots();
  readonly #class: Uint8Array;
  readonly #histograms: LatencyHistogram[];
  readonly #subscribers: Uint32Array;
  readonly #holes = new Map<number, [number, number][]>();
  #holeCount = 0;
  readonly #baseline: Uint32Array;
  #missing = 0;
  #doubled = 0;
  #reordered = 0;
  #corrupt = 0;
  #gapMessages = 0;
  #closedLoop: ClosedLoop | null = null;

  constructor(options: TrackerOptions) {
    this.#options = options;
    this.#bytes = options.buffer.bytes;
    this.#view = options.buffer.view;
    this.#form = options.form;
    this.#class = Uint8Array.from({ length: options.topics }, (_, topic) => {
      const index = options.topicClass(topic);
      return index === UNTIMED ? UNTIMED_CLASS : index;
    });
    this.#histograms = options.classNames.map(() => new LatencyHistogram());
    this.#subscribers = new Uint32Array(options.topics);
    this.#baseline = new Uint32Array(options.topics);
  }

  get subscriptionCount(): number {
    return this.#subscribers.reduce((sum, count) => sum + count, 0);
  }

  /** Deliveries that nobody waits for any more: they took place, or the server said that they will not. */
  get settled(): number {
    return this.delivered + this.#gapMessages;
  }

  /** How many connections are to get a topic's messages. */
  subscribersOf(topic: number): number {
    return this.#subscribers[topic];
  }

  expect(connection: number, topic: number): void {
    const slot = this.#slots.add(connection, topic);
    if (this.#slots.next(slot) === NOT_SUBSCRIBED) this.#subscribers[topic]++;
    this.#slots.setNext(slot, this.#baseline[topic] + 1);
  }

  /** Unsubscribed: nothing more is expected, and what still comes is none of this subscription's. */
  forget(connection: number, topic: number): void {
    const slot = this.#slots.find(connection, topic);
    if (slot === NO_SLOT || this.#slots.next(slot) === NOT_SUBSCRIBED) return;
    this.#slots.setNext(slot, NOT_SUBSCRIBED);
    this.#subscribers[topic]--;
  }

  /** A connection that is not meant to read any more: nothing is expected of it. */
  exclude(connection: number): void {
    for (let slot = 0; slot < this.#slots.count; slot++) {
      if (this.#slots.connection(slot) !== connection || this.#slots.next(slot) === NOT_SUBSCRIBED) continue;
      this.#slots.setNext(slot, NOT_SUBSCRIBED);
      this.#subscribers[this.#slots.topic(slot)]--;
    }
  }

  /** Hot path: per delivery; allocates nothing. */
  payload(connection: number, start: number, end: number): void {
    const form = this.#form;
    if (!form.read(this.#bytes, this.#view, start, end) || form.topic >= this.#class.length) {
      this.#corrupt++;
      return;
    }
    const { topic, seq, sentMs } = form;
    const slots = this.#slots;
    const slot = slots.find(connection, topic);
    if (slot === NO_SLOT) {
      this.#corrupt++;
      return;
    }
    const expected = slots.next(slot);
    if (seq === expected) slots.setNext(slot, seq + 1);
    else if (!this.#outOfLine(slot, expected, seq)) return;
    this.delivered++;
    this.payloadBytes += end - start;
    const topicClass = this.#class[topic];
    if (sentMs >= this.timedFromMs && topicClass !== UNTIMED_CLASS) {
      this.timed++;
      this.#histograms[topicClass].record(this.nowMs - sentMs);
    }
    if (this.#closedLoop !== null) this.#arrived(this.#closedLoop, seq);
    if (this.recording !== null) this.recording.add(connection, topic, sentMs, this.nowMs);
  }

  entry(connection: number, start: number, end: number): void {
    this.payload(connection, start, end);
  }

  /** True when the message is one that was still missing. */
  #outOfLine(slot: number, expected: number, seq: number): boolean {
    if (seq === 0) {
      if (this.#slots.mark(slot)) this.probedCount++;
      return false;
    }
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
      this.#slots.setNext(slot, seq + 1);
      return true;
    }
    const holes = this.#holes.get(slot) ?? [];
    const index = holes.findIndex(([from, to]) => seq >= from && seq < to);
    if (index < 0) {
      this.#doubled++;
      return false;
    }
    const [from, to] = holes[index];
    holes.splice(index, 1);
    if (seq > from) holes.push([from, seq]);
    if (seq + 1 < to) holes.push([seq + 1, to]);
    this.#missing--;
    this.#reordered++;
    return true;
  }

  #arrived(loop: ClosedLoop, seq: number): void {
    loop.arrived[seq & WINDOW_MASK]++;
    let completed = 0;
    while (loop.arrived[loop.oldestSeq & WINDOW_MASK] >= loop.subscribers) {
      loop.arrived[loop.oldestSeq & WINDOW_MASK] = 0;
      loop.oldestSeq++;
      completed++;
    }
    if (completed > 0) loop.onComplete(completed);
  }

  /** At most 64 messages may be in flight. */
  startClosedLoop(topic: number, onComplete: (messages: number) => void): void {
    this.#closedLoop = {
      subscribers: this.#subscribers[topic],
      oldestSeq: this.#baseline[topic] + 1,
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
  beginPhase(publishedPerTopic: ArrayLike<number>): void {
    for (let topic = 0; topic < this.#baseline.length; topic++) this.#baseline[topic] = publishedPerTopic[topic];
    for (let slot = 0; slot < this.#slots.count; slot++) {
      if (this.#slots.next(slot) === NOT_SUBSCRIBED) continue;
      this.#slots.setNext(slot, this.#baseline[this.#slots.topic(slot)] + 1);
    }
    for (const histogram of this.#histograms) histogram.reset();
    this.#holes.clear();
    this.#holeCount = 0;
    this.#closedLoop = null;
    this.delivered = this.timed = this.payloadBytes = 0;
    this.#missing = this.#doubled = this.#reordered = this.#corrupt = this.#gapMessages = 0;
    this.lastProgressMs = clockMs();
  }

  expectedDeliveries(publishedPerTopic: ArrayLike<number>): number {
    let expected = 0;
    for (let topic = 0; topic < this.#baseline.length; topic++) {
      expected += (publishedPerTopic[topic] - this.#baseline[topic]) * this.#subscribers[topic];
    }
    return expected;
  }

  /** The highest number that any connection has got, per topic: what is known of a publisher that is gone. */
  highestSeqs(): Uint32Array {
    const highest = Uint32Array.from(this.#baseline);
    for (let slot = 0; slot < this.#slots.count; slot++) {
      const topic = this.#slots.topic(slot);
      const seq = this.#slots.next(slot) - 1;
      if (seq > highest[topic]) highest[topic] = seq;
    }
    return highest;
  }

  verify(publishedPerTopic: ArrayLike<number>): Verification {
    let lost = this.#missing;
    for (let slot = 0; slot < this.#slots.count; slot++) {
      const next = this.#slots.next(slot);
      if (next !== NOT_SUBSCRIBED) lost += publishedPerTopic[this.#slots.topic(slot)] + 1 - next;
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

  /** What has been wrong so far; what is still under way is not known to be lost. */
  wrongSoFar(): number {
    return this.#missing + this.#doubled + this.#reordered + this.#corrupt;
  }

  histogram(index = 0): LatencyHistogram {
    return this.#histograms[index];
  }

  /** Percentiles and the whole histogram, per class that had any deliveries. */
  latency(): Record<string, Percentiles & { hdr: string }> {
    const latency: Record<string, Percentiles & { hdr: string }> = {};
    this.#options.classNames.forEach((name, index) => {
      const histogram = this.#histograms[index];
      if (histogram.total > 0) latency[name] = { ...histogram.percentiles(), hdr: histogram.encode() };
    });
    return latency;
  }
}
