// A transport that keeps what it was given, and is full, broken or closed when the test says so.

import { SEND_OK, type SendResult, type Sink } from '#src/delivery/sink.js';
import { decodeServerFrames } from '#src/protocol/client-frames.js';
import type { ServerMessage } from '#src/protocol/messages.js';

/** One WebSocket message. */
export type Message = Uint8Array;

const decoder = new TextDecoder();

export class FakeSink implements Sink {
  /** What was sent and not taken yet. */
  messages: Message[] = [];
  /** Messages that were sent with one write. */
  writes = 0;
  sizes: number[] = [];
  ends: { code: number; reason: string }[] = [];
  /** What the next sends answer. */
  result: SendResult = SEND_OK;
  /** Runs within each send, before it answers. */
  onSend: (sink: FakeSink) => void = () => {};
  /** Runs within each end: a socket closes at once, and its connection ends there. */
  onEnd: () => void = () => {};

  send(message: Uint8Array): SendResult {
    this.messages.push(message.slice());
    this.sizes.push(message.length);
    this.writes++;
    this.onSend(this);
    return this.result;
  }

  sendEach(bytes: Uint8Array, ends: readonly number[]): SendResult {
    for (const [index, end] of ends.entries()) this.messages.push(bytes.slice(index === 0 ? 0 : ends[index - 1], end));
    this.sizes.push(ends.at(-1) ?? 0);
    this.writes++;
    this.onSend(this);
    return this.result;
  }

  reply(message: Uint8Array): void {
    this.messages.push(message);
  }

  end(code: number, reason: string): void {
    this.ends.push({ code, reason });
    this.onEnd();
  }

  /** The messages since the last call, each as its frames. */
  takeMessages(): ServerMessage[][] {
    const messages = this.messages.map(decodeServerFrames);
    this.messages = [];
    return messages;
  }

  /** All frames since the last call. */
  take(): ServerMessage[] {
    return this.takeMessages().flat();
  }

  /** The same of a JSON connection: one object per message. */
  takeJson(): Record<string, unknown>[] {
    const messages = this.messages.map((message) => JSON.parse(decoder.decode(message)) as Record<string, unknown>);
    this.messages = [];
    return messages;
  }
}
