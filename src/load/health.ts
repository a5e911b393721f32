/** Is the load generator itself the bottleneck? Figures of a generator that was busy are not figures of the server. */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { clockMs } from './clock.js';
import { LatencyHistogram } from './latency-histogram.js';

const LAG_TICK_MS = 10;
const SATURATED_BUSY_PERCENT = 95;
const SATURATED_LAG_MS = 20;
/** A reader that is late in spite of this much idle time is not the one that holds itself up. */
const IDLE_BUSY_PERCENT = 50;
const SATURATED_LATE_MS = 20;
/** A publisher that waits for the server's socket for longer than this part of the time is late because of the server. */
const HELD_UP_PERCENT = 1;

export interface ReaderHealth {
  /** Of one core; all threads of the process. */
  cpuPercent: number;
  /** Share of the reading thread's time in which it had something to do. */
  readerBusyPercent: number;
  readerLagP99Ms: number;
}

export interface PublisherHealth {
  /** How late messages left, against their schedule. */
  publishLateP99Ms: number;
  publishLateMaxMs: number;
  /** Share of the time in which the server did not take what was to be sent. */
  heldUpPercent: number;
}

/** Writer and reader: the reading thread. */
export class HealthMeter {
  readonly #lag = new LatencyHistogram();
  #cpu = process.cpuUsage();
  #utilization: EventLoopUtilization = performance.eventLoopUtilization();
  #startMs = clockMs();
  #lastTickMs = 0;
  #ticker: NodeJS.Timeout | null = null;

  start(): void {
    this.#lag.reset();
    this.#cpu = process.cpuUsage();
    this.#utilization = performance.eventLoopUtilization();
    this.#startMs = this.#lastTickMs = clockMs();
    this.stopTicking();
    this.#ticker = setInterval(() => {
      const nowMs = clockMs();
      this.#lag.record(nowMs - this.#lastTickMs - LAG_TICK_MS);
      this.#lastTickMs = nowMs;
    }, LAG_TICK_MS);
  }

  /** What takes place from here on does not count as lag. */
  stopTicking(): void {
    clearInterval(this.#ticker ?? undefined);
  }

  stop(): ReaderHealth {
    this.stopTicking();
    const cpu = process.cpuUsage(this.#cpu);
    const elapsedMs = Math.max(1, clockMs() - this.#startMs);
    return {
      cpuPercent: (cpu.user + cpu.system) / 10 / elapsedMs,
      readerBusyPercent: performance.eventLoopUtilization(this.#utilization).utilization * 100,
      readerLagP99Ms: this.#lag.quantileMicros(0.99) / 1000,
    };
  }
}

/** Why figures of this process are not to be trusted; empty: nothing speaks against them. */
export function saturationOf(health: ReaderHealth & PublisherHealth): string[] {
  const reasons: string[] = [];
  const { readerBusyPercent, readerLagP99Ms, publishLateP99Ms, heldUpPercent } = health;
  if (readerBusyPercent > SATURATED_BUSY_PERCENT) reasons.push(`it read ${readerBusyPercent.toFixed(0)} % of the time`);
  if (readerLagP99Ms > SATURATED_LAG_MS) {
    const others = readerBusyPercent < IDLE_BUSY_PERCENT ? ' though it had little to do: others use its cores' : '';
    reasons.push(`its timers were ${readerLagP99Ms.toFixed(0)} ms late (p99)${others}`);
  }
  if (publishLateP99Ms > SATURATED_LATE_MS && heldUpPercent < HELD_UP_PERCENT) {
    reasons.push(`its messages left ${publishLateP99Ms.toFixed(0)} ms late (p99)`);
  }
  return reasons;
}
