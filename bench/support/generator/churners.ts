// Clients that come and go while messages flow: they subscribe, unsubscribe, and connect anew, at a rate. What they get is checked: of
// each topic one message after the other, from the first on, and none of a topic that they have left.

import { clockMs, sleep } from '../../../dist/load/clock.js';
import type { LoadConnection } from '../../../dist/load/connection.js';
import { LatencyHistogram } from '../../../dist/load/latency-histogram.js';
import type { PayloadForm } from '../../../dist/load/payload.js';
import type { Dialect, EventSink } from '../peer.js';
import type { Load } from './load.js';

/** Subscribed, with no message yet. */
const ANY = -1;
const PROBLEMS_MAX = 5;
/** So long may what is asked for take. */
const ANSWER_MAX_MS = 5000;

export interface ChurnCounts {
  subscribed: number;
  unsubscribed: number;
  reconnected: number;
  deliveries: number;
}

interface Churner {
  dialect: Dialect;
  connection: LoadConnection;
  /** The next number that is expected of each topic. */
  next: Map<number, number>;
  /** Topics whose last messages may still be under way. */
  leaving: Set<number>;
  /** Waits for the answer to what was asked for last. */
  onAnswer: (() => void) | null;
}

/** Writer and reader: the reading thread. */
export class Churners implements EventSink {
  readonly counts: ChurnCounts = { subscribed: 0, unsubscribed: 0, reconnected: 0, deliveries: 0 };
  /** From a subscription to its answer. */
  readonly latency = new LatencyHistogram();
  readonly problems: string[] = [];
  readonly #load: Load;
  readonly #form: PayloadForm;
  readonly #random: () => number;
  readonly #topics: number;
  readonly #churners: Churner[] = [];
  #idle: number[] = [];

  constructor(load: Load, form: PayloadForm, topics: number, random: () => number) {
    this.#load = load;
    this.#form = form;
    this.#topics = topics;
    this.#random = random;
  }

  /** Connects them, each subscribed to one topic. */
  async start(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      await this.#connect(index);
      this.#idle.push(index);
    }
  }

  /** Does `perSecond` things a second until it is stopped. A client that is still busy with the last one is left alone. */
  async churn(perSecond: number, stopped: () => boolean): Promise<void> {
    const startMs = clockMs();
    const busy = new Set<Promise<void>>();
    let done = 0;
    while (!stopped()) {
      for (const due = ((clockMs() - startMs) / 1000) * perSecond; done < due && this.#idle.length > 0; done++) {
        const index = this.#idle.splice(Math.floor(this.#random() * this.#idle.length), 1)[0];
        const change: Promise<void> = this.#change(index)
          .catch((error: unknown) => this.problem(index, error instanceof Error ? error.message : String(error)))
          .finally(() => {
            this.#idle.push(index);
            busy.delete(change);
          });
        busy.add(change);
      }
      await sleep(2);
    }
    await Promise.all(busy);
  }

  end(): void {
    for (const { connection } of this.#churners) connection.destroy();
  }

  /** One client does one thing: leaves a topic, takes another, or connects anew. */
  async #change(index: number): Promise<void> {
    const churner = this.#churners[index];
    const { dialect, connection, next } = churner;
    const [topic] = next.keys();
    if (topic !== undefined && dialect.unsubscribe !== undefined && this.#random() < 0.5) {
      churner.leaving.add(topic);
      next.delete(topic);
      dialect.unsubscribe(connection, [topic]);
      await this.#answer(churner);
      churner.leaving.delete(topic);
      this.counts.unsubscribed++;
    } else if (topic === undefined) {
      await this.#subscribe(churner);
    } else {
      connection.destroy();
      await this.#connect(index);
      this.counts.reconnected++;
    }
  }

  async #connect(index: number): Promise<void> {
    const dialect = await this.#load.createDialect();
    const connection = this.#load.open(index, this, dialect);
    const churner: Churner = { dialect, connection, next: new Map(), leaving: new Set(), onAnswer: null };
    this.#churners[index] = churner;
    await connection.upgraded();
    await this.#subscribe(churner);
  }

  async #subscribe(churner: Churner): Promise<void> {
    const topic = Math.floor(this.#random() * this.#topics);
    churner.next.set(topic, ANY);
    const askedMs = clockMs();
    churner.dialect.subscribe(churner.connection, [topic]);
    await this.#answer(churner);
    this.latency.record(clockMs() - askedMs);
    this.counts.subscribed++;
  }

  #answer(churner: Churner): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer for ${ANSWER_MAX_MS} ms`)), ANSWER_MAX_MS);
      churner.onAnswer = () => {
        clearTimeout(timer);
        churner.onAnswer = null;
        resolve();
      };
    });
  }

  acknowledged(connection: number): void {
    this.#churners[connection].onAnswer?.();
  }

  /** Hot path: per delivery. */
  payload(connection: number, start: number, end: number): void {
    const { bytes, view } = this.#load.buffer;
    const form = this.#form;
    if (!form.read(bytes, view, start, end)) {
      this.problem(connection, 'a payload that is none of ours');
      return;
    }
    this.counts.deliveries++;
    const { next, leaving } = this.#churners[connection];
    const expected = next.get(form.topic);
    if (expected === undefined) {
      if (!leaving.has(form.topic)) this.problem(connection, `a message of topic ${form.topic}, which it has left`);
      return;
    }
    if (expected !== ANY && form.seq !== expected) {
      this.problem(connection, `topic ${form.topic}: number ${form.seq} instead of ${expected}`);
    }
    next.set(form.topic, form.seq + 1);
  }

  published(): void {}

  gap(connection: number, messages: number): void {
    this.problem(connection, `${messages} messages announced as skipped`);
  }

  problem(connection: number, text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(`client ${connection} that comes and goes: ${text}`);
  }
}
