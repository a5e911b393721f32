/**
 * Reads the messages of the JSON dialect: one object per WebSocket message. A payload is re-encoded as MessagePack
 * here, at the edge, so that everything behind it knows one form only.
 */

import {
  FRAMES,
  type FrameOptions,
  type FrameReader,
  OP,
  OPTIONS,
  type OpName,
  type OptionSpec,
  type OptionTable,
  PAYLOAD_NESTING_MAX,
  READ_END,
  READ_FRAME,
  READ_INVALID,
  READ_MALFORMED,
  REQUEST_ID_MAX_BYTES,
  type RequestId,
} from './messages.js';
import { encode } from './msgpack.js';
import { optionProblem, unknownOptionProblem } from './options.js';
import { addressProblem } from './topic-name.js';
import { decodeUtf8, utf8Length } from './utf8.js';

const EMPTY = new Uint8Array(0);
const BAD_REQUEST_ID = `request_id must be an integer from 0 to 2^53-1 or a string of at most ${REQUEST_ID_MAX_BYTES} bytes`;
/** Accepted on every message of the dialect; only CONNECT's and SUBSCRIBE's is used. */
const CLIENT_ID_FIELD = 'client_id';

/** An option as JSON spells it. */
interface JsonOption {
  readonly name: string;
  readonly spec: OptionSpec;
}

interface JsonShape {
  readonly name: OpName;
  readonly hasTopic: boolean;
  readonly options: ReadonlyMap<string, JsonOption>;
  /** Every field that the message may have. */
  readonly fields: ReadonlySet<string>;
}

function shapeOf(name: OpName): JsonShape {
  const options = new Map<string, JsonOption>();
  const table = (OPTIONS as Partial<Record<OpName, OptionTable>>)[name] ?? {};
  for (const [key, spec] of Object.entries(table)) {
    if (spec.json !== null) options.set(spec.json, { name: key, spec });
  }
  const hasTopic = FRAMES[name].fields.some((field) => field.startsWith('topic'));
  const own = [...(hasTopic ? ['topic'] : []), ...(name === 'PUBLISH' ? ['message'] : []), ...options.keys()];
  return { name, hasTopic, options, fields: new Set(['type', 'request_id', ...own, CLIENT_ID_FIELD]) };
}

const CLIENT_OPS = ['CONNECT', 'SUBSCRIBE', 'UNSUBSCRIBE', 'PUBLISH', 'PING', 'HISTORY'] as const;
const SHAPES: ReadonlyMap<string, JsonShape> = new Map(CLIENT_OPS.map((name) => [FRAMES[name].json!, shapeOf(name)]));
const CLIENT_ID_SPEC: OptionSpec = OPTIONS.CONNECT.clientId;

type JsonObject = Record<string, unknown>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

/** Recursion ends at the limit. */
function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const children: unknown[] = Array.isArray(value) ? value : Object.values(value);
  return children.some((child) => isDeeperThan(child, levels - 1));
}

/** Whether a string or key has no UTF-8 form. Recursion is bounded: called after isDeeperThan(). */
function hasHalfPair(value: unknown): boolean {
  if (typeof value === 'string') return utf8Length(value) < 0;
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasHalfPair);
  return Object.entries(value).some(([key, inner]) => utf8Length(key) < 0 || hasHalfPair(inner));
}

/** Owner: the thread that reads the sockets; one serves all of its connections in turn. */
export class JsonReader implements FrameReader {
  op = 0;
  id: RequestId = null;
  topic: string | null = null;
  /** JSON addresses topics by name only. */
  readonly alias = -1;
  payload: Uint8Array = EMPTY;
  readonly payloadStart = 0;
  payloadEnd = 0;
  options: FrameOptions | null = null;
  problem = '';
  offset = 0;

  #bytes: Uint8Array = EMPTY;
  #end = 0;
  /** Valid UTF-8 holds no half pairs, so only an escape can have brought one. */
  #mayHaveHalfPairs = false;

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.offset = start;
    this.#end = end;
  }

  next(): number {
    this.op = 0;
    this.id = null;
    this.topic = null;
    this.payload = EMPTY;
    this.payloadEnd = 0;
    this.options = null;
    const start = this.offset;
    if (start >= this.#end) return READ_END;
    this.offset = this.#end;
    const text = decodeUtf8(this.#bytes, start, this.#end);
    if (text === null) return this.#fail(READ_MALFORMED, 'the message is not valid UTF-8');
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch (error) {
      return this.#fail(READ_MALFORMED, `the message is not JSON: ${(error as Error).message}`);
    }
    this.#mayHaveHalfPairs = /\\ud/i.test(text);
    const problem = this.#read(message);
    return problem === null ? READ_FRAME : this.#fail(READ_INVALID, problem);
  }

  #fail(result: number, problem: string): number {
    this.problem = problem;
    this.payload = EMPTY;
    this.payloadEnd = 0;
    return result;
  }

  #read(message: unknown): string | null {
    if (!isObject(message)) return 'a message is a JSON object with a "type"';
    const hasId = this.#readId(message.request_id);
    const shape = typeof message.type === 'string' ? SHAPES.get(message.type) : undefined;
    if (shape === undefined) return `unknown type; known are ${[...SHAPES.keys()].join(', ')}`;
    this.op = OP[shape.name];
    if (!hasId) return BAD_REQUEST_ID;
    if (shape.hasTopic) {
      if (typeof message.topic !== 'string') return 'topic must be a string';
      const problem = addressProblem(message.topic);
      if (problem !== null) return problem;
      this.topic = message.topic;
    }
    const options: Record<string, unknown> = {};
    const problem =
      this.#readOptions(message, shape, options) ??
      (this.op === OP.PUBLISH ? this.#readMessage(message.message, options) : null);
    if (problem !== null) return problem;
    if (Object.keys(options).length > 0) this.options = options;
    return null;
  }

  #readId(id: unknown): boolean {
    if (isAbsent(id)) return true;
    if (typeof id === 'number') {
      if (!Number.isSafeInteger(id) || id < 0) return false;
    } else if (typeof id !== 'string') return false;
    else {
      const lengthBytes = utf8Length(id);
      if (lengthBytes < 0 || lengthBytes > REQUEST_ID_MAX_BYTES) return false;
    }
    this.id = id;
    return true;
  }

  #readOptions(message: JsonObject, shape: JsonShape, options: Record<string, unknown>): string | null {
    for (const [field, value] of Object.entries(message)) {
      if (!shape.fields.has(field)) return unknownOptionProblem(field, message.type as string, [...shape.fields]);
      const option = shape.options.get(field);
      const spec = option?.spec ?? (field === CLIENT_ID_FIELD ? CLIENT_ID_SPEC : null);
      if (spec === null || isAbsent(value)) continue;
      const problem = optionProblem(field, spec, value);
      if (problem !== null) return problem;
      if (option !== undefined) options[option.name] = value;
    }
    return null;
  }

  #readMessage(message: unknown, options: Record<string, unknown>): string | null {
    if (!isObject(message)) return 'message must be an object with a payload';
    for (const field of Object.keys(message)) {
      if (field !== 'id' && field !== 'payload') return unknownOptionProblem(field, 'message', ['id', 'payload']);
    }
    if (!isAbsent(message.id)) {
      const problem = optionProblem('message.id', OPTIONS.PUBLISH.id, message.id);
      if (problem !== null) return problem;
      options.id = message.id;
    }
    if (message.payload === undefined) return 'message.payload is missing';
    if (isDeeperThan(message.payload, PAYLOAD_NESTING_MAX)) {
      return `the payload is nested deeper than ${PAYLOAD_NESTING_MAX}`;
    }
    if (this.#mayHaveHalfPairs && hasHalfPair(message.payload)) return 'the payload contains half a surrogate pair';
    this.payload = encode(message.payload);
    this.payloadEnd = this.payload.length;
    return null;
  }
}
