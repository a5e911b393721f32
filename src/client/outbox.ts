/** Gathers outgoing frames, so that all frames of one turn of the event loop leave as one WebSocket message. */

/** A message is sent once it is this full: enough that the cost of a message no longer counts. */
const MESSAGE_TARGET_BYTES = 64 * 1024;

/** Writer: the connection that owns it. */
export class Outbox {
  readonly #send: (message: Uint8Array) => void;
  readonly #buffer = new Uint8Array(MESSAGE_TARGET_BYTES);
  #targetBytes = MESSAGE_TARGET_BYTES;
  #usedBytes = 0;
  #pushedBytes = 0;
  #isScheduled = false;

  constructor(send: (message: Uint8Array) => void) {
    this.#send = send;
  }

  /** The server's limit: messages of several frames stay within it. */
  set messageMaxBytes(maxBytes: number) {
    this.#targetBytes = Math.min(MESSAGE_TARGET_BYTES, maxBytes);
  }

  /** Everything that was ever pushed. */
  get pushedBytes(): number {
    return this.#pushedBytes;
  }

  /** Takes a frame; it leaves with the others of this turn, or earlier when they fill a message. */
  push(frame: Uint8Array): void {
    this.#pushedBytes += frame.length;
    if (this.#usedBytes + frame.length > this.#targetBytes) this.flush();
    if (frame.length > this.#targetBytes) {
      this.#send(frame);
      return;
    }
    this.#buffer.set(frame, this.#usedBytes);
    this.#usedBytes += frame.length;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  /** Sends what is gathered now. */
  flush(): void {
    if (this.#usedBytes === 0) return;
    // A copy: sockets may keep what they are given until it is written.
    const message = this.#buffer.slice(0, this.#usedBytes);
    this.#usedBytes = 0;
    this.#send(message);
  }

  /** Forgets what is gathered: the socket is gone. */
  clear(): void {
    this.#usedBytes = 0;
  }
}
