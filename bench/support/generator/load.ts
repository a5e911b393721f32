// What a scenario's driver works with: connections, subscriptions, and phases of publishing that are measured and verified.

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { clockMs, sleep } from '../../../dist/load/clock.js';
import {
  LoadConnection,
  localAddress,
  openConnections,
  type Place,
  ReceiveBuffer,
} from '../../../dist/load/connection.js';
import { drain } from '../../../dist/load/drain.js';
import { BinaryPayload } from '../../../dist/load/payload.js';
import { PublisherThread } from '../../../dist/load/publisher.js';
import type { PublishStep, PublishSummary } from '../../../dist/load/publisher-port.js';
import type { SchedulePlan, SteadyPlan } from '../../../dist/load/schedule.js';
import { type DeliveryRecorder, Tracker } from '../../../dist/load/tracker.js';
import type { Order, OrderResult } from '../orders.js';
import { createDialect, type Dialect, type DialectOptions, type EventSink, type TopicPlan } from '../peer.js';
import type { Outcome, Phase } from '../results.js';
import type { Turn } from '../turns.js';
import { PhaseMeter } from './phase-meter.js';
import { type RecordingSummary, readRecordedMessages } from './recorded-messages.js';
import { Recording } from './recording.js';

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
const START_IN_MS = 5;
/** Of a flood. */
const FLOOD_UNANSWERED_MAX = 64;
/** A replay at full speed has at most so many deliveries under way. */
const REPLAY_WINDOW_DELIVERIES = 20_000;

/** `burst` messages at a time, `perSecond` in all, evenly spaced, over topics firstTopic … firstTopic + topicCount − 1 in turn. */
export interface Schedule {
  firstTopic: number;
  topicCount: number;
  perSecond: number;
  burst: number;
}

/** Schedules that end together, in time. */
export interface Step {
  seconds: number;
  schedules: Schedule[];
}

function planOf({ firstTopic, topicCount, perSecond, burst }: Schedule, seconds: number): SteadyPlan {
  const topics = { first: firstTopic, end: firstTopic + topicCount, step: 1 };
  const bursts = Math.max(1, Math.round((seconds * perSecond) / burst));
  return { kind: 'steady', topics, perSecond, burst, bursts, offsetMs: 0 };
}

/** Schedules beside each other have a connection each. */
function stepOf(plans: SchedulePlan[], seconds: number): PublishStep {
  return { tasks: plans.map((plan, connection) => ({ connection, plan })), ms: seconds * 1000 };
}

/** Writer and reader: the reading thread. */
export class Load {
  readonly options: LoadOptions;
  readonly outcome: Outcome = { phases: {}, figures: {}, problems: [] };
  readonly connections: LoadConnection[] = [];
  readonly #buffer = new ReceiveBuffer();
  readonly #tracker: Tracker;
  readonly #publisher: PublisherThread;
  readonly #meter: PhaseMeter;
  /** Of all connections that have no other one. */
  readonly dialect: Dialect;
  readonly #tls: Pick<Place, 'tls'>;
  /** The publishing thread wants to know how far deliveries are. */
  #tellsSettled = false;

  private constructor(options: LoadOptions, dialect: Dialect) {
    this.options = options;
    this.dialect = dialect;
    const { peer, topics, payloadBytes } = options;
    const numbers = topics.hot + topics.cold;
    const dialectOptions: DialectOptions = { peer, topics };
    const dialectModule = new URL('../peer.js', import.meta.url).href;
    const form = { protocol: 'ringcast' as const, payloadBytes, run: 0 };
    this.#publisher = new PublisherThread({ dialectModule, dialectOptions, ...form, numbers });
    this.#tls =
      options.certFile === null
        ? {}
        : { tls: { secureContext: createSecureContext({ ca: readFileSync(options.certFile) }) } };
    this.#tracker = new Tracker({
      topics: numbers,
      form: new BinaryPayload(),
      classNames: ['hot', 'cold'],
      topicClass: (topic) => (topic < topics.hot ? 0 : 1),
      buffer: this.#buffer,
    });
    this.#buffer.onRead = () => {
      this.#tracker.nowMs = clockMs();
      if (this.#tellsSettled) this.#publisher.settled.tell(this.#tracker.settled);
    };
    const { sampleServer, serverIsShared } = options;
    const published = (): number => this.#publisher.total;
    this.#meter = new PhaseMeter({ sampleServer, serverIsShared, published, buffer: this.#buffer });
  }

  static async create(options: LoadOptions): Promise<Load> {
    const { port, publishers, topics, addressSalt, certFile } = options;
    const load = new Load(options, await createDialect(options));
    if (publishers === 0) return load;
    // Plain data: the publishing thread makes its own secure context of it.
    const tls = certFile === null ? {} : { tls: { ca: readFileSync(certFile) } };
    const published = Array.from({ length: topics.hot + topics.cold }, (_, topic) => topic);
    await load.#publisher.open(
      Array.from({ length: publishers }, (_, index) => ({
        ...{ name: `publisher ${index + 1}`, url: `ws://127.0.0.1:${port}`, topics: published },
        place: { port, localAddress: localAddress(index, addressSalt), ...tls },
      })),
    );
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
  open(index: number, sink: EventSink = this.#tracker, dialect = this.dialect): LoadConnection {
    const address = localAddress(index + this.options.publishers, this.options.addressSalt);
    const endpoint = { port: this.options.port, dialect, localAddress: address, ...this.#tls };
    return new LoadConnection(index, endpoint, this.#buffer, sink);
  }

  /** Another one, for connections that are not to share what the server tells the first. */
  async createDialect(): Promise<Dialect> {
    return createDialect(this.options);
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
        this.dialect.subscribe(this.connections[index], topics);
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
      this.connections[index].socket.pause();
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
    const plans = schedules.map((schedule) => planOf(schedule, seconds));
    return this.#phase(name, async () => {
      const published = this.#publish([stepOf(plans, Number.POSITIVE_INFINITY)]);
      if (meanwhile === undefined) return published;
      let isOver = false;
      const tooLate = published.then(() => {
        if (!isOver) throw new Error(`${name}: not over after ${seconds} s`);
      });
      const over = meanwhile().then(() => {
        isOver = true;
      });
      await Promise.race([over, tooLate]).finally(() => this.#publisher.stop());
      return published;
    });
  }

  async #publish(steps: PublishStep[]): Promise<PublishSummary> {
    const summary = await this.#publisher.publish(clockMs() + START_IN_MS, steps);
    const [problem] = summary.problems;
    if (problem !== undefined) throw new Error(problem);
    return summary;
  }

  /**
   * Publishes by schedules, one step after the other; what could not be sent by the end of its step is not sent at all, so that it
   * ends in time however much is asked for. Latency counts from the intended time, of what was sent.
   * @param mayOverload more may be asked for than the server can take: it may skip messages, if it says so
   */
  async steps(name: string, steps: Step[], mayOverload: boolean): Promise<Phase> {
    const planned = steps.map(({ seconds, schedules }) => schedules.map((schedule) => planOf(schedule, seconds)));
    const phase = await this.#phase(name, () =>
      this.#publish(planned.map((plans, index) => stepOf(plans, steps[index].seconds))),
    );
    phase.offered = planned.flat().reduce((sum, { bursts, burst }) => sum + bursts * burst, 0);
    if (mayOverload) phase.mayOverload = true;
    return phase;
  }

  /** Reads a recording (see `ringcast replay`) for `replay`; its topics are numbered by their number of messages. */
  async loadRecording(file: string): Promise<RecordingSummary> {
    const { summary, ...recording } = await readRecordedMessages(file);
    await this.#publisher.record(recording);
    return summary;
  }

  /**
   * Publishes what was recorded, from its beginning on.
   * @param speed how many times as fast as it was recorded; null: as fast as the subscribers receive it
   * @param mayOverload as of `steps`
   */
  async replay(name: string, seconds: number, speed: number | null, mayOverload: boolean): Promise<Phase> {
    const subscribers = Array.from(this.#publisher.published, (_, topic) => this.#tracker.subscribersOf(topic));
    this.#tellsSettled = speed === null;
    const plan: SchedulePlan =
      speed === null
        ? { kind: 'replay-window', limit: REPLAY_WINDOW_DELIVERIES, subscribers }
        : { kind: 'replay', speed };
    const phase = await this.#phase(name, () => this.#publish([stepOf([plan], seconds)]));
    this.#tellsSettled = false;
    if (mayOverload) phase.mayOverload = true;
    return phase;
  }

  /** Takes down each delivery, from now on until `endRecording`; what was in a recording is forgotten. */
  beginRecording(recorder: DeliveryRecorder): void {
    if (recorder instanceof Recording) recorder.count = 0;
    this.#tracker.recording = recorder;
  }

  endRecording(): void {
    this.#tracker.recording = null;
  }

  /** Keeps `inFlight` messages under way: the next is published when all subscribers have the oldest. */
  async closedLoop(name: string, seconds: number, topic: number, inFlight: number): Promise<Phase> {
    return this.#phase(name, () => {
      let completed = 0;
      this.#tracker.startClosedLoop(topic, (messages) => {
        completed += messages;
        this.#publisher.settled.tell(completed);
        this.#publisher.settled.wake();
      });
      return this.#publish([stepOf([{ kind: 'window', topic, limit: inFlight }], seconds)]);
    });
  }

  /** Publishes as fast as the server takes it; returns messages per second until the answer to the last one. */
  async flood(name: string, seconds: number, topic: number, framesPerMessage: number): Promise<number> {
    const before = this.#publisher.published[topic];
    let perSecond = 0;
    await this.#phase(name, async () => {
      const startMs = clockMs();
      const plan: SchedulePlan = { kind: 'flood', topic, limit: FLOOD_UNANSWERED_MAX, framesPerMessage };
      const report = await this.#publish([stepOf([plan], seconds)]);
      const published = this.#publisher.published[topic];
      if (report.answeredSeq !== published) {
        this.outcome.problems.push(`${name}: published ${published}, the server counted ${report.answeredSeq}`);
      }
      perSecond = ((published - before) / (report.answeredMs - startMs)) * 1000;
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
    const phase = this.outcome.phases[name];
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

  async #phase(name: string, publish: () => Promise<PublishSummary>): Promise<Phase> {
    this.#tracker.beginPhase(this.#publisher.published);
    this.#publisher.settled.tell(0);
    this.#tracker.nowMs = await this.#meter.begin();
    let report: PublishSummary;
    try {
      report = await publish();
    } finally {
      this.#meter.stopWatching();
    }
    await drain(this.#tracker, this.#publisher.published);
    const verification = this.#tracker.verify(this.#publisher.published);
    const latency = this.#tracker.latency();
    const phase = await this.#meter.end({ verification, latency, lastDeliveryMs: this.#tracker.nowMs, report });
    this.outcome.phases[name] = phase;
    for (const problem of this.#tracker.problems.splice(0)) this.outcome.problems.push(`${name}: ${problem}`);
    return phase;
  }
}
