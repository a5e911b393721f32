/**
 * The limit of open files, as far as sockets need it. uWebSockets.js does not say when a connection cannot be accepted for
 * want of a file: the connection stays in the kernel's queue, and the event loop turns without a pause until there is one.
 * So nobody is let in any more before it comes to that.
 */

import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';

/** Files that connections leave to others: to the application, to lanes that have to be started again. */
const RESERVED_FILES = 32;
const FILES_FREE = 0;
const FILES_SCARCE = 1;
const FILES_NONE = 2;
/** There is nothing to open, on an odd system. */
const FILES_UNKNOWN = 3;

/** Writer and reader: the accept thread. */
export class SpareFiles {
  readonly #filesMax: number | null;
  /** Held to be given up when there is no other file left; null: it is given up. */
  #spare: number | null = null;

  /** @param filesMax `ulimit -n`; null: the system does not say */
  constructor(filesMax: number | null) {
    this.#filesMax = filesMax;
  }

  /** Takes some microseconds: a new file gets the lowest free number, which tells how many are open. */
  get areScarce(): boolean {
    const left = this.#left();
    return left === FILES_SCARCE || left === FILES_NONE;
  }

  /**
   * Call it now and then. When others have taken even what connections leave to them, those that wait to be accepted get
   * the spare file one after the other, each until it is closed as the files are scarce.
   */
  tick(): void {
    const left = this.#left();
    if (left === FILES_NONE) this.close();
    else if (left === FILES_FREE) this.#spare ??= openSync(devNull, 'r');
  }

  close(): void {
    if (this.#spare !== null) closeSync(this.#spare);
    this.#spare = null;
  }

  #left(): number {
    try {
      const file = openSync(devNull, 'r');
      closeSync(file);
      return this.#filesMax !== null && file >= this.#filesMax - RESERVED_FILES ? FILES_SCARCE : FILES_FREE;
    } catch (fault) {
      const { code } = fault as NodeJS.ErrnoException;
      return code === 'EMFILE' || code === 'ENFILE' ? FILES_NONE : FILES_UNKNOWN;
    }
  }
}
