/** Listeners: tells the engine's listeners what happened, and listeners of `fault` what went wrong meanwhile. */

import type { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { callOut } from '../delivery/call-out.js';
import type { EngineEvents } from './api.js';

/** Between two process warnings (ms): one stranger can cause faults at the rate of the network. */
const WARNING_PAUSE_MS = 1000;

/** Writer and reader: the accept thread. Nothing here throws, whatever listeners do. */
export class Listeners {
  readonly #emitter: EventEmitter<EngineEvents>;
  readonly #nowMs: () => number;
  #warnedAtMs = Number.NEGATIVE_INFINITY;
  #unwarned = 0;
  /** Something went wrong that no caller can be told. */
  readonly fault = (fault: unknown): void => {
    if (!this.tell('fault', fault)) this.#warn('a fault that nobody listens to', fault);
  };
  readonly #faultOfFault = (fault: unknown): void => this.#warn('a listener of "fault" failed', fault);

  constructor(emitter: EventEmitter<EngineEvents>, nowMs: () => number) {
    this.#emitter = emitter;
    this.#nowMs = nowMs;
  }

  /** Tells every listener, also when another one fails. False: there is none. */
  tell<Name extends keyof EngineEvents>(name: Name, ...values: EngineEvents[Name]): boolean {
    const onFault = name === 'fault' ? this.#faultOfFault : this.fault;
    // Raw: one that was added by `once` takes itself out when it is called.
    const listeners = this.#emitter.rawListeners(name);
    for (const listener of listeners) callOut(() => Reflect.apply(listener, this.#emitter, values), onFault);
    return listeners.length > 0;
  }

  #warn(what: string, fault: unknown): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#warnedAtMs < WARNING_PAUSE_MS) {
      this.#unwarned++;
      return;
    }
    const before = this.#unwarned === 0 ? '' : ` (${this.#unwarned} more since the last warning)`;
    this.#warnedAtMs = nowMs;
    this.#unwarned = 0;
    process.emitWarning(`${what}${before}`, { type: 'RingcastFault', detail: textOf(fault) });
  }
}

/** Anything can be thrown, also what throws when it is looked at. */
function textOf(fault: unknown): string {
  try {
    return inspect(fault);
  } catch {
    return 'it cannot be shown';
  }
}
