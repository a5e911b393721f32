/** Local subscriber: a subscription within the process. A sink like a socket, except that it decodes instead of sending. */

import { callOut } from '../delivery/call-out.js';
import { SEND_OK, SEND_REFUSED, type SendResult, type Sink } from '../delivery/sink.js';
import { ERROR_TABLE, type ErrorCode } from '../errors.js';
import { decodeServerFrames } from '../protocol/client-frames.js';
import { type PresentExtras, presentExtras } from '../protocol/event.js';
import type { GapReason, ServerMessage } from '../protocol/messages.js';
import { decode } from '../protocol/msgpack.js';
import { type KeyValue, keyValueOf, Received } from '../protocol/received.js';
import { isPattern } from '../protocol/topic-name.js';
import { Values } from '../protocol/values.js';

export interface LocalEvent extends PresentExtras {
  readonly topic: string;
  readonly seq: number;
  /** When the engine accepted the message (ms since the epoch). */
  readonly time: number;
  readonly payload: unknown;
}

export interface LocalGap {
  readonly topic: string;
  /** First and last message that were lost. */
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly reason: GapReason;
}

/** A part of a snapshot. */
export interface LocalSnapshot {
  readonly topic: string;
  /** The newest message that is in it. */
  readonly seq: number;
  readonly entries: readonly LocalSnapshotEntry[];
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

export type LocalSnapshotEntry = KeyValue;

/** A topic of a pattern. */
export interface LocalTopic {
  readonly topic: string;
  /** Names this life of the topic: numbers of different epochs must not be compared. */
  readonly epoch: string;
  /** The last message before the first one that will be handed out. */
  readonly seq: number;
  /** Whether it begins where `sinceTime` said; absent where that was not asked for. */
  readonly recovered?: boolean;
}

export interface LocalTopicEnd {
  readonly topic: string;
  readonly code: ErrorCode;
  readonly reason: string;
}

/** How a close code, which sockets are ended with, is told to a handler. */
const END_CODES: Readonly<Record<number, ErrorCode>> = {
  [ERROR_TABLE.INTERNAL.closeCode]: 'INTERNAL',
  [ERROR_TABLE.SLOW_CONSUMER.closeCode]: 'SLOW_CONSUMER',
};

/** Each may be an async function: what it rejects with is a fault, as what it throws is. Nobody waits for it. */
export interface LocalHandlers {
  onEvent(event: LocalEvent): unknown;
  onGap?: ((gap: LocalGap) => unknown) | undefined;
  onSnapshot?: ((part: LocalSnapshot) => unknown) | undefined;
  /** Of an order book: something is missing, and nothing more comes before its feed has brought the next snapshot. */
  onStale?: ((topic: string) => unknown) | undefined;
  /** With a pattern: a topic begins, ahead of its first event. */
  onTopic?: ((topic: LocalTopic) => unknown) | undefined;
  /** With a pattern: a topic has ended, or (LIMIT_EXCEEDED …) cannot be had, and maybe others for the same reason. */
  onTopicEnd?: ((end: LocalTopicEnd) => unknown) | undefined;
  /** The subscription has ended without `close`: the topic was deleted, or the subscriber was too slow. */
  onEnd?: ((code: ErrorCode, reason: string) => unknown) | undefined;
}

/** What events of one alias belong to. */
interface LocalSource {
  readonly topic: string;
  /** Of a stream of deltas. */
  readonly values: Values | null;
}

/**
 * Writer and reader: the accept thread. Nothing that is sent through it and nothing that a handler does makes it throw, or
 * skip another message.
 */
export class LocalSubscriber implements Sink {
  readonly #handlers: LocalHandlers;
  readonly #onFault: (fault: unknown) => void;
  readonly #isDelta: boolean;
  /** Null: it is one topic's, see `#only`. */
  readonly #byAlias: Map<number, LocalSource> | null;
  readonly #only: LocalSource;
  readonly counts = new Received();
  #isEnded = false;

  /**
   * @param onFault takes what a handler throws or rejects with, and messages whose payload cannot be decoded, which are
   * left out.
   * @param isDelta what comes is deltas: handlers get the whole values that they make
   */
  constructor(topic: string, handlers: LocalHandlers, onFault: (fault: unknown) => void, isDelta = false) {
    this.#handlers = handlers;
    this.#onFault = onFault;
    this.#isDelta = isDelta;
    this.#byAlias = isPattern(topic) ? new Map() : null;
    this.#only = this.#source(topic);
  }

  #source(topic: string): LocalSource {
    return { topic, values: this.#isDelta ? new Values() : null };
  }

  send(message: Uint8Array): SendResult {
    if (this.#isEnded) return SEND_REFUSED;
    // A copy, because payloads may keep views of the bytes, which are lent.
    for (const frame of this.#framesOf(message.slice())) this.#hand(frame);
    return SEND_OK;
  }

  /** None where the bytes are no frames: those of this process always are. */
  #framesOf(message: Uint8Array): ServerMessage[] {
    try {
      return decodeServerFrames(message);
    } catch (fault) {
      this.#onFault(fault);
      return [];
    }
  }

  reply(message: Uint8Array): void {
    this.send(message);
  }

  sendEach(): SendResult {
    throw new Error('local subscribers take MessagePack, which is never sent frame by frame');
  }

  end(closeCode: number, reason: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#call(() => this.#handlers.onEnd?.(END_CODES[closeCode] ?? 'SHUTTING_DOWN', reason));
  }

  /** Nothing is handed out any more. */
  close(): void {
    this.#isEnded = true;
  }

  #hand(frame: ServerMessage): void {
    if (this.#isEnded) return;
    if (frame.type === 'notice') {
      this.#notice(frame.kind, frame.details as LocalTopic & LocalTopicEnd & { alias: number; message: string });
      return;
    }
    if (!('alias' in frame)) return;
    const source = this.#byAlias === null ? this.#only : this.#byAlias.get(frame.alias);
    if (source === undefined) return;
    const { topic, values } = source;
    if (frame.type === 'event') {
      const event = this.#eventOf(source, frame);
      if (event === null) return;
      this.counts.received++;
      this.#call(() => this.#handlers.onEvent(event));
    } else if (frame.type === 'gap') {
      const { fromSeq, toSeq, reason } = frame;
      this.counts.countGap(fromSeq, toSeq, reason);
      this.#call(() => this.#handlers.onGap?.({ topic, fromSeq, toSeq, reason }));
    } else if (frame.type === 'snapshot') {
      const { seq, first: isFirst, last: isLast } = frame;
      values?.take(frame.entries, isFirst);
      const entries = frame.entries.map(keyValueOf);
      this.#call(() => this.#handlers.onSnapshot?.({ topic, seq, entries, isFirst, isLast }));
    } else this.#unsubscribed(frame.alias, topic, frame);
  }

  #unsubscribed(alias: number, topic: string, { code, reason }: { code: ErrorCode; reason: string }): void {
    if (this.#byAlias === null) {
      this.#isEnded = true;
      this.#call(() => this.#handlers.onEnd?.(code, reason));
      return;
    }
    this.#byAlias.delete(alias);
    this.#call(() => this.#handlers.onTopicEnd?.({ topic, code, reason }));
  }

  #notice(kind: string, details: LocalTopic & LocalTopicEnd & { alias: number; message: string }): void {
    const { alias, topic, epoch, seq, recovered, code, message } = details;
    if (kind === 'topic') {
      this.#byAlias?.set(alias, this.#source(topic));
      const begun = { topic, epoch, seq, ...(recovered === undefined ? {} : { recovered }) };
      this.#call(() => this.#handlers.onTopic?.(begun));
    } else if (kind === 'stale' && (this.#byAlias === null || this.#byAlias.has(alias))) {
      this.#call(() => this.#handlers.onStale?.(topic));
    } else if (kind === 'missed') this.#call(() => this.#handlers.onTopicEnd?.({ topic, code, reason: message }));
  }

  /** Null: anybody may publish what this process cannot decode. */
  #eventOf({ topic, values }: LocalSource, event: Extract<ServerMessage, { type: 'event' }>): LocalEvent | null {
    const { seq, time, payloadBytes } = event;
    try {
      const said = decode(payloadBytes);
      const payload = values === null ? said : values.valueOf(event, said);
      return { topic, seq, time, payload, ...presentExtras(event) };
    } catch (cause) {
      const problem = `message ${seq} of ${JSON.stringify(topic)} was left out: its payload cannot be decoded`;
      this.#onFault(new Error(problem, { cause }));
      return null;
    }
  }

  #call(handler: () => unknown): void {
    callOut(handler, this.#onFault);
  }
}
