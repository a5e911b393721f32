/**
 * Topic: the state machine of one topic, the same code in both homes (accept thread and lane).
 *
 * It numbers messages, encodes each one once per stream and appends it to the stream's frame log. It knows no socket and
 * no subscriber. The canonical stream is MessagePack; a JSON stream exists only while someone reads it.
 */

import type { FrameLog } from '../log/frame-log.js';
import { GAP_MARK } from '../log/layout.js';
import { jsonEncoder } from '../protocol/encoder-json.js';
import type { EventHead } from '../protocol/event.js';
import { eventToJson } from '../protocol/json-event.js';

export interface TopicSpec {
  /** The engine's number of the topic; also the alias of its canonical stream on the wire. */
  readonly alias: number;
  readonly topic: string;
  /** Random at each incarnation: a seq means something only together with it. */
  readonly epoch: string;
  /** So many newest messages are offered to `lastN`, HISTORY and a new JSON stream … */
  readonly historyMessages: number;
  /** … as long as they take no more than this. */
  readonly historyBytes: number;
}

/** Threads that may die of one message's JSON form before it is left out: as many as may die of a message itself. */
const JSON_ATTEMPTS_MAX = 3;

/** Writer: the topic's home. Readers: none; what others need is in the logs. */
export class Topic {
  readonly spec: TopicSpec;
  readonly log: FrameLog;
  #jsonLog: FrameLog | null = null;
  readonly #head: EventHead;

  /** @param head scratch for the frames' heads, shared by all topics of a thread. */
  constructor(spec: TopicSpec, log: FrameLog, head: EventHead) {
    this.spec = spec;
    this.log = log;
    this.#head = head;
  }

  get jsonLog(): FrameLog | null {
    return this.#jsonLog;
  }

  /**
   * Hot path: per message. Appends `bytes[start, end)`, a MessagePack payload that is copied undecoded, to every stream.
   * @param hasTail the payload's bytes, or `tail` if given, end with the EVENT's optional elements (see `eventTail`).
   * @param timeMs what subscribers are told. @param monotonicMs the same moment, for whatever is measured by it.
   * @returns the message's seq
   */
  publish(
    bytes: Uint8Array,
    start: number,
    end: number,
    hasTail: boolean,
    tail: Uint8Array | null,
    timeMs: number,
    monotonicMs: number,
    ingressPosition: number,
    origin: number,
  ): number {
    const log = this.log;
    const head = this.#head;
    const headBytes = head.write(this.spec.alias, log.headSeq + 1, timeMs, hasTail);
    log.begin(headBytes + (end - start) + (tail === null ? 0 : tail.length), monotonicMs, ingressPosition, origin);
    log.write(head.bytes, 0, headBytes);
    log.write(bytes, start, end);
    if (tail !== null) log.write(tail, 0, tail.length);
    const seq = log.commit();
    if (this.#jsonLog !== null) this.#appendJson(this.#jsonLog, seq);
    return seq;
  }

  /**
   * Starts the JSON stream: the empty `log` is given the history that the canonical log retains, then follows it.
   * @param onFrame called before each of these frames
   */
  openJson(log: FrameLog, onFrame: () => void = () => {}): void {
    if (log.headSeq + 1 < this.log.tailSeq) log.skipTo(this.log.tailSeq);
    while (log.headSeq < this.log.headSeq) {
      onFrame();
      this.#appendJson(log, log.headSeq + 1);
    }
    this.#jsonLog = log;
  }

  closeJson(): void {
    this.#jsonLog = null;
  }

  /**
   * The message is in the canonical log by now: whoever fails here would fail again and again. So nothing may. What has
   * no JSON form, or none that the log can hold, or one that threads died of making, is announced as missed.
   */
  #appendJson(jsonLog: FrameLog, seq: number): void {
    const { log, spec } = this;
    const text = jsonLog.noteAttempt() < JSON_ATTEMPTS_MAX ? this.#toJson(seq) : null;
    const isText = text !== null && jsonLog.canHold(text.length);
    const json = isText ? text : jsonEncoder.gap(spec, seq, seq, 'too_large');
    if (!jsonLog.canHold(json.length)) {
      // Not even the announcement: readers are lapped, which delivery tells them.
      jsonLog.skipTo(seq + 1);
      return;
    }
    jsonLog.begin(json.length, log.timeOf(seq), isText ? 0 : GAP_MARK, log.originOf(seq));
    jsonLog.write(json, 0, json.length);
    jsonLog.commit();
  }

  /** Null: it has no JSON form. */
  #toJson(seq: number): Uint8Array | null {
    const { log, spec } = this;
    const frame = new Uint8Array(log.sliceBytes(seq, seq + 1));
    log.copy(seq, seq + 1, frame, 0);
    try {
      return eventToJson(spec.topic, frame, 0, frame.length);
    } catch {
      return null;
    }
  }
}
