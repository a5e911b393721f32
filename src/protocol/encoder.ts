/** What every codec can say to a client. One message per call; the results are the caller's to keep. */

import type { ErrorCode } from '../errors.js';
import type {
  ConnectedResult,
  GapReason,
  HistoryExtent,
  PublishedResult,
  RequestId,
  RequestRef,
  StreamRef,
  SubscribedResult,
  Welcome,
} from './messages.js';

/** A canonical EVENT frame (see event.ts), in place. */
export interface FrameRange {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Every method returns one complete protocol message; for a text codec as UTF-8. Times are milliseconds since 1970. */
export interface FrameEncoder {
  readonly codec: 'msgpack' | 'json';
  /** Whether the messages travel in WebSocket text messages, one each; binary ones may be concatenated. */
  readonly isText: boolean;

  welcome(welcome: Welcome): Uint8Array;
  /** The general OK; the following five are the OKs to one operation each. */
  ok(id: RequestId, result: object): Uint8Array;
  connected(id: RequestId, result: ConnectedResult): Uint8Array;
  subscribed(id: RequestId, result: SubscribedResult): Uint8Array;
  unsubscribed(id: RequestId, stream: StreamRef): Uint8Array;
  /** `pressure`: how full the ring of the topic's lane is, a whole number of per cent; 0 for a cold topic. */
  published(
    id: RequestId,
    topic: string,
    result: PublishedResult,
    epoch: string,
    timeMs: number,
    pressure: number,
  ): Uint8Array;
  history(id: RequestId, extent: HistoryExtent, frames: readonly FrameRange[]): Uint8Array;
  /** The OK to a REQUEST; `result` is MessagePack. */
  answered(id: RequestId, request: RequestRef, result: Uint8Array, timeMs: number): Uint8Array;
  /** The ERROR to one. */
  unanswered(
    id: RequestId,
    request: RequestRef,
    code: ErrorCode,
    message: string,
    details: unknown,
    timeMs: number,
  ): Uint8Array;
  pong(id: RequestId, timeMs: number): Uint8Array;
  error(id: RequestId, code: ErrorCode, message: string, details?: unknown): Uint8Array;
  /** The subscriber does not get the messages fromSeq … toSeq, both included. */
  gap(stream: StreamRef, fromSeq: number, toSeq: number, reason: GapReason): Uint8Array;
  /** The server ended a subscription (UNSUBSCRIBED). */
  revoked(stream: StreamRef, code: ErrorCode, reason: string): Uint8Array;
  notice(kind: string, details: unknown): Uint8Array;
}
