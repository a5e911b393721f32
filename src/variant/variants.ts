/** Variants by kind. A new one is a row here. */

import { jsonEncoder } from '../protocol/encoder-json.js';
import { eventToJson } from '../protocol/json-event.js';
import type { StreamSpec, ViewWishes } from './stream-spec.js';
import type { Variant, VariantCounters } from './variant.js';
import { View } from './view.js';

const json: Variant = {
  derive: ({ topic }, frame) => eventToJson(topic, frame, 0, frame.length),
  gap: (topic, seq) => jsonEncoder.gap(topic, seq, seq, 'too_large'),
};

export const VARIANTS: Record<string, (options: unknown, counters: VariantCounters) => Variant> = {
  json: () => json,
  view: (options, counters) => new View(options as ViewWishes, counters),
};

export function variantOf({ kind, options }: StreamSpec, counters: VariantCounters): Variant {
  const make = VARIANTS[kind];
  if (make === undefined) throw new Error(`no variant ${JSON.stringify(kind)}`);
  return make(options, counters);
}
