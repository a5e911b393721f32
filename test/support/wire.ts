// What test clients say and hear: one shape for both dialects, so that one test can run in both.
import { decodeServerFrames, encodeClientFrame } from '#src/protocol/client-frames.js';
import type { ClientMessage, RequestId } from '#src/protocol/messages.js';
import { decode } from '#src/protocol/msgpack.js';

export type Codec = 'msgpack' | 'json';
export const CODECS: readonly Codec[] = ['msgpack', 'json'];

export interface HeardEvent {
  readonly type: 'event';
  readonly topic: string;
  readonly seq: number;
  readonly timeMs: number;
  readonly payload: unknown;
  readonly id: string | null;
}

export interface HeardGap {
  readonly type: 'gap';
  readonly topic: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly reason: string;
}

export interface HeardError {
  readonly type: 'error';
  readonly id: RequestId;
  readonly code: string;
  readonly message: string;
  readonly details: unknown;
}

export interface HeardAnswer {
  readonly type: 'ok';
  readonly id: RequestId;
  /** Names as in MessagePack, whatever the dialect. */
  readonly result: Readonly<Record<string, unknown>>;
}

export interface HeardOther {
  readonly type: 'welcome' | 'notice' | 'unsubscribed' | 'pong' | 'snapshot';
  readonly id: RequestId;
  readonly topic: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export type Heard = HeardEvent | HeardGap | HeardError | HeardAnswer | HeardOther;

/** Encodes for the dialect. JSON has no aliases, so topics must be names there. */
export function encodeMessage(codec: Codec, message: ClientMessage): Uint8Array | string {
  return codec === 'msgpack' ? encodeClientFrame(message) : JSON.stringify(jsonMessage(message));
}

function jsonMessage(message: ClientMessage): object {
  const head = { type: message.type, ...(message.id == null ? {} : { request_id: message.id }) };
  switch (message.type) {
    case 'connect':
      return { ...head, token: message.options?.token, client_id: message.options?.clientId };
    case 'subscribe': {
      const { lastN, policy, maxDelayMs, clientId } = message.options ?? {};
      return { ...head, topic: message.topic, last_n: lastN, policy, max_delay_ms: maxDelayMs, client_id: clientId };
    }
    case 'unsubscribe':
      return { ...head, topic: message.topic };
    case 'publish': {
      const payload = 'payloadBytes' in message ? decode(message.payloadBytes) : message.payload;
      const { id, noEcho } = message.options ?? {};
      return { ...head, topic: message.topic, message: { id, payload }, no_echo: noEcho };
    }
    case 'publish_batch': {
      const messages = message.messages.map(([payload, { noEcho: no_echo, ...options } = {}]) => {
        return { payload, ...options, no_echo };
      });
      return { ...head, topic: message.topic, messages };
    }
    case 'request':
      return { ...head, action: message.method, payload: message.params, trace_id: message.options?.traceId };
    case 'ack':
      return { ...head, topic: message.topic, seq: message.seq };
    case 'update':
      return { ...head, topic: message.topic, mode: message.options.mode, max_rate: message.options.maxRate };
    case 'ping':
      return head;
    case 'history':
      return { ...head, topic: message.topic, last_n: message.options?.lastN };
  }
}

/** Reads MessagePack frames; remembers which topic an alias stands for. */
export class MsgpackEar {
  readonly #topics = new Map<number, string>();

  hear(bytes: Uint8Array): Heard[] {
    return decodeServerFrames(bytes).map((frame): Heard => {
      switch (frame.type) {
        case 'event': {
          const { seq, time: timeMs, id } = frame;
          return {
            type: 'event',
            topic: this.#topic(frame.alias),
            seq,
            timeMs,
            payload: decode(frame.payloadBytes),
            id,
          };
        }
        case 'gap': {
          const { fromSeq, toSeq, reason } = frame;
          return { type: 'gap', topic: this.#topic(frame.alias), fromSeq, toSeq, reason };
        }
        case 'ok': {
          const { alias, topic } = frame.result;
          if (typeof alias === 'number' && typeof topic === 'string') this.#topics.set(alias, topic);
          return frame;
        }
        case 'error':
          return frame;
        default: {
          const { type, ...fields } = frame;
          const topic = frame.type === 'unsubscribed' ? this.#topic(frame.alias) : '';
          return { type, id: frame.type === 'pong' ? frame.id : null, topic, fields };
        }
      }
    });
  }

  #topic(alias: number): string {
    return this.#topics.get(alias) ?? `unknown alias ${alias}`;
  }
}

interface JsonEntry {
  readonly seq: number;
  readonly ts: string;
  readonly message: { readonly payload: unknown; readonly id?: string };
}

/** All the fields that any message of the JSON dialect has; each has some of them. */
interface JsonFrame extends JsonEntry {
  readonly type: string;
  readonly topic?: string;
  readonly request_id?: RequestId;
  readonly from_seq: number;
  readonly to_seq: number;
  readonly reason: string;
  readonly error: { readonly code: string; readonly message: string; readonly details?: unknown };
  readonly epoch?: string;
  readonly connection_id?: string;
  readonly client_id?: string;
  readonly messages: readonly JsonEntry[];
  readonly truncated?: boolean;
  readonly msg: string;
  readonly details: unknown;
}

/** Reads one JSON message. */
export function hearJson(text: string): Heard {
  const frame = JSON.parse(text) as JsonFrame;
  const { type, topic = '', request_id: id = null, seq, epoch } = frame;
  const timeMs = Date.parse(frame.ts);
  if (Number.isNaN(timeMs)) throw new Error(`a message without a time: ${text}`);
  switch (type) {
    case 'event':
      return { type, topic, seq, timeMs, payload: frame.message.payload, id: frame.message.id ?? null };
    case 'gap':
      return { type, topic, fromSeq: frame.from_seq, toSeq: frame.to_seq, reason: frame.reason };
    case 'error': {
      const { code, message, details = null } = frame.error;
      return { type, id, code, message, details };
    }
    case 'ack': {
      const { connection_id: connectionId, client_id: clientId } = frame;
      return { type: 'ok', id, result: defined({ topic, epoch, seq, connectionId, clientId, time: timeMs }) };
    }
    case 'history': {
      const { truncated } = frame;
      return {
        type: 'ok',
        id,
        result: defined({ topic, epoch, seq, truncated, messages: frame.messages.map(historyEntry) }),
      };
    }
    case 'info':
      return { type: 'notice', id, topic, fields: { kind: frame.msg, details: frame.details } };
    case 'welcome':
    case 'pong':
    case 'unsubscribed':
      return { type, id, topic, fields: { ...frame } };
    default:
      throw new Error(`unknown type: ${text}`);
  }
}

function historyEntry({ seq, ts, message }: JsonEntry): unknown[] {
  const { payload, id } = message;
  return [seq, Date.parse(ts), payload, ...(id === undefined ? [] : [id])];
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
