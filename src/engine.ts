/** Engine: what an application has of ringcast: starts and stops the core and the gateway, and hands calls on to them. */

import { EventEmitter } from 'node:events';
import { availableParallelism } from 'node:os';
import { configWarnings, type EngineConfig, type EngineOptions, openFilesMax, parseConfig } from './config.js';
import type { TopicStart } from './directory/topic-start.js';
import type { EngineEvents, EngineStats, LaneEvent, TopicStats } from './engine/api.js';
import { Core, type CoreOptions } from './engine/core.js';
import { Figures } from './engine/figures.js';
import { Listeners } from './engine/listeners.js';
import { SLOWEST_MAX, StatsFeed } from './engine/stats-feed.js';
import { RingcastError } from './errors.js';
import { Gateway } from './gateway/gateway.js';
import type { Home } from './home/placement.js';
import { LanePool } from './lane/pool.js';
import type { LaneEvents } from './lane/supervised-lane.js';
import type {
  LocalPublishOptions,
  LocalSubscribeOptions,
  LocalSubscription,
  PublisherOptions,
  PublishResult,
} from './local/api.js';
import { LocalPublisher } from './local/local-publisher.js';
import { LocalPublishing } from './local/local-publishing.js';
import type { LocalHandlers } from './local/local-subscriber.js';
import { subscribeLocally } from './local/local-subscribing.js';
import { METHOD_MAX_BYTES } from './protocol/messages.js';
import { topicNameProblem } from './protocol/topic-name.js';
import { utf8Length } from './protocol/utf8.js';
import type { Hooks } from './router/hooks.js';
import type { RequestHandler } from './router/requests.js';
import { createLoop } from './time/event-loop.js';

export type EngineHooks = Hooks;
export type EngineInput = EngineOptions & EngineHooks;

type State = 'new' | 'running' | 'stopping' | 'closed';

/** How often a stopping engine looks whether topics have arrived (ms). */
const MOVE_POLL_MS = 5;

/** Several engines in one process do not know of each other. */
export class Engine extends EventEmitter<EngineEvents> {
  readonly config: EngineConfig;
  readonly #listeners = new Listeners(this, () => this.#loop.nowMs());
  readonly #loop = createLoop(this.#listeners.fault);
  readonly #pool: LanePool;
  readonly #core: Core;
  readonly #gateway: Gateway;
  readonly #local: LocalPublishing;
  readonly #figures: Figures;
  readonly #statsFeed: StatsFeed;
  #state: State = 'new';
  #port = 0;
  #starting: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  /** @internal `pool`: where the lanes' threads come from; another one injects faults. */
  constructor(config: EngineConfig, hooks: EngineHooks, pool: LanePool = new LanePool(config.laneHeapBytes)) {
    super();
    this.config = config;
    const loop = this.#loop;
    const { fault } = this.#listeners;
    this.#pool = pool;
    this.#core = new Core(coreOptions(config), {
      hooks,
      loop,
      threads: pool,
      laneClock: loop,
      laneEvents: this.#laneEvents(),
      onFault: fault,
      beforeTurn: () => this.#gateway.flushReplies(),
    });
    const { router, delivery, topics } = this.#core;
    const gatewayOptions = { ...config, openFilesMax: openFilesMax() };
    const gatewayEvents = { onWarning: (text: string) => this.#warn(text), onFault: fault };
    this.#gateway = new Gateway(gatewayOptions, router, delivery, hooks, loop, gatewayEvents);
    this.#local = new LocalPublishing({
      maxPayloadBytes: config.maxPayloadBytes,
      topics,
      publishing: router.publishing,
      loop,
      onFault: fault,
      isRunning: () => this.#state === 'running',
      stateProblem: () => this.#stateProblem(),
    });
    const sources = { core: this.#core, gateway: this.#gateway, local: this.#local };
    this.#figures = new Figures(sources, SLOWEST_MAX, () => loop.nowMs());
    this.#statsFeed = new StatsFeed(config.statsIntervalMs, this.#figures, sources, loop);
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
    this.#core.sweeps.start();
    for (const text of configWarnings(this.config, availableParallelism(), openFilesMax())) this.#warn(text);
    try {
      await this.#core.lanes.start();
      this.#assertNotClosed();
      for (const name of this.config.topics.create) this.createTopic(name);
      this.#port = await this.#gateway.start();
      this.#assertNotClosed();
      this.#statsFeed.start();
    } catch (fault) {
      // A stop that came meanwhile releases everything itself, once the lanes have stopped.
      await (this.#closing ?? this.#release(this.#loop.nowMs()));
      throw fault;
    }
  }

  // ---- topics ------------------------------------------------------------------------------------------------------

  /**
   * Publishes a value, encoded as MessagePack, and tells its number. Rejects with RingcastError: BAD_REQUEST, TOO_LARGE,
   * TOPIC_NOT_FOUND, OVERLOADED, SHUTTING_DOWN … A rejection that nobody waits for ends nothing: it is counted in `stats()`.
   * A feed, which waits for none of its messages, uses `openPublisher`.
   */
  publish(topic: string, value: unknown, options?: LocalPublishOptions): Promise<PublishResult> {
    return this.#local.publish(topic, value, options);
  }

  /** Publishes bytes that are one MessagePack value already. They are copied before this returns. */
  publishEncoded(topic: string, payload: Uint8Array, options?: LocalPublishOptions): Promise<PublishResult> {
    return this.#local.publishEncoded(topic, payload, options);
  }

  /** Opens a topic for a feed. Throws RingcastError: BAD_REQUEST (name), TOPIC_NOT_FOUND, LIMIT_EXCEEDED, CONFLICT … */
  openPublisher(topic: string, options: PublisherOptions = {}): LocalPublisher {
    return new LocalPublisher(topic, this.#local, options);
  }

  /**
   * Subscribes within the process, to a topic or to all that a pattern (`prices:*`) matches. Events are handed out in turns of the event loop, like those of a socket.
   * Throws RingcastError: BAD_REQUEST (name, options), TOPIC_NOT_FOUND (and not created on first use), LIMIT_EXCEEDED.
   */
  subscribe(topic: string, options: LocalSubscribeOptions, onEvent: LocalHandlers['onEvent']): LocalSubscription {
    this.#assertRunning();
    const { topics, delivery, router } = this.#core;
    const { patterns, subscribing } = router;
    const parts = { topics, delivery, patterns, durables: subscribing.durables, loop: this.#loop };
    return subscribeLocally(parts, topic, options, onEvent, this.#listeners.fault);
  }

  /**
   * Has REQUESTs for this method answered by a handler of the application, in the place of the one before; undefined: by none.
   * Throws RingcastError BAD_REQUEST for what is no name or no function.
   */
  handle(method: string, handler: RequestHandler | undefined): void {
    const bytes = typeof method === 'string' ? utf8Length(method) : 0;
    if (bytes < 1 || bytes > METHOD_MAX_BYTES)
      throw new RingcastError('BAD_REQUEST', `a method has 1 to ${METHOD_MAX_BYTES} bytes of UTF-8`);
    if (handler !== undefined && typeof handler !== 'function')
      throw new RingcastError('BAD_REQUEST', 'a handler must be a function');
    this.#core.router.requests.handle(method, handler);
  }

  /**
   * Creates a topic that stays until `deleteTopic`; one that exists already is left as it is.
   * With `start` its numbers go on where those of another process have ended, under the same epoch.
   * Throws RingcastError: BAD_REQUEST (name, start), LIMIT_EXCEEDED (maxTopics), CONFLICT (`start` of one that exists).
   */
  createTopic(topic: string, start?: TopicStart): void {
    this.#assertRunning();
    this.#core.topics.declare(topic, start);
  }

  /** Ends a topic: its subscribers get UNSUBSCRIBED, its history is gone. False: there was none. */
  deleteTopic(topic: string): boolean {
    this.#assertRunning();
    return this.#core.topics.delete(topic);
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
    const entry = this.#core.topics.find(topic);
    if (entry === undefined) throw new RingcastError('TOPIC_NOT_FOUND', `no topic ${JSON.stringify(topic)}`);
    await this.#core.keeper.pin(entry, home);
  }

  // ---- figures -----------------------------------------------------------------------------------------------------

  stats(): EngineStats {
    return this.#figures.engineStats();
  }

  /** Figures of one topic, or undefined when there is none. */
  topicStats(topic: string): TopicStats | undefined {
    const entry = this.#core.topics.find(topic);
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
    const deadlineMs = this.#loop.nowMs() + this.config.shutdownTimeoutMs;
    if (this.#state === 'running') {
      this.#state = 'stopping';
      this.#statsFeed.stop();
      // From here on no log gives up what somebody who reads slowly is still to get.
      this.#core.sweeps.stop();
      this.#gateway.stopAccepting();
      this.#gateway.adviseReconnect(this.config.drainSpreadMs, Math.random);
      await this.#lanesStopped(deadlineMs);
      await this.#gateway.flushed(deadlineMs);
    }
    await this.#release(deadlineMs);
  }

  /** Lets topics arrive that are on their way, and the lanes deal with all that is in their rings. */
  async #lanesStopped(deadlineMs: number): Promise<void> {
    this.#core.keeper.stop();
    while (this.#core.handOver.underWayCount > 0 && this.#loop.nowMs() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, MOVE_POLL_MS));
      this.#core.handOver.pump();
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, Math.max(0, deadlineMs - this.#loop.nowMs()));
    });
    await Promise.race([this.#core.lanes.stop(), late]);
    clearTimeout(timer);
  }

  async #release(deadlineMs: number): Promise<void> {
    this.#state = 'closed';
    this.#core.sweeps.stop();
    this.#statsFeed.stop();
    // Of a lane that did not get that far in time. Before the connections end: who published them is to hear of it.
    const problem = 'the engine was stopped before the message had got its number; it may be lost';
    this.#core.router.publishing.pendingAcks.refuseAll(new RingcastError('SHUTTING_DOWN', problem));
    this.#gateway.flushReplies();
    const closed = this.#gateway.close(deadlineMs);
    for (const { sink } of this.#core.delivery.consumers()) sink.end(1001, 'SHUTTING_DOWN');
    this.#core.close();
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
      onDegraded: (lane, fault) => emit(lane, 'degraded', 0, fault),
      onPoison: (lane, { alias, payload, timeMs }) => {
        const topic = this.#core.topics.findAlias(alias)?.spec.topic ?? '';
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

/** @returns what of the configuration each part takes */
function coreOptions(config: EngineConfig): CoreOptions {
  const retention = { ms: config.retainMs, messages: config.retainMessages, bytes: config.retainBytes };
  return {
    delivery: { budgetMs: config.deliveryBudgetMs },
    cold: {
      dataMaxBytes: config.coldLogMaxBytes,
      framesMax: config.coldLogMaxFrames,
      logsMaxBytes: config.coldLogsMaxBytes,
      retention,
    },
    lanes: {
      lanes: config.lanes,
      ringBytes: config.ringBytes,
      stallMs: config.laneStallMs,
      logSizes: { dataBytes: config.hotLogBytes, frames: config.hotLogFrames },
      maxHotTopics: config.maxHotTopics,
    },
    topics: {
      autoCreate: config.topics.autoCreate,
      maxTopics: config.maxTopics,
      maxHotTopics: config.maxHotTopics,
      maxStreamsPerTopic: config.maxStreamsPerTopic,
      defaults: config,
      rules: config.topics.rules,
      retention,
    },
    router: config,
    homes: config,
  };
}

function assertName(problem: string | null): void {
  if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
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
