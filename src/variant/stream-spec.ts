/** Stream spec: what makes a stream of a topic differ from the topic's other streams. Plain data: it travels to lanes. */

export interface StreamSpec {
  /** Kind and options as normalised text: streams of one topic with the same key are one stream. */
  readonly key: string;
  /** `canonical`, `state`, or whose variant it is (see variants.ts). */
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

/** Of a stream that is made at intervals; 0: with each message. */
export function intervalOf({ kind, options }: StreamSpec): number {
  return kind === 'view' ? ((options as ViewWishes).intervalMs ?? 0) : 0;
}

/** Whether it is made of a key's whole value where the topic merges. */
export function isMerged({ kind, options }: StreamSpec): boolean {
  return kind === 'view' && (options as ViewWishes).isMerged === true;
}

/** Whether its frames mean something only to who has had those before, or a snapshot; it cannot begin in the past. */
export function needsPast(spec: StreamSpec): boolean {
  return isDelta(spec) || isMerged(spec) || intervalOf(spec) > 0;
}

export function isDelta({ kind, options }: StreamSpec): boolean {
  return kind === 'view' && (options as ViewWishes).delta === true;
}
