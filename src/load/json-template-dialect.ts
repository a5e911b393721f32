/**
 * JSON in whatever shape a server wants it, by templates. Nothing has to be said about what comes back: the payload is a token
 * that is found wherever it stands, and a subscription counts as confirmed when a probe has come through it.
 */
import type { EventSink } from './dialect.js';
import type { LoadDialect, PublishFrame } from './load-dialect.js';
import { JSON_PAYLOAD_HEAD, JSON_PAYLOAD_TAIL, readTokens } from './text-payload.js';
import { OPCODE_TEXT } from './websocket.js';

const REMARKS_MAX = 3;
const REMARK_MAX_CHARACTERS = 200;
/** Ten digits from the start, so that one can be written over the other. */
const FIRST_ID = 1_000_000_000;
const PLACEHOLDER = /\{\{(\w*)\}\}/g;
const NO_BYTES = new Uint8Array(0);

/** How to speak to a server that knows neither ringcast.v1 nor us. */
export interface JsonTemplates {
  readonly connect?: string | undefined;
  readonly subscribe: string;
  readonly publish?: string | undefined;
}

export interface TemplateOptions {
  readonly path: string;
  readonly topics: readonly string[];
  readonly subprotocol?: string | undefined;
  readonly templates: JsonTemplates;
  readonly counting: boolean;
}

const TOPIC = 'topic';
const ID = 'id';
const PAYLOAD = 'payload';
const TOKEN = 'token';

/** What is wrong with a template, or null. */
export function templateProblem(kind: keyof JsonTemplates, template: string): string | null {
  const names = [...template.matchAll(PLACEHOLDER)].map(([, name]) => name!);
  const allowed = { connect: [ID], subscribe: [TOPIC, ID], publish: [TOPIC, ID, PAYLOAD, TOKEN] }[kind];
  const unknown = names.find((name) => !allowed.includes(name));
  if (unknown !== undefined) {
    return `{{${unknown}}} is not known there; there are ${allowed.map((name) => `{{${name}}}`).join(', ')}`;
  }
  const payloads = names.filter((name) => name === PAYLOAD || name === TOKEN).length;
  if (kind === 'publish' && payloads !== 1) {
    return 'it needs {{payload}} (an object) or {{token}} (text inside quotes) exactly once';
  }
  try {
    JSON.parse(fill(template.replace('{{token}}', 'token'), 'topic', FIRST_ID, JSON_PAYLOAD_HEAD + JSON_PAYLOAD_TAIL));
  } catch (error) {
    return `filled in, it is not JSON: ${(error as Error).message}`;
  }
  return null;
}

/** Writer and reader: one thread. */
export class JsonTemplateDialect implements LoadDialect {
  readonly path: string;
  readonly subprotocol: string | null;
  readonly opcode = OPCODE_TEXT;
  readonly confirms = false;
  readonly greeting: Uint8Array | null;
  readonly remarks: string[] = [];
  readonly #topics: readonly string[];
  readonly #templates: JsonTemplates;
  readonly #counting: boolean;
  #id = FIRST_ID;

  constructor({ path, topics, subprotocol, templates, counting }: TemplateOptions) {
    this.path = path;
    this.subprotocol = subprotocol ?? null;
    this.#topics = topics;
    this.#templates = templates;
    this.#counting = counting;
    const { connect } = templates;
    this.greeting = connect === undefined ? null : Buffer.from(fill(connect, '', this.#id++, ''));
  }

  subscribe(topics: readonly number[]): Uint8Array[] {
    return topics.map((topic) => Buffer.from(fill(this.#templates.subscribe, this.#topics[topic]!, this.#id++, '')));
  }

  open(): Uint8Array[] {
    return [];
  }

  /** Where the template has an {{id}}, all publishes of a topic have the same. */
  publishFrame(topic: number): PublishFrame {
    const template = this.#templates.publish!;
    const [place] = [...template.matchAll(PLACEHOLDER)].filter(([, name]) => name === PAYLOAD || name === TOKEN);
    const id = this.#id++;
    const isObject = place![1] === PAYLOAD;
    const before = fill(template.slice(0, place!.index), this.#topics[topic]!, id, '');
    const behind = fill(template.slice(place!.index + place![0].length), this.#topics[topic]!, id, '');
    const tail = (isObject ? JSON_PAYLOAD_TAIL : '') + behind;
    return {
      head: Buffer.from(isObject ? before + JSON_PAYLOAD_HEAD : before),
      tail: tail === '' ? NO_BYTES : Buffer.from(tail),
    };
  }

  /** Hot path: a search for tokens, nothing is parsed. */
  read(connection: number, bytes: Uint8Array, _view: DataView, start: number, end: number, sink: EventSink): void {
    if (this.#counting) sink.payload(connection, start, end);
    else if (readTokens(connection, bytes, start, end, sink) > 0) return;
    if (this.remarks.length < REMARKS_MAX) this.#remark(bytes, start, end);
  }

  #remark(bytes: Uint8Array, start: number, end: number): void {
    const last = Math.min(end, start + REMARK_MAX_CHARACTERS);
    this.remarks.push(Buffer.from(bytes.subarray(start, last)).toString('utf8'));
  }
}

function fill(template: string, topic: string, id: number, payload: string): string {
  return template.replace(PLACEHOLDER, (_, name) => {
    if (name === TOPIC) return JSON.stringify(topic).slice(1, -1); // stands inside quotes
    return name === ID ? String(id) : payload;
  });
}
