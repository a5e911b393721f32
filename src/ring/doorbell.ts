/// <reference lib="es2024.sharedmemory" />
// Wakes a thread that sleeps because all its rings are empty, and costs one load per batch while it is awake.
//
// *Sleeping* is a flag in shared memory. The reading thread sets it, then looks once more whether there is work, then
// waits. A writer publishes its records, then looks at the flag. Atomics are sequentially consistent, so at least one
// of the two sees the other: either the reader finds the records, or the writer finds the reader asleep. No wake-up is
// lost.

import { clearImmediate, clearInterval, setImmediate, setInterval } from 'node:timers';
import { AWAKE, DOORBELL_BYTES, DOORBELL_SLEEPING_I32, SLEEPING } from './layout.js';

// Far from the rate of wake-ups: it costs nothing, and it bounds what a writer that died between publish() and ring()
// can do.
const SAFETY_NET_MS = 1_000;

export function allocateDoorbell(): SharedArrayBuffer {
  return new SharedArrayBuffer(DOORBELL_BYTES);
}

/**
 * One per reading thread, however many rings it reads. That thread waits or listens; any other thread may ring, each
 * through an instance of its own over the same memory.
 */
export class Doorbell {
  readonly #words: Int32Array;
  #listener: Listener | null = null;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, DOORBELL_BYTES / 4);
  }

  /**
   * Wakes the reading thread if it sleeps. Call it after RingWriter.publish() returned true. True when it did sleep and
   * this call was the one to wake it.
   */
  ring(): boolean {
    // Hot path: per batch; allocates nothing.
    // Pairs with the store of SLEEPING in sleep(): reads it, or else the reader's isIdle() sees what was published
    // before.
    if (Atomics.load(this.#words, DOORBELL_SLEEPING_I32) === AWAKE) return false;
    // Of several writers that saw SLEEPING only one notifies, and the reader is marked awake for all of them.
    // Pairs with the store of SLEEPING in sleep().
    if (Atomics.compareExchange(this.#words, DOORBELL_SLEEPING_I32, SLEEPING, AWAKE) === AWAKE) return false;
    // Pairs with Atomics.wait in wait() and Atomics.waitAsync in Listener; a reader on its way there finds AWAKE.
    Atomics.notify(this.#words, DOORBELL_SLEEPING_I32);
    return true;
  }

  /**
   * Blocks the thread until the doorbell is rung, `timeoutMs` have passed, or at once when `isIdle` denies. For
   * workers. `isIdle` must look at the shared memory (RingReader.isEmpty() does), not at what it knew before.
   */
  wait(isIdle: () => boolean, timeoutMs: number): void {
    if (sleep(this.#words, isIdle)) {
      // Pairs with the notify in ring(); returns at once when the flag is AWAKE again already.
      Atomics.wait(this.#words, DOORBELL_SLEEPING_I32, SLEEPING, timeoutMs);
    }
    awake(this.#words);
  }

  /**
   * Calls `onRing` once per wake-up, in a turn of the event loop of its own, and again in a later turn as long as
   * `isIdle` denies: `onRing` may stop at a budget. For a thread with an event loop, which it keeps alive until
   * close().
   */
  listen(isIdle: () => boolean, onRing: () => void): void {
    if (this.#listener !== null) throw new Error('doorbell: somebody listens already');
    this.#listener = new Listener(this.#words, this, isIdle, onRing);
  }

  /**
   * How often the safety net found work beside a sleeping listener. More than 0 means that somebody published without
   * ringing, which costs up to a second each time and shows nowhere else.
   */
  get rescueCount(): number {
    return this.#listener?.rescueCount ?? 0;
  }

  /** Ends listen(): `onRing` is not called any more, and nothing keeps the event loop alive. Idempotent. */
  close(): void {
    this.#listener?.close();
    this.#listener = null;
  }
}

/**
 * The event loop's side. Writer of the fields: the listening thread.
 *
 * The wait has no time-out: V8 leaves one timer per wake-up behind until it expires, which at 20,000 wake-ups a second
 * doubled their cost. One interval does the same and more: it is the handle that keeps the loop alive, which a pending
 * Atomics.waitAsync does not.
 */
class Listener {
  readonly #words: Int32Array;
  readonly #isIdle: () => boolean;
  readonly #onRing: () => void;
  readonly #keepAlive: NodeJS.Timeout;
  readonly #wake = (): void => this.#turn();
  rescueCount = 0;
  #immediate: NodeJS.Immediate | null = null;
  #closed = false;

  constructor(words: Int32Array, doorbell: Doorbell, isIdle: () => boolean, onRing: () => void) {
    this.#words = words;
    this.#isIdle = isIdle;
    this.#onRing = onRing;
    this.#keepAlive = setInterval(() => {
      if (!isIdle() && doorbell.ring()) this.rescueCount += 1;
    }, SAFETY_NET_MS);
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#keepAlive);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    awake(this.#words);
    // Settles a pending Atomics.waitAsync, so that it does not hold the memory for ever; #turn() finds the listener
    // closed.
    Atomics.notify(this.#words, DOORBELL_SLEEPING_I32);
  }

  #turn(): void {
    if (this.#closed) return;
    this.#immediate = null;
    awake(this.#words);
    try {
      this.#onRing();
    } finally {
      if (!this.#closed) this.#arm();
    }
  }

  #arm(): void {
    if (sleep(this.#words, this.#isIdle)) {
      // Pairs with the notify in ring(); not asynchronous when the flag is AWAKE again already.
      const waiting = Atomics.waitAsync(this.#words, DOORBELL_SLEEPING_I32, SLEEPING);
      if (waiting.async) {
        waiting.value.then(this.#wake);
        return;
      }
    }
    awake(this.#words);
    // Never recursively: sockets and timers get their turn between two batches.
    this.#immediate = setImmediate(this.#wake);
  }
}

/** Marks the reader as sleeping; true when it may really wait, because there is still no work. */
function sleep(words: Int32Array, isIdle: () => boolean): boolean {
  // Publishes that from now on writers must ring; pairs with the load in ring(). isIdle() must come after it.
  Atomics.store(words, DOORBELL_SLEEPING_I32, SLEEPING);
  return isIdle();
}

/** Marks the reader as awake: writers need not ring. Nothing is lost if a writer just did: the reader looks anyway. */
function awake(words: Int32Array): void {
  // Pairs with the load in ring(). What was published before it is found by the next sleep() at the latest.
  Atomics.store(words, DOORBELL_SLEEPING_I32, AWAKE);
}
