// Waves of subscriptions: all clients subscribe at once, each gets what it begins with, and all leave again.

import { clockMs, sleep } from '../../../dist/load/clock.js';
import type { LoadConnection } from '../../../dist/load/connection.js';
import { LatencyHistogram } from '../../../dist/load/latency-histogram.js';
import { BinaryPayload } from '../../../dist/load/payload.js';
import type { EventSink } from '../peer.js';
import type { Load } from './load.js';

const WAVE_MAX_MS = 8000;
const PROBLEMS_MAX = 5;

export interface WavesOptions {
  readonly connections: number;
  /** Numbers of the topic, or of its keys: what all subscribe to. */
  readonly topics: readonly number[];
  /** What each is to get: messages 1, 2, 3 … of a topic, or entries of a snapshot. */
  readonly wanted: number;
  readonly everyMs: number;
}

/** Writer and reader: the reading thread. */
export class Waves implements EventSink {
  /** From the beginning of a wave until a client had everything. */
  readonly latency = new LatencyHistogram();
  readonly problems: string[] = [];
  waves = 0;
  readonly #load: Load;
  readonly #options: WavesOptions;
  readonly #form = new BinaryPayload();
  #connections: LoadConnection[] = [];
  /** Per client: what it has got in this wave. */
  readonly #got: Uint32Array;
  #complete = 0;
  #answers = 0;
  #startMs = 0;

  constructor(load: Load, options: WavesOptions) {
    this.#load = load;
    this.#options = options;
    this.#got = new Uint32Array(options.connections);
  }

  async connect(): Promise<void> {
    const { connections } = this.#options;
    for (let start = 0; start < connections; start += 100) {
      const some = Array.from({ length: Math.min(100, connections - start) }, (_, index) =>
        this.#load.open(start + index, this),
      );
      await Promise.all(some.map((connection) => connection.upgraded()));
      this.#connections.push(...some);
    }
  }

  /** The topic's life, as the answer to a subscription tells it. */
  async epoch(): Promise<string> {
    const { topics } = this.#options;
    this.#got.fill(this.#options.wanted);
    await this.#ask(1, (connection) => this.#load.dialect.subscribe(connection, topics));
    await this.#leave(1);
    return this.#load.dialect.epochOf?.(topics[0]) ?? '';
  }

  async run(stopped: () => boolean): Promise<void> {
    const { connections, topics, everyMs } = this.#options;
    const firstMs = clockMs();
    while (!stopped()) {
      this.#startMs = clockMs();
      this.#got.fill(0);
      this.#complete = 0;
      await this.#ask(connections, (connection) => this.#load.dialect.subscribe(connection, topics));
      await this.#until(() => this.#complete === connections);
      if (this.#complete < connections) this.problem(-1, `${connections - this.#complete} have not got all of it`);
      this.waves++;
      await this.#leave(connections);
      await sleep(Math.max(0, firstMs + this.waves * everyMs - clockMs()));
    }
  }

  end(): void {
    for (const connection of this.#connections) connection.destroy();
    this.#connections = [];
  }

  #leave(count: number): Promise<void> {
    const { topics } = this.#options;
    return this.#ask(count, (connection) => this.#load.dialect.unsubscribe?.(connection, topics));
  }

  async #ask(count: number, ask: (connection: LoadConnection) => void): Promise<void> {
    this.#answers = 0;
    for (const connection of this.#connections.slice(0, count)) ask(connection);
    await this.#until(() => this.#answers >= count * this.#options.topics.length);
  }

  async #until(isOver: () => boolean): Promise<void> {
    const giveUpMs = clockMs() + WAVE_MAX_MS;
    while (!isOver() && clockMs() < giveUpMs) await sleep(2);
  }

  acknowledged(_connection: number, count: number): void {
    this.#answers += count;
  }

  /** Hot path: per delivery. */
  payload(connection: number, start: number, end: number): void {
    const { bytes, view } = this.#load.buffer;
    const form = this.#form;
    const expected = this.#got[connection] + 1;
    if (!form.read(bytes, view, start, end) || form.seq !== expected || expected > this.#options.wanted)
      this.problem(connection, `got message ${form.seq} instead of ${expected} of ${this.#options.wanted}`);
    this.#got[connection] = expected;
    if (expected === this.#options.wanted) this.#done();
  }

  snapshot(connection: number, entries: number, isLast: boolean): void {
    this.#got[connection] += entries;
    if (!isLast) return;
    if (this.#got[connection] === this.#options.wanted) this.#done();
    else this.problem(connection, `a snapshot of ${this.#got[connection]} entries instead of ${this.#options.wanted}`);
  }

  #done(): void {
    this.#complete++;
    this.latency.record(clockMs() - this.#startMs);
  }

  published(): void {}

  gap(connection: number, messages: number): void {
    this.problem(connection, `${messages} messages announced as skipped`);
  }

  problem(connection: number, text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(`client ${connection} of a wave: ${text}`);
  }
}
