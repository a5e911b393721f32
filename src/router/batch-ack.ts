/** Batch ack: the one answer to the messages of a PUBLISH_BATCH, each of which is judged by itself. */

import type { RingcastError } from '../errors.js';
import type { PublishedResult } from '../protocol/messages.js';
import type { AckCallback } from './pending-acks.js';

/** Why the first message was refused that was, which were, and what of the others is known. */
export interface BatchRefusal {
  readonly error: RingcastError;
  readonly details: object;
}

/** Writer and reader: the accept thread. */
export class BatchAck {
  readonly #onEnd: (outcome: PublishedResult | BatchRefusal) => void;
  #left: number;
  #first = 0;
  #last = 0;
  #count = 0;
  /** Of one that was not taken, and not refused either. */
  #knownSeq = 0;
  #error: RingcastError | null = null;
  readonly #refused: number[] = [];

  constructor(messages: number, onEnd: (outcome: PublishedResult | BatchRefusal) => void) {
    this.#left = messages;
    this.#onEnd = onEnd;
  }

  /** Takes what becomes of message `index`; all of them come, in order. */
  of(index: number): AckCallback {
    return (outcome) => {
      if ('seq' in outcome) this.#taken(outcome);
      else this.#refuse(index, outcome);
      if (--this.#left === 0) this.#end();
    };
  }

  #taken({ seq, duplicate, stale }: PublishedResult): void {
    if (duplicate === true || stale === true) {
      this.#knownSeq = seq;
      return;
    }
    if (this.#count++ === 0) this.#first = seq;
    this.#last = seq;
  }

  #refuse(index: number, error: RingcastError): void {
    this.#error ??= error;
    this.#refused.push(index);
  }

  #end(): void {
    const count = this.#count;
    const taken = count === 0 ? { count } : { first: this.#first, count };
    const error = this.#error;
    if (error === null) {
      this.#onEnd({ seq: count === 0 ? this.#knownSeq : this.#last, ...taken });
      return;
    }
    const seqs = count === 0 ? taken : { seq: this.#last, ...taken };
    const details = {
      ...(error.details as object | undefined),
      ...seqs,
      index: this.#refused[0],
      refused: this.#refused,
    };
    this.#onEnd({ error, details });
  }
}
