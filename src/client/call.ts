/** How long a call waits for its answer: until its time-out or its AbortSignal, whichever comes first. */

import { RingcastError } from '../errors.js';

export interface CallOptions {
  /**
   * Ends the wait; the call rejects with the signal's reason. What is on its way to the server stays there: a message
   * may still be published, only its answer is ignored. A subscription that is made after all is ended again.
   */
  signal?: AbortSignal | undefined;
  /** Rejects with TIMEOUT when there is no answer by then, else like `signal`; 0: never. Default: `requestTimeoutMs`. */
  timeoutMs?: number | undefined;
}

/** Timers take int32; a longer delay would mean "at once". */
export const TIMER_MAX_MS = 0x7fff_ffff;

/** Calls `giveUp` once with the reason, unless `end` is called before. Writer: whoever waits for an answer. */
export class CallLimits {
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;

  /** Throws the reason of a signal that was given before. */
  constructor(what: string, { signal, timeoutMs = 0 }: CallOptions, giveUp: (reason: unknown) => void) {
    if (signal !== undefined) {
      signal.throwIfAborted();
      this.#signal = signal;
      this.#onAbort = () => {
        this.end();
        giveUp(signal.reason);
      };
      signal.addEventListener('abort', this.#onAbort);
    }
    if (timeoutMs <= 0 || timeoutMs > TIMER_MAX_MS) return;
    this.#timer = setTimeout(() => {
      this.end();
      giveUp(new RingcastError('TIMEOUT', `${what}: no answer within ${timeoutMs} ms`));
    }, timeoutMs);
  }

  /** The wait is over. */
  end(): void {
    clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

/**
 * A promise for what `start` calls back with. When the wait ends before that, what `start` returned is called: to forget
 * what was asked for.
 */
export function limited<Result>(
  what: string,
  options: CallOptions,
  start: (resolve: (result: Result) => void, reject: (reason: unknown) => void) => () => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let forget = (): void => {};
    const limits = new CallLimits(what, options, (reason) => {
      forget();
      reject(reason);
    });
    const fail = (reason: unknown): void => {
      limits.end();
      reject(reason);
    };
    try {
      forget = start((result) => {
        limits.end();
        resolve(result);
      }, fail);
    } catch (error) {
      fail(error);
    }
  });
}
