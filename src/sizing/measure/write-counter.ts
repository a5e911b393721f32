/** Counts what a server writes, while another dialect reads it. */
import type { ReceiveBuffer } from '../../load/connection.js';
import type { EventSink, ReadingDialect } from '../../load/dialect.js';

/** Writer and reader: one thread. */
export class WriteCounter implements ReadingDialect {
  readonly path: string | null;
  readonly subprotocol: string | null;
  /** WebSocket messages, without their heads. */
  messages = 0;
  bytes = 0;
  /** Reads in which messages ended: those of one write come together. */
  reads = 0;
  readonly #dialect: ReadingDialect;
  readonly #buffer: ReceiveBuffer;
  #lastRead = -1;

  constructor(dialect: ReadingDialect, buffer: ReceiveBuffer) {
    this.path = dialect.path;
    this.subprotocol = dialect.subprotocol;
    this.#dialect = dialect;
    this.#buffer = buffer;
  }

  /** Hot path. */
  read(
    connection: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    sink: EventSink,
    isText: boolean,
  ): void {
    this.messages++;
    this.bytes += end - start;
    if (this.#lastRead !== this.#buffer.reads) this.reads++;
    this.#lastRead = this.#buffer.reads;
    this.#dialect.read(connection, bytes, view, start, end, sink, isText);
  }
}
