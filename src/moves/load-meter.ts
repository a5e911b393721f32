/**
 * Load meter: how much traffic each topic has, and when that is a reason to change its home.
 *
 * *Load* is deliveries per second, messages per second × subscribers, as an exponentially weighted mean: old traffic
 * counts less and less. Hysteresis: up above one threshold, down only below half of it, and either only after a while.
 *
 * A row of numbers per topic with traffic, in parallel arrays: of 100,000 topics each may have been active once. Topics
 * without traffic have no row.
 */

export interface HotSettings {
  /** A cold topic with more than this becomes hot, a hot one with less than half of it cold. */
  readonly promoteDeliveriesPerSecond: number;
  /** How long the load must have been above (ms). */
  readonly promoteAfterMs: number;
  /** How long the load must have been below half (ms). */
  readonly demoteAfterMs: number;
  /** Moves of topics between homes, all together. */
  readonly movesPerSecond: number;
}

export type LoadDecision = 'promote' | 'demote' | 'stay';

/** Traffic that is so long ago counts 1/e (ms). */
export const LOAD_TAU_MS = 500;
/** Load below this share of the threshold makes a hot topic cold. */
const DEMOTE_SHARE = 0.5;
/** Rates below this are nothing (1/s): a single message to a single subscriber is forgotten after 1.5 s. */
const IDLE_PER_SECOND = 0.1;
const ROWS_MIN = 64;

/** What an interval is the time of. */
const NOTHING = 0;
const HIGH_LOAD = 1;
const LOW_LOAD = 2;

/** Writer and reader: the accept thread. One for all topics. */
export class LoadMeter {
  readonly #settings: HotSettings;
  #messagesPerSecond = new Float64Array(ROWS_MIN);
  #deliveriesPerSecond = new Float64Array(ROWS_MIN);
  #tickedMs = new Float64Array(ROWS_MIN);
  /** What the row's load is now, and since when without interruption. */
  #state = new Uint8Array(ROWS_MIN);
  #sinceMs = new Float64Array(ROWS_MIN);
  #rowCount = 0;
  readonly #freeRows: number[] = [];
  /** Weights for the time since a row's last tick; mostly the same for all rows of a tick. */
  #elapsedMs = -1;
  #weightOfOld = 1;
  #weightOfMessage = 0;

  constructor(settings: HotSettings) {
    this.#settings = settings;
  }

  /** Topics that are measured now. */
  get openRows(): number {
    return this.#rowCount - this.#freeRows.length;
  }

  /** A row for a topic that has traffic and none yet. */
  open(nowMs: number): number {
    const row = this.#freeRows.pop() ?? this.#rowCount++;
    if (row === this.#tickedMs.length) this.#grow();
    this.#messagesPerSecond[row] = 0;
    this.#deliveriesPerSecond[row] = 0;
    this.#tickedMs[row] = nowMs;
    this.#state[row] = NOTHING;
    return row;
  }

  /** The topic is gone, or idle. */
  close(row: number): void {
    this.#freeRows.push(row);
    if (this.openRows === 0) this.#shrink();
  }

  /** Hot path: per tick and open row. @param messages accepted since the row's last tick; often none */
  tick(row: number, messages: number, subscribers: number, nowMs: number): void {
    this.#weigh(Math.max(0, nowMs - this.#tickedMs[row]));
    const old = this.#weightOfOld;
    const perSecond = messages * this.#weightOfMessage;
    this.#messagesPerSecond[row] = this.#messagesPerSecond[row] * old + perSecond;
    this.#deliveriesPerSecond[row] = this.#deliveriesPerSecond[row] * old + perSecond * subscribers;
    this.#tickedMs[row] = nowMs;
  }

  messagesPerSecond(row: number): number {
    return this.#messagesPerSecond[row];
  }

  deliveriesPerSecond(row: number): number {
    return this.#deliveriesPerSecond[row];
  }

  /** Whether there is nothing left to measure: the row of a cold topic can be closed. */
  isIdle(row: number): boolean {
    return this.#messagesPerSecond[row] < IDLE_PER_SECOND && this.#deliveriesPerSecond[row] < IDLE_PER_SECOND;
  }

  /**
   * Where the topic belongs by its load, asked after each tick. The answer stays until the load changes or the topic has
   * moved: an answer that cannot be followed now need not be remembered.
   */
  decide(row: number, isHot: boolean, nowMs: number): LoadDecision {
    const { promoteDeliveriesPerSecond, promoteAfterMs, demoteAfterMs } = this.#settings;
    const load = this.#deliveriesPerSecond[row];
    let state = NOTHING;
    if (isHot) {
      if (load < promoteDeliveriesPerSecond * DEMOTE_SHARE) state = LOW_LOAD;
    } else if (load > promoteDeliveriesPerSecond) {
      state = HIGH_LOAD;
    }
    if (state !== this.#state[row]) {
      this.#state[row] = state;
      this.#sinceMs[row] = nowMs;
    }
    const lastsMs = nowMs - this.#sinceMs[row];
    if (state === HIGH_LOAD && lastsMs >= promoteAfterMs) return 'promote';
    if (state === LOW_LOAD && lastsMs >= demoteAfterMs) return 'demote';
    return 'stay';
  }

  /**
   * Messages spread evenly over the elapsed time are each weighted by their age; the integral is (1 − e^(−t/τ)) / t, and
   * 1/τ when no time has passed. So how the time is cut into ticks makes no difference to a steady rate.
   */
  #weigh(elapsedMs: number): void {
    if (elapsedMs === this.#elapsedMs) return;
    const weightOfNew = -Math.expm1(-elapsedMs / LOAD_TAU_MS);
    this.#elapsedMs = elapsedMs;
    this.#weightOfOld = 1 - weightOfNew;
    this.#weightOfMessage = 1000 * (elapsedMs === 0 ? 1 / LOAD_TAU_MS : weightOfNew / elapsedMs);
  }

  /** What a storm of topics has taken goes back. */
  #shrink(): void {
    this.#rowCount = 0;
    this.#freeRows.length = 0;
    if (this.#tickedMs.length > ROWS_MIN) this.#resize(ROWS_MIN);
  }

  #grow(): void {
    this.#resize(this.#tickedMs.length * 2);
  }

  /** Keeps the rows that still fit. */
  #resize(rows: number): void {
    this.#messagesPerSecond = resized(this.#messagesPerSecond, rows);
    this.#deliveriesPerSecond = resized(this.#deliveriesPerSecond, rows);
    this.#tickedMs = resized(this.#tickedMs, rows);
    this.#sinceMs = resized(this.#sinceMs, rows);
    const states = new Uint8Array(rows);
    states.set(this.#state.subarray(0, rows));
    this.#state = states;
  }
}

function resized(values: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  const other = new Float64Array(length);
  other.set(values.subarray(0, length));
  return other;
}
