/** The load generator of one process: opens its connections, reads and verifies what arrives; a thread of it publishes. */
import { openFilesMax, openFilesNeeded } from '../config/open-files.js';
import { clockMs, sleep } from './clock.js';
import { LoadConnection, type Place, ReceiveBuffer } from './connection.js';
import { CountingSink } from './counting-sink.js';
import { createDialect, createPayloadForm } from './dialects.js';
import { drain } from './drain.js';
import { explainConnectFailure, LoadError } from './explain.js';
import { HealthMeter, type ReaderHealth, saturationOf } from './health.js';
import { connectionsOf, type JobPart, type LoadJob, type PublisherPlan, publishersOf, sourcesOf } from './job.js';
import { LatencyHistogram } from './latency-histogram.js';
import type { LoadDialect } from './load-dialect.js';
import { PublisherThread } from './publisher.js';
import type { PublishSummary, PublishTask } from './publisher-port.js';
import type { LoadResult } from './result.js';
import type { ProbePlan, SteadyPlan } from './schedule.js';
import { dialectOptionsOf, findAddress, placesOf, withinTime } from './target.js';
import type { Tick } from './team.js';
import { parseTopics, topicsOf } from './topics.js';
import { Tracker, UNTIMED } from './tracker.js';
import { OPCODE_BINARY } from './websocket.js';

/** Connections that are being opened at the same time. */
const OPENING_MAX = 100;
const CONFIRM_MAX_MS = 20_000;
const PROBE_INTERVAL_MS = 500;
const PROBE_MAX_MS = 20_000;
/** After its end a schedule is worked off for so long where the server holds it up. */
const GRACE_MS = 2_000;
/** Source addresses of publishers lie beyond those of the subscribers. */
const ADDRESS_OFFSET = 40_000;

/** What was counted at some moment. */
interface Mark {
  atMs: number;
  published: number;
  delivered: number;
  messages: number;
  readBytes: number;
  reads: number;
}

type PlanWithoutTopics = Omit<SteadyPlan, 'topics'> | Omit<ProbePlan, 'topics'>;

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
  readonly #connections: LoadConnection[] = [];
  readonly #topics: readonly string[];
  readonly #dialect: LoadDialect;
  readonly #tracker: Tracker;
  readonly #sink: Tracker | CountingSink;
  readonly #publisher: PublisherThread;
  readonly #plans: readonly PublisherPlan[];
  readonly #health = new HealthMeter();
  readonly #timers: NodeJS.Timeout[] = [];
  #summary: PublishSummary | null = null;
  #scheduled = 0;
  #probed: Promise<void> = Promise.resolve();
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
    this.#plans = publishersOf(job, part);
    const dialectOptions = dialectOptionsOf(job, this.#topics);
    this.#dialect = createDialect(dialectOptions);
    const numbers = this.#topics.length * Math.max(1, sourcesOf(job, part.machines));
    const { protocol, payloadBytes, run } = job;
    const dialectModule = new URL('./dialects.js', import.meta.url).href;
    this.#publisher = new PublisherThread({ dialectModule, dialectOptions, protocol, payloadBytes, run, numbers });
    const ownSource = (number: number): boolean => Math.floor(number / this.#topics.length) === part.machine;
    this.#tracker = new Tracker({
      topics: numbers,
      form: createPayloadForm(protocol, payloadBytes, run),
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
    const placeOf = placesOf(this.#job, this.#part, await findAddress(this.#job.url));
    await this.#openAll(placeOf);
    if (this.#plans.length === 0) return;
    const { url, publishers } = this.#job;
    await this.#publisher.open(
      this.#plans.map(({ publisher, offset, step }, index) => ({
        ...{ name: `publisher ${publisher + 1} of ${publishers}`, url, place: placeOf(ADDRESS_OFFSET + index) },
        topics: this.#topics.map((_, topic) => topic).filter((topic) => topic % step === offset),
      })),
    );
  }

  async #openAll(placeOf: (index: number) => Place): Promise<void> {
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
          await this.#openOne(index, first + index, placeOf(index));
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
    const needed = openFilesNeeded(wanted + this.#plans.length);
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

  async #openOne(index: number, number: number, place: Place): Promise<void> {
    const connection = new LoadConnection(index, { ...place, dialect: this.#dialect }, this.#buffer, this.#sink);
    this.#connections[index] = connection;
    await withinTime(connection.upgraded(), () => connection.destroy());
    connection.onLost = () => this.#lostOne();
    const { topicsPerConnection, choice, seed } = this.#job;
    const topics = topicsOf(number, topicsPerConnection, this.#topics.length, choice, seed);
    const { greeting = null, unconfirmed = false, opcode = OPCODE_BINARY } = this.#dialect;
    if (!unconfirmed) this.#unconfirmed.set(index, topics.length + (greeting === null ? 0 : 1));
    if (greeting !== null) connection.send(greeting, opcode);
    this.#dialect.subscribe(connection, topics);
    if (!unconfirmed) await this.#confirmed(connection);
    for (let source = 0; source < sourcesOf(this.#job, this.#part.machines); source++) {
      for (const topic of topics) this.#tracker.expect(index, source * this.#topics.length + topic);
    }
  }

  async #confirmed(connection: LoadConnection): Promise<void> {
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

  /** Resolves when every subscription has got a message, where only that shows that it works. Throws LoadError. */
  async probe(): Promise<void> {
    this.#checkLosses();
    if (this.#dialect.unconfirmed !== true || this.#job.rate === 0) return;
    const wanted = this.#tracker.subscriptionCount;
    const giveUpMs = clockMs() + PROBE_MAX_MS;
    this.#isProbing = true;
    void this.#probeOn().catch((error: Error) => this.onFailed(error.message));
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
    while (this.#isProbing && this.#plans.length > 0) {
      this.#probed = this.#publisher.probe(this.#tasks(() => ({ kind: 'probe' })));
      await this.#probed;
      await sleep(PROBE_INTERVAL_MS);
    }
  }

  #silence(wanted: number): string {
    const missing = wanted - this.#tracker.probedCount;
    const remarks = (this.#dialect.remarks ?? []).map((remark) => ` The server said: ${remark}`).slice(0, 1);
    return `${missing} of ${wanted} subscriptions got none of the messages published to them for ${PROBE_MAX_MS / 1000} s. Are the templates right?${remarks.join('')}`;
  }

  /** @param startMs when the first message leaves (clockMs) */
  start(startMs: number): void {
    const { warmupMs, durationMs } = this.#job;
    startMs = Math.ceil(startMs); // payloads as text hold whole microseconds: the first one must not seem to be too early
    this.#isProbing = false;
    this.#isRunning = true;
    this.#tracker.timedFromMs = startMs + warmupMs;
    if (this.#plans.length > 0) void this.#publish(startMs);
    if (this.#lost > 0 && this.#lost === this.#opened) this.stop();
    const inMs = startMs - clockMs();
    this.#after(inMs + warmupMs, () => {
      this.#health.start();
      this.#begin = this.#mark();
    });
    this.#after(inMs + warmupMs + durationMs, () => this.#closeWindow());
    // Others publish, or nobody does.
    if (this.#plans.length === 0) this.#after(inMs + warmupMs + durationMs, () => this.#over());
  }

  async #publish(startMs: number): Promise<void> {
    const { burst, publishers, rate, warmupMs, durationMs } = this.#job;
    const ms = warmupMs + durationMs;
    const perSecond = rate / publishers;
    const bursts = Math.max(1, Math.round((ms * perSecond) / burst / 1000));
    this.#scheduled = bursts * burst * this.#plans.length;
    const common = { kind: 'steady' as const, perSecond, burst, bursts };
    // Publishers of all processes take turns.
    const tasks = this.#tasks(({ publisher }) => ({ ...common, offsetMs: (1000 * burst * publisher) / rate }));
    try {
      await this.#probed;
      if (!this.#isStopped) this.#summary = await this.#publisher.publish(startMs, [{ tasks, ms: ms + GRACE_MS }]);
      this.#over();
    } catch (error) {
      this.onFailed((error as Error).message);
    }
  }

  /** One for each publishing connection. */
  #tasks(planOf: (publisher: PublisherPlan) => PlanWithoutTopics): PublishTask[] {
    const end = this.#topics.length;
    return this.#plans.map((publisher, connection) => {
      const topics = { first: publisher.offset, end, step: publisher.step };
      return { connection, firstNumber: publisher.source * end, plan: { ...planOf(publisher), topics } };
    });
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
    this.onDone(this.#publisher.published);
  }

  #mark(): Mark {
    const { reads, readBytes, messages } = this.#buffer;
    return {
      atMs: clockMs(),
      published: this.#publisher.total,
      delivered: this.#tracker.delivered,
      messages,
      readBytes,
      reads,
    };
  }

  /** Ends the run; what has been published is still waited for and verified. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#closeWindow();
    if (this.#plans.length > 0) this.#publisher.stop();
    else this.#over();
  }

  tick(): Tick {
    return {
      connections: this.#opened,
      published: this.#publisher.total,
      delivered: this.#tracker.delivered,
      wrong: this.#tracker.wrongSoFar(),
      lost: this.#lost,
      p99Micros: this.#tracker.timed === 0 ? 0 : this.#tracker.histogram().quantileMicros(0.99),
    };
  }

  /** Waits for what is under way, then counts. */
  async verify(published: Int32Array, lostSources: readonly number[]): Promise<LoadResult> {
    this.#assumeAllOf(lostSources, published);
    await drain(this.#tracker, published, () => this.#lost >= this.#opened);
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
    const { publishLateP99Ms = 0, publishLateMaxMs = 0, heldUpMs = 0 } = this.#summary ?? {};
    const heldUpPercent = (100 * heldUpMs) / (this.#job.warmupMs + this.#job.durationMs);
    const health = { ...reader, publishLateP99Ms, publishLateMaxMs, heldUpPercent };
    const isCounting = this.#job.rate === 0;
    return {
      connections: this.#opened,
      connectionsWanted: connectionsOf(this.#job, this.#part).count,
      subscriptions: this.#opened * this.#job.topicsPerConnection,
      connectionsLost: this.#lost,
      seconds,
      scheduled: this.#scheduled,
      published: this.#publisher.total,
      verification: this.#tracker.verify(isCounting ? new Int32Array(published.length) : published),
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
    void this.#publisher.close();
  }
}
