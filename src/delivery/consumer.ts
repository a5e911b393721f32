/** Consumer: delivery's side of one connection: its pending lists, its place in the queues, its transport. */

import type { FrameEncoder } from '../protocol/encoder.js';
import { STREAM_OF_CODEC, type StreamSpec } from '../variant/stream-spec.js';
import type { Block } from './block.js';
import type { Meter } from './meter.js';
import type { Sink } from './sink.js';
import { NONE } from './subscription-table.js';

export const READY_COLD = 1;
export const READY_HOT = 2;
/** The transport is full; skipped until `drain`. */
export const BLOCKED = 4;
export const CLOSED = 8;
/** Waits in the delay wheel. */
export const WAITING = 16;
/** It is a block: what is pending is to be published to its cohorts. */
export const IS_BLOCK = 32;
/** It ever published with noEcho: its slices are searched for its own messages. */
export const NO_ECHO = 64;

/** Writer and reader: the accept thread. */
export class Consumer {
  /** Index in delivery's table; reused after the connection ended. */
  readonly slot: number;
  /** 1, 2, 3 …, modulo 2^32: names the connection as a message's origin. Reused only after four billion connections. */
  readonly number: number;
  readonly sink: Sink;
  readonly encoder: FrameEncoder;
  /** The streams that it subscribes to. */
  readonly spec: StreamSpec;

  flags = 0;
  /** First and last row of the pending lists (see `SubscriptionTable`). */
  coldHead = NONE;
  coldTail = NONE;
  hotHead = NONE;
  hotTail = NONE;
  /** First of all rows of this connection. */
  subscriptionHead = NONE;
  subscriptionCount = 0;
  /** The block whose cohorts its subscriptions may join; null: its sink is no member of groups. */
  block: Block | null = null;
  /** Of its metered rows, by their topics' aliases. */
  meters: Map<number, Meter> | null = null;

  /** Links and due time of the delay wheel. */
  wheelNext: Consumer | null = null;
  wheelPrevious: Consumer | null = null;
  dueMs = 0;

  constructor(slot: number, number: number, sink: Sink, encoder: FrameEncoder) {
    this.slot = slot;
    this.number = number;
    this.sink = sink;
    this.encoder = encoder;
    this.spec = STREAM_OF_CODEC[encoder.codec];
  }

  get publishesNoEcho(): boolean {
    return (this.flags & NO_ECHO) !== 0;
  }

  get isClosed(): boolean {
    return (this.flags & CLOSED) !== 0;
  }

  get isPending(): boolean {
    return this.coldHead !== NONE || this.hotHead !== NONE;
  }
}
