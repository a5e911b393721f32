/** Local subscriber: a subscription within the process. A sink like a socket, except that it decodes instead of sending. */

import { callOut } from '../delivery/call-out.js';
import { SEND_OK, SEND_REFUSED, type SendResult, type Sink } from '../delivery/sink.js';
import { ERROR_TABLE, type ErrorCode } from '../errors.js';
import { decodeServerFrames } from '../protocol/client-frames.js';
import { type PresentExtras, presentExtras } from '../protocol/event.js';
import type { GapReason, ServerMessage } from '../protocol/messages.js';
import { decode } from '../protocol/msgpack.js';
import type { Values } from '../protocol/values.js';

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

export interface LocalSnapshotEntry {
  /** Null where the topic is not keyed. */
  readonly key: string | null;
  readonly seq: number;
  readonly time: number;
  readonly payload: unknown;
  readonly version?: number;
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
  /** The subscription has ended without `close`: the topic was deleted, or the subscriber was too slow. */
  onEnd?: ((code: ErrorCode, reason: string) => unknown) | undefined;
}

/**
 * Writer and reader: the accept thread. Nothing that is sent through it and nothing that a handler does makes it throw, or
 * skip another message.
 */
export class LocalSubscriber implements Sink {
  readonly #topic: string;
  readonly #handlers: LocalHandlers;
  readonly #onFault: (fault: unknown) => void;
  readonly #values: Values | null;
  #isEnded = false;

  /**
   * @param onFault takes what a handler throws or rejects with, and messages whose payload cannot be decoded, which are
   * left out.
   * @param values of a stream of deltas
   */
  constructor(topic: string, handlers: LocalHandlers, onFault: (fault: unknown) => void, values: Values | null = null) {
    this.#topic = topic;
    this.#handlers = handlers;
    this.#onFault = onFault;
    this.#values = values;
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
    const topic = this.#topic;
    if (frame.type === 'event') {
      const event = this.#eventOf(frame);
      if (event !== null) this.#call(() => this.#handlers.onEvent(event));
    } else if (frame.type === 'gap') {
      const { fromSeq, toSeq, reason } = frame;
      this.#call(() => this.#handlers.onGap?.({ topic, fromSeq, toSeq, reason }));
    } else if (frame.type === 'snapshot') {
      const { seq, first: isFirst, last: isLast } = frame;
      this.#values?.take(frame.entries, isFirst);
      const entries = frame.entries.map(([key, its, time, payload, version]): LocalSnapshotEntry => {
        return { key, seq: its, time, payload, ...(version === undefined ? {} : { version }) };
      });
      this.#call(() => this.#handlers.onSnapshot?.({ topic, seq, entries, isFirst, isLast }));
    } else if (frame.type === 'unsubscribed') {
      this.#isEnded = true;
      this.#call(() => this.#handlers.onEnd?.(frame.code, frame.reason));
    }
  }

  /** Null: anybody may publish what this process cannot decode. */
  #eventOf(event: Extract<ServerMessage, { type: 'event' }>): LocalEvent | null {
    const topic = this.#topic;
    const { seq, time, payloadBytes, change } = event;
    try {
      const said = decode(payloadBytes);
      const payload = this.#values === null ? said : this.#values.valueOf(event, said);
      const extras = presentExtras(change === 'delta' ? { ...event, change: null } : event);
      return { topic, seq, time, payload, ...extras };
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
