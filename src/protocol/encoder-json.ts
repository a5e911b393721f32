/** Server messages of the JSON dialect. Their form is the `json` column of the table in messages.ts. */

import type { ErrorCode } from '../errors.js';
import type { FrameEncoder, FrameRange } from './encoder.js';
import { EventView } from './event.js';
import { isoTime, writeMessage } from './json-event.js';
import { JsonWriter } from './json-writer.js';
import {
  type ConnectedResult,
  FRAMES,
  type GapReason,
  type HistoryExtent,
  JSON_HISTORY_RESULT,
  JSON_RESPONSE,
  type PublishedResult,
  type RequestId,
  type RequestRef,
  type StreamRef,
  type SubscribedResult,
  type Welcome,
} from './messages.js';
import { encode } from './msgpack.js';
import { msgpackToJson, writeJson } from './msgpack-to-json.js';
import { encodeUtf8 } from './utf8.js';

/** camelCase keys become snake_case; in values that are plain objects too. */
function snakeKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const renamed = Object.entries(value).map(([key, inner]) => [
    key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    snakeKeys(inner),
  ]);
  return Object.fromEntries(renamed) as unknown;
}

/**
 * What a hook or a handler of the program gave along, by way of MessagePack, which calls nothing but what the program's
 * own values bring. Null where it has no form as data, for an answer cannot fail.
 */
function sendableDetails(details: unknown): unknown {
  try {
    const bytes = encode(details);
    return snakeKeys(JSON.parse(msgpackToJson(bytes, 0, bytes.length)));
  } catch {
    return null;
  }
}

/** An absent request id is left out. */
function withId(id: RequestId): { request_id?: RequestId } {
  return id === null ? {} : { request_id: id };
}

function bytesOf(type: string | null, fields: object): Uint8Array {
  return encodeUtf8(JSON.stringify({ type, ...fields }));
}

function asked({ method, traceId }: RequestRef): { action: string; trace_id?: string } {
  return { action: method, ...(traceId === null ? {} : { trace_id: traceId }) };
}

const historyWriter = new JsonWriter();

function writeHistory(writer: JsonWriter, frames: readonly FrameRange[]): void {
  const view = new EventView();
  for (const [index, { bytes, start, end }] of frames.entries()) {
    if (!view.read(bytes, start, end)) throw new Error('history frame is not a canonical EVENT frame');
    writer.text(index === 0 ? '{' : ',{');
    writeMessage(writer, view, bytes);
    writer.text('}');
  }
}

/** `nowMs` gives the time for `ts` where the message has no time of its own. */
export function createJsonEncoder(nowMs: () => number): FrameEncoder {
  const ts = () => isoTime(nowMs());
  const ack = (id: RequestId, fields: object, time: string) =>
    bytesOf(FRAMES.OK.json, { ...withId(id), ...fields, ts: time });
  return {
    codec: 'json',
    isText: true,
    welcome(welcome: Welcome): Uint8Array {
      return bytesOf(FRAMES.WELCOME.json, { ...(snakeKeys(welcome) as object), ts: ts() });
    },
    ok(id: RequestId, result: object): Uint8Array {
      // Topics are named here: there are no aliases.
      const { alias: _, ...named } = result as Record<string, unknown>;
      return ack(id, { status: 'ok', ...(snakeKeys(named) as object) }, ts());
    },
    connected(id: RequestId, { connectionId, clientId }: ConnectedResult): Uint8Array {
      return ack(id, { status: 'ok', connection_id: connectionId, client_id: clientId }, ts());
    },
    subscribed(id: RequestId, { topic, epoch, seq, recovered }: SubscribedResult): Uint8Array {
      return ack(id, { topic, status: 'ok', epoch, seq, recovered }, ts());
    },
    unsubscribed(id: RequestId, { topic }: StreamRef): Uint8Array {
      return ack(id, { topic, status: 'ok' }, ts());
    },
    published(
      id: RequestId,
      topic: string,
      result: PublishedResult,
      epoch: string,
      timeMs: number,
      pressure: number,
    ): Uint8Array {
      const { seq, first, count, duplicate, stale } = result;
      return ack(id, { topic, status: 'ok', epoch, seq, pressure, first, count, duplicate, stale }, isoTime(timeMs));
    },
    history(
      id: RequestId,
      { topic, epoch, seq, isTruncated }: HistoryExtent,
      frames: readonly FrameRange[],
    ): Uint8Array {
      const truncated = isTruncated === true ? { truncated: true } : {};
      const head = JSON.stringify({ type: JSON_HISTORY_RESULT, ...withId(id), topic, epoch, seq, ...truncated });
      const writer = historyWriter.clear();
      writer.text(`${head.slice(0, -1)},"messages":[`);
      writeHistory(writer, frames);
      writer.text(`],"ts":"${ts()}"}`);
      return writer.copy();
    },
    answered(id: RequestId, request: RequestRef, result: Uint8Array, timeMs: number): Uint8Array {
      const head = JSON.stringify({ type: JSON_RESPONSE, ...withId(id), ...asked(request), success: true });
      const writer = historyWriter.clear();
      writer.text(`${head.slice(0, -1)},"payload":`);
      writeJson(writer, result, 0, result.length);
      writer.text(`,"server_time":"${isoTime(timeMs)}"}`);
      return writer.copy();
    },
    unanswered(
      id: RequestId,
      request: RequestRef,
      code: ErrorCode,
      message: string,
      details: unknown,
      timeMs: number,
    ): Uint8Array {
      const known = sendableDetails(details);
      const error = { code, message, ...(known === null ? {} : { details: known }) };
      return bytesOf(JSON_RESPONSE, {
        ...withId(id),
        ...asked(request),
        success: false,
        error,
        server_time: isoTime(timeMs),
      });
    },
    pong(id: RequestId, timeMs: number): Uint8Array {
      return bytesOf(FRAMES.PONG.json, { ...withId(id), ts: isoTime(timeMs) });
    },
    error(id: RequestId, code: ErrorCode, message: string, details?: unknown): Uint8Array {
      const known = sendableDetails(details);
      const extra = known === null ? {} : { details: known };
      return bytesOf(FRAMES.ERROR.json, { ...withId(id), error: { code, message, ...extra }, ts: ts() });
    },
    gap({ topic }: StreamRef, fromSeq: number, toSeq: number, reason: GapReason): Uint8Array {
      return bytesOf(FRAMES.GAP.json, { topic, from_seq: fromSeq, to_seq: toSeq, reason, ts: ts() });
    },
    revoked({ topic }: StreamRef, code: ErrorCode, reason: string): Uint8Array {
      return bytesOf(FRAMES.UNSUBSCRIBED.json, { topic, code, reason, ts: ts() });
    },
    notice(kind: string, details: unknown): Uint8Array {
      return bytesOf(FRAMES.NOTICE.json, { msg: kind, details: sendableDetails(details) ?? {}, ts: ts() });
    },
  };
}

/** With the wall clock. */
export const jsonEncoder: FrameEncoder = createJsonEncoder(Date.now);
