// What a scenario's driver works with: connections, subscriptions, and phases of publishing that are measured and verified.

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { clockMs, sleep } from '../../../dist/load/clock.js';
import {
  Connection,
  type Endpoint,
  localAddress,
  openConnections,
  ReceiveBuffer,
} from '../../../dist/load/connection.js';
import { BinaryPayload } from '../../../dist/load/payload.js';
import { Tracker } from '../../../dist/load/tracker.js';
import type { Order, OrderResult } from '../orders.js';
import { type Dialect, type EventSink, loadPeer, type TopicPlan } from '../peer.js';
import type { Outcome, Phase } from '../results.js';
import type { Turn } from '../turns.js';
import { PhaseMeter } from './phase-meter.js';
import { Publisher } from './publisher.js';
import { burstCount, type PublisherReport, type RecordingSummary, type Schedule, type Step } from './publisher-port.js';
import { RecordedPayload } from './recorded-payload.js';
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
  /** Payloads are those of a recording, of any size, instead of generated ones. */
  recorded: boolean;
  /** The server's certificate, when it speaks TLS. */
  certFile: string | null;
  publishers: number;
  addressSalt: number;
  sampleServer: (collectGarbage: boolean) => Promise<ServerSample>;
  orderServer: (order: Order) => Promise<OrderResult>;
  turn: Turn;
  /** Does the server deliver to another generator too? */
  serverIsShared: () => boolean;
}

const SUBSCRIBE_BATCH = 50;
const ACKNOWLEDGE_MAX_MS = 20_000;
const DRAIN_STALL_MS = 3_000;
const DRAIN_MAX_MS = 15_000;
/** A replay at full speed has at most so many deliveries under way. */
const REPLAY_WINDOW_DELIVERIES = 20_000;

/** Writer and reader: the reading thread. */
export class Load {
  readonly options: LoadOptions;
  readonly outcome: Outcome = { phases: {}, figures: {}, problems: [] };
  readonly connections: Connection[] = [];
  readonly #buffer = new ReceiveBuffer();
  readonly #tracker: Tracker;
  readonly #publisher: Publisher;
  readonly #meter: PhaseMeter;
  /** Of all connections that have no other one. */
  readonly dialect: Dialect;
  readonly #tls: Pick<Endpoint, 'tls'>;
  /** The publishing thread wants to know how far deliveries are. */
  #tellsSettled = false;

  private constructor(options: LoadOptions, dialect: Dialect) {
    this.options = options;
    this.dialect = dialect;
    this.#publisher = new Publisher(options);
    this.#tls =
      options.certFile === null
        ? {}
        : { tls: { secureContext: createSecureContext({ ca: readFileSync(options.certFile) }) } };
    this.#tracker = new Tracker({
      topics: options.topics.hot + options.topics.cold,
      form: options.recorded ? new RecordedPayload() : new BinaryPayload(options.payloadBytes),
      classNames: ['hot', 'cold'],
      topicClass: (topic) => (topic < options.topics.hot ? 0 : 1),
      buffer: this.#buffer,
    });
    this.#buffer.onRead = () => {
      this.#tracker.nowMs = clockMs();
      if (this.#tellsSettled) this.#publisher.tellSettled(this.#tracker.settled);
    };
    const { sampleServer, serverIsShared } = options;
    const { published } = this.#publisher;
    this.#meter = new PhaseMeter({ sampleServer, serverIsShared, published, buffer: this.#buffer });
  }

  static async create(options: LoadOptions): Promise<Load> {
    const load = new Load(options, (await loadPeer(options.peer)).createDialect(options.topics));
    if (options.publishers > 0) await load.#publisher.execute({ type: 'open', connections: options.publishers });
    return load;
  }

  async connect(count: number): Promise<void> {
    const first = this.connections.length;
    const opened = await openConnections(count, (index) => this.open(first + index));
    this.connections.push(...opened);
  }

  /**
   * Begins to open one connection, which the caller waits for and destroys.
   * @param sink who reads it instead of the verification of all
   */
  open(index: number, sink: EventSink = this.#tracker, dialect = this.dialect): Connection {
    const address = localAddress(index + this.options.publishers, this.options.addressSalt);
    const endpoint = { port: this.options.port, dialect, localAddress: address, ...this.#tls };
    return new Connection(index, endpoint, this.#buffer, sink);
  }

  /** Another one, for connections that are not to share what the server tells the first. */
  async createDialect(): Promise<Dialect> {
    return (await loadPeer(this.options.peer)).createDialect(this.options.topics);
  }

  /** Where the events of `open`ed connections lie while they are reported. */
  get buffer(): ReceiveBuffer {
    return this.#buffer;
  }

  /** Subscribes connections first … first + count − 1, a few at a time, and waits until the server confirmed all of it. */
  async subscribe(first: number, count: number, topicsOf: (connection: number) => readonly number[]): Promise<void> {
    for (let start = first; start < first + count; start += SUBSCRIBE_BATCH) {
      let wanted = this.#tracker.acknowledgedCount;
      for (let index = start; index < Math.min(start + SUBSCRIBE_BATCH, first + count); index++) {
        const topics = topicsOf(index);
        for (const topic of topics) this.#tracker.expect(index, topic);
        wanted += topics.length;
        this.dialect.subscribe(this.connections[index]!, topics);
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

  /** Does something while the machine is this run's. Beside others, each has to do the same number of things so. */
  async inTurn(action: () => Promise<unknown>): Promise<void> {
    const { turn } = this.options;
    await turn.take();
    await action();
    turn.end();
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

  /**
   * Publishes by schedules, one step after the other; what could not be sent by the end of its step is not sent at all, so that it
   * ends in time however much is asked for. Latency counts from the intended time, of what was sent.
   * @param mayOverload more may be asked for than the server can take: it may skip messages, if it says so
   */
  async steps(name: string, steps: Step[], mayOverload: boolean): Promise<Phase> {
    const phase = await this.#phase(name, () => this.#publisher.execute({ type: 'steps', steps }));
    phase.offered = 0;
    for (const { seconds, schedules } of steps) {
      for (const schedule of schedules) phase.offered += burstCount(schedule, seconds) * schedule.burst;
    }
    if (mayOverload) phase.mayOverload = true;
    return phase;
  }

  /** Reads a recording (see `ringcast replay`) for `replay`; its topics are numbered by their number of messages. */
  async loadRecording(file: string): Promise<RecordingSummary> {
    return (await this.#publisher.execute({ type: 'load-recording', file })).recording!;
  }

  /**
   * Publishes what was recorded, from its beginning on.
   * @param speed how many times as fast as it was recorded; null: as fast as the subscribers receive it
   * @param mayOverload as of `steps`
   */
  async replay(name: string, seconds: number, speed: number | null, mayOverload: boolean): Promise<Phase> {
    const subscribers = Array.from(this.#publisher.published, (_, topic) => this.#tracker.subscribersOf(topic));
    this.#tellsSettled = speed === null;
    const phase = await this.#phase(name, () =>
      this.#publisher.execute({ type: 'replay', seconds, speed, subscribers, window: REPLAY_WINDOW_DELIVERIES }),
    );
    this.#tellsSettled = false;
    if (mayOverload) phase.mayOverload = true;
    return phase;
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
    this.#publisher.tellSettled(0);
    this.#tracker.nowMs = await this.#meter.begin();
    let report: PublisherReport;
    try {
      report = await publish();
    } finally {
      this.#meter.stopWatching();
    }
    await this.#drain();
    const verification = this.#tracker.verify(this.#publisher.published);
    const latency = this.#tracker.latency();
    const phase = await this.#meter.end({ verification, latency, lastDeliveryMs: this.#tracker.nowMs, report });
    this.outcome.phases[name] = phase;
    for (const problem of this.#tracker.problems.splice(0)) this.outcome.problems.push(`${name}: ${problem}`);
    return phase;
  }

  /** Waits for what is still under way, as long as anything arrives. */
  async #drain(): Promise<void> {
    const startMs = clockMs();
    let progressMs = startMs;
    let settled = this.#tracker.settled;
    while (this.#tracker.settled < this.#tracker.expectedDeliveries(this.#publisher.published)) {
      await sleep(5);
      const nowMs = clockMs();
      if (this.#tracker.settled !== settled) progressMs = nowMs;
      settled = this.#tracker.settled;
      if (nowMs - progressMs > DRAIN_STALL_MS || nowMs - startMs > DRAIN_MAX_MS) return;
    }
  }
}
