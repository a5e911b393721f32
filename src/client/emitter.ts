/** Typed listeners for a client's events, and what happens to exceptions of user code. */

/** Writer and reader: the client that owns it. `Events` maps each event's name to its one argument. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Adds a listener; returns the function that takes it away again. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) callUser(listener as (event: Events[Name]) => void, event);
  }
}

/**
 * Calls user code. Its exception must not keep the frames behind it from the other handlers, nor must it vanish:
 * it surfaces as an uncaught one, as exceptions of DOM event listeners do.
 */
export function callUser<Argument>(callback: (argument: Argument) => void, argument: Argument): void {
  try {
    callback(argument);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
