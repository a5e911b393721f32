/** Server frames as MessagePack. EVENT is not here: its frames are written by event.ts and sent from the log. */

import type { ErrorCode } from '../errors.js';
import type { FrameEncoder, FrameRange } from './encoder.js';
import { EventView } from './event.js';
import {
  type ConnectedResult,
  type GapReason,
  type HistoryExtent,
  OP,
  type PublishedResult,
  type RequestId,
  type RequestRef,
  type StreamRef,
  type SubscribedResult,
  type Welcome,
} from './messages.js';
import { encode } from './msgpack.js';
import { Float64 } from './msgpack-types.js';
import { decodeLenient, encodeUtf8, utf8Length } from './utf8.js';

const ARRAY32 = 0xdd;
const FIXARRAY = 0x90;

const NIL = Uint8Array.of(0xc0);

/** What a hook or a handler of the program gave along; nil where it has no form as data, for an answer cannot fail. */
function detailsBytes(details: unknown): Uint8Array {
  try {
    return encode(details);
  } catch {
    return NIL;
  }
}

/** A frame whose last element is `details`: it is encoded behind the others, in the place of a nil. */
function withDetails(elements: unknown[], details: unknown): Uint8Array {
  return concat([encode([...elements, null]).subarray(0, -1), detailsBytes(details)]);
}

/** Half a surrogate pair, which only a text of the program's can have, becomes U+FFFD. */
function sendable(text: string): string {
  return utf8Length(text) < 0 ? decodeLenient(encodeUtf8(text), 0, Number.POSITIVE_INFINITY) : text;
}

function ok(id: RequestId, result: object): Uint8Array {
  return encode([OP.OK, id, result]);
}

/** Whether nothing is said of what was published but its seq. */
function isPlain({ count, duplicate, stale }: PublishedResult): boolean {
  return count === undefined && duplicate === undefined && stale === undefined;
}

function subscribed(id: RequestId, { topic, alias, epoch, seq, recovered }: SubscribedResult): Uint8Array {
  return ok(id, { topic, alias, epoch, seq, ...(recovered === undefined ? {} : { recovered }) });
}

/** The entries [seq, time, payload, id?, key?, change?, version?] of the frames, whose payloads are copied undecoded. */
function historyEntries(frames: readonly FrameRange[]): Uint8Array[] {
  const view = new EventView();
  const parts: Uint8Array[] = [];
  for (const { bytes, start, end } of frames) {
    if (!view.read(bytes, start, end)) throw new Error('history frame is not a canonical EVENT frame');
    const extras = [view.id, view.key, view.change, view.version];
    const count = extras.findLastIndex((extra) => extra !== null) + 1;
    parts.push(Uint8Array.of(FIXARRAY | (3 + count)));
    parts.push(encode(view.seq), encode(new Float64(view.time)), bytes.subarray(view.payloadStart, view.payloadEnd));
    for (const extra of extras.slice(0, count)) parts.push(encode(extra));
  }
  return parts;
}

function history(id: RequestId, extent: HistoryExtent, frames: readonly FrameRange[]): Uint8Array {
  const { topic, epoch, seq, isTruncated } = extent;
  const truncated = isTruncated === true ? { truncated: true } : {};
  // `messages` is the last key and nil here: the one byte of the nil is replaced by the array.
  const head = ok(id, { topic, epoch, seq, ...truncated, messages: null });
  const arrayHead = new Uint8Array(5);
  arrayHead[0] = ARRAY32;
  new DataView(arrayHead.buffer).setUint32(1, frames.length);
  return concat([head.subarray(0, -1), arrayHead, ...historyEntries(frames)]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let lengthBytes = 0;
  for (const part of parts) lengthBytes += part.length;
  const whole = new Uint8Array(lengthBytes);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export const msgpackEncoder: FrameEncoder = {
  codec: 'msgpack',
  isText: false,
  welcome({ connectionId, heartbeatMs, limits }: Welcome): Uint8Array {
    return encode([OP.WELCOME, { connectionId, heartbeatMs, limits }]);
  },
  ok,
  connected(id: RequestId, { connectionId, clientId }: ConnectedResult): Uint8Array {
    return ok(id, { connectionId, clientId });
  },
  subscribed,
  unsubscribed(id: RequestId, { topic, alias }: StreamRef): Uint8Array {
    return ok(id, { topic, alias });
  },
  published(
    id: RequestId,
    _topic: string,
    result: PublishedResult,
    _epoch: string,
    timeMs: number,
    pressure: number,
  ): Uint8Array {
    const time = new Float64(timeMs);
    // Hot path: per message; a spread would cost as much as the rest of it.
    if (isPlain(result)) return ok(id, { seq: result.seq, time, pressure });
    const { seq, ...more } = result;
    return ok(id, { seq, time, pressure, ...more });
  },
  history,
  answered(id: RequestId, { traceId }: RequestRef, result: Uint8Array): Uint8Array {
    // `result` is the last key and nil here: the one byte of the nil is replaced by what it is.
    const head = ok(id, { ...(traceId === null ? {} : { traceId }), result: null });
    return concat([head.subarray(0, -1), result]);
  },
  unanswered(id: RequestId, _request: RequestRef, code: ErrorCode, message: string, details: unknown): Uint8Array {
    return withDetails([OP.ERROR, id, code, sendable(message)], details);
  },
  pong(id: RequestId, timeMs: number): Uint8Array {
    return encode([OP.PONG, id, new Float64(timeMs)]);
  },
  error(id: RequestId, code: ErrorCode, message: string, details?: unknown): Uint8Array {
    return withDetails([OP.ERROR, id, code, sendable(message)], details);
  },
  gap({ alias }: StreamRef, fromSeq: number, toSeq: number, reason: GapReason): Uint8Array {
    return encode([OP.GAP, alias, fromSeq, toSeq, reason]);
  },
  revoked({ alias }: StreamRef, code: ErrorCode, reason: string): Uint8Array {
    return encode([OP.UNSUBSCRIBED, alias, code, sendable(reason)]);
  },
  notice(kind: string, details: unknown): Uint8Array {
    return withDetails([OP.NOTICE, kind], details);
  },
};
