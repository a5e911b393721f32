/** The load generator of one process: opens its connections, reads and verifies what arrives; a thread of it publishes. */
import { Worker } from 'node:worker_threads';
import { openFilesMax, openFilesNeeded } from '../config/open-files.js';
import { clockMs, sleep } from './clock.js';
import { Connection, type Endpoint, ReceiveBuffer } from './connection.js';
import { CountingSink } from './counting-sink.js';
import { createPayloadForm } from './dialects.js';
import { explainConnectFailure, LoadError } from './explain.js';
import { HealthMeter, type ReaderHealth, saturationOf } from './health.js';
import { connectionsOf, type JobPart, type LoadJob, publishersOf, sourcesOf } from './job.js';
import { LatencyHistogram } from './latency-histogram.js';
import type { LoadDialect } from './load-dialect.js';
import type { PublisherCommand, PublisherData, PublisherReport, PublisherSummary } from './publisher-port.js';
import type { LoadResult } from './result.js';
import { dialectOf, endpointsOf, findAddress, withinTime } from './target.js';
import type { Tick } from './team.js';
import { parseTopics, topicsOf } from './topics.js';
import { Tracker, UNTIMED } from './tracker.js';

/** Connections that are being opened at the same time. */
const OPENING_MAX = 100;
const CONFIRM_MAX_MS = 20_000;
const PROBE_INTERVAL_MS = 500;
const PROBE_MAX_MS = 20_000;
const DRAIN_STALL_MS = 3_000;
const DRAIN_MAX_MS = 15_000;

/** What was counted at some moment. */
interface Mark {
  atMs: number;
  published: number;
  delivered: number;
  messages: number;
  readBytes: number;
  reads: number;
}

/** Writer and reader: the reading thread. */
export class Generator {
  /** Things that the operator should know, and that do not end the run. */
  readonly notices: string[] = [];
  /** Called when the run is over: all has been published, or nobody is left to read it. */
  onDone: (published: Int32Array) => void = () => {};
  onFailed: (error: string) => void = () => {};
  readonly #job: LoadJob;
  readonly #part: JobPart;
  readonly #buffer = new ReceiveBuffer();
  readonly #connections: Connection[] = [];
  readonly #topics: readonly string[];
  readonly #dialect: LoadDialect;
  readonly #tracker: Tracker;
  readonly #sink: Tracker | CountingSink;
  readonly #published: Int32Array;
  readonly #publishedTotal = new Int32Array(new SharedArrayBuffer(4));
  readonly #health = new HealthMeter();
  readonly #timers: NodeJS.Timeout[] = [];
  #publisher: Worker | null = null;
  #onPublisherReport: (report: PublisherReport) => void = () => {};
  #summary: PublisherSummary | null = null;
  #readerHealth: ReaderHealth | null = null;
  #begin: Mark | null = null;
  #end: Mark | null = null;
  /** Confirmations that a connection still waits for. */
  readonly #unconfirmed = new Map<number, number>();
  #opened = 0;
  #lost = 0;
  #isProbing = false;
  #isRunning = false;
  #isStopped = false;

  constructor(job: LoadJob, part: JobPart) {
    this.#job = job;
    this.#part = part;
    this.#topics = parseTopics(job.topics) as readonly string[];
    this.#dialect = dialectOf(job, this.#topics);
    const numbers = this.#topics.length * Math.max(1, sourcesOf(job, part.machines));
    this.#published = new Int32Array(new SharedArrayBuffer(4 * numbers));
    const ownSource = (number: number): boolean => Math.floor(number / this.#topics.length) === part.machine;
    this.#tracker = new Tracker({
      topics: numbers,
      form: createPayloadForm(job.protocol, job.payloadBytes, job.run),
      topicClass: (number) => (ownSource(number) ? 0 : UNTIMED),
      classNames: ['all'],
      buffer: this.#buffer,
    });
    this.#sink = job.rate === 0 ? new CountingSink(this.#tracker) : this.#tracker;
    this.#tracker.onAcknowledged = (connection, count) => {
      this.#unconfirmed.set(connection, (this.#unconfirmed.get(connection) ?? 0) - count);
    };
    this.#buffer.onRead = () => {
      this.#tracker.nowMs = clockMs();
    };
  }

  /** Connects and subscribes, subscribers first. Throws LoadError. */
  async open(): Promise<void> {
    const { url } = this.#job;
    const address = await findAddress(url);
    const endpointOf = endpointsOf(this.#job, this.#part, address, this.#dialect);
    await this.#openAll(endpointOf);
    if (publishersOf(this.#job, this.#part).length > 0) await this.#startPublisher(address);
  }

  async #openAll(endpointOf: (index: number) => Endpoint): Promise<void> {
    const { first, count: wanted } = connectionsOf(this.#job, this.#part);
    const count = this.#allowed(wanted);
    const { rampPerSecond, allowFewer } = this.#job;
    const perMs = (rampPerSecond * count) / Math.max(1, this.#job.connections) / 1000;
    const startMs = clockMs();
    let next = 0;
    let failure: LoadError | null = null;
    const openInTurn = async (): Promise<void> => {
      while (next < count && !this.#isStopped && failure === null) {
        const index = next++;
        const waitMs = rampPerSecond === 0 ? 0 : startMs + index / perMs - clockMs();
        if (waitMs > 0) await sleep(waitMs);
        try {
          await this.#openOne(index, first + index, endpointOf(index));
          this.#opened++;
        } catch (error) {
          const why = explainConnectFailure(error, this.#job.url, this.#dialect.subprotocol);
          // Where nothing worked yet, nothing will.
          if (allowFewer && this.#opened > 0) this.notices.push(`connection ${first + index + 1} is missing: ${why}`);
          else failure ??= new LoadError(`connection ${first + index + 1} of ${this.#job.connections}: ${why}`);
          if (failure !== null) this.#isStopped = true; // nobody waits any longer
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(OPENING_MAX, count) }, openInTurn));
    if (failure !== null) throw failure;
    const shown = 3;
    if (this.notices.length > shown) {
      this.notices.splice(shown, this.notices.length, `… and ${this.notices.length - shown} more notices of this kind`);
    }
  }

  /** How many of the connections this process may have. */
  #allowed(wanted: number): number {
    const publishers = publishersOf(this.#job, this.#part).length;
    const needed = openFilesNeeded(wanted + publishers);
    const allowed = openFilesMax();
    if (allowed === null || needed <= allowed) return wanted;
    const room = wanted - (needed - allowed);
    const limit = `${wanted} connections in one process need ${needed} open files, the limit is ${allowed}`;
    if (this.#job.allowFewer && room > 0) {
      this.notices.push(`${limit}: it goes on with ${room} connections`);
      return room;
    }
    throw new LoadError(
      `${limit}. Raise it ("ulimit -n ${needed}", for good in /etc/security/limits.conf), spread the connections over more --processes, or go on with fewer: --allow-fewer`,
    );
  }

  async #openOne(index: number, number: number, endpoint: Endpoint): Promise<void> {
    const connection = new Connection(index, endpoint, this.#buffer, this.#sink);
    this.#connections[index] = connection;
    await withinTime(connection.upgraded(), () => connection.destroy());
    connection.onLost = () => this.#lostOne();
    const { topicsPerConnection, choice, seed } = this.#job;
    const topics = topicsOf(number, topicsPerConnection, this.#topics.length, choice, seed);
    const bodies = this.#dialect.subscribe(topics);
    const { greeting, confirms } = this.#dialect;
    if (greeting !== null) bodies.unshift(greeting);
    if (confirms) this.#unconfirmed.set(index, topics.length + (greeting === null ? 0 : 1));
    for (const body of bodies) connection.send(body, this.#dialect.opcode);
    if (confirms) await this.#confirmed(connection);
    for (let source = 0; source < sourcesOf(this.#job, this.#part.machines); source++) {
      for (const topic of topics) this.#tracker.expect(index, source * this.#topics.length + topic);
    }
  }

  async #confirmed(connection: Connection): Promise<void> {
    const { index } = connection;
    const own = `connection ${index}: `;
    const giveUpMs = clockMs() + CONFIRM_MAX_MS;
    while (this.#unconfirmed.get(index)! > 0 && !this.#isStopped) {
      const problem = this.#tracker.problems.find((text) => text.startsWith(own));
      if (problem !== undefined) throw new LoadError(problem.slice(own.length));
      if (connection.closed) throw new LoadError('the server closed it instead of confirming subscriptions');
      if (clockMs() > giveUpMs) {
        throw new LoadError(`${this.#unconfirmed.get(index)} subscriptions are not confirmed by the server`);
      }
      await sleep(1);
    }
    this.#unconfirmed.delete(index);
  }

  #lostOne(): void {
    this.#lost++;
    if (!this.#isRunning || this.#lost < this.#opened) return;
    this.#tracker.problem(0, 'the server has closed all connections');
    this.stop();
  }

  #startPublisher(address: string): Promise<void> {
    const counts = { published: this.#published, total: this.#publishedTotal };
    const workerData: PublisherData = { job: this.#job, part: this.#part, address, ...counts };
    const worker = new Worker(new URL('./publisher-thread.js', import.meta.url), { workerData });
    this.#publisher = worker;
    return new Promise((resolve, reject) => {
      worker.on('error', (error) => this.onFailed(error.stack ?? error.message));
      worker.on('message', (report: PublisherReport) => {
        if (report.type === 'opened') resolve();
        else if (report.type === 'failed') {
          reject(new LoadError(report.error));
          this.onFailed(report.error);
        } else this.#onPublisherReport(report);
      });
    });
  }

  #tell(command: PublisherCommand): void {
    this.#publisher?.postMessage(command);
  }

  /** Resolves when every subscription has got a message, where only that shows that it works. Throws LoadError. */
  async probe(): Promise<void> {
    this.#checkLosses();
    if (this.#dialect.confirms || this.#job.rate === 0) return;
    const wanted = this.#tracker.subscriptionCount;
    const giveUpMs = clockMs() + PROBE_MAX_MS;
    this.#isProbing = true;
    void this.#probeOn();
    while (this.#tracker.probedCount < wanted && !this.#isStopped) {
      this.#checkLosses();
      if (clockMs() > giveUpMs) throw new LoadError(this.#silence(wanted));
      await sleep(5);
    }
  }

  /** A server that ends connections before anything is published does not want them. */
  #checkLosses(): void {
    if (this.#lost === 0 || (this.#job.allowFewer && this.#lost < this.#opened)) return;
    const why = this.#tracker.problems[0] ?? 'no reason is known';
    throw new LoadError(`the server ended ${this.#lost} connections that had just been opened; ${why}`);
  }

  /** Again and again until `go`: others may still wait for the probes of this process. */
  async #probeOn(): Promise<void> {
    while (this.#isProbing && this.#publisher !== null) {
      const probed = new Promise<void>((resolve) => {
        this.#onPublisherReport = () => resolve();
      });
      this.#tell({ type: 'probe' });
      await probed;
      await sleep(PROBE_INTERVAL_MS);
    }
  }

  #silence(wanted: number): string {
    const missing = wanted - this.#tracker.probedCount;
    const remarks = this.#dialect.remarks.map((remark) => ` The server said: ${remark}`).slice(0, 1);
    return `${missing} of ${wanted} subscriptions got none of the messages published to them for ${PROBE_MAX_MS / 1000} s. Are the templates right?${remarks.join('')}`;
  }

  /** @param startMs when the first message leaves (clockMs) */
  start(startMs: number): void {
    const { warmupMs, durationMs } = this.#job;
    startMs = Math.ceil(startMs); // payloads as text hold whole microseconds: the first one must not seem to be too early
    this.#isProbing = false;
    this.#isRunning = true;
    this.#tracker.timedFromMs = startMs + warmupMs;
    this.#onPublisherReport = (report) => {
      if (report.type !== 'done') return;
      this.#summary = report.summary;
      this.#over();
    };
    this.#tell({ type: 'run', startMs });
    if (this.#lost > 0 && this.#lost === this.#opened) this.stop();
    const inMs = startMs - clockMs();
    this.#after(inMs + warmupMs, () => {
      this.#health.start();
      this.#begin = this.#mark();
    });
    this.#after(inMs + warmupMs + durationMs, () => this.#closeWindow());
    // Others publish, or nobody does.
    if (this.#publisher === null) this.#after(inMs + warmupMs + durationMs, () => this.#over());
  }

  #after(ms: number, action: () => void): void {
    this.#timers.push(setTimeout(action, Math.max(0, ms)));
  }

  #closeWindow(): void {
    if (this.#begin === null || this.#end !== null) return;
    this.#end = this.#mark();
    this.#readerHealth = this.#health.stop();
  }

  #over(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#closeWindow();
    this.onDone(this.#published);
  }

  #mark(): Mark {
    const { reads, readBytes, messages } = this.#buffer;
    const published = this.#publishedTotal[0]!;
    return { atMs: clockMs(), published, delivered: this.#tracker.delivered, messages, readBytes, reads };
  }

  /** Ends the run; what has been published is still waited for and verified. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#closeWindow();
    if (this.#publisher !== null) this.#tell({ type: 'stop' });
    else this.#over();
  }

  tick(): Tick {
    return {
      connections: this.#opened,
      published: this.#publishedTotal[0]!,
      delivered: this.#tracker.delivered,
      wrong: this.#tracker.wrongSoFar(),
      lost: this.#lost,
      p99Micros: this.#tracker.timed === 0 ? 0 : this.#tracker.histogram().quantileMicros(0.99),
    };
  }

  /** Waits for what is under way, then counts. */
  async verify(published: Int32Array, lostSources: readonly number[]): Promise<LoadResult> {
    this.#assumeAllOf(lostSources, published);
    const tracker = this.#tracker;
    const expected = tracker.expectedDeliveries(published);
    const startMs = clockMs();
    let progressMs = startMs;
    let { settled } = tracker;
    while (tracker.settled < expected && this.#lost < this.#opened) {
      await sleep(5);
      const nowMs = clockMs();
      if (tracker.settled !== settled) progressMs = nowMs;
      settled = tracker.settled;
      if (nowMs - progressMs > DRAIN_STALL_MS || nowMs - startMs > DRAIN_MAX_MS) break;
    }
    return this.#result(published);
  }

  /** Of a machine that is gone nobody knows what it published: no more is expected than what somebody here has got. */
  #assumeAllOf(sources: readonly number[], published: Int32Array): void {
    const topics = this.#topics.length;
    const highest = this.#tracker.highestSeqs();
    for (const source of sources) {
      published.set(highest.subarray(source * topics, (source + 1) * topics), source * topics);
    }
  }

  #result(published: Int32Array): LoadResult {
    const { machine, process: index } = this.#part;
    const begin = this.#begin ?? this.#mark();
    const end = this.#end ?? begin;
    const seconds = (end.atMs - begin.atMs) / 1000;
    const reader = this.#readerHealth ?? { cpuPercent: 0, readerBusyPercent: 0, readerLagP99Ms: 0 };
    const { publishLateP99Ms = 0, publishLateMaxMs = 0, heldUpPercent = 0 } = this.#summary ?? {};
    const health = { ...reader, publishLateP99Ms, publishLateMaxMs, heldUpPercent };
    const isCounting = this.#job.rate === 0;
    return {
      connections: this.#opened,
      connectionsWanted: connectionsOf(this.#job, this.#part).count,
      subscriptions: this.#opened * this.#job.topicsPerConnection,
      connectionsLost: this.#lost,
      seconds,
      scheduled: this.#summary?.scheduled ?? 0,
      published: this.#publishedTotal[0]!,
      verification: this.#tracker.verify(isCounting ? new Int32Array(this.#published.length) : published),
      measured: {
        published: end.published - begin.published,
        delivered: end.delivered - begin.delivered,
        messages: end.messages - begin.messages,
        readBytes: end.readBytes - begin.readBytes,
      },
      timed: this.#tracker.timed,
      latencyHdr: this.#tracker.histogram().encode(),
      publishLateHdr: this.#summary?.lateHdr ?? new LatencyHistogram().encode(),
      health: [
        {
          name: `machine ${machine + 1}, process ${index + 1}`,
          ...health,
          readsPerSecond: seconds === 0 ? 0 : (end.reads - begin.reads) / seconds,
          saturated: saturationOf(health),
        },
      ],
      problems: [...this.#tracker.problems, ...(this.#summary?.problems ?? [])],
    };
  }

  close(): void {
    for (const connection of this.#connections) connection.destroy();
    void this.#publisher?.terminate();
  }
}
