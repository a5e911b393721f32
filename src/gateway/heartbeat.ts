/** Heartbeat: pings quiet connections and closes silent ones, a few per tick, so that pings never come in a burst. */

export interface HeartbeatTarget {
  /** When something was last received, pongs included, or taken from what waits: the low 32 bits of monotonic milliseconds. */
  lastReceivedMs: number;
  /** When it was pinged last, likewise. */
  lastPingMs: number;
  /** Index in the heartbeat's list. */
  heartbeatIndex: number;
  ping(): void;
  timedOut(): void;
}

export interface HeartbeatOptions {
  readonly heartbeatMs: number;
  readonly idleTimeoutMs: number;
}

/** One round over all connections takes this many ticks … */
const TICKS_PER_ROUND = 16;
/** … and a quarter of the shorter limit, so that a limit is exceeded by a quarter of it at most. */
const ROUNDS_PER_LIMIT = 4;
const TICK_MIN_MS = 10;
/** Others tick along. */
const TICK_MAX_MS = 1000;

/** Writer and reader: the accept thread. */
export class Heartbeat<Target extends HeartbeatTarget> {
  readonly #options: HeartbeatOptions;
  readonly #targets: Target[] = [];
  #position = 0;
  #lastTickMs = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** How often `tick` has to be called (ms). */
  get tickMs(): number {
    const { heartbeatMs, idleTimeoutMs } = this.#options;
    const tickMs = Math.min(heartbeatMs, idleTimeoutMs) / (TICKS_PER_ROUND * ROUNDS_PER_LIMIT);
    return Math.min(TICK_MAX_MS, Math.max(TICK_MIN_MS, tickMs));
  }

  /** Everyone, in no order. Adding and removing changes the list. */
  get targets(): readonly Target[] {
    return this.#targets;
  }

  add(target: Target): void {
    target.heartbeatIndex = this.#targets.length;
    this.#targets.push(target);
  }

  remove(target: Target): void {
    const last = this.#targets.pop() as Target;
    if (last === target) return;
    this.#targets[target.heartbeatIndex] = last;
    last.heartbeatIndex = target.heartbeatIndex;
  }

  /** Visits the next part of the connections. */
  tick(nowMs: number): void {
    const { heartbeatMs, idleTimeoutMs } = this.#options;
    const targets = this.#targets;
    // After a standstill of this process what arrived meanwhile is still to be read: nobody is silent yet.
    const isLate = nowMs - this.#lastTickMs > this.tickMs + Math.min(heartbeatMs, idleTimeoutMs) / ROUNDS_PER_LIMIT;
    this.#lastTickMs = nowMs;
    for (let count = Math.ceil(targets.length / TICKS_PER_ROUND); count > 0 && targets.length > 0; count--) {
      // Downwards: into the place of one that is removed comes the last one, which has had its turn.
      if (this.#position === 0 || this.#position > targets.length) this.#position = targets.length;
      const target = targets[--this.#position];
      const silentMs = (nowMs - target.lastReceivedMs) | 0;
      if (silentMs >= idleTimeoutMs && !isLate) {
        target.timedOut();
      } else if (silentMs >= heartbeatMs && ((nowMs - target.lastPingMs) | 0) >= heartbeatMs) {
        target.lastPingMs = nowMs | 0;
        target.ping();
      }
    }
  }
}
