// A server that is just enough for the commands: topics in a map, every message to every subscriber. Its oddities are
// scripted by the test, which is why the commands are not only tested against the real engine.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { msgpackEncoder as encoder } from '#src/protocol/encoder-msgpack.js';
import { EventHead, eventTail, tailElements } from '#src/protocol/event.js';
import {
  type ClientFrame,
  OP,
  type PublishOptions,
  READ_FRAME,
  type SubscribeOptions,
} from '#src/protocol/messages.js';
import { decode } from '#src/protocol/msgpack.js';
import { MsgpackReader } from '#src/protocol/msgpack-reader.js';

export interface StubMessage {
  readonly payload: unknown;
  readonly id: string | undefined;
}

interface StubTopic {
  readonly name: string;
  readonly alias: number;
  readonly frames: Uint8Array[];
  readonly messages: StubMessage[];
  readonly subscribers: Set<WebSocket>;
}

export interface StubScript {
  /** Whether to refuse a message as OVERLOADED; asked per PUBLISH with a payload. */
  isOverloaded?: (topic: string, payload: unknown) => boolean;
  onSubscribe?: (socket: WebSocket, topic: StubTopic) => void;
  token?: string;
  /** The time of every message. */
  timeMs?: number;
}

export class StubServer {
  readonly topics = new Map<string, StubTopic>();
  /** How many PUBLISH frames each WebSocket message held, where it held any. */
  readonly publishesPerMessage: number[] = [];
  readonly #server: WebSocketServer;
  readonly #script: StubScript;
  readonly #byAlias: StubTopic[] = [];

  constructor(server: WebSocketServer, script: StubScript) {
    this.#server = server;
    this.#script = script;
    server.on('connection', (socket) => {
      const limits = { maxPayloadBytes: 1024 * 1024, maxSubscriptionsPerConnection: 100 };
      socket.send(encoder.welcome({ connectionId: 'stub', heartbeatMs: 30_000, limits }));
      socket.on('message', (data) => this.#read(socket, new Uint8Array(data as Buffer)));
    });
  }

  static async start(script: StubScript = {}): Promise<StubServer> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, path: '/ws' });
    await once(server, 'listening');
    return new StubServer(server, script);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/ws`;
  }

  payloads(topic: string): unknown[] {
    return this.topics.get(topic)?.messages.map(({ payload }) => payload) ?? [];
  }

  closeConnections(code: number, reason: string): void {
    for (const socket of this.#server.clients) socket.close(code, reason);
  }

  async close(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #read(socket: WebSocket, bytes: Uint8Array): void {
    const reader = new MsgpackReader();
    reader.reset(bytes, 0, bytes.length);
    const answers: Uint8Array[] = [];
    let publishes = 0;
    while (reader.next() === READ_FRAME) {
      if (reader.op === OP.PUBLISH) publishes += 1;
      answers.push(this.#answer(socket, reader));
    }
    if (publishes > 0) this.publishesPerMessage.push(publishes);
    socket.send(Buffer.concat(answers));
  }

  #answer(socket: WebSocket, frame: ClientFrame): Uint8Array {
    switch (frame.op) {
      case OP.CONNECT: {
        const { token } = (frame.options ?? {}) as { token?: string };
        if (token !== this.#script.token) return encoder.error(frame.id, 'UNAUTHORIZED', 'unknown token');
        return encoder.connected(frame.id, { connectionId: 'stub', clientId: null });
      }
      case OP.SUBSCRIBE:
        return this.#subscribe(socket, frame);
      case OP.PUBLISH:
        return this.#publish(frame);
      default:
        return encoder.pong(frame.id, Date.now());
    }
  }

  #subscribe(socket: WebSocket, frame: ClientFrame): Uint8Array {
    const topic = this.#topic(frame);
    const { lastN = 0 } = (frame.options ?? {}) as SubscribeOptions;
    topic.subscribers.add(socket);
    const replayed = topic.frames.slice(Math.max(0, topic.frames.length - lastN));
    const seq = topic.frames.length - replayed.length;
    setImmediate(() => this.#script.onSubscribe?.(socket, topic));
    return Buffer.concat([encoder.subscribed(frame.id, { ...this.#position(topic), seq }), ...replayed]);
  }

  #publish(frame: ClientFrame): Uint8Array {
    const topic = this.#topic(frame);
    const { id, open } = (frame.options ?? {}) as PublishOptions;
    if (open === true) return encoder.subscribed(frame.id, this.#position(topic));
    const payload = decode(frame.payload, frame.payloadStart, frame.payloadEnd);
    if (this.#script.isOverloaded?.(topic.name, payload) === true) {
      return encoder.error(frame.id, 'OVERLOADED', 'the ring is full');
    }
    topic.messages.push({ payload, id });
    const timeMs = this.#script.timeMs ?? Date.now();
    const event = eventFrame(topic.alias, topic.messages.length, timeMs, frame, id);
    topic.frames.push(event);
    for (const subscriber of topic.subscribers) subscriber.send(event);
    return encoder.published(frame.id, topic.name, { seq: topic.messages.length }, 'e1', timeMs, 0);
  }

  #position(topic: StubTopic) {
    return { topic: topic.name, alias: topic.alias, epoch: 'e1', seq: topic.messages.length };
  }

  #topic(frame: ClientFrame): StubTopic {
    const name = frame.topic ?? this.#byAlias[frame.alias].name;
    const known = this.topics.get(name);
    if (known !== undefined) return known;
    const topic = { name, alias: this.#byAlias.length, frames: [], messages: [], subscribers: new Set<WebSocket>() };
    this.#byAlias.push(topic);
    this.topics.set(name, topic);
    return topic;
  }
}

function eventFrame(
  alias: number,
  seq: number,
  timeMs: number,
  frame: ClientFrame,
  id: string | undefined,
): Uint8Array {
  const head = new EventHead();
  const payload = frame.payload.slice(frame.payloadStart, frame.payloadEnd);
  const tail = id === undefined ? new Uint8Array(0) : eventTail({ id });
  const headBytes = head.write(alias, seq, timeMs, tailElements(tail));
  return Buffer.concat([head.bytes.subarray(0, headBytes), payload, tail]);
}
