// A client on the `ws` package that hides nothing: every frame in the order it came, in either dialect.
import { afterEach } from 'vitest';
import WebSocket from 'ws';
import type { ClientMessage, HistoryOptions, PublishOptions, SubscribeOptions } from '#src/protocol/messages.js';
import { until, within } from './until.js';
import {
  type Codec,
  encodeMessage,
  type Heard,
  type HeardAnswer,
  type HeardError,
  type HeardEvent,
  type HeardGap,
  hearJson,
  MsgpackEar,
} from './wire.js';

const ANSWER_DEADLINE_MS = 10_000;
const LAST_HEARD_MAX_CHARACTERS = 500;
const open: TestClient[] = [];

afterEach(() => {
  for (const client of open.splice(0)) client.socket.terminate();
});

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export class TestClient {
  readonly codec: Codec;
  readonly socket: WebSocket;
  /** Everything heard, in order. */
  readonly heard: Heard[] = [];
  /** How many frames each WebSocket message held. */
  readonly framesPerMessage: number[] = [];
  readonly closed: Promise<Closed>;
  isClosed = false;
  #lastId = 0;
  readonly #ear = new MsgpackEar();

  private constructor(socket: WebSocket, codec: Codec) {
    this.codec = codec;
    this.socket = socket;
    socket.on('message', (data, isBinary) => {
      const bytes = data as Buffer;
      if (isBinary !== (codec === 'msgpack')) throw new Error(`a ${isBinary ? 'binary' : 'text'} message`);
      const frames = isBinary ? this.#ear.hear(new Uint8Array(bytes)) : [hearJson(bytes.toString())];
      this.framesPerMessage.push(frames.length);
      this.heard.push(...frames);
    });
    socket.on('error', () => {}); // what a broken connection ends with is told by `closed`
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.isClosed = true;
        resolve({ code, reason: reason.toString() });
      });
    });
    open.push(this);
  }

  /** Connects by subprotocol; rejects with the HTTP status when refused. */
  static async open(url: string, codec: Codec = 'msgpack', options: WebSocket.ClientOptions = {}): Promise<TestClient> {
    return TestClient.over(new WebSocket(url, `ringcast.v1.${codec}`, options), codec);
  }

  /** A socket of the caller's making, whose codec the caller knows. */
  static async over(socket: WebSocket, codec: Codec): Promise<TestClient> {
    const client = new TestClient(socket, codec);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  // ---- requests ----------------------------------------------------------------------------------------------------

  send(...messages: ClientMessage[]): void {
    const parts = messages.map((message) => encodeMessage(this.codec, message));
    if (this.codec === 'json') for (const part of parts) this.socket.send(part);
    else this.socket.send(Buffer.concat(parts as Uint8Array[]));
  }

  /** Sends with an id and gives whatever answers it. */
  async request(message: ClientMessage): Promise<HeardAnswer | HeardError> {
    const id = ++this.#lastId;
    this.send({ ...message, id });
    return this.answerTo(id);
  }

  async answerTo(id: number | string): Promise<HeardAnswer | HeardError> {
    const isAnswer = (frame: Heard): frame is HeardAnswer | HeardError =>
      (frame.type === 'ok' || frame.type === 'error') && frame.id === id;
    await this.until(() => this.heard.some(isAnswer), `the answer to request ${id}`);
    return this.heard.find(isAnswer) as HeardAnswer | HeardError;
  }

  subscribe(topic: string, options?: SubscribeOptions): Promise<HeardAnswer['result']> {
    return this.#result({ type: 'subscribe', topic, ...(options === undefined ? {} : { options }) });
  }

  unsubscribe(topic: string): Promise<HeardAnswer['result']> {
    return this.#result({ type: 'unsubscribe', topic });
  }

  publish(topic: string | number, payload: unknown, options?: PublishOptions): Promise<HeardAnswer['result']> {
    return this.#result({ type: 'publish', topic, payload, ...(options === undefined ? {} : { options }) });
  }

  history(topic: string, options?: HistoryOptions): Promise<HeardAnswer['result']> {
    return this.#result({ type: 'history', topic, ...(options === undefined ? {} : { options }) });
  }

  /** Resolves when the server has dealt with everything sent before, and its answers are here. */
  async sync(): Promise<void> {
    const id = `sync-${++this.#lastId}`;
    this.send({ type: 'ping', id });
    await this.until(() => this.heard.some((frame) => frame.type === 'pong' && frame.id === id), 'a PONG');
  }

  // ---- what was heard ----------------------------------------------------------------------------------------------

  events(topic?: string): HeardEvent[] {
    return this.heard.filter(
      (frame): frame is HeardEvent => frame.type === 'event' && (topic === undefined || frame.topic === topic),
    );
  }

  gaps(): HeardGap[] {
    return this.heard.filter((frame): frame is HeardGap => frame.type === 'gap');
  }

  errors(): HeardError[] {
    return this.heard.filter((frame): frame is HeardError => frame.type === 'error');
  }

  /** Waits for so many events of a topic. */
  async untilEvents(count: number, topic?: string): Promise<HeardEvent[]> {
    await this.until(() => this.events(topic).length >= count, `${count} events`);
    return this.events(topic);
  }

  until(condition: () => boolean, what: string): Promise<void> {
    const last = (): string => JSON.stringify(this.heard.slice(-3)).slice(0, LAST_HEARD_MAX_CHARACTERS);
    return until(
      () => condition() || this.isClosed,
      () => `${what}; last heard: ${last()}`,
      ANSWER_DEADLINE_MS,
    ).then(() => {
      if (!condition()) throw new Error(`closed before: ${what}; last heard: ${last()}`);
    });
  }

  untilClosed(deadlineMs = ANSWER_DEADLINE_MS): Promise<Closed> {
    return within(this.closed, deadlineMs, 'the connection is closed');
  }

  /** Ends the connection properly. */
  async close(): Promise<void> {
    this.socket.close();
    await this.untilClosed();
  }

  async #result(message: ClientMessage): Promise<HeardAnswer['result']> {
    const answer = await this.request(message);
    if (answer.type === 'error') throw new Error(`${answer.code}: ${answer.message}`);
    return answer.result;
  }
}
