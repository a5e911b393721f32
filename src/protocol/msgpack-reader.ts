/** Reads the frames of a MessagePack connection, many per WebSocket message. Payloads are skipped, never decoded. */

import { ByteCursor, NONE } from './byte-cursor.js';
import {
  ALIAS_MAX,
  BAD_FRAMES_PER_MESSAGE_MAX,
  BATCH_MESSAGES_MAX,
  type BatchMessage,
  FRAMES,
  type FrameOptions,
  type FrameReader,
  MESSAGE_OPTIONS,
  METHOD_MAX_BYTES,
  type MessageOptions,
  NESTING_MAX,
  OP,
  OPTIONS,
  type OpName,
  type OptionSpec,
  type OptionTable,
  PAYLOAD_NESTING_MAX,
  type PublishOptions,
  READ_END,
  READ_FRAME,
  READ_INVALID,
  READ_MALFORMED,
  REQUEST_ID_MAX_BYTES,
  type RequestId,
  TOPIC_MAX_BYTES,
} from './messages.js';
import { decode, SKIP_INCOMPLETE, SKIP_INVALID, skipValue } from './msgpack.js';
import { NameCache } from './name-cache.js';
import { optionProblem, unknownOptionProblem } from './options.js';
import { addressProblem, isPattern, subscriptionProblem } from './topic-name.js';

const EMPTY = new Uint8Array(0);
const NIL = 0xc0;
/** Params that were left out. */
const NIL_PARAMS = Uint8Array.of(NIL);
const OPTION_NAME_MAX_BYTES = 255;
const FIRST_SERVER_OP = 32;

const NO_OPERATION = 'a frame is an array that starts with the operation number';
const BAD_REQUEST_ID = `the request id must be nil, an integer from 0 to 2^53-1, or a string of at most ${REQUEST_ID_MAX_BYTES} bytes`;
const BAD_SEQ = 'the seq must be an integer from 0 to 2^53-1';
const BAD_METHOD = `the method must be a string of 1 to ${METHOD_MAX_BYTES} bytes`;
const BAD_BATCH = `messages must be an array of 1 to ${BATCH_MESSAGES_MAX} arrays of a payload and, if there are any, options`;
const BAD_PAYLOAD = `the payload is nested deeper than ${PAYLOAD_NESTING_MAX}`; // or broken, and so the whole message

/** Length of the array of each operation that clients can use, the operation number included. */
interface FrameShape {
  readonly name: OpName;
  readonly minLength: number;
  readonly maxLength: number;
  readonly options: OptionTable | null;
}

/** What a message of a batch has beside its payload. */
const BATCH_MESSAGE = { name: 'a message of PUBLISH_BATCH', options: MESSAGE_OPTIONS } as const;

function shapesByOp(): (FrameShape | undefined)[] {
  const shapes: (FrameShape | undefined)[] = new Array<FrameShape | undefined>(FIRST_SERVER_OP).fill(undefined);
  for (const name of Object.keys(OP) as OpName[]) {
    const { fields, json } = FRAMES[name];
    if (OP[name] >= FIRST_SERVER_OP || json === null) continue;
    const lastRequired = fields.findLastIndex((field) => !field.endsWith('?'));
    const options = (OPTIONS as Partial<Record<OpName, OptionTable>>)[name] ?? null;
    shapes[OP[name]] = { name, minLength: lastRequired + 2, maxLength: fields.length + 1, options };
  }
  return shapes;
}

const SHAPES = shapesByOp();

/** Owner: the thread that reads the sockets; one serves all of its connections in turn. */
export class MsgpackReader implements FrameReader {
  op = 0;
  id: RequestId = null;
  topic: string | null = null;
  alias = NONE;
  seq = 0;
  method: string | null = null;
  payload: Uint8Array = EMPTY;
  payloadStart = 0;
  payloadEnd = 0;
  messages: BatchMessage[] | null = null;
  options: FrameOptions | null = null;
  problem = '';

  readonly #cursor = new ByteCursor();
  readonly #names = new NameCache();
  #badFrames = 0;

  get offset(): number {
    return this.#cursor.offset;
  }

  reset(bytes: Uint8Array, start: number, end: number): void {
    const cursor = this.#cursor;
    cursor.bytes = bytes;
    cursor.offset = start;
    cursor.end = end;
    this.payload = bytes;
    this.#badFrames = 0;
  }

  /** Hot path: per frame; a PUBLISH without options allocates nothing. */
  next(): number {
    const cursor = this.#cursor;
    const start = cursor.offset;
    if (start >= cursor.end) return READ_END;
    this.op = 0;
    this.id = null;
    this.topic = null;
    this.alias = NONE;
    this.seq = 0;
    this.method = null;
    this.payload = cursor.bytes;
    this.payloadStart = start;
    this.payloadEnd = start;
    this.messages = null;
    this.options = null;
    const problem = this.#readFrame(cursor);
    return problem === null ? READ_FRAME : this.#skipBadFrame(cursor, start, problem);
  }

  /** Null, or what is wrong; the cursor then stands somewhere inside the frame. */
  #readFrame(cursor: ByteCursor): string | null {
    const length = cursor.arrayLength();
    const op = length > 0 ? cursor.unsigned() : NONE;
    if (op === NONE) return NO_OPERATION;
    this.op = op;
    const hasId = length < 2 || op >= FIRST_SERVER_OP || op === OP.ACK || cursor.nil() || this.#readId(cursor);
    const shape = op < FIRST_SERVER_OP ? SHAPES[op] : undefined;
    if (shape === undefined) return unknownOperation(op);
    if (!hasId) return BAD_REQUEST_ID;
    if (length < shape.minLength || length > shape.maxLength) return wrongLength(shape, length);
    switch (op) {
      case OP.PUBLISH:
        return this.#readPublish(cursor, shape, length);
      case OP.PUBLISH_BATCH:
        return this.#readBatch(cursor);
      case OP.UNSUBSCRIBE:
        return this.#readAddress(cursor);
      case OP.ACK:
        return this.#readAddress(cursor) ?? this.#readSeq(cursor);
      case OP.REQUEST:
        return this.#readRequest(cursor, shape, length);
      case OP.UPDATE:
        return this.#readAddress(cursor) ?? this.#readOptions(cursor, shape);
      case OP.SUBSCRIBE:
      case OP.HISTORY:
        return this.#readTopic(cursor) ?? (length > 3 ? this.#readOptions(cursor, shape) : null);
      default:
        return length > 2 ? this.#readOptions(cursor, shape) : null;
    }
  }

  #readId(cursor: ByteCursor): boolean {
    const number = cursor.unsigned();
    if (number !== NONE) {
      this.id = number;
      return true;
    }
    const text = cursor.string(REQUEST_ID_MAX_BYTES);
    if (text === undefined) return false;
    this.id = text;
    return true;
  }

  #readPublish(cursor: ByteCursor, shape: FrameShape, length: number): string | null {
    const problem = this.#readAddress(cursor);
    if (problem !== null) return problem;
    const payloadEnd = skipValue(cursor.bytes, cursor.offset, cursor.end, PAYLOAD_NESTING_MAX);
    if (payloadEnd < 0) return BAD_PAYLOAD;
    this.payloadStart = cursor.offset;
    this.payloadEnd = payloadEnd;
    cursor.offset = payloadEnd;
    return length === 4 ? null : this.#readPublishOptions(cursor, shape);
  }

  #readPublishOptions(cursor: ByteCursor, shape: FrameShape): string | null {
    const problem = this.#readOptions(cursor, shape);
    const options = this.options as PublishOptions | null;
    if (problem !== null || options?.open !== true) return problem;
    if (cursor.bytes[this.payloadStart] !== NIL) return 'with the option open the payload must be nil';
    this.payloadEnd = this.payloadStart;
    return null;
  }

  #readBatch(cursor: ByteCursor): string | null {
    const problem = this.#readAddress(cursor);
    if (problem !== null) return problem;
    const count = cursor.arrayLength();
    if (count < 1 || count > BATCH_MESSAGES_MAX) return BAD_BATCH;
    this.payloadStart = cursor.offset;
    const messages: BatchMessage[] = [];
    for (let index = 0; index < count; index++) {
      const messageProblem = this.#readBatchMessage(cursor, messages);
      if (messageProblem !== null) return `messages[${index}]: ${messageProblem}`;
    }
    this.payloadEnd = cursor.offset;
    this.messages = messages;
    return null;
  }

  #readBatchMessage(cursor: ByteCursor, messages: BatchMessage[]): string | null {
    const length = cursor.arrayLength();
    if (length < 1 || length > 2) return 'must be an array of a payload and, if there are any, options';
    const payloadStart = cursor.offset;
    const payloadEnd = skipValue(cursor.bytes, payloadStart, cursor.end, PAYLOAD_NESTING_MAX);
    if (payloadEnd < 0) return BAD_PAYLOAD;
    cursor.offset = payloadEnd;
    const problem = length === 1 ? null : this.#readOptions(cursor, BATCH_MESSAGE);
    messages.push({ payloadStart, payloadEnd, options: this.options as MessageOptions | null });
    this.options = null;
    return problem;
  }

  #readRequest(cursor: ByteCursor, shape: FrameShape, length: number): string | null {
    const method = cursor.string(METHOD_MAX_BYTES);
    if (method === undefined || method === '') return BAD_METHOD;
    this.method = method;
    if (length === 3) {
      this.payload = NIL_PARAMS;
      this.payloadStart = 0;
      this.payloadEnd = NIL_PARAMS.length;
      return null;
    }
    const paramsEnd = skipValue(cursor.bytes, cursor.offset, cursor.end, PAYLOAD_NESTING_MAX);
    if (paramsEnd < 0) return BAD_PAYLOAD;
    this.payloadStart = cursor.offset;
    this.payloadEnd = paramsEnd;
    cursor.offset = paramsEnd;
    return length === 4 ? null : this.#readOptions(cursor, shape);
  }

  #readAddress(cursor: ByteCursor): string | null {
    const alias = cursor.unsigned();
    if (alias === NONE) return this.#readTopic(cursor);
    if (alias > ALIAS_MAX) return `the alias ${alias} is above 2^32-1`;
    this.alias = alias;
    return null;
  }

  #readSeq(cursor: ByteCursor): string | null {
    this.seq = cursor.unsigned();
    return this.seq === NONE ? BAD_SEQ : null;
  }

  #readTopic(cursor: ByteCursor): string | null {
    const lengthBytes = cursor.stringLength();
    if (lengthBytes === NONE) return 'the topic must be a string (or, where the operation takes one, an alias)';
    if (lengthBytes > TOPIC_MAX_BYTES) return `the topic name has ${lengthBytes} bytes, at most ${TOPIC_MAX_BYTES}`;
    const end = cursor.offset + lengthBytes;
    const known = this.#names.get(cursor.bytes, cursor.offset, end);
    if (known !== undefined) {
      this.topic = known;
      cursor.offset = end;
      return null;
    }
    return this.#decodeTopic(cursor, end);
  }

  #decodeTopic(cursor: ByteCursor, end: number): string | null {
    const name = cursor.text(end);
    if (name === undefined) return 'the topic name is not valid UTF-8';
    const mayBePattern = this.op === OP.SUBSCRIBE || this.op === OP.UNSUBSCRIBE || this.op === OP.UPDATE;
    const problem = mayBePattern ? subscriptionProblem(name) : addressProblem(name);
    if (problem !== null) return problem;
    this.topic = name;
    // What is known is a name for every operation.
    if (!isPattern(name)) this.#names.put(name);
    return null;
  }

  #readOptions(
    cursor: ByteCursor,
    shape: { readonly name: string; readonly options: OptionTable | null },
  ): string | null {
    if (cursor.nil()) return null;
    const count = cursor.mapLength();
    if (count === NONE || shape.options === null) return 'the options must be a map';
    const options: Record<string, unknown> = {};
    for (let index = 0; index < count; index++) {
      const name = cursor.string(OPTION_NAME_MAX_BYTES);
      if (name === undefined) return 'the names of options must be strings';
      if (!Object.hasOwn(shape.options, name)) {
        return unknownOptionProblem(name, shape.name, Object.keys(shape.options));
      }
      if (Object.hasOwn(options, name)) return `option ${name} is given twice`;
      if (cursor.nil()) continue; // many encoders write an absent field as nil
      const spec = shape.options[name];
      const value = readOption(cursor, spec);
      if (value === BROKEN) return `option ${name} cannot be read`;
      const problem = optionProblem(name, spec, value);
      if (problem !== null) return problem;
      options[name] = value;
    }
    this.options = options;
    return null;
  }

  #skipBadFrame(cursor: ByteCursor, start: number, problem: string): number {
    const frameEnd = skipValue(cursor.bytes, start, cursor.end);
    this.#badFrames += 1;
    this.payloadStart = start;
    this.payloadEnd = start;
    if (frameEnd >= 0 && this.#badFrames <= BAD_FRAMES_PER_MESSAGE_MAX) {
      this.problem = problem;
      cursor.offset = frameEnd;
      return READ_INVALID;
    }
    if (frameEnd === SKIP_INCOMPLETE) this.problem = 'the message ends in the middle of a frame';
    else if (frameEnd === SKIP_INVALID) this.problem = `not MessagePack, or nested deeper than ${NESTING_MAX}`;
    else this.problem = `more than ${BAD_FRAMES_PER_MESSAGE_MAX} bad frames in one message, the last: ${problem}`;
    cursor.offset = cursor.end;
    return READ_MALFORMED;
  }
}

/** What a value is that is cut off, or nested too deep: the frame is skipped, or the connection lost, as with any such value. */
const BROKEN = Symbol('broken');

/** The value of an option as its kind wants it; undefined when it is something else. */
function readOption(cursor: ByteCursor, spec: OptionSpec): unknown {
  switch (spec.kind) {
    case 'boolean':
      return cursor.boolean();
    case 'string':
      return cursor.string(spec.maxBytes);
    case 'choice':
      return cursor.string(OPTION_NAME_MAX_BYTES);
    case 'position':
    case 'strings':
      return decodedOption(cursor);
    default:
      return cursor.number();
  }
}

function decodedOption(cursor: ByteCursor): unknown {
  const start = cursor.offset;
  const end = skipValue(cursor.bytes, start, cursor.end, PAYLOAD_NESTING_MAX);
  if (end < 0) return BROKEN;
  cursor.offset = end;
  return decode(cursor.bytes, start, end);
}

function unknownOperation(op: number): string {
  const name = (Object.keys(OP) as OpName[]).find((key) => OP[key] === op);
  if (name === undefined) return `unknown operation ${op}`;
  if (op >= FIRST_SERVER_OP) return `operation ${op} (${name}) is for servers only`;
  return `operation ${op} (${name}) is reserved and not supported by this server`;
}

function wrongLength({ name, minLength, maxLength }: FrameShape, length: number): string {
  const fields = FRAMES[name].fields.join(', ');
  return `${name} is [${OP[name]}, ${fields}], an array of ${minLength} to ${maxLength} elements, not of ${length}`;
}
