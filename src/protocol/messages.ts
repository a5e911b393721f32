/**
 * The one table of protocol messages: numbers, field names, options and limits. Readers, encoders, the client and
 * PROTOCOL.md take them from here; a test holds this file, the document and the golden vectors together.
 */

import type { ErrorCode } from '../errors.js';

export const SUBPROTOCOL_MSGPACK = 'ringcast.v1.msgpack';
export const SUBPROTOCOL_JSON = 'ringcast.v1.json';

/** Operation numbers: the first element of every MessagePack frame. Below 32 client → server, from 32 server → client. */
export const OP = {
  CONNECT: 1,
  SUBSCRIBE: 2,
  UNSUBSCRIBE: 3,
  PUBLISH: 4,
  PING: 5,
  ACK: 6,
  UPDATE: 7,
  HISTORY: 8,
  PRESENCE: 9,
  REQUEST: 10,
  PUBLISH_BATCH: 11,
  OK: 33,
  ERROR: 34,
  EVENT: 35,
  SNAPSHOT: 36,
  GAP: 37,
  WELCOME: 38,
  PONG: 39,
  UNSUBSCRIBED: 40,
  NOTICE: 41,
  PRESENCE_CHANGE: 42,
} as const;

export type OpName = keyof typeof OP;

export interface FrameSpec {
  /** Elements behind the operation number, in order; one with a `?` may be left out or nil. */
  readonly fields: readonly string[];
  /** The `type` of the JSON message; null: only the number is reserved, a frame with it is answered BAD_REQUEST. */
  readonly json: string | null;
}

export const FRAMES: Readonly<Record<OpName, FrameSpec>> = {
  CONNECT: { fields: ['id?', 'options?'], json: 'connect' },
  SUBSCRIBE: { fields: ['id?', 'topic', 'options?'], json: 'subscribe' },
  UNSUBSCRIBE: { fields: ['id?', 'topic or alias'], json: 'unsubscribe' },
  PUBLISH: { fields: ['id?', 'topic or alias', 'payload', 'options?'], json: 'publish' },
  PING: { fields: ['id?'], json: 'ping' },
  ACK: { fields: ['topic or alias', 'seq'], json: 'ack' },
  UPDATE: { fields: ['id?', 'topic or alias', 'options'], json: 'update' },
  HISTORY: { fields: ['id?', 'topic', 'options?'], json: 'history' },
  PRESENCE: { fields: ['id?', 'topic'], json: null },
  REQUEST: { fields: ['id?', 'method', 'params?', 'options?'], json: 'request' },
  PUBLISH_BATCH: { fields: ['id?', 'topic or alias', 'messages'], json: 'publish_batch' },
  OK: { fields: ['id', 'result'], json: 'ack' },
  ERROR: { fields: ['id', 'code', 'message', 'details'], json: 'error' },
  EVENT: { fields: ['alias', 'seq', 'time', 'payload', 'key?', 'message id?', 'change?', 'version?'], json: 'event' },
  SNAPSHOT: { fields: ['alias', 'seq', 'entries', 'first', 'last'], json: 'snapshot' },
  GAP: { fields: ['alias', 'fromSeq', 'toSeq', 'reason'], json: 'gap' },
  WELCOME: { fields: ['welcome'], json: 'welcome' },
  PONG: { fields: ['id', 'time'], json: 'pong' },
  UNSUBSCRIBED: { fields: ['alias', 'code', 'reason'], json: 'unsubscribed' },
  NOTICE: { fields: ['kind', 'details'], json: 'info' },
  PRESENCE_CHANGE: { fields: ['alias', 'joined', 'left'], json: null },
};

/** JSON `type` of the OK to a HISTORY, which carries messages and therefore is not an `ack`. */
export const JSON_HISTORY_RESULT = 'history';
/** And of the answer to a REQUEST, an OK or an ERROR. */
export const JSON_RESPONSE = 'response';

export const REQUEST_ID_MAX_BYTES = 64;
export const MESSAGE_ID_MAX_BYTES = 64;
export const KEY_MAX_BYTES = 255;
/** Of one PUBLISH_BATCH. */
export const BATCH_MESSAGES_MAX = 10_000;
export const METHOD_MAX_BYTES = 255;
export const TRACE_ID_MAX_BYTES = 128;
export const FILTER_MAX_BYTES = 4096;
export const FIELDS_MAX = 64;
export const DEPTH_MAX = 1000;
export const CLIENT_ID_MAX_BYTES = 128;
export const DURABLE_MAX_BYTES = 128;
export const UNACKED_MAX = 100_000;
export const TOKEN_MAX_BYTES = 8192;
export const TOPIC_MAX_BYTES = 255;
export const EPOCH_MAX_BYTES = 64;
/** What a Date can be (ECMAScript, "Time Values and Time Range"). */
export const TIME_MAX_MS = 8.64e15;
/** Six days. */
export const TTL_MAX_MS = 524_287_000;
export const ALIAS_MAX = 0xffff_ffff;
/** Arrays and maps inside each other in a payload. Below NESTING_MAX, because frames and histories enclose payloads. */
export const PAYLOAD_NESTING_MAX = 100;
/** The same in a whole frame; beyond it a frame counts as unparseable. */
export const NESTING_MAX = 128;
/** Bad frames in one WebSocket message before the message counts as unparseable: bounds the ERRORs one message can cost. */
export const BAD_FRAMES_PER_MESSAGE_MAX = 16;

export type RequestId = number | string | null;

export const SLOW_CONSUMER_POLICIES = ['drop_oldest', 'conflate', 'disconnect'] as const;
export type SlowConsumerPolicy = (typeof SLOW_CONSUMER_POLICIES)[number];

/**
 * Why a subscriber misses messages: the retained frames moved past it · they got too old for it · too many for it ·
 * newer ones have taken their place, as it has asked for · they do not count any more · the message's form in the stream exceeds what that can hold.
 */
export const GAP_REASONS = ['lapped', 'max_lag_ms', 'max_lag_messages', 'merged', 'expired', 'too_large'] as const;
export type GapReason = (typeof GAP_REASONS)[number];

/** What a subscriber gets that asks for a position which is gone: what is left · the newest message of each key · an error. */
export const GAP_ANSWERS = ['history', 'snapshot', 'error'] as const;
export type GapAnswer = (typeof GAP_ANSWERS)[number];

/** Where a reader of a topic stands: behind message `seq` of the life of the topic that `epoch` names. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** All messages; or, when they come faster than the subscriber takes them, the newest of each key. */
export const READ_MODES = ['every', 'latest'] as const;
export type ReadMode = (typeof READ_MODES)[number];

/**
 * What an event is but a new value. `delete`: its key is no more · `leave`: its key's value is none that the subscriber's filter
 * lets through any more · `delta`: the payload is what has changed of it.
 */
export const EVENT_CHANGES = ['delete', 'leave', 'delta'] as const;
export type EventChange = (typeof EVENT_CHANGES)[number];

export interface ConnectOptions {
  token?: string;
  clientId?: string;
}

/** How a subscription is read; may be changed while it lasts. */
export interface ReadOptions {
  policy?: SlowConsumerPolicy;
  /** How long the server may collect messages for this subscription before it writes. */
  maxDelayMs?: number;
  mode?: ReadMode;
  /** Messages per second and key, at most; the newest. */
  maxRate?: number;
  /** No message that has been waiting for longer. */
  maxAgeMs?: number;
  /** Bytes per second, at most; 0: any number. */
  maxBandwidth?: number;
}

export interface SubscribeOptions extends ReadOptions {
  /** Replay this many retained messages first. */
  lastN?: number;
  /** Go on behind this message. */
  since?: Position;
  /** Begin with the first message that was accepted then or later: milliseconds since 1970. */
  sinceTime?: number;
  /** What to get instead when `since` or `sinceTime` is no longer retained. */
  onGap?: GapAnswer;
  /** Begin with the newest message of each key. */
  snapshot?: boolean;
  /** Only messages whose payload this expression lets through. */
  filter?: string;
  /** A `leave` when a key's value is none of them any more. */
  track?: boolean;
  /** Only these fields of the payload, nested by dots; messages that change none of them are left out. */
  fields?: readonly string[];
  /** Only what has changed of a key's value since the message before; one in `deltaFullEvery` messages of a key is whole. */
  delta?: boolean;
  deltaFullEvery?: number;
  /** The subscription's name: whoever comes back under it goes on behind what was acknowledged (ACK). */
  durable?: string;
  /** With `durable`: so many messages are sent before one is acknowledged. */
  maxUnacked?: number;
  /** Of an order book: so many of its best levels on each side. */
  depth?: number;
  /** Of an order book: prices rounded to multiples of this, bids down, asks up, quantities added up. */
  tick?: number;
  /** Of an order book: a CRC32 over its ten best levels with each message. */
  checksum?: boolean;
  /** A name for the logs. */
  clientId?: string;
}

/** What a message is beside its payload. */
export interface MessageOptions {
  /** The publishing connection does not get the message. */
  noEcho?: boolean;
  /** Message id, handed on to the subscribers. */
  id?: string;
  /** What the message is the newest value of. */
  key?: string;
  /** Of the value: an older one than the key has is not taken. */
  version?: number;
  /** How long the message counts: then nobody gets it any more, and its key has no value. */
  ttlMs?: number;
  /** The key is no more. The payload is nil. */
  delete?: boolean;
  /** Take it only behind this message: the key's last one, or the topic's where there is no key; 0: the first. */
  ifSeq?: number;
}

export interface PublishOptions extends MessageOptions {
  /** Publish nothing; answer with the topic's alias. The payload is nil. */
  open?: boolean;
}

export interface RequestOptions {
  /** What the request is a part of; handed to its handler, and back with the answer. */
  traceId?: string;
}

export interface HistoryOptions {
  /** How many of the newest retained messages, oldest first; all of them when absent. */
  lastN?: number;
  /** First and last message of a range. */
  fromSeq?: number;
  toSeq?: number;
  /** How many messages of the range, at most. */
  limit?: number;
  /** From the newest to the oldest. */
  reverse?: boolean;
}

export type FrameOptions =
  | RequestOptions
  | ConnectOptions
  | SubscribeOptions
  | ReadOptions
  | PublishOptions
  | HistoryOptions;

/** What one option may be. `json` null: the option does not exist in the JSON dialect. */
export type OptionSpec = { readonly json: string | null } & (
  | { readonly kind: 'string'; readonly maxBytes: number }
  | { readonly kind: 'strings'; readonly maxCount: number; readonly maxBytes: number }
  | { readonly kind: 'integer' | 'number'; readonly min?: number; readonly max: number }
  | { readonly kind: 'boolean' | 'position' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
);

export type OptionTable = Readonly<Record<string, OptionSpec>>;

const LAST_N: OptionSpec = { json: 'last_n', kind: 'integer', max: 1_000_000 };
const SEQ = { kind: 'integer', max: Number.MAX_SAFE_INTEGER } as const;
const CLIENT_ID: OptionSpec = { json: 'client_id', kind: 'string', maxBytes: CLIENT_ID_MAX_BYTES };

const READ_OPTIONS = {
  policy: { json: 'policy', kind: 'choice', choices: SLOW_CONSUMER_POLICIES },
  maxDelayMs: { json: 'max_delay_ms', kind: 'number', max: 1000 },
  mode: { json: 'mode', kind: 'choice', choices: READ_MODES },
  maxRate: { json: 'max_rate', kind: 'number', min: 0.01, max: 1000 },
  maxAgeMs: { json: 'max_age_ms', kind: 'number', min: 0, max: 3_600_000 },
  maxBandwidth: { json: 'max_bandwidth', kind: 'integer', max: 1_000_000_000 },
} as const satisfies OptionTable;

export const MESSAGE_OPTIONS = {
  noEcho: { json: 'no_echo', kind: 'boolean' },
  id: { json: null, kind: 'string', maxBytes: MESSAGE_ID_MAX_BYTES },
  key: { json: 'key', kind: 'string', maxBytes: KEY_MAX_BYTES },
  version: { json: 'version', ...SEQ },
  ttlMs: { json: 'ttl_ms', kind: 'number', min: 1, max: TTL_MAX_MS },
  delete: { json: 'delete', kind: 'boolean' },
  ifSeq: { json: 'if_seq', ...SEQ },
} as const satisfies OptionTable;

/** The options of each operation that takes any. In PUBLISH's JSON form the id is a field of `message`. */
export const OPTIONS = {
  CONNECT: { token: { json: 'token', kind: 'string', maxBytes: TOKEN_MAX_BYTES }, clientId: CLIENT_ID },
  SUBSCRIBE: {
    lastN: LAST_N,
    since: { json: 'since', kind: 'position' },
    sinceTime: { json: 'since_time', kind: 'number', max: TIME_MAX_MS },
    onGap: { json: 'on_gap', kind: 'choice', choices: GAP_ANSWERS },
    snapshot: { json: 'snapshot', kind: 'boolean' },
    filter: { json: 'filter', kind: 'string', maxBytes: FILTER_MAX_BYTES },
    track: { json: 'track', kind: 'boolean' },
    fields: { json: 'fields', kind: 'strings', maxCount: FIELDS_MAX, maxBytes: KEY_MAX_BYTES },
    delta: { json: 'delta', kind: 'boolean' },
    deltaFullEvery: { json: 'delta_full_every', kind: 'integer', min: 1, max: 1_000_000 },
    depth: { json: 'depth', kind: 'integer', min: 1, max: DEPTH_MAX },
    tick: { json: 'tick', kind: 'number', min: 1e-12, max: 1e12 },
    checksum: { json: 'checksum', kind: 'boolean' },
    ...READ_OPTIONS,
    durable: { json: 'durable', kind: 'string', maxBytes: DURABLE_MAX_BYTES },
    maxUnacked: { json: 'max_unacked', kind: 'integer', min: 1, max: UNACKED_MAX },
    clientId: CLIENT_ID,
  },
  UPDATE: READ_OPTIONS,
  PUBLISH: { ...MESSAGE_OPTIONS, open: { json: null, kind: 'boolean' } },
  REQUEST: { traceId: { json: 'trace_id', kind: 'string', maxBytes: TRACE_ID_MAX_BYTES } },
  HISTORY: {
    lastN: LAST_N,
    fromSeq: { json: 'from_seq', ...SEQ },
    toSeq: { json: 'to_seq', ...SEQ },
    limit: { json: 'limit', kind: 'integer', max: 1_000_000 },
    reverse: { json: 'reverse', kind: 'boolean' },
  },
} as const satisfies Partial<Record<OpName, OptionTable>>;

/** Results of FrameReader.next(). */
export const READ_END = 0;
export const READ_FRAME = 1;
/** One bad frame: answer `problem`, reading can go on. */
export const READ_INVALID = 2;
/** The bytes cannot be parsed: the connection is lost. */
export const READ_MALFORMED = 3;

/** A message of a PUBLISH_BATCH; its payload lies in the frame's. */
export interface BatchMessage {
  readonly payloadStart: number;
  readonly payloadEnd: number;
  /** Checked against MESSAGE_OPTIONS. */
  readonly options: MessageOptions | null;
}

/** What a reader exposes after next() returned READ_FRAME. Overwritten by the following next(). */
export interface ClientFrame {
  op: number;
  id: RequestId;
  /** Null when the frame has no topic or addresses it by alias. */
  topic: string | null;
  /** −1 when the frame has no topic or addresses it by name. */
  alias: number;
  /** Of an ACK. */
  seq: number;
  /** Of a REQUEST. */
  method: string | null;
  /** The buffer that [payloadStart, payloadEnd) refers to: the payload as MessagePack. */
  payload: Uint8Array;
  payloadStart: number;
  /** Equal to payloadStart: there is no payload (also a PUBLISH with `open`). */
  payloadEnd: number;
  /** Of a PUBLISH_BATCH. */
  messages: readonly BatchMessage[] | null;
  /** Checked against OPTIONS for `op`; null when absent. */
  options: FrameOptions | null;
  /** After READ_INVALID or READ_MALFORMED: what is wrong. `op` and `id` are set as far as they were readable. */
  problem: string;
}

export interface FrameReader extends ClientFrame {
  /** Where the next frame starts. */
  readonly offset: number;
  /** Starts on one WebSocket message. The bytes must stay valid until the last next(). */
  reset(bytes: Uint8Array, start: number, end: number): void;
  next(): number;
}

export interface StreamRef {
  readonly alias: number;
  readonly topic: string;
}

export interface TopicPosition {
  readonly topic: string;
  readonly epoch: string;
  /** Sequence number of the last message so far; 0: none yet. */
  readonly seq: number;
}

/** What a history covers. */
export interface HistoryExtent extends TopicPosition {
  /** More messages that were asked for are left out: the answer would be too large. */
  readonly isTruncated?: boolean;
}

export interface SubscribedResult extends TopicPosition {
  readonly alias: number;
  /** Whether what follows goes on at the position that was asked for; absent where none was. */
  readonly recovered?: boolean;
}

export interface PublishedResult {
  /** Of the message, or the last one of a batch; of a duplicate that of the first one, of a stale one that of the newest. */
  readonly seq: number;
  /** Of a batch: the first one of those that were taken, and how many they are; the others were duplicates or stale. */
  readonly first?: number;
  readonly count?: number;
  /** The message has been published before, by its id. */
  readonly duplicate?: boolean;
  /** Its key has a newer version. */
  readonly stale?: boolean;
}

export interface ConnectedResult {
  readonly connectionId: string;
  readonly clientId: string | null;
}

/** What a request was for. */
export interface RequestRef {
  readonly method: string;
  readonly traceId: string | null;
}

export interface WelcomeLimits {
  readonly maxPayloadBytes: number;
  readonly maxSubscriptionsPerConnection: number;
}

export interface Welcome {
  readonly connectionId: string;
  /** The server pings at this interval. */
  readonly heartbeatMs: number;
  readonly limits: WelcomeLimits;
}

/** What a client sends, as values; see client-frames.ts. */
export type ClientMessage =
  | { type: 'connect'; id?: RequestId; options?: ConnectOptions }
  | { type: 'subscribe'; id?: RequestId; topic: string; options?: SubscribeOptions }
  | { type: 'unsubscribe'; id?: RequestId; topic: string | number }
  | { type: 'publish'; id?: RequestId; topic: string | number; payload: unknown; options?: PublishOptions }
  | {
      type: 'publish';
      id?: RequestId;
      topic: string | number;
      /** The payload, already MessagePack. */
      payloadBytes: Uint8Array;
      options?: PublishOptions;
    }
  | {
      type: 'publish_batch';
      id?: RequestId;
      topic: string | number;
      messages: readonly (readonly [payload: unknown, options?: MessageOptions])[];
    }
  | { type: 'update'; id?: RequestId; topic: string | number; options: ReadOptions }
  | { type: 'request'; id?: RequestId; method: string; params?: unknown; options?: RequestOptions }
  | { type: 'ack'; id?: RequestId; topic: string | number; seq: number }
  | { type: 'ping'; id?: RequestId }
  | { type: 'history'; id?: RequestId; topic: string; options?: HistoryOptions };

export interface EventMessage {
  type: 'event';
  alias: number;
  seq: number;
  /** When the engine accepted it: milliseconds since 1970. */
  time: number;
  /** The payload's MessagePack bytes: a view of the received message. */
  payloadBytes: Uint8Array;
  /** The publisher's message id. */
  id: string | null;
  /** What it is the newest value of. */
  key: string | null;
  change: EventChange | null;
  version: number | null;
}

/** The newest message of a key, in a SNAPSHOT. */
export type SnapshotEntry = [key: string | null, seq: number, time: number, payload: unknown, version?: number];

/** One message in the OK to a HISTORY. */
export type HistoryEntry = [
  seq: number,
  time: number,
  payload: unknown,
  id?: string | null,
  key?: string | null,
  change?: EventChange | null,
  version?: number,
];

/** What a client receives, as values. */
export type ServerMessage =
  | EventMessage
  | { type: 'ok'; id: RequestId; result: Record<string, unknown> }
  | { type: 'error'; id: RequestId; code: ErrorCode; message: string; details: unknown }
  | { type: 'gap'; alias: number; fromSeq: number; toSeq: number; reason: GapReason }
  | { type: 'snapshot'; alias: number; seq: number; entries: SnapshotEntry[]; first: boolean; last: boolean }
  | ({ type: 'welcome' } & Welcome)
  | { type: 'pong'; id: RequestId; time: number }
  | { type: 'unsubscribed'; alias: number; code: ErrorCode; reason: string }
  | { type: 'notice'; kind: string; details: unknown };
