/**
 * Reads the messages of the JSON dialect: one object per WebSocket message. A payload is re-encoded as MessagePack
 * here, at the edge, so that everything behind it knows one form only. No message costs more than itself: text that is
 * not JSON is one bad frame.
 */

import { JsonSource, NOT_JSON } from './json-to-msgpack.js';
import {
  BATCH_MESSAGES_MAX,
  type BatchMessage,
  FRAMES,
  type FrameOptions,
  type FrameReader,
  MESSAGE_OPTIONS,
  METHOD_MAX_BYTES,
  type MessageOptions,
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
import { MsgpackWriter } from './msgpack-writer.js';
import { NameCache } from './name-cache.js';
import { optionProblem, unknownOptionProblem } from './options.js';
import { addressProblem, subscriptionProblem } from './topic-name.js';
import { decodeUtf8, utf8Length } from './utf8.js';

/** Larger texts that are not JSON are answered without a search for what is wrong with them, and where their id is. */
const UNREADABLE_MAX_CHARACTERS = 64 * 1024;
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
  const own = [...(hasTopic ? ['topic'] : []), ...(OWN_FIELDS[name] ?? []), ...options.keys()];
  return { name, hasTopic, options, fields: new Set(['type', 'request_id', ...own, CLIENT_ID_FIELD]) };
}

const CLIENT_OPS = [
  ...([
    'CONNECT',
    'SUBSCRIBE',
    'UNSUBSCRIBE',
    'PUBLISH',
    'PUBLISH_BATCH',
    'PING',
    'UPDATE',
    'HISTORY',
    'REQUEST',
    'ACK',
  ] as const),
];
/** What some messages have beside topic and options. */
const OWN_FIELDS: Partial<Record<OpName, readonly string[]>> = {
  PUBLISH: ['message'],
  PUBLISH_BATCH: ['messages'],
  REQUEST: ['action', 'payload'],
  ACK: ['seq'],
};
/** What a message of a batch may have. */
const BATCH_FIELDS: ReadonlyMap<string, JsonOption> = new Map(
  Object.entries(MESSAGE_OPTIONS).map(([name, spec]): [string, JsonOption] => [spec.json ?? name, { name, spec }]),
);
const SHAPES: ReadonlyMap<string, JsonShape> = new Map(CLIENT_OPS.map((name) => [FRAMES[name].json!, shapeOf(name)]));
const CLIENT_ID_SPEC: OptionSpec = OPTIONS.CONNECT.clientId;

/** The fields that some message has; a few, so a list is the fastest place to keep those of one message. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([...SHAPES.values()].flatMap(({ fields }) => [...fields]));
/** Those whose value may be an array or object. */
const STRUCTURED_FIELDS: ReadonlySet<string> = new Set(
  [...SHAPES.values()]
    .flatMap(({ options }) => [...options])
    .filter(([, { spec }]) => spec.kind === 'position' || spec.kind === 'strings')
    .map(([field]) => field),
);
/** Stands for an array or object: the one that `message` or `messages` has to be, or one that no field takes. */
const MESSAGE = {};
const MESSAGES = {};
const OTHER = {};
/** The text ended, or something in it was wrong: see the source's problem. */
const FAILED = {};
const NO_OBJECT = 'a message is a JSON object with a "type"';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

/** Owner: the thread that reads the sockets; one serves all of its connections in turn. */
export class JsonReader implements FrameReader {
  op = 0;
  id: RequestId = null;
  topic: string | null = null;
  /** JSON addresses topics by name only. */
  readonly alias = -1;
  seq = 0;
  method: string | null = null;
  payload: Uint8Array = EMPTY;
  readonly payloadStart = 0;
  payloadEnd = 0;
  messages: BatchMessage[] | null = null;
  options: FrameOptions | null = null;
  problem = '';
  offset = 0;

  #bytes: Uint8Array = EMPTY;
  #end = 0;
  readonly #writer = new MsgpackWriter();
  readonly #source = new JsonSource(this.#writer);
  readonly #fieldNames = new NameCache();
  /** The known fields of the message, each once, and their values; then the first of the unknown ones. */
  readonly #names: string[] = [];
  readonly #values: unknown[] = [];
  #unknownName: string | null = null;
  /** The same of what is in `message`. The payload is the only thing in the writer. */
  #messageId: unknown;
  #unknownMessageName: string | null = null;
  /** The messages of a batch so far, what the one that is read has beside its payload, and what is wrong with the first bad one. */
  #batch: BatchMessage[] = [];
  #element: Record<string, unknown> = {};
  #elementStart = -1;
  #batchProblem: string | null = null;

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.offset = start;
    this.#end = end;
  }

  /** Hot path: per message. */
  next(): number {
    this.op = 0;
    this.id = null;
    this.topic = null;
    this.seq = 0;
    this.method = null;
    this.payload = EMPTY;
    this.payloadEnd = 0;
    this.messages = null;
    this.options = null;
    const start = this.offset;
    if (start >= this.#end) return READ_END;
    this.offset = this.#end;
    this.#writer.clear();
    this.#source.reset(this.#bytes, start, this.#end);
    const isRead = this.#readFields();
    if (!isRead || !this.#source.isAscii) {
      const text = decodeUtf8(this.#bytes, start, this.#end);
      if (text === null) return this.#fail(READ_MALFORMED, 'the message is not valid UTF-8');
      if (!isRead) return this.#fail(READ_INVALID, this.#unreadable(text));
    }
    const problem = this.#interpret();
    return problem === null ? READ_FRAME : this.#fail(READ_INVALID, problem);
  }

  #fail(result: number, problem: string): number {
    this.problem = problem;
    this.payload = EMPTY;
    this.payloadEnd = 0;
    return result;
  }

  /** What is wrong with a text that could not be read to its end; finds the request's id, which may come later. */
  #unreadable(text: string): string {
    // A second look costs more than the first one: a large text does not get it.
    if (text.length > UNREADABLE_MAX_CHARACTERS) {
      this.#readId(this.#field('request_id'));
      return this.#source.problem;
    }
    try {
      const message: unknown = JSON.parse(text);
      if (typeof message === 'object' && message !== null && 'request_id' in message) this.#readId(message.request_id);
      return this.#source.problem;
    } catch (error) {
      this.#readId(this.#field('request_id'));
      return `${NOT_JSON}: ${(error as Error).message}`;
    }
  }

  // ---- reading -----------------------------------------------------------------------------------------------------

  /** False: see the source's problem. */
  #readFields(): boolean {
    this.#names.length = 0;
    this.#values.length = 0;
    this.#unknownName = null;
    this.#messageId = undefined;
    this.#unknownMessageName = null;
    this.#batchProblem = null;
    const source = this.#source;
    if (source.peek() !== OPEN_BRACE) return source.fail(NO_OBJECT);
    if (!this.#readObject(this.#readField)) return false;
    return source.atEnd() || source.fail(NOT_JSON);
  }

  #readObject(readField: (this: this, name: string) => boolean): boolean {
    const source = this.#source;
    source.take(OPEN_BRACE);
    if (source.take(CLOSE_BRACE)) return true;
    do {
      const name = source.text(this.#fieldNames);
      if (name === undefined || !source.take(COLON)) return source.fail(NOT_JSON);
      if (!readField.call(this, name)) return false;
    } while (source.take(COMMA));
    return source.take(CLOSE_BRACE) || source.fail(NOT_JSON);
  }

  #readField(name: string): boolean {
    if (!KNOWN_FIELDS.has(name)) {
      this.#unknownName ??= name;
      return this.#readValue() !== FAILED;
    }
    this.#fieldNames.put(name);
    if (this.#names.includes(name)) return this.#givenTwice(name);
    if (name === 'payload') return this.#readParams();
    if (name === 'messages' && this.#source.peek() === OPEN_BRACKET) return this.#readBatch();
    const isMessage = name === 'message' && this.#source.peek() === OPEN_BRACE;
    if (isMessage && !this.#readObject(this.#readMessageField)) return false;
    const value = isMessage ? MESSAGE : this.#readValue(STRUCTURED_FIELDS.has(name));
    this.#names.push(name);
    this.#values.push(value);
    return value !== FAILED;
  }

  /** What a REQUEST brings. */
  #readParams(): boolean {
    // Those of a message that has them twice, or has a message beside, are refused below.
    if (this.#writer.offset > 0) return this.#givenTwice('payload');
    this.#names.push('payload');
    this.#values.push(OTHER);
    return this.#source.value(PAYLOAD_NESTING_MAX);
  }

  #readMessageField(name: string): boolean {
    if (name === 'payload') {
      this.#fieldNames.put(name);
      if (this.#writer.offset > 0) return this.#givenTwice('message.payload');
      return this.#source.value(PAYLOAD_NESTING_MAX);
    }
    const value = this.#readValue();
    if (value === FAILED) return false;
    if (name !== 'id') this.#unknownMessageName ??= name;
    else if (this.#messageId !== undefined) return this.#givenTwice('message.id');
    else this.#messageId = value;
    return true;
  }

  #readBatch(): boolean {
    const source = this.#source;
    if (this.#writer.offset > 0) return this.#givenTwice('payload');
    this.#names.push('messages');
    this.#values.push(MESSAGES);
    this.#batch = [];
    source.take(OPEN_BRACKET);
    if (source.take(CLOSE_BRACKET)) return true;
    do if (!this.#readBatchMessage()) return false;
    while (source.take(COMMA));
    return source.take(CLOSE_BRACKET) || source.fail(NOT_JSON);
  }

  #readBatchMessage(): boolean {
    this.#element = {};
    this.#elementStart = -1;
    const isObject = this.#source.peek() === OPEN_BRACE;
    if (isObject ? !this.#readObject(this.#readBatchField) : this.#readValue() === FAILED) return false;
    if (this.#elementStart < 0) this.#noteBatchProblem('must be an object with a payload');
    const options = Object.keys(this.#element).length === 0 ? null : (this.#element as MessageOptions);
    this.#batch.push({ payloadStart: this.#elementStart, payloadEnd: this.#writer.offset, options });
    return true;
  }

  #readBatchField(name: string): boolean {
    if (name === 'payload') {
      this.#fieldNames.put(name);
      if (this.#elementStart >= 0) return this.#givenTwice('payload');
      this.#elementStart = this.#writer.offset;
      return this.#source.value(PAYLOAD_NESTING_MAX);
    }
    const value = this.#readValue();
    if (value === FAILED) return false;
    const option = BATCH_FIELDS.get(name);
    if (option === undefined) {
      this.#noteBatchProblem(unknownOptionProblem(name, 'a message', [...BATCH_FIELDS.keys(), 'payload']));
      return true;
    }
    this.#fieldNames.put(name);
    if (Object.hasOwn(this.#element, option.name)) return this.#givenTwice(name);
    if (isAbsent(value)) return true;
    const problem = optionProblem(name, option.spec, value);
    if (problem !== null) this.#noteBatchProblem(problem);
    this.#element[option.name] = value;
    return true;
  }

  #noteBatchProblem(problem: string): void {
    this.#batchProblem ??= `messages[${this.#batch.length}]: ${problem}`;
  }

  #givenTwice(name: string): false {
    return this.#source.fail(`${name} is given twice`);
  }

  /** The value of a field: texts, numbers and so on as they are; arrays and objects only of a structured one. */
  #readValue(isStructured = false): unknown {
    const source = this.#source;
    const byte = source.peek();
    if (byte === QUOTE) {
      const text = source.text();
      if (text !== undefined) return text;
      source.fail(NOT_JSON);
      return FAILED;
    }
    const start = source.offset;
    const written = this.#writer.offset;
    const isRead = source.value(PAYLOAD_NESTING_MAX);
    this.#writer.offset = written;
    if (!isRead) return FAILED;
    if ((byte === OPEN_BRACE || byte === OPEN_BRACKET) && !isStructured) return OTHER;
    return JSON.parse(decodeUtf8(this.#bytes, start, source.offset) as string) as unknown;
  }

  // ---- what it means -----------------------------------------------------------------------------------------------

  #field(name: string): unknown {
    const index = this.#names.indexOf(name);
    return index < 0 ? undefined : this.#values[index];
  }

  #interpret(): string | null {
    const hasId = this.#readId(this.#field('request_id'));
    const type = this.#field('type');
    const shape = typeof type === 'string' ? SHAPES.get(type) : undefined;
    if (shape === undefined) return `unknown type; known are ${[...SHAPES.keys()].join(', ')}`;
    this.op = OP[shape.name];
    if (!hasId) return BAD_REQUEST_ID;
    const options: Record<string, unknown> = {};
    const problem =
      (shape.hasTopic ? this.#readTopic(this.#field('topic')) : null) ??
      this.#readOptions(shape, options) ??
      (this.op === OP.PUBLISH ? this.#readMessage(this.#field('message'), options) : null) ??
      (this.op === OP.PUBLISH_BATCH ? this.#readMessages(this.#field('messages')) : null) ??
      (this.op === OP.REQUEST ? this.#readRequest(this.#field('action')) : null) ??
      (this.op === OP.ACK ? this.#readSeq(this.#field('seq')) : null);
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

  #readTopic(topic: unknown): string | null {
    if (typeof topic !== 'string') return 'topic must be a string';
    const mayBePattern = this.op === OP.SUBSCRIBE || this.op === OP.UNSUBSCRIBE || this.op === OP.UPDATE;
    const problem = mayBePattern ? subscriptionProblem(topic) : addressProblem(topic);
    if (problem === null) this.topic = topic;
    return problem;
  }

  #readSeq(seq: unknown): string | null {
    if (!Number.isSafeInteger(seq) || (seq as number) < 0) return 'seq must be an integer from 0 to 2^53-1';
    this.seq = seq as number;
    return null;
  }

  #readRequest(action: unknown): string | null {
    const bytes = typeof action === 'string' ? utf8Length(action) : 0;
    if (bytes < 1 || bytes > METHOD_MAX_BYTES) return `action must be a string of 1 to ${METHOD_MAX_BYTES} bytes`;
    this.method = action as string;
    if (this.#writer.offset === 0) this.#writer.nil();
    this.payload = this.#writer.bytes;
    this.payloadEnd = this.#writer.offset;
    return null;
  }

  #readOptions(shape: JsonShape, options: Record<string, unknown>): string | null {
    const names = this.#names;
    const unknownName = this.#unknownName ?? names.find((name) => !shape.fields.has(name));
    if (unknownName !== undefined) {
      return unknownOptionProblem(unknownName, FRAMES[shape.name].json as string, [...shape.fields]);
    }
    for (let index = 0; index < names.length; index++) {
      const name = names[index];
      const option = shape.options.get(name);
      const spec = option?.spec ?? (name === CLIENT_ID_FIELD ? CLIENT_ID_SPEC : null);
      const value = this.#values[index];
      if (spec === null || isAbsent(value)) continue;
      const problem = optionProblem(name, spec, value);
      if (problem !== null) return problem;
      if (option !== undefined) options[option.name] = value;
    }
    return null;
  }

  #readMessages(messages: unknown): string | null {
    const count = this.#batch.length;
    if (messages !== MESSAGES || count < 1 || count > BATCH_MESSAGES_MAX)
      return `messages must be an array of 1 to ${BATCH_MESSAGES_MAX} objects with a payload`;
    if (this.#batchProblem !== null) return this.#batchProblem;
    this.messages = this.#batch;
    this.payload = this.#writer.bytes;
    this.payloadEnd = this.#writer.offset;
    return null;
  }

  #readMessage(message: unknown, options: Record<string, unknown>): string | null {
    if (message !== MESSAGE) return 'message must be an object with a payload';
    if (this.#unknownMessageName !== null) {
      return unknownOptionProblem(this.#unknownMessageName, 'message', ['id', 'payload']);
    }
    if (!isAbsent(this.#messageId)) {
      const problem = optionProblem('message.id', OPTIONS.PUBLISH.id, this.#messageId);
      if (problem !== null) return problem;
      options.id = this.#messageId;
    }
    if (this.#writer.offset === 0) return 'message.payload is missing';
    this.payload = this.#writer.bytes;
    this.payloadEnd = this.#writer.offset;
    return null;
  }
}
