/** Variant: how the frames of a derived stream are made of canonical ones. Once per message, wherever the topic lives. */

import type { StreamRef } from '../protocol/messages.js';

/** What variants count, in whatever their home keeps its figures. */
export interface VariantCounters {
  /** Messages, per stream, whose payload it could make nothing of: it is none of its. */
  undecodable: number;
}

export interface Variant {
  /**
   * The frame of a message in this stream, made of its canonical one; null: the message is none of this stream's. Throws
   * when it has no form here: then `gap` takes its place. The canonical frame is shared by all variants, and not kept; what is
   * returned is good until the next call of any variant of this thread.
   */
  derive(topic: StreamRef, frame: Uint8Array): Uint8Array | null;
  /** The message whose frame the one that was derived last takes the place of, for who wants the newest only; 0: none. */
  readonly superseded?: number;
  /** Tells a subscriber that it misses message `seq`, which has no form here, or one too large for the stream's log. */
  gap(topic: StreamRef, seq: number): Uint8Array;
  /** The EVENT of a key's newest message as it stands in a snapshot; null: it is not in it. Without: the canonical one. */
  entry?(topic: StreamRef, frame: Uint8Array): Uint8Array | null;
  /** Is told the newest message of a key before its first `derive`; or, if that is still to be derived, only that there was one. */
  prime?(frame: Uint8Array, isStillToCome: boolean): void;
  /** A key that had no value gets one: who has begun meanwhile knows nothing of what was said of it before. */
  forget?(key: string): void;
}
