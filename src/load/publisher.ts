/** The reading thread's handle on the publishing thread. */
import { Worker } from 'node:worker_threads';
import { clockMs } from './clock.js';
import { LoadError } from './explain.js';
import type {
  PublisherCommand,
  PublisherData,
  PublisherPlace,
  PublisherReport,
  PublishStep,
  PublishSummary,
  PublishTask,
} from './publisher-port.js';
import type { RecordedLoad } from './schedule.js';
import { Settled } from './settled.js';

const THREAD = new URL('./publisher-thread.js', import.meta.url);

export interface PublisherThreadOptions extends Omit<PublisherData, 'published' | 'total' | 'settled'> {
  /** Topics, or as many times more as there are sources of each. */
  readonly numbers: number;
}

/** Writer and reader: the reading thread. One command at a time, and `stop` beside it. */
export class PublisherThread {
  /** Messages published so far, per number of a topic. Writer: the publishing thread. */
  readonly published: Int32Array<SharedArrayBuffer>;
  readonly settled = new Settled();
  readonly #total = new Int32Array(new SharedArrayBuffer(4));
  readonly #options: PublisherThreadOptions;
  #worker: Worker | null = null;

  constructor(options: PublisherThreadOptions) {
    this.#options = options;
    this.published = new Int32Array(new SharedArrayBuffer(4 * options.numbers));
  }

  /** Messages published so far. */
  get total(): number {
    return this.#total[0];
  }

  /** Starts the thread and opens its connections. Throws LoadError. */
  async open(publishers: readonly PublisherPlace[]): Promise<void> {
    const { numbers: _, ...own } = this.#options;
    const shared = { published: this.published, total: this.#total, settled: this.settled.words };
    const workerData: PublisherData = { ...own, ...shared };
    this.#worker = new Worker(THREAD, { workerData });
    await this.#execute({ type: 'open', publishers });
  }

  /** Hands over what is to be replayed. */
  async record(recording: RecordedLoad): Promise<void> {
    await this.#execute({ type: 'recording', recording });
  }

  /** Publishes one step after the other; resolves when all of it is over, or has been stopped. */
  publish(startMs: number, steps: readonly PublishStep[]): Promise<PublishSummary> {
    return this.#execute({ type: 'publish', startMs, steps });
  }

  /** A message to every topic of these plans that only asks whether subscriptions work. */
  async probe(tasks: readonly PublishTask[]): Promise<void> {
    await this.publish(clockMs(), [{ tasks, ms: Number.POSITIVE_INFINITY }]);
  }

  /** Ends what is published; `publish` resolves as usual. */
  stop(): void {
    this.#tell({ type: 'stop' });
    this.settled.wake();
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #tell(command: PublisherCommand): void {
    this.#worker?.postMessage(command);
  }

  #execute(command: PublisherCommand): Promise<PublishSummary> {
    const worker = this.#worker;
    if (worker === null) return Promise.reject(new Error(`${command.type} without a publisher`));
    return new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', (report: PublisherReport) => {
        worker.off('error', reject);
        if (report.type === 'done') resolve(report.summary);
        else reject(report.isExplained ? new LoadError(report.error) : new Error(report.error));
      });
      this.#tell(command);
    });
  }
}
