/** Pending acks: publishers that wait for the seq of a message that is on its way through a lane. */

import type { RingcastError } from '../errors.js';
import type { PublishedResult } from '../protocol/messages.js';

/** Told the outcome of one publish: what became of the message, or why it was not taken. */
export type AckCallback = (outcome: PublishedResult | RingcastError) => void;

const REQUEST_MAX = 0xffff_ffff;

/** Writer and reader: the accept thread. Bounded by what the rings hold. */
export class PendingAcks {
  readonly #callbacks = new Map<number, AckCallback>();
  #lastRequest = 0;

  get count(): number {
    return this.#callbacks.size;
  }

  /**
   * Returns the number under which `settle` will be called. Numbers are not used again (until 2^32 have been): a lane that
   * takes over from one that died acknowledges some messages for the second time.
   */
  add(callback: AckCallback): number {
    do this.#lastRequest = this.#lastRequest === REQUEST_MAX ? 1 : this.#lastRequest + 1;
    while (this.#callbacks.has(this.#lastRequest));
    this.#callbacks.set(this.#lastRequest, callback);
    return this.#lastRequest;
  }

  /** Nothing happens when the request has been settled already. */
  settle(request: number, outcome: PublishedResult | RingcastError): void {
    const callback = this.#callbacks.get(request);
    if (callback === undefined) return;
    this.#callbacks.delete(request);
    callback(outcome);
  }

  /** Nothing is going to be acknowledged any more. */
  refuseAll(error: RingcastError): void {
    for (const request of [...this.#callbacks.keys()]) this.settle(request, error);
  }

  cancel(request: number): void {
    this.#callbacks.delete(request);
  }
}
