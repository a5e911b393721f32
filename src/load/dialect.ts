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
  /** A part of a snapshot, with so many entries. */
  snapshot?(connection: number, entries: number, isLast: boolean): void;
  /** The payload of an entry that the connection has not had. What else the snapshot stands for is reported as a gap. Hot path. */
  entry?(connection: number, start: number, end: number): void;
  problem(connection: number, text: string): void;
}

/** A connection that is being opened, as a dialect with a handshake of its own sees it. */
export interface OpenConnection {
  readonly index: number;
  /** Sends one WebSocket message; binary unless the opcode says otherwise. */
  send(body: Uint8Array, opcode?: number): void;
  /** The handshake is over: the connection counts as opened. */
  ready(): void;
  /** Asks for the upgrade to WebSocket, at this path. */
  upgrade(path: string): void;
}

/** One instance per thread; it may keep what the server told it. */
export interface ReadingDialect {
  /** Null: plain TCP, without an upgrade to WebSocket. */
  readonly path: string | null;
  readonly subprotocol: string | null;
  /** Called once the connection speaks WebSocket; it says `ready`. Absent: it is ready at once. */
  opened?(connection: OpenConnection): void;
  /** Reads one complete message; of plain TCP, what has arrived. Hot path. */
  read(
    connection: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    sink: EventSink,
    isText: boolean,
  ): void;
}
