/** Stream spec: what makes a stream of a topic differ from the topic's other streams. Plain data: it travels to lanes. */

export interface StreamSpec {
  /** Kind and options as normalised text: streams of one topic with the same key are one stream. */
  readonly key: string;
  /** `canonical`, or whose variant it is (see variants.ts). */
  readonly kind: string;
  /** What its variant takes; null: nothing. */
  readonly options: unknown;
}

/** The frames as the topic makes them, MessagePack. All other streams are derived from it. */
export const CANONICAL: StreamSpec = { key: 'canonical', kind: 'canonical', options: null };
export const JSON_STREAM: StreamSpec = { key: 'json', kind: 'json', options: null };

/** What a connection gets that asks for nothing else. */
export const STREAM_OF_CODEC = { msgpack: CANONICAL, json: JSON_STREAM } as const;
