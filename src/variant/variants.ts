/**
 * Variants: how the frames of derived streams are made of canonical ones. Once per message, wherever the topic lives.
 *
 * Pure: the same frame gives the same result, in any thread and at any time. A lane that dies between two frames is
 * followed by one that makes the second again.
 */

import { jsonEncoder } from '../protocol/encoder-json.js';
import { eventToJson } from '../protocol/json-event.js';
import type { StreamRef } from '../protocol/messages.js';
import type { StreamSpec } from './stream-spec.js';

export interface Variant {
  /**
   * The frame of a message in this stream, made of its canonical one; null: the message is none of this stream's. Throws
   * when it has no form here: then `gap` takes its place. The canonical frame is shared by all variants, and not kept.
   */
  derive(topic: StreamRef, frame: Uint8Array): Uint8Array | null;
  /** Tells a subscriber that it misses message `seq`, which has no form here, or one too large for the stream's log. */
  gap(topic: StreamRef, seq: number): Uint8Array;
}

const json: Variant = {
  derive: ({ topic }, frame) => eventToJson(topic, frame, 0, frame.length),
  gap: (topic, seq) => jsonEncoder.gap(topic, seq, seq, 'too_large'),
};

/** By kind. A new one is a row here. */
export const VARIANTS: Record<string, (options: unknown) => Variant> = {
  json: () => json,
};

export function variantOf({ kind, options }: StreamSpec): Variant {
  const make = VARIANTS[kind];
  if (make === undefined) throw new Error(`no variant ${JSON.stringify(kind)}`);
  return make(options);
}
