/** Message: what a topic is given. */

/** A message that may follow any. */
export const ANY_SEQ = -1;

/** A message as its topic takes it. */
export interface TopicMessage {
  /** Payload as MessagePack, and the tail if there is no `tail`: `bytes[start, end)`. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The EVENT's optional elements (see `eventTail`), if they do not lie behind the payload already. */
  readonly tail: Uint8Array | null;
  /** How many they are, and how many bytes of `bytes` they take. */
  readonly tailElements: number;
  readonly inlineTailBytes: number;
  /** The message that it is to follow, of its key where it has one; ANY_SEQ: any. */
  readonly ifSeq: number;
  /** When the engine accepted it, as subscribers are told (ms since the epoch). */
  readonly timeMs: number;
  /** The same moment on the monotonic clock (ms): for lags, delays and retention, which a wall clock that is set must not touch. */
  readonly monotonicMs: number;
  /** How long it counts (ms); 0: for ever. */
  readonly ttlMs: number;
  /** Connection number that must not get the message; 0: everyone gets it. */
  readonly origin: number;
}
