// The test's side of load.mjs: hundreds of subscribers and some publishers in a process of their own.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Codec } from '../support/wire.js';

const SCRIPT = fileURLToPath(new URL('./load.mjs', import.meta.url));

/** Publishes at every `everyTicks`-th tick, `onTicks` of each `onTicks + offTicks`. */
export interface PublishPlan {
  readonly topic: string;
  readonly everyTicks: number;
  readonly offset: number;
  readonly onTicks: number;
  readonly offTicks: number;
}

export interface Visit {
  readonly topic: string;
  readonly lastN: number;
  readonly stayMs: number;
  readonly awayMs: number;
}

export interface LoadPlan {
  readonly tickMs: number;
  /** They stay from the first message to the last. */
  readonly subscribers: readonly { readonly codec: Codec; readonly topics: readonly string[] }[];
  readonly publishers: readonly {
    readonly number: number;
    readonly codec: Codec;
    readonly topics: readonly PublishPlan[];
  }[];
  /** They come and go, over and over. */
  readonly visitors: readonly { readonly codec: Codec; readonly visits: readonly Visit[] }[];
}

/** A topic as it was heard, by seq − 1: whose message, which one of that publisher's, when accepted, when first heard. */
export interface HeardTopic {
  readonly publishers: readonly number[];
  readonly numbers: readonly number[];
  readonly acceptedMs: readonly number[];
  readonly heardMs: readonly number[];
}

/** Topic, number of the publisher's message in it, and its seq or the code of an error. */
export type Outcome = readonly [topic: string, number: number, answer: number | string];

export interface LoadReport {
  /** Everything that a subscriber or publisher must not see; the first ones. */
  readonly problems: readonly string[];
  readonly problemCount: number;
  readonly events: number;
  readonly visits: number;
  readonly heard: Readonly<Record<string, HeardTopic>>;
  readonly outcomes: readonly { readonly number: number; readonly outcomes: readonly Outcome[] }[];
}

export class LoadProcess {
  readonly #process: ChildProcess;

  constructor(plan: LoadPlan) {
    this.#process = fork(SCRIPT, [JSON.stringify(plan)], { execArgv: [] });
  }

  /** Resolves when everybody has subscribed. */
  async connect(url: string): Promise<void> {
    await this.#command('connect', url);
  }

  async publish(): Promise<void> {
    await this.#command('publish');
  }

  /** Publishes no more. Resolves when every publish has been answered. */
  async stop(): Promise<void> {
    await this.#command('stop');
  }

  /** Resolves when every subscriber has heard its topics up to their last messages. */
  async finish(heads: Readonly<Record<string, number>>): Promise<LoadReport> {
    return (await this.#command('finish', heads)) as LoadReport;
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
  }

  #command(command: string, argument?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`the load ended with ${code} during ${command}`));
      this.#process.once('exit', onExit);
      this.#process.once('message', ({ result }: { readonly result: unknown }) => {
        this.#process.off('exit', onExit);
        resolve(result);
      });
      this.#process.send({ command, argument });
    });
  }
}
