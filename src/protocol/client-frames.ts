/** The client's side of MessagePack: client frames from values, values from server frames. */

import { EventView } from './event.js';
import {
  type ClientMessage,
  OP,
  PAYLOAD_NESTING_MAX,
  type RequestId,
  type ServerMessage,
  type Welcome,
} from './messages.js';
import { assertPayload, decode, encode, skipValue } from './msgpack.js';
import { decodeOkResult } from './ok-result.js';

/** An array of three elements, as every OK is. */
const OK_HEAD = 0x93;

/** What the server sent is not the protocol: the connection cannot go on. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** One frame. Frames can be concatenated into one WebSocket message. Throws RingcastError: BAD_REQUEST, TOO_LARGE. */
export function encodeClientFrame(message: ClientMessage): Uint8Array {
  const id = message.id ?? null;
  switch (message.type) {
    case 'connect':
      return frame([OP.CONNECT, id], message.options);
    case 'subscribe':
      return frame([OP.SUBSCRIBE, id, message.topic], message.options);
    case 'unsubscribe':
      return encode([OP.UNSUBSCRIBE, id, message.topic]);
    case 'publish':
      if (!('payloadBytes' in message)) return frame([OP.PUBLISH, id, message.topic, message.payload], message.options);
      return encodedPublish([OP.PUBLISH, id, message.topic], message.payloadBytes, message.options);
    case 'publish_batch':
      // Two arrays more around each payload.
      return encode([OP.PUBLISH_BATCH, id, message.topic, message.messages], PAYLOAD_NESTING_MAX + 3);
    case 'update':
      return frame([OP.UPDATE, id, message.topic], message.options);
    case 'request':
      return frame([OP.REQUEST, id, message.method, message.params ?? null], message.options);
    case 'ack':
      return encode([OP.ACK, message.topic, message.seq]);
    case 'ping':
      return encode([OP.PING, id]);
    case 'history':
      return frame([OP.HISTORY, id, message.topic], message.options);
  }
}

function frame(elements: unknown[], options: object | undefined): Uint8Array {
  if (options !== undefined) elements.push(options);
  return encode(elements, PAYLOAD_NESTING_MAX + 1); // the frame is one more array around the payload
}

/** Replaces the nil that stands for the payload by its bytes: copied, not decoded. */
function encodedPublish(head: unknown[], payload: Uint8Array, options: object | undefined): Uint8Array {
  assertPayload(payload);
  const headBytes = encode(options === undefined ? [...head, null] : [...head, null, null]);
  const tail = options === undefined ? new Uint8Array(0) : encode(options);
  const headLength = headBytes.length - (options === undefined ? 1 : 2);
  const whole = new Uint8Array(headLength + payload.length + tail.length);
  whole.set(headBytes.subarray(0, headLength));
  whole.set(payload, headLength);
  whole.set(tail, headLength + payload.length);
  return whole;
}

/**
 * The frames of one WebSocket message, in order. Events keep views of `bytes`, and their payloads undecoded. Frames
 * with an operation that this version does not know are left out. Throws ProtocolError on anything else.
 */
export function decodeServerFrames(bytes: Uint8Array): ServerMessage[] {
  const messages: ServerMessage[] = [];
  const view = new EventView();
  let offset = 0;
  while (offset < bytes.length) {
    if (view.read(bytes, offset, bytes.length)) {
      messages.push(eventMessage(view, bytes));
      offset = view.frameEnd;
      continue;
    }
    const end = skipValue(bytes, offset, bytes.length);
    if (end < 0) throw new ProtocolError('the message from the server ends in the middle of a frame');
    const message = decodeFrame(bytes, offset, end);
    if (message !== null) messages.push(message);
    offset = end;
  }
  return messages;
}

function eventMessage(view: EventView, bytes: Uint8Array): ServerMessage {
  const { alias, seq, time, id, key, change, version } = view;
  const payloadBytes = bytes.subarray(view.payloadStart, view.payloadEnd);
  return { type: 'event', alias, seq, time, payloadBytes, id, key, change, version };
}

function decodeFrame(bytes: Uint8Array, start: number, end: number): ServerMessage | null {
  try {
    if (bytes[start] === OK_HEAD && bytes[start + 1] === OP.OK) return okMessage(bytes, start + 2, end);
    const fields = decode(bytes, start, end);
    if (!Array.isArray(fields) || typeof fields[0] !== 'number') throw new Error('not an array with an operation');
    return serverMessage(fields);
  } catch (cause) {
    throw new ProtocolError(`a frame from the server cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function okMessage(bytes: Uint8Array, idStart: number, end: number): ServerMessage {
  const idEnd = skipValue(bytes, idStart, end);
  const id = decode(bytes, idStart, idEnd) as RequestId;
  return { type: 'ok', id, result: decodeOkResult(bytes, idEnd, end) };
}

/** Null for an operation that this version does not know. The server is trusted with the types of its fields. */
function serverMessage(fields: unknown[]): ServerMessage | null {
  const [op, first, second, third, fourth, fifth] = fields;
  const id = (first ?? null) as RequestId;
  switch (op) {
    case OP.OK:
      throw new Error('an OK that is not an array of three');
    case OP.ERROR:
      return { type: 'error', id, code: second, message: third, details: fourth ?? null } as ServerMessage;
    case OP.EVENT:
      throw new Error('an EVENT without the fixed-width head');
    case OP.SNAPSHOT: {
      const parts = { alias: first, seq: second, entries: third, first: fourth, last: fifth };
      return { type: 'snapshot', ...parts } as ServerMessage;
    }
    case OP.GAP:
      return { type: 'gap', alias: first, fromSeq: second, toSeq: third, reason: fourth } as ServerMessage;
    case OP.WELCOME:
      return { type: 'welcome', ...(first as Welcome) };
    case OP.PONG:
      return { type: 'pong', id, time: second } as ServerMessage;
    case OP.UNSUBSCRIBED:
      return { type: 'unsubscribed', alias: first, code: second, reason: third } as ServerMessage;
    case OP.NOTICE:
      return { type: 'notice', kind: first, details: second ?? null } as ServerMessage;
    default:
      return null;
  }
}
