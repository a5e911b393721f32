// What a scenario's driver works with: connections, subscriptions, and phases of publishing that are measured and verified.

import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { clockMs, sleep } from '../../../dist/load/clock.js';
import { Connection, localAddress, openConnections, ReceiveBuffer } from '../../../dist/load/connection.js';
import { LatencyHistogram } from '../../../dist/load/latency-histogram.js';
import { BinaryPayload } from '../../../dist/load/payload.js';
import { Tracker } from '../../../dist/load/tracker.js';
import type { Order, OrderResult } from '../orders.js';
import { type Dialect, loadPeer, type TopicPlan } from '../peer.js';
import type { GeneratorHealth, Outcome, Phase } from '../results.js';
import { Publisher } from './publisher.js';
import type { PublisherReport, Schedule } from './publisher-port.js';
import type { Recording } from './recording.js';

/** A reading of the server's process; of an external one, of that and its children. */
export interface ServerSample {
  atMs: number;
  /** User and system time together. */
  cpuMicros: number;
  userMicros: number;
  systemMicros: number;
  rssBytes: number;
  /** What all TCP sockets of the machine hold in buffers, both ends; null where the system does not say. */
  kernelSocketBytes: number | null;
}

export interface LoadOptions {
  peer: string;
  port: number;
  topics: TopicPlan;
  payloadBytes: number;
  /** The most connections that the driver will open. */
  connections: number;
  publishers: number;
  addressSalt: number;
  sampleServer: (collectGarbage: boolean) => Promise<ServerSample>;
  orderServer: (order: Order) => Promise<OrderResult>;
  /** Does the server deliver to another generator too? */
  serverIsShared: () => boolean;
}

const SUBSCRIBE_BATCH = 50;
const ACKNOWLEDGE_MAX_MS = 20_000;
const DRAIN_STALL_MS = 3_000;
const DRAIN_MAX_MS = 15_000;
const LAG_TICK_MS = 10;
const SATURATED_PERCENT = 95;
const SATURATED_LAG_MS = 20;

interface Readings {
  server: ServerSample;
  cpu: NodeJS.CpuUsage;
  utilization: EventLoopUtilization;
  reads: number;
  atMs: number;
  publishedTotal: number;
}

/** Writer and reader: the reading thread. */
export class Load {
  readonly options: LoadOptions;
  readonly outcome: Outcome = { phases: {}, figures: {}, problems: [] };
  readonly connections: Connection[] = [];
  readonly #buffer = new ReceiveBuffer();
  readonly #tracker: Tracker;
  readonly #publisher: Publisher;
  readonly #lag = new LatencyHistogram();
  readonly #dialect: Dialect;

  private constructor(options: LoadOptions, dialect: Dialect) {
    this.options = options;
    this.#dialect = dialect;
    this.#publisher = new Publisher(options);
    this.#tracker = new Tracker({
      topics: options.topics.hot + options.topics.cold,
      form: new BinaryPayload(options.payloadBytes),
      classNames: ['hot', 'cold'],
      topicClass: (topic) => (topic < options.topics.hot ? 0 : 1),
      buffer: this.#buffer,
    });
    this.#buffer.onRead = () => {
      this.#tracker.nowMs = clockMs();
    };
  }

  static async create(options: LoadOptions): Promise<Load> {
    const load = new Load(options, (await loadPeer(options.peer)).createDialect(options.topics));
    if (options.publishers > 0) await load.#publisher.execute({ type: 'open', connections: options.publishers });
    return load;
  }

  async connect(count: number): Promise<void> {
    const first = this.connections.length;
    const opened = await openConnections(count, (index) => {
      const salted = localAddress(first + index + this.options.publishers, this.options.addressSalt);
      const endpoint = { port: this.options.port, dialect: this.#dialect, localAddress: salted };
      return new Connection(first + index, endpoint, this.#buffer, this.#tracker);
    });
    this.connections.push(...opened);
  }

  /** Subscribes connections first … first + count − 1, a few at a time, and waits until the server confirmed all of it. */
  async subscribe(first: number, count: number, topicsOf: (connection: number) => readonly number[]): Promise<void> {
    for (let start = first; start < first + count; start += SUBSCRIBE_BATCH) {
      let wanted = this.#tracker.acknowledgedCount;
      for (let index = start; index < Math.min(start + SUBSCRIBE_BATCH, first + count); index++) {
        const topics = topicsOf(index);
        for (const topic of topics) this.#tracker.expect(index, topic);
        wanted += topics.length;
        this.connections[index]!.send(this.#dialect.subscribe(topics));
      }
      const giveUpMs = clockMs() + ACKNOWLEDGE_MAX_MS;
      while (this.#tracker.acknowledgedCount < wanted) {
        if (clockMs() > giveUpMs) {
          const missing = wanted - this.#tracker.acknowledgedCount;
          throw new Error(`${missing} subscriptions not confirmed; ${this.#tracker.problems.slice(0, 3).join('; ')}`);
        }
        await (count > SUBSCRIBE_BATCH ? new Promise((resolve) => setImmediate(resolve)) : sleep(1));
      }
    }
  }

  /** These connections stop reading, for good. */
  stall(first: number, count: number): void {
    for (let index = first; index < first + count; index++) {
      this.#tracker.exclude(index);
      this.connections[index]!.socket.pause();
    }
  }

  sampleServer(collectGarbage = false): Promise<ServerSample> {
    return this.options.sampleServer(collectGarbage);
  }

  /** Has the server do something. Throws when it could not. */
  async order(order: Order): Promise<OrderResult> {
    const result = await this.options.orderServer(order);
    if (result.error !== null) throw new Error(`${order.kind}: ${result.error}`);
    return result;
  }

  /**
   * Publishes by schedule: open loop, latency counts from the intended time.
   * @param meanwhile what else happens; when it is over, so is the phase. It must take less than `seconds`.
   */
  async schedules(
    name: string,
    seconds: number,
    schedules: Schedule[],
    meanwhile?: () => Promise<void>,
  ): Promise<Phase> {
    return this.#phase(name, async () => {
      const published = this.#publisher.execute({ type: 'schedules', seconds, schedules });
      if (meanwhile === undefined) return published;
      let isOver = false;
      const tooLate = published.then(() => {
        if (!isOver) throw new Error(`${name}: not over after ${seconds} s`);
      });
      const over = meanwhile().then(() => {
        isOver = true;
      });
      await Promise.race([over, tooLate]).finally(() => this.#publisher.endPhase());
      return published;
    });
  }

  /** Takes down each delivery, from now on until `endRecording`; what was in the recording is forgotten. */
  beginRecording(recording: Recording): void {
    recording.count = 0;
    this.#tracker.recording = recording;
  }

  endRecording(): void {
    this.#tracker.recording = null;
  }

  /** Keeps `inFlight` messages under way: the next is published when all subscribers have the oldest. */
  async closedLoop(name: string, seconds: number, topic: number, inFlight: number): Promise<Phase> {
    return this.#phase(name, () => {
      this.#tracker.startClosedLoop(topic, (messages) => this.#publisher.giveCredits(messages));
      return this.#publisher.execute({ type: 'closed', seconds, topic, inFlight });
    });
  }

  /** Publishes as fast as the server takes it; returns messages per second until the answer to the last one. */
  async flood(name: string, seconds: number, topic: number, framesPerMessage: number): Promise<number> {
    const before = this.#publisher.published[topic]!;
    let perSecond = 0;
    await this.#phase(name, async () => {
      const report = await this.#publisher.execute({ type: 'flood', seconds, topic, framesPerMessage });
      const published = this.#publisher.published[topic]!;
      if (report.floodSeq !== published) {
        this.outcome.problems.push(`${name}: published ${published}, the server counted ${report.floodSeq}`);
      }
      perSecond = ((published - before) / report.floodMs) * 1000;
      return report;
    });
    return perSecond;
  }

  /** The same as a phase that is thrown away: for compilers, caches and buffers to settle. Still verified. */
  warmedUp(name: string): void {
    this.takeOut(name);
  }

  /** Takes a phase out of what is reported. If it was incomplete, that stays. */
  takeOut(name: string): Phase {
    const phase = this.outcome.phases[name]!;
    delete this.outcome.phases[name];
    const { verification } = phase;
    if (!verification.complete) {
      this.outcome.problems.push(`${name}: ${verification.delivered} of ${verification.expected} delivered`);
    }
    return phase;
  }

  async close(): Promise<void> {
    for (const connection of this.connections) connection.destroy();
    await this.#publisher.close();
  }

  async #phase(name: string, publish: () => Promise<PublisherReport>): Promise<Phase> {
    this.#tracker.beginPhase(this.#publisher.published);
    const before = await this.#readings();
    this.#lag.reset();
    let lastTickMs = clockMs();
    const ticker = setInterval(() => {
      const nowMs = clockMs();
      this.#lag.record(nowMs - lastTickMs - LAG_TICK_MS);
      lastTickMs = nowMs;
    }, LAG_TICK_MS);
    this.#tracker.nowMs = before.atMs;
    let report: PublisherReport;
    try {
      report = await publish();
    } finally {
      clearInterval(ticker);
    }
    await this.#drain();
    const after = await this.#readings();
    const phase = this.#figures(before, after, report);
    this.outcome.phases[name] = phase;
    for (const problem of this.#tracker.problems.splice(0)) this.outcome.problems.push(`${name}: ${problem}`);
    return phase;
  }

  /** Waits for what is still under way, as long as anything arrives. */
  async #drain(): Promise<void> {
    const startMs = clockMs();
    let progressMs = startMs;
    let delivered = this.#tracker.delivered;
    while (this.#tracker.delivered < this.#tracker.expectedDeliveries(this.#publisher.published)) {
      await sleep(5);
      const nowMs = clockMs();
      if (this.#tracker.delivered !== delivered) progressMs = nowMs;
      delivered = this.#tracker.delivered;
      if (nowMs - progressMs > DRAIN_STALL_MS || nowMs - startMs > DRAIN_MAX_MS) return;
    }
  }

  async #readings(): Promise<Readings> {
    return {
      server: await this.options.sampleServer(false),
      cpu: process.cpuUsage(),
      utilization: performance.eventLoopUtilization(),
      reads: this.#buffer.reads,
      atMs: clockMs(),
      publishedTotal: this.#publisher.published.reduce((sum, count) => sum + count, 0),
    };
  }

  #figures(before: Readings, after: Readings, report: PublisherReport): Phase {
    const verification = this.#tracker.verify(this.#publisher.published);
    const seconds = Math.max(1e-3, (this.#tracker.nowMs - before.atMs) / 1000);
    const serverSeconds = (after.server.atMs - before.server.atMs) / 1000;
    const serverCpuMicros = after.server.cpuMicros - before.server.cpuMicros;
    return {
      seconds,
      published: after.publishedTotal - before.publishedTotal,
      deliveriesPerSecond: verification.delivered / seconds,
      ...(this.options.serverIsShared()
        ? {}
        : { cpuMicrosPerDelivery: serverCpuMicros / Math.max(1, verification.delivered) }),
      serverCpuMicros,
      serverCpuPercent: serverCpuMicros / 1e4 / serverSeconds,
      rssBytes: after.server.rssBytes,
      latency: this.#tracker.latency(),
      verification,
      generator: this.#health(before, after, report),
    };
  }

  #health(before: Readings, after: Readings, report: PublisherReport): GeneratorHealth {
    const seconds = (after.atMs - before.atMs) / 1000;
    const cpuMicros = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
    const cpuPercent = cpuMicros / 1e4 / seconds;
    const busy = performance.eventLoopUtilization(after.utilization, before.utilization).utilization * 100;
    const lagMs = this.#lag.quantileMicros(0.99) / 1000;
    return {
      cpuPercent,
      readerBusyPercent: busy,
      readerLagP99Ms: lagMs,
      publisherLateP99Ms: report.lateP99Ms,
      publisherLateMaxMs: report.lateMaxMs,
      readsPerSecond: (after.reads - before.reads) / seconds,
      saturated: cpuPercent > SATURATED_PERCENT || busy > SATURATED_PERCENT || lagMs > SATURATED_LAG_MS,
    };
  }
}
