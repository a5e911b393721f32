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
