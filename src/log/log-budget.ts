/**
 * Log budget: what all plain logs of a thread may take together, and who gives room when all of it is taken.
 *
 * Every log has its smallest size whatever the budget says: that is a topic's own cost. What a log is larger than that
 * comes out of the budget. When there is nothing left, the largest logs give half of what they have, those first to which
 * nothing has come lately. To keep more a log may take from larger ones only, so all of them tend to the same size, and
 * whoever takes little has it whatever the others do. For a single message that has to be held any other log gives room:
 * nobody can fill the budget and leave it full.
 */

import { LOG_MIN_BYTES } from './layout.js';

/** A log, as its budget needs it. */
export interface BudgetedLog {
  readonly memoryBytes: number;
  isIdle(nowMs: number): boolean;
  /** Becomes smaller, unless it is as small as it can be. */
  giveHalf(): void;
}

/** Logs of one size that are looked at for an idle one: those passed over are looked at last the next time. */
const LOOKS_PER_SIZE = 8;

/** Writer and reader: the accept thread. */
export class LogBudget {
  readonly maxBytes: number;
  #usedBytes = 0;
  #logs = 0;
  /** Of them, those larger than the smallest. */
  #largerLogs = 0;
  /** The logs larger than the smallest, by the power of two of their size. */
  readonly #bySize: Set<BudgetedLog>[] = Array.from({ length: 32 }, () => new Set());
  /** One bit per size that some log has. */
  #sizes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Of all logs, their smallest sizes included. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** There is one more log. */
  opened(log: BudgetedLog): void {
    this.#logs++;
    this.#usedBytes += log.memoryBytes;
    this.#enlist(log, log.memoryBytes);
  }

  closed(log: BudgetedLog): void {
    this.#logs--;
    this.#usedBytes -= log.memoryBytes;
    this.#strike(log, log.memoryBytes);
  }

  resized(log: BudgetedLog, oldBytes: number): void {
    const { memoryBytes } = log;
    this.#usedBytes += memoryBytes - oldBytes;
    if (sizeOf(oldBytes) === sizeOf(memoryBytes) && oldBytes > LOG_MIN_BYTES && memoryBytes > LOG_MIN_BYTES) return;
    this.#strike(log, oldBytes);
    this.#enlist(log, memoryBytes);
  }

  /** Whether a log can have so many bytes at all: others give room for it. */
  canHold(bytes: number): boolean {
    return bytes - LOG_MIN_BYTES <= this.maxBytes;
  }

  /** Makes room for a log that wants to keep more, at the cost of larger ones. False: it has its share. */
  request(log: BudgetedLog, bytes: number, nowMs: number): boolean {
    return this.#makeRoom(log, bytes, sizeOf(bytes) + 1, nowMs);
  }

  /** Makes room for a message that has to be held, at the cost of any other log. `canHold` must have said that it can. */
  require(log: BudgetedLog, bytes: number, nowMs: number): void {
    this.#makeRoom(log, bytes, 0, nowMs);
  }

  #makeRoom(log: BudgetedLog, bytes: number, fromSize: number, nowMs: number): boolean {
    const moreBytes = bytes - log.memoryBytes;
    while (this.#takenBytes + moreBytes > this.maxBytes) {
      const giver = this.#giver(log, fromSize, nowMs);
      if (giver === null) return false;
      giver.giveHalf();
    }
    return true;
  }

  /**
   * The largest log that is idle and not below the mean of all, or else the largest one; null: none has these sizes but
   * the log itself.
   */
  #giver(except: BudgetedLog, fromSize: number, nowMs: number): BudgetedLog | null {
    const meanSize = sizeOf(this.#takenBytes / this.#largerLogs);
    let largest: BudgetedLog | null = null;
    for (let sizes = this.#sizes; sizes !== 0; ) {
      const size = sizeOf(sizes);
      sizes &= ~(1 << size);
      if (size < fromSize || (size < meanSize && largest !== null)) break;
      const logs = this.#bySize[size] as Set<BudgetedLog>;
      let looks = Math.min(LOOKS_PER_SIZE, logs.size);
      for (const log of logs) {
        if (looks-- === 0) break;
        if (log === except) continue;
        if (log.isIdle(nowMs)) return log;
        largest ??= log;
        logs.delete(log);
        logs.add(log);
      }
    }
    return largest;
  }

  /** What logs have beyond their smallest size. */
  get #takenBytes(): number {
    return this.#usedBytes - this.#logs * LOG_MIN_BYTES;
  }

  #enlist(log: BudgetedLog, bytes: number): void {
    if (bytes <= LOG_MIN_BYTES) return;
    const size = sizeOf(bytes);
    this.#bySize[size]?.add(log);
    this.#sizes |= 1 << size;
    this.#largerLogs++;
  }

  #strike(log: BudgetedLog, bytes: number): void {
    const size = sizeOf(bytes);
    const logs = this.#bySize[size] as Set<BudgetedLog>;
    if (logs.delete(log)) this.#largerLogs--;
    if (logs.size === 0) this.#sizes &= ~(1 << size);
  }
}

/** The power of two below. */
function sizeOf(bytes: number): number {
  return 31 - Math.clz32(bytes);
}
