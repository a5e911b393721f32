/** Engine: the one place where the parts are built, wired, started and stopped. */

import { EventEmitter } from 'node:events';
import { availableParallelism } from 'node:os';
import { configWarnings, type EngineConfig, type EngineOptions, openFilesMax, parseConfig } from './config.js';
import { callOut } from './delivery/call-out.js';
import { Delivery } from './delivery/delivery.js';
import { type LocalHandlers, LocalSubscriber } from './delivery/local-subscriber.js';
import type { Scheduler } from './delivery/scheduler.js';
import { DELAY_OF_STREAM } from './delivery/subscription-table.js';
import type {
  EngineEvents,
  EngineStats,
  LaneEvent,
  LocalSubscribeOptions,
  LocalSubscription,
  PublisherOptions,
  PublishOptions,
  PublishResult,
  TopicStats,
} from './engine/api.js';
import { Figures } from './engine/figures.js';
import { Listeners } from './engine/listeners.js';
import { LocalPublishing } from './engine/local-publishing.js';
import { Publisher } from './engine/publisher.js';
import { createScheduler } from './engine/scheduler.js';
import { SLOWEST_MAX, StatsFeed } from './engine/stats-feed.js';
import { Sweeps } from './engine/sweeps.js';
import { RingcastError } from './errors.js';
import { Gateway } from './gateway/gateway.js';
import { DirectLink } from './lane/direct-link.js';
import { LaneSet } from './lane/lane-set.js';
import type { Home } from './lane/placement.js';
import { LanePool } from './lane/pool.js';
import type { LaneEvents } from './lane/supervised-lane.js';
import { msgpackEncoder } from './protocol/encoder-msgpack.js';
import { OPTIONS } from './protocol/messages.js';
import { optionProblem } from './protocol/options.js';
import { addressProblem, topicNameProblem } from './protocol/topic-name.js';
import { HandOver } from './router/hand-over.js';
import { HomeKeeper } from './router/home-keeper.js';
import type { Hooks } from './router/hooks.js';
import { Router } from './router/router.js';
import { policyNumber, TopicRegistry } from './router/topic-registry.js';

export type EngineHooks = Hooks;
export type EngineInput = EngineOptions & EngineHooks;

type State = 'new' | 'running' | 'stopping' | 'closed';

/** Frames younger than this stay in a cold topic's log beyond its history, for consumers that lag a little (ms). */
const COLD_RETAIN_MS = 2000;
const SWEEP_MS = 1000;
/** How often a stopping engine looks whether topics have arrived (ms). */
const MOVE_POLL_MS = 5;

/** Several engines in one process do not know of each other. */
export class Engine extends EventEmitter<EngineEvents> {
  readonly config: EngineConfig;
  readonly #scheduler: Scheduler = createScheduler((fault) => this.#listeners.fault(fault));
  readonly #listeners = new Listeners(this, () => this.#scheduler.nowMs());
  readonly #delivery: Delivery;
  readonly #coldLink: DirectLink;
  readonly #pool: LanePool;
  readonly #lanes: LaneSet;
  readonly #handOver: HandOver;
  readonly #homes: HomeKeeper;
  readonly #router: Router;
  readonly #gateway: Gateway;
  readonly #publishing: LocalPublishing;
  readonly #figures: Figures;
  readonly #statsFeed: StatsFeed;
  #state: State = 'new';
  #port = 0;
  readonly #sweeps: Sweeps;
  #starting: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  /** @internal `pool`: where the lanes' threads come from; another one injects faults. */
  constructor(config: EngineConfig, hooks: EngineHooks, pool: LanePool = new LanePool(config.laneHeapBytes)) {
    super();
    this.config = config;
    this.#delivery = new Delivery({ budgetMs: config.deliveryBudgetMs }, this.#scheduler);
    this.#coldLink = new DirectLink({
      dataMaxBytes: config.coldLogMaxBytes,
      framesMax: config.coldLogMaxFrames,
      logsMaxBytes: config.coldLogsMaxBytes,
      retainMs: COLD_RETAIN_MS,
    });
    this.#pool = pool;
    this.#lanes = new LaneSet(
      {
        lanes: config.lanes,
        ringBytes: config.ringBytes,
        stallMs: config.laneStallMs,
        logSizes: { dataBytes: config.hotLogBytes, frames: config.hotLogFrames },
        maxHotTopics: config.maxHotTopics,
      },
      this.#pool,
      this.#scheduler,
      this.#scheduler,
      {
        onHead: (alias) => this.#router.onHead(alias),
        onAck: (request, seq) => this.#router.onAck(request, seq),
        onPutAside: (request) => this.#router.onPutAside(request),
      },
      this.#laneEvents(),
    );
    const isUsable = (lane: number): boolean => this.#lanes.isUsable(lane);
    const { links: laneLinks, sharedLogs } = this.#lanes;
    const registry = new TopicRegistry(
      {
        autoCreate: config.topics.autoCreate,
        maxTopics: config.maxTopics,
        maxHotTopics: config.maxHotTopics,
        defaults: config,
        rules: config.topics.rules,
        nowMs: () => this.#scheduler.nowMs(),
      },
      this.#delivery,
      this.#coldLink,
      laneLinks,
      isUsable,
    );
    this.#router = new Router(config, registry, this.#delivery, hooks, this.#scheduler);
    this.#router.onFault = this.#listeners.fault;
    this.#delivery.onFault = this.#listeners.fault;
    this.#handOver = new HandOver(
      { coldLink: this.#coldLink, laneLinks, sharedLogs, isUsable, loop: this.#scheduler },
      this.#delivery,
      this.#router,
    );
    this.#homes = new HomeKeeper(config, registry, this.#handOver, this.#lanes, this.#scheduler);
    this.#router.onActive = (entry) => this.#homes.watch(entry);
    const gatewayOptions = { ...config, openFilesMax: openFilesMax() };
    this.#gateway = new Gateway(gatewayOptions, this.#router, this.#delivery, hooks, this.#scheduler);
    this.#gateway.onWarning = (text) => this.#warn(text);
    const takeIn = (): void => {
      this.#lanes.drain();
      this.#handOver.pump();
      this.#gateway.flushReplies();
    };
    this.#delivery.beforeTurn = () => callOut(takeIn, this.#listeners.fault);
    this.#publishing = new LocalPublishing({
      maxPayloadBytes: config.maxPayloadBytes,
      router: this.#router,
      scheduler: this.#scheduler,
      onFault: this.#listeners.fault,
      isRunning: () => this.#state === 'running',
      stateProblem: () => this.#stateProblem(),
    });
    const sources = {
      gateway: this.#gateway,
      router: this.#router,
      publishing: this.#publishing,
      delivery: this.#delivery,
      coldLink: this.#coldLink,
      lanes: this.#lanes,
      homes: this.#homes,
      handOver: this.#handOver,
    };
    this.#figures = new Figures(sources, SLOWEST_MAX, () => this.#scheduler.nowMs());
    this.#sweeps = new Sweeps(this.#scheduler, SWEEP_MS, [
      () => registry.sweep(),
      () => this.#coldLink.trim(this.#scheduler.nowMs()),
      () => {
        for (const load of this.#lanes.loads) load.endInterval(this.#scheduler.nowMs());
        return true;
      },
    ]);
    this.#statsFeed = new StatsFeed(config.statsIntervalMs, this.#figures, sources, this.#scheduler);
  }

  /** The port it listens on; 0 before `start`. */
  get port(): number {
    return this.#port;
  }

  /** Where clients connect to: `ws://127.0.0.1:8787/ws`. */
  get url(): string {
    const { host, tls } = this.config;
    const name = host.includes(':') ? `[${host}]` : host;
    return `${tls === undefined ? 'ws' : 'wss'}://${name}:${this.#port}/ws`;
  }

  /** Starts lanes and server. Rejects with RingcastError: one line that says what to do, where a port is in use for one. */
  start(): Promise<void> {
    const starting = this.#start();
    this.#starting ??= starting;
    return starting;
  }

  async #start(): Promise<void> {
    if (this.#state === 'closed') throw this.#stateProblem();
    if (this.#state !== 'new') throw new RingcastError('CONFLICT', 'the engine has been started before');
    this.#state = 'running';
    this.#sweeps.start();
    for (const text of configWarnings(this.config, availableParallelism(), openFilesMax())) this.#warn(text);
    try {
      await this.#lanes.start();
      this.#assertNotClosed();
      for (const name of this.config.topics.create) this.createTopic(name);
      this.#port = await this.#gateway.start();
      this.#assertNotClosed();
      this.#statsFeed.start();
    } catch (fault) {
      // A stop that came meanwhile releases everything itself, once the lanes have stopped.
      await (this.#closing ?? this.#release(this.#scheduler.nowMs()));
      throw fault;
    }
  }

  // ---- topics ------------------------------------------------------------------------------------------------------

  /**
   * Publishes a value, encoded as MessagePack, and tells its number. Rejects with RingcastError: BAD_REQUEST, TOO_LARGE,
   * TOPIC_NOT_FOUND, OVERLOADED, SHUTTING_DOWN … A rejection that nobody waits for ends nothing: it is counted in `stats()`.
   * A feed, which waits for none of its messages, uses `openPublisher`.
   */
  publish(topic: string, value: unknown, options?: PublishOptions): Promise<PublishResult> {
    return this.#publishing.publish(topic, value, options);
  }

  /** Publishes bytes that are one MessagePack value already. They are copied before this returns. */
  publishEncoded(topic: string, payload: Uint8Array, options?: PublishOptions): Promise<PublishResult> {
    return this.#publishing.publishEncoded(topic, payload, options);
  }

  /** Opens a topic for a feed. Throws RingcastError: BAD_REQUEST (name), TOPIC_NOT_FOUND, LIMIT_EXCEEDED, CONFLICT … */
  openPublisher(topic: string, options: PublisherOptions = {}): Publisher {
    return new Publisher(topic, this.#publishing, options);
  }

  /**
   * Subscribes within the process. Events are handed out in turns of the event loop, like those of a socket.
   * Throws RingcastError: BAD_REQUEST (name, options), TOPIC_NOT_FOUND (and not created on first use), LIMIT_EXCEEDED.
   */
  subscribe(topic: string, options: LocalSubscribeOptions, onEvent: LocalHandlers['onEvent']): LocalSubscription {
    this.#assertRunning();
    assertName(addressProblem(topic));
    assertSubscribeOptions(options, onEvent);
    const { topics } = this.#router;
    const entry = topics.obtain(topic);
    if (entry instanceof RingcastError) throw entry;
    const { lastN = 0, policy, maxDelayMs = DELAY_OF_STREAM, onGap, onEnd } = options;
    const cursor = entry.firstSeqFor(lastN);
    const ended: LocalHandlers['onEnd'] = (code, reason) => {
      // As the end of a socket does: a consumer that stays would be flushed again and again.
      this.#delivery.removeConsumer(consumer);
      return onEnd?.(code, reason);
    };
    const subscriber = new LocalSubscriber(topic, { onEvent, onGap, onEnd: ended }, this.#listeners.fault);
    const consumer = this.#delivery.addConsumer(subscriber, msgpackEncoder);
    this.#delivery.subscribe(consumer, topics.streamOf(entry, false), {
      cursor,
      policy: policyNumber(policy ?? entry.settings.slowConsumerPolicy),
      delayMs: maxDelayMs,
    });
    const close = (): void => {
      subscriber.close();
      this.#delivery.removeConsumer(consumer);
    };
    return { topic, epoch: entry.spec.epoch, seq: cursor - 1, close };
  }

  /**
   * Creates a topic that stays until `deleteTopic`; one that exists already is left as it is.
   * Throws RingcastError: BAD_REQUEST (name), LIMIT_EXCEEDED (maxTopics).
   */
  createTopic(topic: string): void {
    this.#assertRunning();
    this.#router.topics.declare(topic);
  }

  /** Ends a topic: its subscribers get UNSUBSCRIBED, its history is gone. False: there was none. */
  deleteTopic(topic: string): boolean {
    this.#assertRunning();
    return this.#router.topics.delete(topic);
  }

  /**
   * Says where a topic lives from now on: `cold` (the accept thread), `hot` (the lane with the least load), the number of a
   * lane, or `auto`: where its load belongs. Publishers and subscribers go on meanwhile. Resolves when it is there.
   * Rejects with RingcastError: TOPIC_NOT_FOUND, BAD_REQUEST (no such home), LIMIT_EXCEEDED (maxHotTopics),
   * CONFLICT (that lane, or every lane, has been given up).
   */
  moveTopic(topic: string, home: Home): Promise<void> {
    const moved = this.#move(topic, home);
    // As with `publish`: who does not wait for it is not ended by its refusal.
    moved.catch(() => {});
    return moved;
  }

  async #move(topic: string, home: Home): Promise<void> {
    this.#assertRunning();
    assertName(topicNameProblem(topic));
    const entry = this.#router.topics.find(topic);
    if (entry === undefined) throw new RingcastError('TOPIC_NOT_FOUND', `no topic ${JSON.stringify(topic)}`);
    await this.#homes.pin(entry, home);
  }

  // ---- figures -----------------------------------------------------------------------------------------------------

  stats(): EngineStats {
    return this.#figures.engineStats();
  }

  /** Figures of one topic, or undefined when there is none. */
  topicStats(topic: string): TopicStats | undefined {
    const entry = this.#router.topics.find(topic);
    return entry === undefined ? undefined : this.#figures.topicStats(entry);
  }

  /** Shared memory with the newest stats report, for a StatsBoardReader in another thread. */
  get statsBoard(): SharedArrayBuffer {
    return this.#statsFeed.board;
  }

  // ---- stop --------------------------------------------------------------------------------------------------------

  /**
   * Stops gracefully: no new connections, advice to reconnect, everything accepted is delivered, connections close with
   * 1001. Resolves within `shutdownTimeoutMs`. May be called again: the calls share one stop.
   */
  close(): Promise<void> {
    // A start that this cuts short rejects; where nobody waits for it, that must not end the process before the stop is done.
    this.#starting?.catch(() => {});
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  async #stop(): Promise<void> {
    const deadlineMs = this.#scheduler.nowMs() + this.config.shutdownTimeoutMs;
    if (this.#state === 'running') {
      this.#state = 'stopping';
      this.#statsFeed.stop();
      // From here on no log gives up what somebody who reads slowly is still to get.
      this.#sweeps.stop();
      this.#gateway.stopAccepting();
      this.#gateway.adviseReconnect(this.config.drainSpreadMs, Math.random);
      await this.#lanesStopped(deadlineMs);
      await this.#gateway.flushed(deadlineMs);
    }
    await this.#release(deadlineMs);
  }

  /** Lets topics arrive that are on their way, and the lanes deal with all that is in their rings. */
  async #lanesStopped(deadlineMs: number): Promise<void> {
    this.#homes.stop();
    while (this.#handOver.underWayCount > 0 && this.#scheduler.nowMs() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, MOVE_POLL_MS));
      this.#handOver.pump();
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, Math.max(0, deadlineMs - this.#scheduler.nowMs()));
    });
    await Promise.race([this.#lanes.stop(), late]);
    clearTimeout(timer);
  }

  async #release(deadlineMs: number): Promise<void> {
    this.#state = 'closed';
    this.#sweeps.stop();
    this.#statsFeed.stop();
    // Of a lane that did not get that far in time. Before the connections end: who published them is to hear of it.
    const problem = 'the engine was stopped before the message had got its number; it may be lost';
    this.#router.pendingAcks.refuseAll(new RingcastError('SHUTTING_DOWN', problem));
    this.#gateway.flushReplies();
    const closed = this.#gateway.close(deadlineMs);
    for (const { sink } of this.#delivery.consumers()) sink.end(1001, 'SHUTTING_DOWN');
    this.#delivery.close();
    this.#homes.stop();
    this.#handOver.close();
    this.#lanes.close();
    await this.#pool.destroy();
    await closed;
  }

  // ---- helpers -----------------------------------------------------------------------------------------------------

  #laneEvents(): LaneEvents {
    const emit = (lane: number, kind: LaneEvent['kind'], recoveryMs: number, fault: unknown): void => {
      this.#listeners.tell('lane', { lane, kind, recoveryMs, fault });
    };
    return {
      onDeath: ({ lane, reason, fault }) => emit(lane, reason, 0, fault),
      onRecovered: (lane, recoveryMs) => emit(lane, 'recovered', recoveryMs, null),
      onDegraded: (lane, fault) => {
        this.#homes.evacuate(lane);
        emit(lane, 'degraded', 0, fault);
      },
      onPoison: (lane, { alias, payload, timeMs }) => {
        const topic = this.#router.topics.findAlias(alias)?.spec.topic ?? '';
        this.#listeners.tell('poison', { topic, lane, payload, time: timeMs });
      },
    };
  }

  /** `start` has waited for something, and may have waited for longer than the engine was wanted. */
  #assertNotClosed(): void {
    if (this.#state !== 'running') throw new RingcastError('SHUTTING_DOWN', 'the engine was closed while it started');
  }

  #warn(text: string): void {
    if (!this.#listeners.tell('warning', text)) process.emitWarning(text, 'RingcastWarning');
  }

  #assertRunning(): void {
    if (this.#state !== 'running') throw this.#stateProblem();
  }

  #stateProblem(): RingcastError {
    if (this.#state === 'stopping') return new RingcastError('SHUTTING_DOWN', 'the engine is about to stop');
    const why = this.#state === 'new' ? 'call start() first' : 'it is closed';
    return new RingcastError('CONFLICT', `the engine does not run: ${why}`);
  }
}

function assertName(problem: string | null): void {
  if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
}

function assertSubscribeOptions(options: LocalSubscribeOptions, onEvent: LocalHandlers['onEvent']): void {
  if (typeof options !== 'object' || options === null) {
    throw new RingcastError('BAD_REQUEST', 'the options of subscribe must be an object');
  }
  for (const [name, handler] of Object.entries({ onGap: options.onGap, onEnd: options.onEnd, onEvent })) {
    if (typeof handler === 'function' || (handler === undefined && name !== 'onEvent')) continue;
    throw new RingcastError('BAD_REQUEST', `${name} must be a function`);
  }
  for (const name of ['lastN', 'policy', 'maxDelayMs'] as const) {
    const problem = options[name] === undefined ? null : optionProblem(name, OPTIONS.SUBSCRIBE[name], options[name]);
    if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
  }
}

const HOOK_NAMES = ['onConnect', 'authorize', 'onSubscribe', 'onClose'] as const;

/**
 * Makes an engine; `start` runs it. Options are those of a configuration file, and the hooks.
 * Throws RingcastError BAD_REQUEST that names every wrong or unknown option.
 */
export function createEngine(input: EngineInput = {}): Engine {
  const hooks: Record<string, unknown> = {};
  const options: Record<string, unknown> = { ...input };
  for (const name of HOOK_NAMES) {
    if (options[name] !== undefined) hooks[name] = options[name];
    delete options[name];
  }
  for (const [name, hook] of Object.entries(hooks)) {
    if (typeof hook !== 'function') throw new RingcastError('BAD_REQUEST', `${name} must be a function`);
  }
  return new Engine(parseConfig(options), hooks as EngineHooks);
}
