/** Sink: what delivery knows of a connection's transport. The gateway's sockets and in-process subscribers implement it. */

/** The message is on its way. */
export const SEND_OK = 0;
/** The message was taken, but the transport is full: send nothing more until it has drained. */
export const SEND_BLOCKED = 1;
/** The message was not taken: the transport's buffer limit is reached, or it is closed. */
export const SEND_REFUSED = 2;

export type SendResult = typeof SEND_OK | typeof SEND_BLOCKED | typeof SEND_REFUSED;

/**
 * What sends one message to many sinks at once: a group is a number, known to nobody but delivery and its transport.
 * Everything that reaches a sink keeps its order, whichever way it was sent.
 */
export interface GroupTransport {
  /** The message is on its way to every member; what a full one cannot take waits in its transport. Lent for the call. */
  publish(group: number, message: Uint8Array, isText: boolean): void;
}

/** A sink that can be a member of groups. */
export interface GroupSink extends Sink {
  /** From the next `publish` on. */
  joinGroup(group: number): void;
  /** Not for what is published from now on; what was published before still comes, and comes first. */
  leaveGroup(group: number): void;
  /** At most `bytes` were published to its groups since it was asked last. Returns how many wait because its peer does not read. */
  groupBacklogBytes(bytes: number): number;
}

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
  /** From here on what is sent and not read yet is bounded: its subscriber wants the newest only. Absent: there is no way in between. */
  boundUnread?(): void;
  /** Ends the connection with a close code and a reason. */
  end(closeCode: number, reason: string): void;
}
