/** What a load generator needs of a protocol beyond reading it. */
import type { SubscribeOptions } from '../protocol/messages.js';
import type { OpenConnection, ReadingDialect } from './dialect.js';

/** Topics are numbers here; the dialect knows their names. */
export interface LoadDialect extends ReadingDialect {
  /** Of the messages that it publishes. Default: binary. */
  readonly opcode?: number;
  /** The server does not confirm subscriptions: only a probe shows that they work. Otherwise `acknowledged` comes for each. */
  readonly unconfirmed?: boolean;
  /** What a connection says first. Where the server confirms, it is answered by `acknowledged`. */
  readonly greeting?: Uint8Array | null;
  /** The first few messages that are neither payloads nor understood. */
  readonly remarks?: readonly string[];
  /** How subscriptions read from here on, where a server has more than one way. */
  reading?: SubscribeOptions | undefined;
  /** Names the life of a topic, whose positions it is part of, once that is known. */
  epochOf?(topic: number): string | undefined;
  /** Subscribes the connection to `topics`; answered by acknowledged() of as many in all. */
  subscribe(connection: OpenConnection, topics: readonly number[]): void;
  /** The opposite, answered alike; absent where a server has none. */
  unsubscribe?(connection: OpenConnection, topics: readonly number[]): void;
  /** Prepares publishing to `topics`, answered alike; absent where there is nothing to prepare. */
  open?(connection: OpenConnection, topics: readonly number[]): void;
  /** True: a publish may be asked to be answered, by published(). */
  readonly acknowledges?: boolean;
  /** Bytes of one publish frame, its payload among them. Hot path. */
  publishBytes(payloadBytes: number, topic: number, isAcknowledged?: boolean): number;
  /** Writes all of a publish frame but its payload; returns where that starts. Hot path. */
  writePublish(
    bytes: Uint8Array,
    offset: number,
    topic: number,
    payloadBytes: number,
    isAcknowledged?: boolean,
  ): number;
  /** True: a publish frame has its WebSocket heads (or HTTP heads) in it, and is sent as it is, not as the body of a message. */
  readonly writesMessages?: boolean;
}
