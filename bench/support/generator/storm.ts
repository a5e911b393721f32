// Clients that all come at once: each connects and subscribes to one topic; when one is done, the next begins.

import { clockMs, sleep } from '../../../dist/load/clock.js';
import type { LoadConnection } from '../../../dist/load/connection.js';
import { LatencyHistogram } from '../../../dist/load/latency-histogram.js';
import type { EventSink } from '../peer.js';
import type { Load } from './load.js';

/** Without any progress for so long the storm is over. */
const STALL_MS = 5000;

export interface StormOptions {
  connections: number;
  /** So many are on their way at a time. */
  concurrent: number;
  topic: number;
  secondsMax: number;
}

export interface StormResult {
  accepted: number;
  seconds: number;
  /** From the beginning of the connection to the answer to its subscription. */
  latency: LatencyHistogram;
  problems: string[];
}

/** Writer and reader: the reading thread. The connections stay open until `end`. */
export class Storm implements EventSink {
  readonly #load: Load;
  readonly #options: StormOptions;
  readonly #connections: LoadConnection[] = [];
  readonly #begunMs: number[] = [];
  readonly #latency = new LatencyHistogram();
  readonly #problems: string[] = [];
  #accepted = 0;
  #failed = 0;
  #lastMs = 0;
  /** Set at the end: what happens to connections that leave is no problem. */
  #isOver = false;

  constructor(load: Load, options: StormOptions) {
    this.#load = load;
    this.#options = options;
  }

  async run(): Promise<StormResult> {
    const { connections, concurrent, secondsMax } = this.#options;
    const startMs = clockMs();
    this.#lastMs = startMs;
    for (let index = 0; index < Math.min(concurrent, connections); index++) this.#next();
    while (this.#accepted + this.#failed < connections) {
      await sleep(10);
      const nowMs = clockMs();
      if (nowMs - this.#lastMs > STALL_MS || nowMs - startMs > secondsMax * 1000) break;
    }
    this.#isOver = true;
    const accepted = this.#accepted;
    return { accepted, seconds: (this.#lastMs - startMs) / 1000, latency: this.#latency, problems: this.#problems };
  }

  end(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  #next(): void {
    const index = this.#connections.length;
    if (index === this.#options.connections || this.#isOver) return;
    this.#begunMs.push(clockMs());
    const connection = this.#load.open(index, this);
    this.#connections.push(connection);
    connection.upgraded().then(
      () => this.#load.dialect.subscribe(connection, [this.#options.topic]),
      (error: Error) => {
        this.#failed++;
        this.#report(error.message);
        this.#next();
      },
    );
  }

  acknowledged(connection: number): void {
    if (this.#isOver) return;
    this.#lastMs = clockMs();
    this.#latency.record(this.#lastMs - this.#begunMs[connection]);
    this.#accepted++;
    this.#next();
  }

  payload(connection: number): void {
    this.problem(connection, 'got a message of a topic that nobody publishes to');
  }

  published(): void {}

  gap(connection: number): void {
    this.problem(connection, 'got a gap on a topic that nobody publishes to');
  }

  problem(connection: number, text: string): void {
    if (!this.#isOver) this.#report(`connection ${connection}: ${text}`);
  }

  #report(text: string): void {
    if (this.#problems.length < 5) this.#problems.push(text);
  }
}
