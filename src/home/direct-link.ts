/** Direct link: topics whose home is the accept thread, run by plain calls. */

import type { FrameLog } from '../log/frame-log.js';
import { LogBudget } from '../log/log-budget.js';
import type { PlainLogLimits } from '../log/log-limits.js';
import { LogSlabs } from '../log/log-slabs.js';
import { PlainLog } from '../log/plain-log.js';
import { EVENT_HEAD_MAX_BYTES, EVENT_TAIL_MAX_BYTES } from '../protocol/event.js';
import type { Clock, Scheduler } from '../time/loop.js';
import { stateSizesOf } from '../topic/state-sizes.js';
import { type Retention, Topic, type TopicSpec } from '../topic/topic.js';
import { intervalOf, STATE, type StreamSpec } from '../variant/stream-spec.js';
import type { VariantCounters } from '../variant/variant.js';
import { type HomeLink, type OutgoingMessage, PUBLISH_FULL, type TopicLogs, type TopicSnapshot } from './link.js';

export interface DirectLinkOptions {
  /** Largest sizes of a cold topic's log. */
  readonly dataMaxBytes: number;
  readonly framesMax: number;
  /** What all logs of cold topics may take together. */
  readonly logsMaxBytes: number;
  /** Of topics whose spec says nothing else. */
  readonly retention: Retention;
}

type ColdTopic = Topic<PlainLog>;

/**
 * A topic that came from a lane. For a while its logs keep everything: messages that waited for a dead lane are old when
 * they arrive, and nobody has had the time to read them.
 */
interface Arrival {
  readonly limits: PlainLogLimits & { retainMs: number };
  /** On the monotonic clock (ms); 0: the next `trim` says. */
  untilMs: number;
}

/** Topics looked at in one step of `trim`, and bytes moved that count as one more. */
const TOPICS_PER_STEP = 500;
const MOVED_BYTES_PER_TOPIC = 4096;

/** Writer and reader: the accept thread. */
export class DirectLink implements HomeLink {
  readonly acksLater = false;
  readonly #options: DirectLinkOptions;
  readonly #loop: Clock & Scheduler;
  readonly #onTick: (alias: number) => void;
  /** Topics with streams that are made at intervals; when the next one's time comes, and what calls that off. */
  readonly #timed = new Set<ColdTopic>();
  #tickMs = Number.POSITIVE_INFINITY;
  #cancelTick: (() => void) | null = null;
  readonly #budget: LogBudget;
  readonly #slabs = new LogSlabs();
  readonly #topics = new Map<number, ColdTopic>();
  readonly #limitsByRetention = new Map<string, PlainLogLimits>();
  /** Topics whose logs may have something to give back: they have grown, and something came since the last look. */
  readonly #inflated = new Set<ColdTopic>();
  /** How far the `trim` under way has got; null: none is. */
  #trimming: Iterator<ColdTopic> | null = null;
  /** Topics that came from a lane a short while ago. */
  readonly #arrived = new Map<ColdTopic, Arrival>();
  readonly counters: VariantCounters = { undecodable: 0 };

  /** @param onTick a topic's streams have got something without a message */
  constructor(options: DirectLinkOptions, loop: Clock & Scheduler, onTick: (alias: number) => void) {
    this.#options = options;
    this.#loop = loop;
    this.#onTick = onTick;
    this.#budget = new LogBudget(options.logsMaxBytes);
  }

  get topicCount(): number {
    return this.#topics.size;
  }

  openTopic(spec: TopicSpec, firstSeq = 1): FrameLog {
    return this.#open(spec, new PlainLog(this.#limits(spec), firstSeq)).log;
  }

  adoptTopic(spec: TopicSpec, from: TopicLogs): TopicLogs {
    const limits = { ...this.#limits(spec), retainMs: Number.POSITIVE_INFINITY };
    const log = new PlainLog(limits);
    log.takeOver(from.log);
    const topic = this.#open(spec, log);
    this.#arrived.set(topic, { limits, untilMs: 0 });
    this.#inflated.add(topic);
    for (const stream of from.derived) {
      const derived = new PlainLog(stream.spec.kind === STATE.kind ? this.#limitsOf(spec, STATE) : limits);
      derived.takeOver(stream.log);
      topic.openStream(stream.spec, derived, this.counters);
      this.#noteTimed(topic, stream.spec);
    }
    return topic;
  }

  leaveTopic(alias: number, onLeft: (logs: TopicLogs) => void): void {
    const topic = this.#topic(alias);
    this.#forget(topic);
    onLeft(topic);
  }

  openStream(alias: number, spec: StreamSpec, firstSeq: number): FrameLog {
    const topic = this.#topic(alias);
    const log = new PlainLog(this.#limitsOf(topic.spec, spec), firstSeq);
    topic.openStream(spec, log, this.counters);
    this.#noteTimed(topic, spec);
    return log;
  }

  #noteTimed(topic: ColdTopic, spec: StreamSpec): void {
    if (intervalOf(spec) === 0) return;
    this.#timed.add(topic);
    if (topic.nextTickMs < this.#tickMs) this.#armTick(topic.nextTickMs);
  }

  closeStream(alias: number, key: string): void {
    const topic = this.#topic(alias);
    topic.derived.find(({ spec }) => spec.key === key)?.log.dispose();
    topic.closeStream(key);
  }

  snapshot(alias: number, spec: StreamSpec, onSnapshot: (snapshot: TopicSnapshot | null) => void): void {
    const snapshot = this.#topic(alias).snapshot(spec, this.#loop.nowMs());
    if (intervalOf(spec) > 0) this.#onTick(alias);
    onSnapshot(snapshot);
  }

  closeTopic(alias: number): void {
    const topic = this.#topic(alias);
    for (const log of logsOf(topic)) log.dispose();
    this.#forget(topic);
  }

  #open(spec: TopicSpec, log: PlainLog): ColdTopic {
    const topic = new Topic(spec, log);
    this.#topics.set(spec.alias, topic);
    return topic;
  }

  #forget(topic: ColdTopic): void {
    this.#inflated.delete(topic);
    this.#arrived.delete(topic);
    this.#timed.delete(topic);
    this.#topics.delete(topic.spec.alias);
  }

  /** Bytes of all logs of cold topics. */
  get logBytes(): number {
    return this.#budget.usedBytes;
  }

  publish(alias: number, message: OutgoingMessage): number {
    const topic = this.#topic(alias);
    const { start, end, tail } = message;
    const tailBytes = topic.isSelective ? EVENT_TAIL_MAX_BYTES : tail === null ? 0 : tail.length;
    const frameMaxBytes = EVENT_HEAD_MAX_BYTES + end - start + tailBytes;
    if (!topic.log.canHold(frameMaxBytes)) return PUBLISH_FULL;
    const seq = topic.publish(message, 0);
    if (seq < 0) message.refusedForSeq = topic.refusedForSeq;
    if (topic.nextTickMs < this.#tickMs) this.#armTick(topic.nextTickMs);
    if (isInflated(topic)) this.#inflated.add(topic);
    return seq;
  }

  /** Makes streams whose time has come, some while after the messages that they are made of. */
  #tick(): void {
    this.#cancelTick = null;
    this.#tickMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#loop.nowMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const topic of this.#timed) {
      if (topic.tick(nowMs)) this.#onTick(topic.spec.alias);
      nextMs = Math.min(nextMs, topic.nextTickMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#armTick(nextMs);
  }

  #armTick(dueMs: number): void {
    this.#cancelTick?.();
    this.#tickMs = dueMs;
    this.#cancelTick = this.#loop.after(Math.max(0, dueMs - this.#loop.nowMs()), () => this.#tick());
  }

  /** Calls off its timer. */
  close(): void {
    this.#cancelTick?.();
    this.#cancelTick = null;
  }

  /** Nothing is on its way to a topic of this thread. */
  pressureOf(): number {
    return 0;
  }

  /**
   * Gives back memory that logs took in busier times, of some of them. Called about once per second, and again after
   * a turn of the event loop until it says true: that was all of them.
   */
  trim(nowMs: number): boolean {
    this.#trimming ??= this.#inflated.values();
    for (let count = 0; count < TOPICS_PER_STEP; ) {
      const { value: topic, done } = this.#trimming.next();
      if (done === true) {
        this.#trimming = null;
        return true;
      }
      count += 1 + this.#trimTopic(topic, nowMs) / MOVED_BYTES_PER_TOPIC;
    }
    return false;
  }

  /** Returns how many bytes were moved for it, about. */
  #trimTopic(topic: ColdTopic, nowMs: number): number {
    const beforeBytes = this.#budget.usedBytes;
    const mayLagStill = this.#isArriving(topic, nowMs) || !topic.log.isIdle(nowMs);
    for (const log of logsOf(topic)) log.trim(nowMs);
    // What is left is history: nothing to look at again before the next message.
    if (!mayLagStill) this.#inflated.delete(topic);
    return beforeBytes - this.#budget.usedBytes;
  }

  /** Lets logs keep only what those of every cold topic do, once there was time to read them. */
  #isArriving(topic: ColdTopic, nowMs: number): boolean {
    const arrival = this.#arrived.get(topic);
    if (arrival === undefined) return false;
    const { ms: retainMs } = topic.spec.retention ?? this.#options.retention;
    if (arrival.untilMs === 0) arrival.untilMs = nowMs + retainMs;
    if (nowMs < arrival.untilMs) return true;
    arrival.limits.retainMs = retainMs;
    this.#arrived.delete(topic);
    return false;
  }

  #limitsOf(topic: TopicSpec, { kind }: StreamSpec): PlainLogLimits {
    const sizes = kind === STATE.kind ? stateSizesOf(topic) : undefined;
    if (sizes === undefined) return this.#limits(topic);
    // It gives no room to others, as it must not lose a frame; nor does it take of theirs.
    return { ...sizes, retainMs: Number.POSITIVE_INFINITY, historyMessages: 0, historyBytes: 0, slabs: this.#slabs };
  }

  #limits(spec: TopicSpec): PlainLogLimits {
    // One object per set of limits, not one per topic: there may be 100,000 of them.
    const { historyMessages, historyBytes, retention = this.#options.retention } = spec;
    const { ms: retainMs, messages: retainMessages, bytes: retainBytes } = retention;
    const key = `${historyMessages} ${historyBytes} ${retainMs} ${retainMessages} ${retainBytes}`;
    let limits = this.#limitsByRetention.get(key);
    if (limits === undefined) {
      const { dataMaxBytes, framesMax } = this.#options;
      const sizes = { dataBytes: dataMaxBytes, frames: framesMax, budget: this.#budget, slabs: this.#slabs };
      limits = { ...sizes, historyMessages, historyBytes, retainMs, retainMessages, retainBytes };
      this.#limitsByRetention.set(key, limits);
    }
    return limits;
  }

  #topic(alias: number): ColdTopic {
    const topic = this.#topics.get(alias);
    if (topic === undefined) throw new Error(`no topic with alias ${alias} in this home`);
    return topic;
  }
}

function logsOf({ log, derived }: ColdTopic): PlainLog[] {
  return [log, ...derived.map((stream) => stream.log)];
}

/** Hot path: per message. */
function isInflated({ log, derived }: ColdTopic): boolean {
  if (log.isInflated) return true;
  for (const stream of derived) if (stream.log.isInflated) return true;
  return false;
}
