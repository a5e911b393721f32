/** Pending acks: publishers that wait for the seq of a message that is on its way through a lane. */

/** Told the outcome of one publish. */
export type AckCallback = (seq: number) => void;

/** Writer and reader: the accept thread. Bounded by what the rings hold. */
export class PendingAcks {
  /** Slot n belongs to request number n + 1; 0 stands for "no ack wanted". */
  readonly #callbacks: (AckCallback | null)[] = [];
  readonly #free: number[] = [];

  get count(): number {
    return this.#callbacks.length - this.#free.length;
  }

  /** Returns the request number under which `settle` will be called. */
  add(callback: AckCallback): number {
    const slot = this.#free.pop() ?? this.#callbacks.length;
    this.#callbacks[slot] = callback;
    return slot + 1;
  }

  settle(request: number, seq: number): void {
    const slot = request - 1;
    const callback = this.#callbacks[slot];
    if (callback === null || callback === undefined)
      throw new Error(`ack for request ${request}, which is not pending`);
    this.cancel(request);
    callback(seq);
  }

  cancel(request: number): void {
    this.#callbacks[request - 1] = null;
    this.#free.push(request - 1);
  }
}
