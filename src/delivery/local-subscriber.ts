/** Local subscriber: a subscription within the process. A sink like a socket, except that it decodes instead of sending. */

import type { ErrorCode } from '../errors.js';
import { decodeServerFrames } from '../protocol/client-frames.js';
import type { GapReason, ServerMessage } from '../protocol/messages.js';
import { decode } from '../protocol/msgpack.js';
import { SEND_OK, SEND_REFUSED, type SendResult, type Sink } from './sink.js';

export interface TopicEvent {
  readonly topic: string;
  readonly seq: number;
  /** When the engine accepted the message (ms since the epoch). */
  readonly time: number;
  readonly payload: unknown;
  /** The publisher's message id, if it gave one. */
  readonly id?: string;
}

export interface TopicGap {
  readonly topic: string;
  /** First and last message that were lost. */
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly reason: GapReason;
}

export interface LocalHandlers {
  onEvent(event: TopicEvent): void;
  onGap?: ((gap: TopicGap) => void) | undefined;
  /** The subscription has ended without `close`: the topic was deleted, or the subscriber was too slow. */
  onEnd?: ((code: ErrorCode, reason: string) => void) | undefined;
}

/** Writer and reader: the accept thread. */
export class LocalSubscriber implements Sink {
  readonly #topic: string;
  readonly #handlers: LocalHandlers;
  readonly #onFault: (fault: unknown) => void;
  #isEnded = false;

  /** @param onFault takes what a handler throws: delivery to others goes on. */
  constructor(topic: string, handlers: LocalHandlers, onFault: (fault: unknown) => void) {
    this.#topic = topic;
    this.#handlers = handlers;
    this.#onFault = onFault;
  }

  send(message: Uint8Array): SendResult {
    if (this.#isEnded) return SEND_REFUSED;
    // A copy, because payloads may keep views of the bytes, which are lent.
    for (const frame of decodeServerFrames(message.slice())) this.#hand(frame);
    return SEND_OK;
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
    this.#call(() => this.#handlers.onEnd?.(closeCode === 1013 ? 'SLOW_CONSUMER' : 'SHUTTING_DOWN', reason));
  }

  /** Nothing is handed out any more. */
  close(): void {
    this.#isEnded = true;
  }

  #hand(frame: ServerMessage): void {
    if (this.#isEnded) return;
    const topic = this.#topic;
    if (frame.type === 'event') {
      const { seq, time, payloadBytes, id } = frame;
      const event = { topic, seq, time, payload: decode(payloadBytes), ...(id === null ? {} : { id }) };
      this.#call(() => this.#handlers.onEvent(event));
    } else if (frame.type === 'gap') {
      const { fromSeq, toSeq, reason } = frame;
      this.#call(() => this.#handlers.onGap?.({ topic, fromSeq, toSeq, reason }));
    } else if (frame.type === 'unsubscribed') {
      this.#isEnded = true;
      this.#call(() => this.#handlers.onEnd?.(frame.code, frame.reason));
    }
  }

  #call(handler: () => void): void {
    try {
      handler();
    } catch (fault) {
      this.#onFault(fault);
    }
  }
}
