/** How far `ringcast load` is, on a terminal. Elsewhere nothing is shown: who reads a log wants the result. */
import { Presets, SingleBar } from 'cli-progress';
import type { LoadJob } from '../load/job.js';
import type { Phase } from '../load/run.js';
import type { Tick } from '../load/team.js';
import { time, whole } from './load-report.js';

export interface LoadProgress {
  phase(phase: Phase): void;
  tick(tick: Tick): void;
  done(): void;
}

export function startProgress(job: LoadJob, stream: NodeJS.WriteStream, nowMs: () => number): LoadProgress {
  if (!stream.isTTY) return { phase: () => {}, tick: () => {}, done: () => {} };
  return new Bar(job, stream, nowMs);
}

/** Writer and reader: one thread. */
class Bar implements LoadProgress {
  readonly #job: LoadJob;
  readonly #stream: NodeJS.WriteStream;
  readonly #nowMs: () => number;
  #bar: SingleBar | null = null;
  #phase: Phase = 'connecting';
  #startMs = 0;
  #last = { atMs: 0, delivered: 0 };

  constructor(job: LoadJob, stream: NodeJS.WriteStream, nowMs: () => number) {
    this.#job = job;
    this.#stream = stream;
    this.#nowMs = nowMs;
  }

  phase(phase: Phase): void {
    this.done();
    this.#phase = phase;
    this.#startMs = this.#nowMs();
    this.#last = { atMs: this.#startMs, delivered: 0 };
    const format = {
      connecting: 'connecting {bar} {value}/{total}',
      probing: 'do subscriptions work? {bar}',
      running: 'running {bar} {percentage} % | {text}',
      'waiting for what is under way': 'waiting for what is under way | {text}',
    }[phase];
    const options = { format, stream: this.#stream, hideCursor: null, clearOnComplete: true, gracefulExit: false };
    this.#bar = new SingleBar(options, Presets.shades_classic);
    const { connections, warmupMs, durationMs } = this.#job;
    this.#bar.start(phase === 'running' ? (warmupMs + durationMs) / 1000 : connections, 0, { text: '' });
  }

  tick(tick: Tick): void {
    const nowMs = this.#nowMs();
    const { atMs, delivered } = this.#last;
    if (nowMs - atMs < 200) return; // several processes report one after the other
    const perSecond = ((tick.delivered - delivered) / (nowMs - atMs)) * 1000;
    this.#last = { atMs: nowMs, delivered: tick.delivered };
    const parts = [`${whole(Math.round(perSecond))} deliveries/s`];
    if (nowMs - this.#startMs < this.#job.warmupMs) parts.push('warm-up');
    else if (tick.p99Micros > 0) parts.push(`p99 ${time(tick.p99Micros)}`);
    if (this.#job.rate > 0 && tick.wrong > 0) parts.push(`${whole(tick.wrong)} missing or wrong so far`);
    if (tick.lost > 0) parts.push(`${whole(tick.lost)} connections lost`);
    const value = this.#phase === 'running' ? (nowMs - this.#startMs) / 1000 : tick.connections;
    this.#bar?.update(Math.min(value, this.#bar.getTotal()), { text: parts.join(' | ') });
  }

  done(): void {
    this.#bar?.stop();
    this.#bar = null;
  }
}
