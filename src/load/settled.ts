/**
 * How far the reading thread is with what has been published: one word of shared memory, a count modulo 2³² (of deliveries, or of
 * messages that all have). And a sleep that it may end, far finer than a timer.
 */

/** Writer: the reading thread. Reader: the publishing thread. */
export class Settled {
  readonly words: Int32Array<SharedArrayBuffer>;
  /** As of the last look. */
  count = 0;

  constructor(words = new Int32Array(new SharedArrayBuffer(4))) {
    this.words = words;
  }

  /** Hot path. */
  tell(count: number): void {
    Atomics.store(this.words, 0, count | 0); // pairs with the load in look
  }

  /** Ends the publishing thread's nap. */
  wake(): void {
    Atomics.notify(this.words, 0); // pairs with the wait in nap
  }

  look(): void {
    this.count = Atomics.load(this.words, 0); // pairs with the store in tell
  }

  /** Blocks the thread for about `ms` (some 60 µs longer, where a timer would be a millisecond), or until more than at the last look is told. */
  nap(ms: number): void {
    Atomics.wait(this.words, 0, this.count, ms); // pairs with store and notify
  }
}
