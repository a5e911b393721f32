// Servers that run beside each other and are loaded in turn, so that what the machine does to one it does to the others, too.

/** Thue–Morse: is the number of ones in the step's binary digits odd? */
function isReversed(step: number): boolean {
  let odd = false;
  for (let rest = step; rest > 0; rest &= rest - 1) odd = !odd;
  return odd;
}

/** One run's part: nobody else's begins before it has ended. */
export interface Turn {
  /** Resolves when it may begin. */
  take: () => Promise<void>;
  end: () => void;
}

/** For a run that has the machine for itself. */
export const ALONE: Turn = { take: async () => {}, end: () => {} };

/**
 * Each step gives every run one turn, once all of them want it, half of the steps in reverse: A B, B A, B A, A B … (the sequence of Thue and
 * Morse, so that no period of steps favours one, and nothing that changes steadily does). Writer and reader: the main process.
 */
export class Turns {
  readonly #members: Set<string>;
  /** Who may go on, and what tells them. */
  readonly #waiting = new Map<string, () => void>();
  /** Who still has a turn in this step, the next one first. */
  #queue: string[] = [];
  #holder: string | null = null;
  #steps = 0;

  constructor(members: readonly string[]) {
    this.#members = new Set(members);
  }

  of(member: string): Turn {
    return {
      take: () =>
        new Promise((resolve) => {
          this.#waiting.set(member, resolve);
          this.#next();
        }),
      end: () => {
        if (this.#holder === member) this.#holder = null;
        this.#next();
      },
    };
  }

  /** A run is over: nobody waits for it any more. */
  leave(member: string): void {
    this.#members.delete(member);
    this.#waiting.delete(member);
    this.#queue = this.#queue.filter((other) => other !== member);
    if (this.#holder === member) this.#holder = null;
    this.#next();
  }

  #next(): void {
    if (this.#holder !== null) return;
    if (this.#queue.length === 0) {
      if (this.#members.size === 0 || this.#waiting.size < this.#members.size) return;
      this.#queue = [...this.#members];
      if (isReversed(this.#steps++)) this.#queue.reverse();
    }
    const member = this.#queue.shift()!;
    this.#holder = member;
    const begin = this.#waiting.get(member)!;
    this.#waiting.delete(member);
    begin();
  }
}
