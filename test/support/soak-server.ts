// The test's side of soak-engine.mjs.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineOptions, EngineStats, TopicStats } from '#src/index.js';

const SCRIPT = fileURLToPath(new URL('./soak-engine.mjs', import.meta.url));

export interface MemoryInUse {
  readonly heapUsed: number;
  readonly arrayBuffers: number;
  readonly rss: number;
}

interface Report {
  readonly id?: number;
  readonly answer?: unknown;
  readonly url?: string;
  readonly fault?: string;
}

export class SoakServer {
  url = '';
  readonly faults: string[] = [];
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #lastId = 0;
  #onUrl: () => void = () => {};

  private constructor(options: EngineOptions) {
    this.#process = fork(SCRIPT, [JSON.stringify(options)], { execArgv: ['--expose-gc'] });
    this.#process.on('message', ({ id, answer, url, fault }: Report) => {
      if (url !== undefined) {
        this.url = url;
        this.#onUrl();
      }
      if (fault !== undefined) this.faults.push(fault);
      if (id !== undefined) {
        this.#waiting.get(id)?.(answer);
        this.#waiting.delete(id);
      }
    });
  }

  static async start(options: EngineOptions): Promise<SoakServer> {
    const server = new SoakServer(options);
    await new Promise<void>((resolve, reject) => {
      server.#onUrl = resolve;
      server.#process.once('exit', (code) => reject(new Error(`the engine's process ended with ${code}`)));
    });
    return server;
  }

  stats(): Promise<EngineStats> {
    return this.#ask('stats') as Promise<EngineStats>;
  }

  topic(name: string): Promise<TopicStats | null> {
    return this.#ask('topic', name) as Promise<TopicStats | null>;
  }

  memory(): Promise<MemoryInUse> {
    return this.#ask('memory') as Promise<MemoryInUse>;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.disconnect();
    await ended;
  }

  #ask(question: string, argument?: string): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#process.send({ id, question, argument });
    });
  }
}
