/** Stream spec: what makes a stream of a topic differ from the topic's other streams. Plain data: it travels to lanes. */

export interface StreamSpec {
  /** Kind and options as normalised text: streams of one topic with the same key are one stream. */
  readonly key: string;
  /** `canonical`, `state`, `book`, or whose variant it is (see variants.ts). */
  readonly kind: string;
  readonly codec: 'msgpack' | 'json';
  /** What its variant takes; null: nothing. */
  readonly options: unknown;
}

/** The frames as the topic makes them, MessagePack. All other streams are derived from it. */
export const CANONICAL: StreamSpec = { key: 'canonical', kind: 'canonical', codec: 'msgpack', options: null };
export const JSON_STREAM: StreamSpec = { key: 'json', kind: 'json', codec: 'json', options: null };
/** Of a keyed topic: the newest message of each key. Nobody subscribes to it; it lives as long as the topic. */
export const STATE: StreamSpec = { key: 'state', kind: 'state', codec: 'msgpack', options: null };

/** What a connection gets that asks for nothing else. */
export const STREAM_OF_CODEC = { msgpack: CANONICAL, json: JSON_STREAM } as const;

/** What subscribers want of a topic's messages; normalised, so that equal wishes are one stream. */
export interface ViewWishes {
  readonly codec: 'msgpack' | 'json';
  /** Values, not what was published: the topic merges. */
  readonly isMerged?: true;
  readonly filter?: string;
  /** A `leave` for a key whose value the filter lets through no more. */
  readonly track?: true;
  readonly fields?: readonly string[];
  readonly delta?: true;
  /** One in so many messages of a key is whole. */
  readonly deltaFullEvery?: number;
  /** The newest of each key, so often (ms). */
  readonly intervalMs?: number;
}

/** The stream of a view. */
export function viewSpec(options: ViewWishes): StreamSpec {
  const { codec, isMerged, filter, track, fields, delta, deltaFullEvery, intervalMs } = options;
  // In this order whatever the order that they were given in.
  const wishes = { isMerged, filter, track, fields, delta, deltaFullEvery, intervalMs };
  const text = JSON.stringify(wishes);
  const normalised = { codec, ...(JSON.parse(text) as Partial<ViewWishes>) };
  return { key: `view ${codec} ${text}`, kind: 'view', codec, options: normalised };
}

/** What subscribers want of a topic that is a book; normalised likewise. */
export interface BookWishes {
  readonly codec: 'msgpack' | 'json';
  /** Levels of each side. */
  readonly depth?: number;
  /** What prices are multiples of: a decimal. */
  readonly tick?: string;
  /** CRC32 over the ten best levels with each message. */
  readonly checksum?: true;
  /** All that has changed, so often (ms). */
  readonly intervalMs?: number;
}

const BOOK = 'book';

/** The stream of a book. */
export function bookSpec({ codec, depth, tick, checksum, intervalMs }: BookWishes): StreamSpec {
  const text = JSON.stringify({ depth, tick, checksum, intervalMs });
  const normalised = { codec, ...(JSON.parse(text) as Partial<BookWishes>) };
  return { key: `book ${codec} ${text}`, kind: BOOK, codec, options: normalised };
}

export function isBook({ kind }: StreamSpec): boolean {
  return kind === BOOK;
}

/** Whether its messages are those of the feed. */
export function isPlainBook(spec: StreamSpec): boolean {
  return isBook(spec) && Object.keys(spec.options as BookWishes).length === 1;
}

/** Whether it says all levels, so that what has changed of them since any message can be told in one. */
export function isWholeBook(spec: StreamSpec): boolean {
  if (!isBook(spec)) return false;
  const { depth, tick } = spec.options as BookWishes;
  return depth === undefined && tick === undefined;
}

/** Of a snapshot that only says what has changed since message `since`, where that can be told. */
export function sinceSpec(spec: StreamSpec, since: number): StreamSpec {
  return { ...spec, options: { ...(spec.options as BookWishes), since } };
}

/** Undefined: all is asked for. */
export function sinceOf({ kind, options }: StreamSpec): number | undefined {
  return kind === BOOK ? (options as { readonly since?: number }).since : undefined;
}

/** Of a stream that is made at intervals; 0: with each message. */
export function intervalOf({ kind, options }: StreamSpec): number {
  return kind === 'view' || kind === BOOK ? ((options as ViewWishes | BookWishes).intervalMs ?? 0) : 0;
}

/** Whether it is made of a key's whole value where the topic merges. */
export function isMerged({ kind, options }: StreamSpec): boolean {
  return kind === 'view' && (options as ViewWishes).isMerged === true;
}

/** Whether what it says is understood by who has got all of it only: it tells changes. */
export function isChained({ kind, options }: StreamSpec): boolean {
  if (kind === BOOK) return true;
  if (kind !== 'view') return false;
  const { delta, fields, track } = options as ViewWishes;
  return [delta, fields, track].some((wish) => wish !== undefined);
}

/** Whether its frames depend on those before: who has missed something needs a snapshot. */
export function needsPast(spec: StreamSpec): boolean {
  return isChained(spec) || beginsNow(spec);
}

/** Whether it cannot begin in the past: it is made of what keys are now, or says what has changed since then. */
export function beginsNow({ kind, options }: StreamSpec): boolean {
  if (kind === BOOK) return true;
  if (kind !== 'view') return false;
  const { delta, isMerged: hasValues, intervalMs } = options as ViewWishes;
  return delta === true || hasValues === true || intervalMs !== undefined;
}

/**
 * Whether what it says depends on what its subscribers have: who has something from elsewhere begins with a snapshot. A delta does;
 * and fields at a rate, as a value that has come back to what it was is not told.
 */
export function needsBase({ kind, options }: StreamSpec): boolean {
  if (kind === BOOK) return true;
  if (kind !== 'view') return false;
  const { delta, fields, intervalMs } = options as ViewWishes;
  return delta === true || (fields !== undefined && intervalMs !== undefined);
}

/** Where it is marked which of a stream's messages are not the newest of their key: views leave messages out. */
export function marksOf<Log>({ kind }: StreamSpec, own: Log, canonical: Log): Log {
  return kind === 'view' || kind === BOOK ? own : canonical;
}
