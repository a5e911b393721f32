/** ringcast.v1.json, as a load generator speaks it. */
import { SUBPROTOCOL_JSON } from '../protocol/messages.js';
import type { EventSink, OpenConnection } from './dialect.js';
import { type PublishFrame, PublishFrames } from './json-frames.js';
import type { LoadDialect } from './load-dialect.js';
import type { RingcastOptions } from './ringcast-msgpack-dialect.js';
import { JSON_PAYLOAD_HEAD, JSON_PAYLOAD_TAIL, readTokens } from './text-payload.js';
import { OPCODE_TEXT } from './websocket.js';

const GREETING_ID = 'connect';

export interface RingcastJsonOptions extends RingcastOptions {
  readonly counting: boolean;
}

/** Writer and reader: one thread. */
export class RingcastJsonDialect implements LoadDialect {
  readonly path: string;
  readonly subprotocol = SUBPROTOCOL_JSON;
  readonly opcode = OPCODE_TEXT;
  readonly greeting: Uint8Array | null;
  readonly #topics: readonly string[];
  readonly #frames = new PublishFrames((topic) => this.#frame(topic));
  readonly #counting: boolean;

  constructor({ path, topics, token, counting }: RingcastJsonOptions) {
    this.path = path;
    this.#topics = topics;
    this.#counting = counting;
    this.greeting = token === undefined ? null : message({ type: 'connect', token, request_id: GREETING_ID });
  }

  subscribe(connection: OpenConnection, topics: readonly number[]): void {
    for (const topic of topics) {
      connection.send(message({ type: 'subscribe', topic: this.#topics[topic], request_id: topic }), OPCODE_TEXT);
    }
  }

  publishBytes(payloadBytes: number, topic: number): number {
    return this.#frames.bytes(payloadBytes, topic);
  }

  writePublish(bytes: Uint8Array, offset: number, topic: number, payloadBytes: number): number {
    return this.#frames.write(bytes, offset, topic, payloadBytes);
  }

  #frame(topic: number): PublishFrame {
    const name = JSON.stringify(this.#topics[topic]);
    return {
      head: Buffer.from(`{"type":"publish","topic":${name},"message":{"payload":${JSON_PAYLOAD_HEAD}`),
      tail: Buffer.from(`${JSON_PAYLOAD_TAIL}}}`),
    };
  }

  /** Hot path: with a token inside nothing is parsed. */
  read(connection: number, bytes: Uint8Array, _view: DataView, start: number, end: number, sink: EventSink): void {
    if (!this.#counting && readTokens(connection, bytes, start, end, sink) > 0) return;
    try {
      this.#readOther(connection, bytes, start, end, sink);
    } catch (error) {
      sink.problem(connection, `a message from the server cannot be read: ${(error as Error).message}`);
    }
  }

  #readOther(connection: number, bytes: Uint8Array, start: number, end: number, sink: EventSink): void {
    const answer = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8'));
    switch (answer.type) {
      case 'event':
        sink.payload(connection, start, end);
        break;
      case 'ack':
        sink.acknowledged(connection, 1);
        break;
      case 'gap':
        sink.gap(connection, answer.to_seq - answer.from_seq + 1);
        break;
      case 'error':
        sink.problem(connection, `${this.#request(answer.request_id)} was refused: ${describe(answer.error)}`);
        break;
      case 'unsubscribed':
        sink.problem(connection, `the server ended a subscription: ${answer.reason} (${answer.code})`);
        break;
    }
  }

  #request(id: unknown): string {
    if (id === GREETING_ID) return 'the token';
    return typeof id === 'number' ? `subscribing to ${JSON.stringify(this.#topics[id])}` : 'a message';
  }
}

function message(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function describe(error: { code: string; message: string }): string {
  return `${error.message} (${error.code})`;
}
