/** Consumers: the slots of delivery's connections and blocks. */

import type { FrameEncoder } from '../protocol/encoder.js';
import { Block } from './block.js';
import { CLOSED, Consumer, IS_BLOCK } from './consumer.js';
import type { GroupTransport, Sink } from './sink.js';

/** Writer and reader: the accept thread. */
export class Consumers {
  /** Null: the slot is free. */
  readonly bySlot: (Consumer | null)[] = [];
  readonly #freeSlots: number[] = [];
  #lastNumber = 0;

  /** Blocks included. */
  get count(): number {
    return this.bySlot.length - this.#freeSlots.length;
  }

  add(sink: Sink, encoder: FrameEncoder): Consumer {
    return this.#place(new Consumer(this.#freeSlot(), this.#nextNumber(), sink, encoder));
  }

  addBlock(transport: GroupTransport): Block {
    return this.#place(new Block(this.#freeSlot(), this.#nextNumber(), transport));
  }

  remove({ slot }: Consumer): void {
    this.bySlot[slot] = null;
    this.#freeSlots.push(slot);
  }

  /** Without blocks, and those that have ended. */
  *open(): Iterable<Consumer> {
    for (const consumer of this.bySlot) {
      if (consumer !== null && (consumer.flags & (CLOSED | IS_BLOCK)) === 0) yield consumer;
    }
  }

  #place<T extends Consumer>(consumer: T): T {
    this.bySlot[consumer.slot] = consumer;
    return consumer;
  }

  #freeSlot(): number {
    return this.#freeSlots.pop() ?? this.bySlot.length;
  }

  #nextNumber(): number {
    this.#lastNumber = (this.#lastNumber + 1) >>> 0 || 1;
    return this.#lastNumber;
  }
}
