/**
 * JSON in whatever shape a server wants it, by templates. Nothing has to be said about what comes back: the payload is a token
 * that is found wherever it stands, and a subscription counts as confirmed when a probe has come through it.
 */
import type { EventSink, OpenConnection } from './dialect.js';
import { PublishFrames } from './json-frames.js';
import { type JsonTemplates, TemplateWriter } from './json-templates.js';
import type { LoadDialect } from './load-dialect.js';
import { readTokens } from './text-payload.js';
import { OPCODE_TEXT } from './websocket.js';

const REMARKS_MAX = 3;
const REMARK_MAX_CHARACTERS = 200;
const NEWLINE = 0x0a;

export interface TemplateOptions {
  readonly path: string;
  readonly topics: readonly string[];
  readonly subprotocol?: string | undefined;
  readonly templates: JsonTemplates;
  readonly counting: boolean;
}

/** What the server asks, and what answers it, on which connection. */
interface KeepAlive {
  readonly ping: Uint8Array;
  readonly pong: Uint8Array;
  /** By index. */
  readonly connections: OpenConnection[];
}

/** Writer and reader: one thread. */
export class JsonTemplateDialect implements LoadDialect {
  readonly path: string;
  readonly subprotocol: string | null;
  readonly opcode = OPCODE_TEXT;
  readonly unconfirmed = true;
  readonly greeting: Uint8Array | null;
  readonly remarks: string[] = [];
  readonly #topics: readonly string[];
  readonly #templates: JsonTemplates;
  readonly #writer = new TemplateWriter();
  readonly #counting: boolean;
  readonly #frames = new PublishFrames((topic) =>
    this.#writer.publishFrame(this.#templates.publish!, this.#topics[topic]),
  );
  readonly #keepAlive: KeepAlive | null;

  constructor({ path, topics, subprotocol, templates, counting }: TemplateOptions) {
    this.path = path;
    this.subprotocol = subprotocol ?? null;
    this.#topics = topics;
    this.#templates = templates;
    this.#counting = counting;
    const { connect, ping, pong } = templates;
    this.greeting = connect === undefined ? null : this.#writer.message(connect, '');
    this.#keepAlive =
      ping === undefined || pong === undefined
        ? null
        : { ping: Buffer.from(ping), pong: Buffer.from(pong), connections: [] };
  }

  opened(connection: OpenConnection): void {
    if (this.#keepAlive !== null) this.#keepAlive.connections[connection.index] = connection;
    connection.ready();
  }

  subscribe(connection: OpenConnection, topics: readonly number[]): void {
    for (const topic of topics) {
      connection.send(this.#writer.message(this.#templates.subscribe, this.#topics[topic]), OPCODE_TEXT);
    }
  }

  publishBytes(payloadBytes: number, topic: number): number {
    return this.#frames.bytes(payloadBytes, topic);
  }

  writePublish(bytes: Uint8Array, offset: number, topic: number, payloadBytes: number): number {
    return this.#frames.write(bytes, offset, topic, payloadBytes);
  }

  /** Hot path: a search for tokens, nothing is parsed. */
  read(connection: number, bytes: Uint8Array, _view: DataView, start: number, end: number, sink: EventSink): void {
    if (this.#keepAlive !== null && hasLine(bytes, start, end, this.#keepAlive.ping)) {
      const { ping, pong, connections } = this.#keepAlive;
      connections[connection].send(pong, OPCODE_TEXT);
      if (end - start === ping.length) return;
    }
    if (this.#counting) sink.payload(connection, start, end);
    else if (readTokens(connection, bytes, start, end, sink) > 0) return;
    if (this.remarks.length < REMARKS_MAX) this.#remark(bytes, start, end);
  }

  #remark(bytes: Uint8Array, start: number, end: number): void {
    const last = Math.min(end, start + REMARK_MAX_CHARACTERS);
    this.remarks.push(Buffer.from(bytes.subarray(start, last)).toString('utf8'));
  }
}

/** Is the message this line, or one of several lines that share it? Hot path where there is a keep-alive. */
function hasLine(bytes: Uint8Array, start: number, end: number, line: Uint8Array): boolean {
  let lineStart = start;
  for (let at = start; at <= end; at++) {
    if (at < end && bytes[at] !== NEWLINE) continue;
    if (at - lineStart === line.length && line.every((byte, index) => bytes[lineStart + index] === byte)) return true;
    lineStart = at + 1;
  }
  return false;
}
