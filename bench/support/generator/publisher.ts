// The reading thread's handle on the publishing thread.

import { Worker } from 'node:worker_threads';
import type { TopicPlan } from '../peer.js';
import {
  CONTROL_CREDITS,
  CONTROL_SETTLED,
  CONTROL_STOP,
  CONTROL_WORDS,
  type PublisherCommand,
  type PublisherData,
  type PublisherReport,
} from './publisher-port.js';

export interface PublisherOptions {
  peer: string;
  port: number;
  topics: TopicPlan;
  payloadBytes: number;
  recorded: boolean;
  certFile: string | null;
  addressSalt: number;
}

/** Writer and reader: the reading thread. */
export class Publisher {
  /** Messages published so far, per topic. Writer: the publishing thread. */
  readonly published: Int32Array<SharedArrayBuffer>;
  readonly #control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS));
  readonly #worker: Worker;

  constructor(options: PublisherOptions) {
    const topicCount = options.topics.hot + options.topics.cold;
    this.published = new Int32Array(new SharedArrayBuffer(4 * topicCount));
    const { peer, port, topics, payloadBytes, recorded, certFile, addressSalt } = options;
    const shared = { control: this.#control, published: this.published };
    const own = { peer, port, topics, payloadBytes, recorded, certFile, addressSalt };
    const workerData: PublisherData = { ...own, ...shared };
    this.#worker = new Worker(new URL('./publisher-worker.js', import.meta.url), { workerData });
  }

  execute(command: PublisherCommand): Promise<PublisherReport> {
    Atomics.store(this.#control, CONTROL_STOP, 0); // the thread is idle, and reads it after it has got the command
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(error);
      this.#worker.once('error', fail);
      this.#worker.once('message', (report: PublisherReport) => {
        this.#worker.off('error', fail);
        if (report.type === 'failed') reject(new Error(report.error));
        else resolve(report);
      });
      this.#worker.postMessage(command);
    });
  }

  /** Hot path: lets the publishing thread send that many more messages. */
  giveCredits(messages: number): void {
    Atomics.add(this.#control, CONTROL_CREDITS, messages); // pairs with the exchange in runClosed
    Atomics.notify(this.#control, CONTROL_CREDITS);
  }

  /** Hot path: how many deliveries of this phase nobody waits for any more. */
  tellSettled(deliveries: number): void {
    Atomics.store(this.#control, CONTROL_SETTLED, deliveries | 0); // pairs with the load in runReplay
  }

  /** Ends what the publishing thread does; `execute` reports as usual. */
  endPhase(): void {
    Atomics.store(this.#control, CONTROL_STOP, 1); // pairs with the load in stopped()
    Atomics.notify(this.#control, CONTROL_STOP);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
