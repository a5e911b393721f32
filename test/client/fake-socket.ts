// A WebSocket without a network: the test reads what the client sent and says what the server answers.
import type { CloseEventLike, ErrorEventLike, MessageEventLike, WebSocketLike } from '#src/client/socket.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { EventHead, eventTail, tailElements } from '#src/protocol/event.js';
import type { EventMessage } from '#src/protocol/messages.js';
import { decode, encode, skipValue } from '#src/protocol/msgpack.js';

/** A client frame as an array: operation, id, … */
export type SentFrame = unknown[];

export class FakeSocket implements WebSocketLike {
  /** The sockets in the order of their making. */
  static readonly all: FakeSocket[] = [];

  binaryType = 'blob';
  onopen: unknown = null;
  onmessage: unknown = null;
  onerror: unknown = null;
  onclose: unknown = null;
  bufferedAmount = 0;
  readonly url: string;
  readonly protocols: string | string[] | undefined;
  /** WebSocket messages as the client sent them. */
  readonly sent: Uint8Array[] = [];
  closeCalls: { code: number | undefined; reason: string | undefined }[] = [];
  terminateCalls = 0;
  #framesTaken = 0;

  constructor(url: string, protocols?: string | string[]) {
    this.url = url;
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }

  static latest(): FakeSocket {
    const socket = FakeSocket.all.at(-1);
    if (socket === undefined) throw new Error('no socket was made');
    return socket;
  }

  send(data: Uint8Array): void {
    this.sent.push(data);
  }

  close(code?: number, reason?: string): void {
    this.closeCalls.push({ code, reason });
  }

  terminate(): void {
    this.terminateCalls += 1;
  }

  /** All frames since the last call. */
  takeFrames(): SentFrame[] {
    const frames = this.sent.flatMap(splitFrames);
    const fresh = frames.slice(this.#framesTaken);
    this.#framesTaken = frames.length;
    return fresh;
  }

  /** The one frame since the last call. */
  takeFrame(): SentFrame {
    const frames = this.takeFrames();
    if (frames.length !== 1) throw new Error(`expected one frame, got ${JSON.stringify(frames)}`);
    return frames[0];
  }

  serverOpens(): void {
    (this.onopen as () => void)();
  }

  /** One WebSocket message that holds these frames. */
  serverSends(...frames: Uint8Array[]): void {
    const bytes = new Uint8Array(Buffer.concat(frames));
    (this.onmessage as (event: MessageEventLike) => void)({ data: bytes.buffer });
  }

  serverSendsText(text: string): void {
    (this.onmessage as (event: MessageEventLike) => void)({ data: text });
  }

  fails(message: string): void {
    (this.onerror as (event: ErrorEventLike) => void)({ message });
  }

  closes(code: number, reason = ''): void {
    (this.onclose as (event: CloseEventLike) => void)({ code, reason });
  }
}

function splitFrames(message: Uint8Array): SentFrame[] {
  const frames: SentFrame[] = [];
  for (let offset = 0; offset < message.length; ) {
    const end = skipValue(message, offset, message.length);
    frames.push(decode(message, offset, end) as SentFrame);
    offset = end;
  }
  return frames;
}

export function eventFrame(event: Partial<Omit<EventMessage, 'type'>> & { payload?: unknown }): Uint8Array {
  const head = new EventHead();
  const { alias = 1, seq = 1, time = 1000 } = event;
  const tail = eventTail(event);
  const length = head.write(alias, seq, time, tailElements(tail));
  const payload = event.payloadBytes ?? encode(event.payload ?? null);
  return new Uint8Array(Buffer.concat([head.bytes.subarray(0, length), payload, tail]));
}

/** Lets everything that is waiting for resolved promises run. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

export const WELCOME = {
  connectionId: 'c-1',
  heartbeatMs: 30_000,
  limits: { maxPayloadBytes: 1024 * 1024, maxSubscriptionsPerConnection: 10 },
};
export { msgpackEncoder as server };
