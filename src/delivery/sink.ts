/** Sink: what delivery knows of a connection's transport. The gateway's sockets and in-process subscribers implement it. */

/** The message is on its way. */
export const SEND_OK = 0;
/** The message was taken, but the transport is full: send nothing more until it has drained. */
export const SEND_BLOCKED = 1;
/** The message was not taken: the transport's buffer limit is reached, or it is closed. */
export const SEND_REFUSED = 2;

export type SendResult = typeof SEND_OK | typeof SEND_BLOCKED | typeof SEND_REFUSED;

export interface Sink {
  /** Sends one message. `message` is lent for the call only. */
  send(message: Uint8Array): SendResult;
  /** Sends several messages with one write; message i is `bytes[ends[i − 1], ends[i])`. `bytes` is lent for the call only. */
  sendEach(bytes: Uint8Array, ends: readonly number[]): SendResult;
  /**
   * Queues an answer or a notice: one message, kept by the sink. It goes out after what was queued before it and before
   * the events of the next turn.
   */
  reply(message: Uint8Array): void;
  /** Ends the connection with a close code and a reason. */
  end(closeCode: number, reason: string): void;
}
