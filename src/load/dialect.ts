/** How a load generator speaks to a server: the seam between raw connections and the protocols that they carry. */

/** Writer: the dialect while it reads a message. Reader: nobody keeps it; every call is one event of one connection. */
export interface EventSink {
  /** One delivered payload: bytes start … end of the receive buffer. Hot path. */
  payload(connection: number, start: number, end: number): void;
  /** The server confirmed `count` subscriptions or openings. */
  acknowledged(connection: number, count: number): void;
  /** The server says that everything published so far on this connection is in, up to `seq`. */
  published(connection: number, seq: number): void;
  /** The server says that messages were skipped for this connection. */
  gap(connection: number, messages: number): void;
  problem(connection: number, text: string): void;
}

/** One instance per thread; it may keep what the server told it. */
export interface ReadingDialect {
  readonly path: string;
  readonly subprotocol: string | null;
  /** Reads one complete message, binary or text. Hot path. */
  read(connection: number, bytes: Uint8Array, view: DataView, start: number, end: number, sink: EventSink): void;
}

/** What lies before and behind the payload of a publish message. */
export interface PublishFrame {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
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
