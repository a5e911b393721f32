/**
 * Hook calls: whatever a hook returns, throws or never answers becomes a value here, never an exception, a rejection or a
 * wait without end.
 */

import { callOut } from '../delivery/call-out.js';
import { RingcastError } from '../errors.js';
import type { Hooks } from './hooks.js';

type HookName = keyof Hooks;

/** Writer and reader: the accept thread. */
export class HookCalls {
  readonly #timeoutMs: number;
  readonly #onFault: (fault: Error) => void;

  /**
   * @param timeoutMs how long an answer may take; 0: for ever
   * @param onFault a hook threw, rejected, was silent for too long or answered with something else than it should
   */
  constructor(timeoutMs: number, onFault: (fault: Error) => void) {
    this.#timeoutMs = timeoutMs;
    this.#onFault = onFault;
  }

  /**
   * Asks a hook; null: it gave no answer. The promise, where the hook gave one, never rejects.
   *
   * @param read makes a verdict of any answer; undefined: it is not one that the hook may give
   * @param otherwise the verdict in that case
   */
  ask<Verdict>(
    name: HookName,
    call: () => unknown,
    read: (answer: unknown) => Verdict | undefined,
    otherwise: Verdict | null,
  ): Verdict | null | Promise<Verdict | null> {
    const verdictOf = (answer: unknown): Verdict | null => {
      try {
        const verdict = read(answer);
        if (verdict !== undefined) return verdict;
        this.#fault(name, `answered ${shown(answer)}, which is no answer to it`);
        return otherwise;
      } catch (thrown) {
        return this.#thrown(name, thrown);
      }
    };
    try {
      const answer = call();
      return isPromise(answer) ? this.#later(name, answer, verdictOf) : verdictOf(answer);
    } catch (thrown) {
      return this.#thrown(name, thrown);
    }
  }

  /** Calls a hook whose answer does not matter. One that is an async function may reject all the same. */
  tell(name: HookName, call: () => unknown): void {
    callOut(call, (thrown) => this.#thrown(name, thrown));
  }

  #later<Verdict>(
    name: HookName,
    answer: PromiseLike<unknown>,
    verdictOf: (answer: unknown) => Verdict | null,
  ): Promise<Verdict | null> {
    return new Promise((resolve) => {
      let isLate = false;
      const expire = (): void => {
        isLate = true;
        resolve(this.#fault(name, `has not answered within ${this.#timeoutMs} ms (hookTimeoutMs)`));
      };
      // Nobody waits for the answer who keeps the process alive: sockets do that.
      const timer = this.#timeoutMs === 0 ? undefined : setTimeout(expire, this.#timeoutMs).unref();
      const settle = (verdict: () => Verdict | null): void => {
        clearTimeout(timer);
        if (!isLate) resolve(verdict());
      };
      // A promise of another make may call back twice, at once or with an exception: a promise of our own bears with that.
      // Promise.resolve would not do: it gives back what looks like one already, whatever its `then` or `constructor` does.
      new Promise((follow) => follow(answer)).then(
        (answered) => settle(() => verdictOf(answered)),
        (thrown) => settle(() => this.#thrown(name, thrown)),
      );
    });
  }

  /** Anything can be thrown, also what throws when it is looked at. */
  #thrown(name: HookName, thrown: unknown): null {
    try {
      if (!(thrown instanceof Error)) return this.#fault(name, `threw ${shown(thrown)}`);
    } catch {
      return this.#fault(name, 'threw something that cannot be shown');
    }
    this.#report(thrown);
    return null;
  }

  #fault(name: HookName, what: string): null {
    this.#report(new RingcastError('INTERNAL', `the hook ${name} ${what}`));
    return null;
  }

  /** In its own time: whatever a listener does, who waits for the verdict gets it. */
  #report(fault: Error): void {
    queueMicrotask(() => this.#onFault(fault));
  }
}

/** Also a promise of another make: taken for an answer it would be no answer. */
function isPromise(answer: unknown): answer is PromiseLike<unknown> {
  if (answer === null || (typeof answer !== 'object' && typeof answer !== 'function')) return false;
  return typeof (answer as { readonly then?: unknown }).then === 'function';
}

/** For people, and without anything that could run code or tell a secret. */
function shown(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return `${value}`;
  if (value === '') return 'an empty text';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** What `authorize` said; undefined: nothing that it may say. */
export function permission(answer: unknown): boolean | undefined {
  if (answer === null || answer === undefined) return false;
  return typeof answer === 'boolean' ? answer : undefined;
}
