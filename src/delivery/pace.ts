/**
 * Pace: how much one turn may do: little while others wait for the thread, more while nobody does.
 *
 * A turn of the event loop costs some 20 µs by itself, which a long fan-out in small turns pays often; whoever comes in the
 * middle of it waits for one turn.
 */

/** Turns that nobody has waited for, one after the other, until they become longer. */
const TURNS_PER_STEP = 8;
const FACTOR_MAX = 4;

/** Writer and reader: the accept thread. */
export class Pace {
  #factor = 1;
  #lonelyTurns = 0;
  #hasCome = false;

  /** Hot path: per message that a client sends. Somebody had to wait for the turn before, if there was one. */
  somebodyCame(): void {
    this.#hasCome = true;
  }

  /** A turn begins. Returns how much longer it may be than one that others wait for. */
  next(): number {
    if (this.#hasCome) this.rest();
    else if (++this.#lonelyTurns % TURNS_PER_STEP === 0 && this.#factor < FACTOR_MAX) this.#factor *= 2;
    return this.#factor;
  }

  /** Nothing is left to do: the next turns know nothing of who comes during them. */
  rest(): void {
    this.#hasCome = false;
    this.#lonelyTurns = 0;
    this.#factor = 1;
  }
}
