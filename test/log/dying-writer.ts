// The writer of a shared log that dies just before one of its stores: to an index field, a byte, or a shared word.

import { vi } from 'vitest';
import type { FrameLog } from '#src/log/frame-log.js';
import { SharedLog } from '#src/log/shared-log.js';

class Death extends Error {}

export class DyingWriter {
  readonly log: FrameLog;
  #storesLeft: number;

  /** Goes on over `memory`, and dies before the store that follows `storesLeft` others. */
  constructor(memory: SharedArrayBuffer, nearIndex: number, storesLeft: number) {
    this.#storesLeft = storesLeft;
    vi.stubGlobal('Float64Array', this.#watched(Float64Array));
    vi.stubGlobal('Uint8Array', this.#watched(Uint8Array));
    try {
      this.log = new SharedLog(memory, nearIndex);
    } finally {
      vi.unstubAllGlobals();
    }
  }

  /** Whether the writer lived through `action`. */
  survives(action: () => void): boolean {
    const { exchange, store } = Atomics;
    const watch =
      <T extends unknown[]>(call: (...operands: T) => unknown) =>
      (...operands: T) => {
        this.#beforeStore();
        return call(...operands);
      };
    Object.assign(Atomics, { exchange: watch(exchange), store: watch(store) });
    try {
      action();
      return true;
    } catch (error) {
      if (error instanceof Death) return false;
      throw error;
    } finally {
      Object.assign(Atomics, { exchange, store });
    }
  }

  #beforeStore(): void {
    if (this.#storesLeft-- <= 0) throw new Death('the writer is gone');
  }

  /** A typed array's constructor whose arrays count what is stored in them. */
  #watched<T extends typeof Float64Array | typeof Uint8Array>(arrayClass: T): T {
    return new Proxy(arrayClass, {
      construct: (target, operands) => this.#watchedArray(Reflect.construct(target, operands)),
    });
  }

  #watchedArray(array: Float64Array | Uint8Array): Float64Array | Uint8Array {
    return new Proxy(array, {
      get: (target, name) => {
        if (name === 'set') return (source: Uint8Array, at: number) => this.#setInHalves(target, source, at);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
      set: (target, name, value) => {
        this.#beforeStore();
        return Reflect.set(target, name, value, target);
      },
    });
  }

  /** A long copy is not one store. */
  #setInHalves(target: Float64Array | Uint8Array, source: Uint8Array, at: number): void {
    const half = source.length >> 1;
    this.#beforeStore();
    target.set(source.subarray(0, half), at);
    this.#beforeStore();
    target.set(source.subarray(half), at + half);
  }
}
