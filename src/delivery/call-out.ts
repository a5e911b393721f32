/** Calling out: the one way in which the engine calls what an application gave it. Whatever that does, the engine goes on. */

/**
 * Calls `callback`; what it throws, and what a promise that it returns rejects with, goes to `onFault`, which must not
 * throw. Nobody waits for the promise: one that never settles holds up nothing.
 */
export function callOut(callback: () => unknown, onFault: (fault: unknown) => void): void {
  try {
    const answer = callback() as { readonly then?: unknown } | null | undefined;
    // Inside `try` too: `then` may be a getter that throws.
    if (typeof answer?.then === 'function') Promise.resolve(answer).then(undefined, onFault);
  } catch (fault) {
    onFault(fault);
  }
}
