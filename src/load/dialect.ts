/** How a load generator reads what a server sends: the seam between raw connections and the protocols that they carry. */

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
