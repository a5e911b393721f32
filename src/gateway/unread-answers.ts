/** Unread answers: what connections leave unread of what they asked for. Bounded for all together. */

import { UNREAD_TOTAL_MAX_BYTES } from '../limits.js';

export interface Reader {
  /** What it leaves unread of its answers; written here. */
  unreadBytes: number;
  /** Ends the connection without a close frame, which would only wait behind the rest. */
  cut(): void;
}

/** Writer and reader: the accept thread. */
export class UnreadAnswers<Connection extends Reader> {
  /** Who has unread answers; who has read most recently comes last. */
  readonly #readers = new Set<Connection>();
  #totalBytes = 0;

  /** The connection leaves so many bytes unread now. */
  set(connection: Connection, bytes: number): void {
    if (bytes < connection.unreadBytes) this.#readers.delete(connection);
    this.#totalBytes += bytes - connection.unreadBytes;
    connection.unreadBytes = bytes;
    if (bytes > 0) this.#readers.add(connection);
    if (this.#totalBytes <= UNREAD_TOTAL_MAX_BYTES) return;
    const [longest] = this.#readers;
    longest?.cut();
  }
}
