/** What `ringcast load` needs of a protocol beyond reading it. */
import type { ReadingDialect } from './dialect.js';

/** What lies before and behind the payload of a publish message. */
export interface PublishFrame {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Called before every message: writes what each has of its own into head and tail. Absent: nothing. Hot path. */
  readonly renew?: () => void;
}

/** What `ringcast load` needs of a dialect. Topics are numbers here; the dialect knows their names. */
export interface LoadDialect extends ReadingDialect {
  /** Of the messages that it writes. */
  readonly opcode: number;
  /** The server confirms subscriptions: `acknowledged` comes for each. Otherwise a probe has to show that they work. */
  readonly confirms: boolean;
  /** What a connection says first, or null. Where the server confirms, it is answered by `acknowledged`. */
  readonly greeting: Uint8Array | null;
  /** Bodies of the messages that subscribe to the topics. */
  subscribe(topics: readonly number[]): Uint8Array[];
  /** Bodies of messages that prepare publishing; each topic is answered by `acknowledged`. Empty: nothing to prepare. */
  open(topics: readonly number[]): Uint8Array[];
  /** Asked when `open` has been answered. */
  publishFrame(topic: number): PublishFrame;
  /** The first few messages that are neither payloads nor understood. */
  readonly remarks: readonly string[];
}
