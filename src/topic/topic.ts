/**
 * Topic: the state machine of one topic, the same code in both homes (accept thread and lane).
 *
 * It numbers messages, encodes each one once per stream and appends it to the stream's frame log. It knows no socket and
 * no subscriber. The canonical stream is MessagePack; a JSON stream exists only while someone reads it.
 */

import type { FrameLog } from '../log/frame-log.js';
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
   * @returns the message's seq
   */
  publish(
    bytes: Uint8Array,
    start: number,
    end: number,
    hasTail: boolean,
    tail: Uint8Array | null,
    timeMs: number,
    ingressPosition: number,
    origin: number,
  ): number {
    const log = this.log;
    const head = this.#head;
    const headBytes = head.write(this.spec.alias, log.headSeq + 1, timeMs, hasTail);
    log.begin(headBytes + (end - start) + (tail === null ? 0 : tail.length), timeMs, ingressPosition, origin);
    log.write(head.bytes, 0, headBytes);
    log.write(bytes, start, end);
    if (tail !== null) log.write(tail, 0, tail.length);
    const seq = log.commit();
    if (this.#jsonLog !== null) this.#appendJson(this.#jsonLog, seq);
    return seq;
  }

  /** Starts the JSON stream: the empty `log` is given the history that the canonical log retains, then follows it. */
  openJson(log: FrameLog): void {
    if (log.headSeq + 1 < this.log.tailSeq) log.skipTo(this.log.tailSeq);
    while (log.headSeq < this.log.headSeq) this.#appendJson(log, log.headSeq + 1);
    this.#jsonLog = log;
  }

  closeJson(): void {
    this.#jsonLog = null;
  }

  #appendJson(jsonLog: FrameLog, seq: number): void {
    const { log, spec } = this;
    const frame = new Uint8Array(log.sliceBytes(seq, seq + 1));
    log.copy(seq, seq + 1, frame, 0);
    const text = this.#toJson(frame);
    // Text can take several times the bytes of MessagePack. What the log cannot hold is announced, not hidden.
    const json = text !== null && jsonLog.canHold(text.length) ? text : jsonEncoder.gap(spec, seq, seq, 'too_large');
    jsonLog.begin(json.length, log.timeOf(seq), 0, log.originOf(seq));
    jsonLog.write(json, 0, json.length);
    jsonLog.commit();
  }

  /** Null: it has no JSON form. It is in the canonical log by now, so that whoever failed here would fail again and again. */
  #toJson(frame: Uint8Array): Uint8Array | null {
    try {
      return eventToJson(this.spec.topic, frame, 0, frame.length);
    } catch {
      return null;
    }
  }
}
