/** Typed listeners for a client's events, and what happens to exceptions of user code. */

/**
 * Writer and reader: the client that owns it. `Events` maps each event's name to its one argument. Lists are replaced,
 * never changed: one that is walked stays as it is, as with Node's EventEmitter.
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, readonly { call: (event: never) => void }[]>();

  /** Adds a listener; returns the function that takes it away again. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const entry = { call: listener };
    this.#listeners.set(name, [...this.#of(name), entry]);
    return () => {
      this.#listeners.set(
        name,
        this.#of(name).filter((other) => other !== entry),
      );
    };
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const { call } of this.#of(name)) callUser(call as (event: Events[Name]) => void, event);
  }

  #of(name: keyof Events): readonly { call: (event: never) => void }[] {
    return this.#listeners.get(name) ?? [];
  }
}

/**
 * Calls user code. Its exception, or the rejection of a promise that it returns, must not keep the frames behind it from
 * the other handlers, nor must it vanish: it surfaces as an uncaught exception, as those of DOM event listeners do.
 */
export function callUser<Arguments extends unknown[]>(
  callback: (...given: Arguments) => unknown,
  ...given: Arguments
): void {
  try {
    const result = callback(...given) as { then?: unknown } | null | undefined;
    // A promise of any make; Promise.resolve() also bears with a `then` that throws.
    if (typeof result === 'object' && typeof result?.then === 'function') Promise.resolve(result).catch(surface);
  } catch (error) {
    surface(error);
  }
}

function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
