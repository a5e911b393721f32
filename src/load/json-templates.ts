/** Templates of JSON messages: what may stand in them, and how they are filled in. */
import type { PublishFrame } from './json-frames.js';
import { JSON_PAYLOAD_HEAD, JSON_PAYLOAD_TAIL } from './text-payload.js';

/** How to speak to a server that knows neither ringcast.v1 nor us. */
export interface JsonTemplates {
  readonly connect?: string | undefined;
  readonly subscribe: string;
  readonly publish?: string | undefined;
  /** By which the server asks whether a client is there, byte by byte, and what answers it. Both or neither. */
  readonly ping?: string | undefined;
  readonly pong?: string | undefined;
}

const TOPIC = 'topic';
const ID = 'id';
const PAYLOAD = 'payload';
const TOKEN = 'token';

const ALLOWED: Record<keyof JsonTemplates, readonly string[]> = {
  connect: [ID],
  subscribe: [TOPIC, ID],
  publish: [TOPIC, ID, PAYLOAD, TOKEN],
  ping: [],
  pong: [],
};

const PLACEHOLDER = /\{\{(\w*)\}\}/g;
const ID_PLACEHOLDER = '{{id}}';
/** As many from the start, so that one id can be written over another. */
const ID_DIGITS = 10;
const FIRST_ID = 10 ** (ID_DIGITS - 1);
const ZERO = 0x30;

/** What is wrong with a template, or null. */
export function templateProblem(kind: keyof JsonTemplates, template: string): string | null {
  const names = [...template.matchAll(PLACEHOLDER)].map(([, name]) => name!);
  const allowed = ALLOWED[kind];
  const unknown = names.find((name) => !allowed.includes(name));
  if (unknown !== undefined) {
    const there = allowed.length === 0 ? 'none' : allowed.map((name) => `{{${name}}}`).join(', ');
    return `{{${unknown}}} is not known there; there are ${there}`;
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

function fill(template: string, topic: string, id: number, payload: string): string {
  return template.replace(PLACEHOLDER, (_, name) => {
    if (name === TOPIC) return JSON.stringify(topic).slice(1, -1); // stands inside quotes
    return name === ID ? String(id) : payload;
  });
}

/** Fills templates in; every message has an id of its own. Writer and reader: one thread. */
export class TemplateWriter {
  #nextId = FIRST_ID;

  message(template: string, topic: string): Uint8Array {
    return Buffer.from(fill(template, topic, this.#nextId++, ''));
  }

  publishFrame(template: string, topic: string): PublishFrame {
    const [place] = [...template.matchAll(PLACEHOLDER)].filter(([, name]) => name === PAYLOAD || name === TOKEN);
    const isObject = place![1] === PAYLOAD;
    const before = template.slice(0, place!.index) + (isObject ? JSON_PAYLOAD_HEAD : '');
    const behind = (isObject ? JSON_PAYLOAD_TAIL : '') + template.slice(place!.index + place![0].length);
    const head = withIds(before, topic);
    const tail = withIds(behind, topic);
    const frame = { head: head.bytes, tail: tail.bytes };
    if (head.idsAt.length + tail.idsAt.length === 0) return frame;
    const renew = (): void => {
      const id = this.#nextId++;
      for (const at of head.idsAt) writeId(head.bytes, at, id);
      for (const at of tail.idsAt) writeId(tail.bytes, at, id);
    };
    return { ...frame, renew };
  }
}

/** With room for ids, and where it is. */
function withIds(template: string, topic: string): { bytes: Uint8Array; idsAt: number[] } {
  const [first, ...rest] = template.split(ID_PLACEHOLDER).map((piece) => Buffer.from(fill(piece, topic, 0, '')));
  const idsAt: number[] = [];
  let bytes = first!;
  for (const piece of rest) {
    idsAt.push(bytes.length);
    bytes = Buffer.concat([bytes, Buffer.alloc(ID_DIGITS, ZERO), piece]);
  }
  return { bytes, idsAt };
}

/** Hot path: per message whose template has an {{id}}. */
function writeId(bytes: Uint8Array, start: number, id: number): void {
  for (let at = start + ID_DIGITS - 1; at >= start; at--) {
    const rest = Math.floor(id / 10);
    bytes[at] = ZERO + (id - rest * 10);
    id = rest;
  }
}
